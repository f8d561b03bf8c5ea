//! Checking a pipeline before anything is run: files, URLs, programs, regular expressions,
//! boards.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::timeout;

use super::context::Settings;
use super::device::Device;
use super::error::Error;
use super::expect::Patterns;
use super::lab;
use super::pipeline::Pipeline;
use super::power::{PowerCommand, own_outlet};
use super::serve::listening;
use crate::image::Fetch;
use crate::model::{Failure, Kind};

/// Whoever answers no sooner what address a name has does not count.
const RESOLVING: Duration = Duration::from_secs(10);

/// One thing that is wrong, and whose fault it is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fault {
    step: String,
    message: String,
    kind: Kind,
}

/// Collects what is wrong, all of it.
#[derive(Debug)]
pub struct Checks {
    pub device: Device,
    pub settings: Settings,
    fetch: Fetch,
    step: String,
    faults: Vec<Fault>,
    programs: BTreeSet<String>,
    /// What of other hosts cannot be had now; it may be there when the job needs it.
    unreachable: Vec<String>,
}

impl Checks {
    /// Notes something that is wrong with the action that is being checked.
    pub fn fault(&mut self, message: impl AsRef<str>) {
        let message = message.as_ref().to_owned();
        let fault = Fault { step: self.step.clone(), message, kind: Kind::Config };
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    /// Notes why something of the lab's was not found. What several actions need is told once.
    pub fn error(&mut self, error: Error) {
        let Failure { kind, message, .. } = error.into_failure();
        if !self.faults.iter().any(|fault| fault.message == message) {
            self.faults.push(Fault { step: self.step.clone(), message, kind });
        }
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

    /// A program must be on this host.
    pub fn program(&mut self, name: &str) {
        if self.programs.insert(name.to_owned()) && find_program(name).is_none() {
            self.fault(format!("the program {name:?} is not on this host"));
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
    device: &Device,
    settings: &Settings,
) -> Result<Vec<String>, Failure> {
    let fetch = Fetch::new().map_err(|error| Failure::new(Kind::Infra, error.to_string()))?;
    let mut checks = Checks {
        device: device.clone(),
        settings: settings.clone(),
        fetch,
        step: String::new(),
        faults: Vec::new(),
        programs: BTreeSet::new(),
        unreachable: Vec::new(),
    };
    checks.dispatcher_ip().await;
    for step in &pipeline.steps {
        checks.step = format!("{} {}", step.level, step.action.name());
        step.undone.iter().for_each(|what| checks.fault(what));
    }
    for step in pipeline.all().flat_map(super::pipeline::Step::walk) {
        checks.step = format!("{} {}", step.level, step.action.name());
        step.action.validate(&mut checks).await;
    }
    let faults = &checks.faults;
    let Some(first) = faults.first() else { return Ok(checks.unreachable) };
    let ours = faults.iter().any(|fault| fault.kind == Kind::Config);
    let mut lines: Vec<String> =
        faults.iter().map(|fault| format!("{}: {}", fault.step, fault.message)).collect();
    lines.extend(checks.unreachable.clone());
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
