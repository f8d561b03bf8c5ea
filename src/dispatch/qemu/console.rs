//! The `lava-serial` that serves a job's own line as the board's console.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};

use crate::client::{ConsoleRef, Endpoint};
use crate::dispatch::error::Error;
use crate::dispatch::validate::{Checks, find_program};
use crate::sys::die_with_parent;

/// The program.
const PROGRAM: &str = "lava-serial";
/// How long it may take to be ready.
const START_LIMIT: Duration = Duration::from_secs(10);
/// How long it may take to end when it is told to.
const STOP_LIMIT: Duration = Duration::from_secs(5);
/// The longest line that it prints when it is ready, in bytes.
const MAX_READY: u64 = 4096;
/// The folder of the record, in the job's output folder.
const RECORD: &str = "console";
/// What it had to say, in the job's output folder.
const LOG: &str = "lava-serial.log";
/// What is wrong when there is none.
const MISSING: &str = "it is neither beside this program nor in $PATH";

/// A console of the job's own; the program ends when this is dropped.
#[derive(Debug)]
pub(super) struct OwnConsole {
    child: Child,
    console: ConsoleRef,
    /// Kept open: it may print more.
    _stdout: BufReader<ChildStdout>,
}

impl OwnConsole {
    /// Starts it for the line at `line`.
    ///
    /// # Errors
    /// [`Error::Infrastructure`] with its own words.
    pub(super) async fn start(name: &str, line: &Path, output: &Path) -> Result<Self, Error> {
        let log = output.join(LOG);
        let failed = |what: String| {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            let said = said.lines().last().map(|said| format!(" {said}")).unwrap_or_default();
            Error::Infrastructure(format!("{PROGRAM} does not serve the console: {what}{said}"))
        };
        let file = std::fs::File::create(&log).map_err(|error| failed(error.to_string()))?;
        let mut command = Command::new(program().ok_or_else(|| failed(MISSING.into()))?);
        command.args(["--name", name, "--port", &format!("unix:{}", line.display())]);
        command.arg("--capture").arg(output.join(RECORD));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(file);
        // What our service manager told us is not meant for it.
        for ours in ["NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"] {
            command.env_remove(ours);
        }
        // A Ctrl-C at our terminal is ours alone.
        command.process_group(0).kill_on_drop(true);
        die_with_parent(&mut command);
        let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
        let missing = || Error::Bug(format!("{PROGRAM} was started without a pipe"));
        let mut stdout = BufReader::new(child.stdout.take().ok_or_else(missing)?);
        let mut ready = String::new();
        let mut limited = (&mut stdout).take(MAX_READY);
        let read = tokio::time::timeout(START_LIMIT, limited.read_line(&mut ready)).await;
        let socket = match read {
            Ok(Ok(_)) => ready.split_once("socket=").map(|(_, socket)| socket.trim_end()),
            Ok(Err(error)) => return Err(failed(error.to_string())),
            Err(_) => return Err(failed(format!("not ready after {} s:", START_LIMIT.as_secs()))),
        };
        let socket = socket.ok_or_else(|| failed("it has ended:".into()))?;
        let console = ConsoleRef::new(Endpoint::Unix(socket.into()), "/consoles", name);
        Ok(Self { child, console, _stdout: stdout })
    }

    pub(super) fn console(&self) -> &ConsoleRef {
        &self.console
    }

    /// Ends it in good order.
    pub(super) async fn close(mut self) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(id) = id {
            // Gone already is as good.
            let _ = kill_process(id, Signal::TERM);
        }
        if tokio::time::timeout(STOP_LIMIT, self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
    }
}

/// The program must be on this host.
pub fn check(checks: &mut Checks) {
    if program().is_none() {
        checks.fault(format!("{PROGRAM}, which serves the board's console: {MISSING}"));
    }
}

/// The program beside our own, else the system's.
fn program() -> Option<PathBuf> {
    let own = std::env::current_exe().ok().map(|exe| exe.with_file_name(PROGRAM));
    own.filter(|path| path.is_file()).or_else(|| find_program(PROGRAM))
}
