//! Running a program for a driver, never with a shell.

use std::ffi::OsStr;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};

use super::OutletError;

/// How much of a program's output is kept, in bytes; the rest is read and dropped.
const MAX_OUTPUT: usize = 4096;
/// How long output is waited for after the program's end: something it started in the background
/// may hold its pipes open for ever.
const LAST_OUTPUT: Duration = Duration::from_millis(200);

/// What a program came to.
pub(super) struct Ended {
    pub status: ExitStatus,
    pub output: String,
    pub errors: String,
}

impl Ended {
    /// What it said of its failure, as a refusal.
    pub(super) fn refusal(&self, program: &str) -> OutletError {
        match self.last_words() {
            Some(line) => OutletError::Refused(format!("{program} failed: {line:?}")),
            None => OutletError::Refused(format!("{program} failed: {}", self.status)),
        }
    }

    /// The last line that it said. Programs say there what went wrong.
    pub(super) fn last_words(&self) -> Option<&str> {
        let said = if self.errors.trim().is_empty() { &self.output } else { &self.errors };
        said.trim().lines().next_back()
    }
}

/// Runs a program to its end, with these variables beside those of this process. Dropped before, it is
/// killed with everything in its process group.
///
/// # Errors
/// [`OutletError::Unreachable`] when it cannot be started.
pub(super) async fn run(
    words: &[String],
    variables: &[(&str, &OsStr)],
) -> Result<Ended, OutletError> {
    let program = &words[0];
    let cannot =
        |error: std::io::Error| OutletError::Unreachable(format!("cannot run {program}: {error}"));
    let mut child = Command::new(program)
        .args(&words[1..])
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(cannot)?;
    let group = Group::led_by(&child);
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (mut output, mut errors) = (Vec::new(), Vec::new());
    let status = {
        let mut reading = std::pin::pin!(futures_util::future::join(
            keep_first(stdout, &mut output),
            keep_first(stderr, &mut errors),
        ));
        tokio::select! {
            _ = &mut reading => child.wait().await,
            status = child.wait() => {
                // Whatever is missing after this time was not the program's own.
                let _ = tokio::time::timeout(LAST_OUTPUT, &mut reading).await;
                status
            }
        }
    };
    group.ended();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Ended { status: status.map_err(cannot)?, output: text(output), errors: text(errors) })
}

/// Reads to the end and keeps the first [`MAX_OUTPUT`] bytes.
async fn keep_first(pipe: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) {
    let Some(mut pipe) = pipe else { return };
    let mut chunk = [0; 1024];
    while let Ok(count @ 1..) = pipe.read(&mut chunk).await {
        let room = MAX_OUTPUT - kept.len();
        kept.extend_from_slice(&chunk[..count.min(room)]);
    }
}

/// A running program's process group, killed when dropped before the program has ended.
struct Group(Option<Pid>);

impl Group {
    fn led_by(child: &Child) -> Self {
        Self(child.id().and_then(|id| Pid::from_raw(id as i32)))
    }

    /// The number of an ended process may be somebody else's by now: leave it alone.
    fn ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It may have ended between the time-out and now; then there is nobody to kill.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}
