//! A board that is a QEMU: its line, its console, its power.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::time::timeout;

use super::console::OwnConsole;
use super::line::Line;
use super::watched::Watched;
use crate::client::ConsoleRef;
use crate::config::{mistrust, runtime_dir};
use crate::dispatch::connection::{Attached, Connection};
use crate::dispatch::error::Error;
use crate::sys::{die_with_parent, with_few_variables};

/// What QEMU said on standard error, in the job's output folder.
const LOG: &str = "qemu.log";
/// How long a `lava-serial` has to open the line.
const OPENING: Duration = Duration::from_secs(30);
/// How much of it is told when QEMU fails, in bytes.
const LAST_WORDS: usize = 1024;

/// How a QEMU has ended that nobody had stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    pub status: Option<ExitStatus>,
}

/// The board. Dropping it kills QEMU and ends the console.
#[derive(Debug)]
pub struct Machine {
    line: Line,
    console: Console,
    /// Where QEMU's own messages go.
    words: PathBuf,
}

/// Who serves the line.
#[derive(Debug)]
enum Console {
    /// A `lava-serial` of the job's own.
    Own(Box<OwnConsole>),
    /// One that has the board's console, whatever runs on the board.
    Lab(ConsoleRef),
}

impl Machine {
    /// A board that is off, with a console of this name.
    ///
    /// # Errors
    /// [`Error::Infrastructure`] when the line or its console cannot be had.
    pub async fn new(name: &str, output: &Path) -> Result<Self, Error> {
        let line = Line::lay(socket()?).map_err(|error| {
            Error::Infrastructure(format!("no socket for QEMU's serial port: {error}"))
        })?;
        let console = OwnConsole::start(name, line.path(), output).await?;
        Ok(Self { line, console: Console::Own(Box::new(console)), words: output.join(LOG) })
    }

    /// A board that is off, whose console a `lava-serial` of this host has, with `unix:LINE` as its port. That opens
    /// a port that is not there again and again; it is waited for.
    ///
    /// # Errors
    /// [`Error::Infrastructure`] when the socket cannot be made, or nobody opens it.
    pub async fn behind(line: PathBuf, console: ConsoleRef, output: &Path) -> Result<Self, Error> {
        use std::os::unix::fs::PermissionsExt as _;
        let shown = line.display().to_string();
        let failed = |error: std::io::Error| {
            Error::Infrastructure(format!(
                "no socket for the board's serial line at {shown}: {error}"
            ))
        };
        let mut laid = Line::lay(line).map_err(failed)?;
        // The daemon may be another user, of the folder's group.
        let mode = std::fs::Permissions::from_mode(0o660);
        std::fs::set_permissions(laid.path(), mode).map_err(failed)?;
        if timeout(OPENING, laid.opened()).await.is_err() {
            let limit = OPENING.as_secs();
            return Err(Error::Infrastructure(format!(
                "{console} has not opened {shown} within {limit} s: its port is to be \"unix:{shown}\", on this host"
            )));
        }
        Ok(Self { line: laid, console: Console::Lab(console), words: output.join(LOG) })
    }

    /// The console, for people and for the job.
    pub fn console(&self) -> &ConsoleRef {
        match &self.console {
            Console::Own(own) => own.console(),
            Console::Lab(console) => console,
        }
    }

    /// Attaches the job.
    ///
    /// # Errors
    /// As [`Attached::open`].
    pub async fn attach(&self, job: &str) -> Result<Box<dyn Connection>, Error> {
        let attached = Attached::open(self.console().clone(), job).await?;
        Ok(Box::new(Watched::new(Box::new(attached), self.line.ended(), self.words.clone())))
    }

    /// Starts QEMU; one that runs is killed before.
    ///
    /// # Errors
    /// [`Error::Infrastructure`] when the program cannot be started.
    pub async fn start(&self, words: &[String]) -> Result<(), Error> {
        let [program, arguments @ ..] = words else {
            return Err(Error::Bug("QEMU has no command".into()));
        };
        self.stop().await;
        let failed = |error: std::io::Error| {
            Error::Infrastructure(format!("cannot start {program}: {error}"))
        };
        // It looks at the job's files.
        let mut command = with_few_variables(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(File::create(&self.words).map_err(failed)?);
        // A Ctrl-C at our terminal is ours alone.
        command.process_group(0).kill_on_drop(true);
        die_with_parent(&mut command);
        self.line.start(command.spawn().map_err(failed)?).await;
        Ok(())
    }

    /// Waits for QEMU to fail, but not longer than `limit`.
    ///
    /// # Errors
    /// Why it has ended.
    pub async fn survives(&self, limit: Duration) -> Result<(), Error> {
        let mut ended = self.line.ended();
        let ended = timeout(limit, ended.wait_for(Option::is_some)).await;
        let ended = ended.ok().and_then(Result::ok).and_then(|ended| *ended);
        ended.map_or(Ok(()), |ended| Err(ended.error(&self.words)))
    }

    /// Whether the QEMU that was started last has ended by itself, and nothing was wrong with it.
    pub fn has_ended_well(&self) -> bool {
        let ended = *self.line.ended().borrow();
        ended.and_then(|ended| ended.status).is_some_and(|status| status.success())
    }

    /// Takes QEMU's power away.
    pub async fn stop(&self) {
        self.line.stop().await;
    }

    /// Ends everything in good order.
    pub async fn close(self) {
        self.line.close().await;
        if let Console::Own(own) = self.console {
            own.close().await;
        }
    }
}

impl Ended {
    /// The failure that this is for a job which still needs the board.
    pub(super) fn error(self, words: &Path) -> Error {
        match self.status {
            Some(status) if status.success() => Error::Dead(
                "QEMU has ended: the system on it has switched itself off, or has rebooted where QEMU \
                 is told not to (-no-reboot)"
                    .into(),
            ),
            status => {
                let status = status.map_or_else(|| "killed".into(), |status| status.to_string());
                let words = last_words(words);
                Error::Infrastructure(format!("QEMU has failed ({status}): {words}"))
            }
        }
    }
}

fn last_words(file: &Path) -> String {
    let said = std::fs::read(file).unwrap_or_default();
    let said = &said[said.len().saturating_sub(LAST_WORDS)..];
    let said = String::from_utf8_lossy(said).trim().replace('\n', "; ");
    if said.is_empty() { "it said nothing".into() } else { said }
}

/// A path for a line's socket. It is in the folder of the daemons' sockets, which is ours alone, and
/// whose path is short enough.
fn socket() -> Result<PathBuf, Error> {
    use std::os::unix::fs::DirBuilderExt as _;
    static LINES: AtomicU32 = AtomicU32::new(0);
    let dir = runtime_dir();
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir);
    made.map_err(|error| Error::Infrastructure(format!("{}: {error}", dir.display())))?;
    if let Some(why) = mistrust(&dir) {
        return Err(Error::Infrastructure(why));
    }
    sweep(&dir);
    let number = LINES.fetch_add(1, Ordering::Relaxed);
    Ok(dir.join(format!("qemu-{}-{number}.line", std::process::id())))
}

/// Removes the sockets of processes that were killed.
fn sweep(dir: &Path) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let id = name.to_str().and_then(|name| {
            let (id, _) = name.strip_prefix("qemu-")?.strip_suffix(".line")?.split_once('-')?;
            id.parse::<u32>().ok()
        });
        if id.is_some_and(|id| !Path::new("/proc").join(id.to_string()).exists()) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}
