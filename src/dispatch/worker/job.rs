//! One job on its worker: its process, its log on the way to the server, its end.

use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::Pid;
use tokio::process::{Child, Command};

use super::claim::{Claim, Life, life};
use super::ending::EndOf;
use super::folder::JobFolder;
use super::telling::Telling;
use super::{Orders, Scripts, Settings, Shared, contact};
use crate::model::{CutOff, Kind, WorkFailure};

/// So often it is looked what is new in the log, and whether the process still lives.
pub(super) const LOOK: Duration = Duration::from_millis(100);
/// So much is told of what a process has said of its failure, in bytes.
const SAID: usize = 4096;

/// How it stands with a job's process.
enum Process {
    Child(Child),
    /// One that somebody else has started, or the guard of one that has ended, so where that is known.
    Adopted(Option<ExitStatus>),
    Ended(Option<ExitStatus>),
    /// It was not started, and will not be: why.
    Never(String),
}

/// A job's process, and its folder.
struct Running<'a> {
    folder: &'a JobFolder,
    process: Process,
    /// Nobody else begins it.
    _claim: Option<Claim>,
}

/// Runs a job, or goes on with one that runs, until the server has all of it, or wants it no more. Cancel
/// safe: the process goes on.
pub(super) async fn see_through(shared: &Shared, folder: &JobFolder, orders: &Orders) {
    let settings = &shared.settings;
    let mut running = Running::new(settings, folder, orders).await;
    let mut telling = Telling::new(&settings.server, &settings.name, folder);
    // That it ends when it is to waits for nothing that is being sent.
    let telling_on = async {
        tokio::select! {
            () = telling.as_it_comes() => {}
            () = orders.drop.cancelled() => std::future::pending().await,
        }
    };
    tokio::select! {
        () = running.see_out(shared, orders) => {}
        () = telling_on => {}
    }
    let failure = running.failure();
    tokio::select! {
        () = telling.finish(&failure) => {}
        () = orders.drop.cancelled() => {}
    }
    tracing::info!(job = folder.id(), "is over");
    let folder = folder.clone();
    let removed = blocking(move || {
        folder.remove();
        Ok(())
    });
    if let Err(error) = removed.await {
        tracing::error!("{error}");
    }
}

/// Works with files where nobody waits for the disk.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// Starts the process of a job, unless there is one or was one.
fn begin(settings: &Settings, folder: &JobFolder) -> Process {
    match life(&folder.output()) {
        Life::Lives(_) | Life::Guarded => return Process::Adopted(None),
        Life::Ended => return Process::Ended(None),
        Life::None => {}
    }
    let mut command = Command::new(&settings.program);
    command.args(folder.words()).current_dir(folder.path());
    command.arg("--contact").arg(settings.dir.join(contact::FILE));
    match (folder.is_script(), &settings.scripts) {
        (false, _) => command.args(&settings.options),
        (true, Some(Scripts { server, ca, space })) => {
            let ca = ca.iter().flat_map(|ca| [Path::new("--ca"), ca]);
            command.args(["--server", server, "--space", &space.to_string()]).args(ca)
        }
        (true, None) => return Process::Never("this worker runs no scripts".into()),
    };
    match settings.files.is_empty() {
        true => command.arg("--no-files"),
        false => command.args(settings.files.iter().flat_map(|file| [Path::new("--files"), file])),
    };
    // It is an absolute path, since jobs are in folders of their own.
    command.envs(settings.ca.iter().map(|ca| ("LAVA_CA", ca)));
    // What lets us in at the server is nothing for jobs.
    command.env_remove("LAVA_TOKEN").env_remove("LAVA_TOKEN_FILE").env_remove("LAVA_SERVER");
    // It goes on without us, whatever becomes of us.
    command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null());
    let started = folder.errors().and_then(|errors| command.stderr(errors).spawn());
    match started {
        Ok(child) => Process::Child(child),
        Err(error) => Process::Never(format!("{}: {error}", settings.program.display())),
    }
}

impl<'a> Running<'a> {
    /// The process of a job. One that never was is begun when the server says that the job is still ours; when it is
    /// to end, nobody begins it any more.
    async fn new(settings: &Settings, folder: &'a JobFolder, orders: &Orders) -> Self {
        tokio::select! {
            biased;
            () = orders.drop.cancelled() => {}
            () = orders.cancel.cancelled() => {}
            () = orders.begin.cancelled() => {
                return Self { folder, process: begin(settings, folder), _claim: None };
            }
        }
        // The worker before us may have started one that comes only now: one of the two has the claim.
        let (process, claim) = match Claim::take(&folder.output()).await {
            Ok(claim) => (Process::Never("it was to end before it began".into()), Some(claim)),
            Err(failure) if failure.kind == Kind::Refused => (begin(settings, folder), None),
            Err(failure) => (Process::Never(failure.to_string()), None),
        };
        Self { folder, process, _claim: claim }
    }

    /// Waits until the process has ended, and has it end when the orders say so: in good order, and after a while it
    /// is killed, and its guard cleans up.
    async fn see_out(&mut self, shared: &Shared, orders: &Orders) {
        tokio::select! {
            biased;
            () = self.ended() => return,
            () = orders.cancel.cancelled() => {}
            () = orders.drop.cancelled() => {}
        }
        let mut end = EndOf::begin();
        loop {
            end.press(self.number(), shared.contacts.left(CutOff::kills).is_zero());
            tokio::select! {
                () = self.ended() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// The number of the process. One that we have started is known before it claims its folder, and also if it
    /// never does.
    fn number(&self) -> Option<Pid> {
        // The claim on what was never begun is our own.
        if let Process::Never(_) | Process::Ended(_) = self.process {
            return None;
        }
        match (life(&self.folder.output()), &self.process) {
            (Life::Lives(Some(number)), _) => Some(number),
            (Life::None, Process::Child(child)) => Pid::from_raw(child.id()?.try_into().ok()?),
            _ => None,
        }
    }

    /// Waits until the process has ended. Cancel safe.
    async fn ended(&mut self) {
        let output = self.folder.output();
        loop {
            match &mut self.process {
                Process::Ended(_) | Process::Never(_) => return,
                Process::Child(child) => {
                    let status = child.wait().await.ok();
                    self.process = match life(&output) {
                        // Of two that were started for it, one has the job.
                        Life::Lives(_) => Process::Adopted(None),
                        Life::Guarded => Process::Adopted(status),
                        Life::None | Life::Ended => Process::Ended(status),
                    };
                }
                Process::Adopted(status) => {
                    if !matches!(life(&output), Life::Lives(_) | Life::Guarded) {
                        self.process = Process::Ended(*status);
                        return;
                    }
                    tokio::time::sleep(LOOK).await;
                }
            }
        }
    }

    /// What went wrong, should the log not tell.
    fn failure(&self) -> WorkFailure {
        let said = || self.folder.said(SAID);
        let (class, how) = match &self.process {
            Process::Never(why) => ("Infrastructure", why.clone()),
            Process::Ended(Some(status)) => match status.code() {
                Some(2) => ("Configuration", said()),
                Some(130) => ("Canceled", said()),
                Some(_) => ("Infrastructure", said()),
                None => ("Infrastructure", format!("its dispatcher was killed: {status}")),
            },
            _ => ("Infrastructure", "its dispatcher was killed".to_owned()),
        };
        let how =
            if how.is_empty() { "its dispatcher has failed without a word".into() } else { how };
        WorkFailure { class: class.into(), message: how }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::Arc;

    use super::super::contact::Contacts;
    use super::*;
    use crate::client::Login;
    use crate::client::server::LabServer;
    use crate::model::Work;

    /// A worker whose dispatcher is this shell script, and whose server is nowhere.
    fn shared(dir: &Path, script: &str) -> Shared {
        let program = dir.join("dispatcher");
        std::fs::write(&program, format!("#!/bin/sh\ncd {}\n{script}\n", dir.display())).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let server = LabServer::new("http://127.0.0.1:1".parse().unwrap(), Login::default());
        let (files, options) = (Vec::new(), Vec::new());
        let (name, slots, dir) = ("farm1".parse().unwrap(), 1, dir.to_owned());
        let settings = Settings {
            server,
            name,
            slots,
            dir: dir.clone(),
            program,
            files,
            scripts: None,
            machines: Default::default(),
            options,
            ca: None,
        };
        let contacts = Arc::new(Contacts::open(&dir).unwrap());
        Shared { settings, jobs: Default::default(), contacts, room: Default::default() }
    }

    fn folder(dir: &Path) -> JobFolder {
        let (definition, boards) = ("job_name: a\n".into(), Vec::new());
        let work = Work { id: 7, definition, boards, token: None, script: None, leave_on: false };
        JobFolder::make(dir, &work).unwrap()
    }

    #[tokio::test]
    async fn a_process_that_never_takes_its_folder_is_ended_as_any() {
        let dir = tempfile::tempdir().unwrap();
        let shared = shared(dir.path(), "touch begun; exec sleep 1000");
        let (folder, orders) = (folder(dir.path()), Orders::default());
        orders.begin.cancel();
        let story = async {
            while !dir.path().join("begun").exists() {
                tokio::time::sleep(LOOK).await;
            }
            orders.drop.cancel();
        };
        let over = async { tokio::join!(see_through(&shared, &folder, &orders), story) };
        tokio::time::timeout(Duration::from_secs(30), over).await.expect("it is ended");
        assert!(!folder.path().exists());
    }

    #[tokio::test]
    async fn a_job_that_was_never_begun_is_not_when_it_is_nobodys_any_more() {
        let dir = tempfile::tempdir().unwrap();
        let shared = shared(dir.path(), "touch begun");
        let (folder, orders) = (folder(dir.path()), Orders::default());
        let story = async {
            for _ in 0..10 {
                tokio::time::sleep(LOOK).await;
                assert!(!dir.path().join("begun").exists(), "nobody has said that it is ours");
            }
            orders.drop.cancel();
        };
        tokio::join!(see_through(&shared, &folder, &orders), story);
        assert!(!folder.path().exists() && !dir.path().join("begun").exists());
    }
}
