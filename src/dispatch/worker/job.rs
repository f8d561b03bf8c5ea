//! One job on its worker: its process, its log on the way to the server, its end.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use tokio::process::{Child, Command};
use tokio::time::Instant;

use super::claim::{Life, life, signal};
use super::folder::JobFolder;
use super::{AGAIN, Orders, Scripts, Settings};
use crate::model::{Failure, Kind, Name, WorkEnd, WorkFailure};

/// So often it is looked what is new in the log, and whether the process still lives.
const LOOK: Duration = Duration::from_millis(100);
/// So much of a log is sent at once, in bytes.
const PIECE: u64 = 1 << 20;
/// A process that was told to end may take so long to switch its boards off.
const TO_END: Duration = Duration::from_secs(300);
/// So much is told of what a process has said of its failure, in bytes.
const SAID: usize = 4096;

/// How it stands with a job's process.
enum Process {
    Child(Child),
    /// One that somebody else has started, or the guard of one that has ended, so where that is known.
    Adopted(Option<ExitStatus>),
    Ended(Option<ExitStatus>),
    /// It could not be started.
    Never(String),
}

/// What is known of a job that is looked after.
struct Job<'a> {
    settings: &'a Settings,
    folder: &'a JobFolder,
    process: Process,
    /// How much of each board's log the server has.
    held: BTreeMap<Name, u64>,
    /// These logs are longer than it takes.
    full: Vec<Name>,
    /// When it was told to end.
    told: Option<Instant>,
}

/// Runs a job, or goes on with one that runs, until the server has all of it, or wants it no more. Cancel
/// safe: the process goes on.
pub(super) async fn see_through(settings: &Settings, folder: &JobFolder, orders: &Orders) {
    let (held, full) = (BTreeMap::new(), Vec::new());
    let process = begin(settings, folder);
    let mut job = Job { settings, folder, process, held, full, told: None };
    let mut pause = LOOK;
    loop {
        let (cancelled, dropped) = (orders.cancel.is_cancelled(), orders.drop.is_cancelled());
        tokio::select! {
            () = job.ended() => {}
            () = tokio::time::sleep(pause) => {}
            () = orders.cancel.cancelled(), if !cancelled => {}
            () = orders.drop.cancelled(), if !dropped => {}
        }
        if orders.cancel.is_cancelled() || orders.drop.is_cancelled() {
            job.tell_to_end();
        }
        let over = matches!(job.process, Process::Ended(_) | Process::Never(_));
        if orders.drop.is_cancelled() {
            if over {
                break;
            }
            continue;
        }
        let sent = match job.send().await {
            Ok(()) if over => job.tell_end().await.map(|()| true),
            Ok(()) => Ok(false),
            Err(failure) => Err(failure),
        };
        pause = match sent {
            Ok(true) => break,
            Ok(false) => LOOK,
            Err(failure) => {
                tracing::debug!(job = folder.id(), "not sent: {failure}");
                (pause * 2).clamp(AGAIN[0], AGAIN[1])
            }
        };
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
    match (folder.is_script(), &settings.scripts) {
        (false, _) => command.args(&settings.options),
        (true, Some(Scripts { server, ca })) => {
            let ca = ca.iter().flat_map(|ca| [Path::new("--ca"), ca]);
            command.args(["--server", server]).args(ca)
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

impl Job<'_> {
    /// Waits until the process has ended; for ever when that is known already. Cancel safe.
    async fn ended(&mut self) {
        let output = self.folder.output();
        loop {
            match &mut self.process {
                Process::Ended(_) | Process::Never(_) => return std::future::pending().await,
                Process::Child(child) => {
                    let status = child.wait().await.ok();
                    self.process = match life(&output) {
                        // Of two that were started for it, one has the job.
                        Life::Lives(_) => Process::Adopted(None),
                        Life::Guarded => Process::Adopted(status),
                        Life::None | Life::Ended => Process::Ended(status),
                    };
                    if let Process::Ended(_) = self.process {
                        return;
                    }
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

    /// Has the process end in good order; after a while it is killed, and its guard cleans up.
    fn tell_to_end(&mut self) {
        let output = self.folder.output();
        match self.told {
            None => {
                // A process that has just begun claims its folder in a moment, and is told then.
                if matches!(life(&output), Life::None) && matches!(self.process, Process::Child(_))
                {
                    return;
                }
                signal(&output, Signal::TERM);
                self.told = Some(Instant::now());
            }
            Some(told) if told.elapsed() >= TO_END => {
                signal(&output, Signal::KILL);
            }
            Some(_) => {}
        }
    }

    /// Sends what the server does not have yet.
    async fn send(&mut self) -> Result<(), Failure> {
        let (worker, id) = (&self.settings.name, self.folder.id());
        for board in &self.folder.logs() {
            loop {
                let known = self.held.get(board).copied();
                let bytes = match known {
                    // The server says where to go on.
                    None => Vec::new(),
                    Some(held) => {
                        let log = self.folder.log(board);
                        blocking(move || piece(&log, held)).await.map_err(|e| unreadable(&e))?
                    }
                };
                if known.is_some() && (bytes.is_empty() || self.full.contains(board)) {
                    break;
                }
                let from = known.unwrap_or(0);
                let answer = self.settings.server.send_log(worker, id, board, from, bytes).await;
                let answer = match answer {
                    Err(failure) => {
                        self.held.remove(board);
                        return Err(failure);
                    }
                    Ok(answer) => answer,
                };
                self.held.insert(board.clone(), answer.held);
                if answer.full {
                    self.full.push(board.clone());
                }
            }
        }
        Ok(())
    }

    /// Tells the server that the job has ended.
    async fn tell_end(&mut self) -> Result<(), Failure> {
        let length =
            |board: &Name| std::fs::metadata(self.folder.log(board)).map_or(0, |meta| meta.len());
        let logs = self.folder.logs();
        let logs = logs.iter().map(|board| (board.to_string(), length(board))).collect();
        let end = WorkEnd { logs, failure: Some(self.failure()) };
        let told = self.settings.server.end_work(&self.settings.name, self.folder.id(), &end).await;
        if told.is_err() {
            self.held.clear();
        }
        told
    }

    /// What went wrong, should the log not tell.
    fn failure(&self) -> WorkFailure {
        let (class, how) = match &self.process {
            Process::Never(why) => ("Infrastructure", why.clone()),
            Process::Ended(Some(status)) => match status.code() {
                Some(2) => ("Configuration", self.folder.said(SAID)),
                Some(130) => ("Canceled", self.folder.said(SAID)),
                Some(_) => ("Infrastructure", self.folder.said(SAID)),
                None => ("Infrastructure", format!("its dispatcher was killed: {status}")),
            },
            _ => ("Infrastructure", "its dispatcher was killed".to_owned()),
        };
        let how =
            if how.is_empty() { "its dispatcher has failed without a word".into() } else { how };
        WorkFailure { class: class.into(), message: how }
    }
}

/// What there is of a log from an offset on, so much at most.
fn piece(log: &Path, offset: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut file = match File::open(log) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(bytes),
        Err(error) => return Err(error),
    };
    file.seek(SeekFrom::Start(offset))?;
    file.take(PIECE).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn unreadable(error: &io::Error) -> Failure {
    Failure::new(Kind::Infra, format!("the job's log cannot be read: {error}"))
}
