//! Checking a pipeline before anything is run: files, URLs, programs, regular expressions,
//! boards.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::time::timeout;

use super::context::Settings;
use super::device::Device;
use super::error::Error;
use super::expect::Patterns;
use super::job::{Container, Job};
use super::lab;
use super::pipeline::Pipeline;
use super::power::{PowerCommand, own_outlet};
use super::serve::listening;
use crate::image::Fetch;
use crate::model::{Failure, Kind};

/// So long the checks of one action may take: a server that says nothing is as good as none.
const CHECK_LIMIT: Duration = Duration::from_secs(30);
/// So many actions are checked at the same time.
const AT_ONCE: usize = 8;
/// Whoever answers no sooner what address a name has does not count.
const RESOLVING: Duration = Duration::from_secs(10);

/// One thing that is wrong, and whose fault it is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fault {
    step: String,
    message: String,
    kind: Kind,
    /// What several actions need is told with the first of them.
    once: bool,
}

/// Collects what is wrong, all of it.
#[derive(Debug)]
pub struct Checks {
    pub device: Device,
    pub settings: Settings,
    fetch: Arc<Fetch>,
    step: String,
    faults: Vec<Fault>,
    /// What of other hosts cannot be had now; it may be there when the job needs it.
    unreachable: Vec<String>,
}

impl Checks {
    /// Notes something that is wrong with the action that is being checked.
    pub fn fault(&mut self, message: impl AsRef<str>) {
        self.note(message.as_ref().to_owned(), Kind::Config, false);
    }

    /// Notes that the device dictionary has not what the action needs.
    pub fn lacks(&mut self, key: &str) {
        self.fault(format!("the device ({}) has no \"{key}\"", self.device.file));
    }

    fn note(&mut self, message: String, kind: Kind, once: bool) {
        let fault = Fault { step: self.step.clone(), message, kind, once };
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    /// Notes why something of the lab's was not found. What several actions need is told once.
    pub fn error(&mut self, error: Error) {
        let Failure { kind, message, .. } = error.into_failure();
        self.note(message, kind, true);
    }

    /// A command that switches the board must be one, and its board or program there.
    pub(super) async fn power(&mut self, command: &str) {
        match PowerCommand::parse(command) {
            Ok(PowerCommand::Program { words }) => self.program(&words[0]),
            Ok(PowerCommand::Pduclient { pdu, port, words, .. }) => {
                let board = &self.device.hostname;
                if own_outlet(&pdu, &port, board, &self.settings).await.is_none() {
                    self.program(&words[0]);
                }
            }
            Ok(PowerCommand::Native { lab, boards, .. }) => {
                let inventory = lab.map(PathBuf::from).or_else(|| self.settings.lab.clone());
                for board in boards {
                    if let Err(error) = lab::outlet(&board, inventory.as_deref()).await {
                        self.error(error);
                    }
                }
            }
            Err(why) => self.fault(why),
        }
    }

    /// What boards are told of this host must be an address, or a name that has one.
    async fn dispatcher_ip(&mut self) {
        let host = self.settings.dispatcher_ip.clone();
        "--dispatcher-ip".clone_into(&mut self.step);
        let found = timeout(RESOLVING, listening(&host)).await;
        if let Err(error) = found.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into())) {
            self.fault(format!("boards cannot reach this host as {host:?}: {error}"));
        }
    }

    /// The devices of this host that containers are to have must be ones that jobs may name.
    fn devices(&mut self, job: &Job) {
        "docker".clone_into(&mut self.step);
        for device in job.containers().flat_map(|container| &container.devices) {
            if let Err(why) = self.settings.files.place(Path::new(device)) {
                self.fault(why.to_string());
            }
        }
    }

    /// A program must be on this host.
    pub fn program(&mut self, name: &str) {
        if find_program(name).is_none() {
            let what = format!("the program {name:?} is not on this host");
            self.note(what, Kind::Config, true);
        }
    }

    /// A container of the job's must be one that docker starts here.
    pub fn docker(&mut self, container: &Container) {
        self.program("docker");
        if container.login {
            self.fault(
                "docker: \"login\" is not done here: have the image on this host, and \"local: true\"",
            );
        }
    }

    /// There must be a folder for what boards fetch by TFTP, and somebody who serves it.
    pub fn tftp_folder(&mut self) {
        let folder = self.settings.tftp_dir.clone();
        if self.settings.tftp_listen.is_none() && !folder.is_dir() {
            let what = "is no folder, so no TFTP server serves it; name the server's folder";
            let other = "or serve it with --tftp-listen IP:PORT";
            self.fault(format!("{} {what} with --tftp-dir DIR, {other}", folder.display()));
        }
    }

    /// A text must be a regular expression.
    pub fn pattern(&mut self, what: &str, pattern: &str) {
        if let Err(error) = Patterns::new([pattern]) {
            self.fault(format!("{what}: {error}"));
        }
    }

    /// There must be something at a URL, for who asks with these headers.
    pub async fn url(&mut self, url: &str, headers: &BTreeMap<String, String>) {
        match self.fetch.probe(url, headers).await {
            Ok(()) => {}
            Err(error) if error.may_pass() => {
                self.unreachable.push(format!("{}: {error}", self.step));
            }
            Err(error) => self.fault(error.to_string()),
        }
    }
}

/// Checks every action. What comes back is what of other hosts is not there now, and may be when the job
/// needs it.
///
/// # Errors
/// All that is wrong, one line each: [`Kind::Config`] if any of it is the job's or the device's
/// fault, else the lab's kind.
pub async fn validate(
    pipeline: &Pipeline,
    job: &Job,
    device: &Device,
    settings: &Settings,
) -> Result<Vec<String>, Failure> {
    let fetch = Arc::new(Fetch::default().with_files(settings.files.clone()));
    let checks_of = |step: String| Checks {
        device: device.clone(),
        settings: settings.clone(),
        fetch: fetch.clone(),
        step,
        faults: Vec::new(),
        unreachable: Vec::new(),
    };
    let mut checks = checks_of(String::new());
    checks.dispatcher_ip().await;
    checks.devices(job);
    for step in &pipeline.steps {
        checks.step = format!("{} {}", step.level, step.action.name());
        step.undone.iter().for_each(|what| checks.fault(what));
    }
    let Checks { mut faults, mut unreachable, .. } = checks;
    let steps = pipeline.all().flat_map(super::pipeline::Step::walk);
    let checked = steps.map(|step| {
        let mut checks = checks_of(format!("{} {}", step.level, step.action.name()));
        async move {
            if timeout(CHECK_LIMIT, step.action.validate(&mut checks)).await.is_err() {
                let seconds = CHECK_LIMIT.as_secs();
                let what = format!("could not be checked within {seconds} s");
                match step.action.url() {
                    // As of one that cannot be reached: it may answer when the job needs it.
                    Some(url) => checks.unreachable.push(format!("{}: {what}: {url}", checks.step)),
                    None => checks.error(Error::Infrastructure(what)),
                }
            }
            (checks.faults, checks.unreachable)
        }
    });
    let found: Vec<_> = futures_util::stream::iter(checked).buffered(AT_ONCE).collect().await;
    for (found, missing) in found {
        for fault in found {
            if !fault.once || !faults.iter().any(|told| told.message == fault.message) {
                faults.push(fault);
            }
        }
        unreachable.extend(missing);
    }
    let Some(first) = faults.first() else { return Ok(unreachable) };
    let ours = faults.iter().any(|fault| fault.kind == Kind::Config);
    let mut lines: Vec<String> =
        faults.iter().map(|fault| format!("{}: {}", fault.step, fault.message)).collect();
    lines.extend(unreachable);
    Err(Failure::new(if ours { Kind::Config } else { first.kind }, lines.join("\n")))
}

/// The path of a program, as the system would find it.
pub fn find_program(name: &str) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(name.into()).filter(|path: &PathBuf| path.is_file());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| Path::is_file(file))
}
