//! `driver = "exec"`: outlets switched by programs.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use futures_util::FutureExt as _;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};

use super::{Answer, Outlet, OutletError, Switch};
use crate::config::power::{Exec, OutletConfig};
use crate::model::State;

/// How much of a program's output is kept, in bytes; the rest is read and dropped.
const MAX_OUTPUT: usize = 4096;
/// How long output is waited for after the program's end: something it started in the background
/// may hold its pipes open for ever.
const LAST_OUTPUT: Duration = Duration::from_millis(200);

/// One outlet's programs, with its port filled in. Not empty.
#[derive(Debug)]
pub(super) struct ExecOutlet {
    on: Vec<String>,
    off: Vec<String>,
    status: Option<Vec<String>>,
}

/// What a program came to.
struct Ended {
    status: ExitStatus,
    output: String,
    errors: String,
}

impl ExecOutlet {
    pub(super) fn new(config: &Exec, outlet: &OutletConfig) -> Self {
        let fill = |words: &[String]| -> Vec<String> {
            let fill = |word: &String| {
                word.replace("{port}", &outlet.port).replace("{outlet}", outlet.name.as_str())
            };
            words.iter().map(fill).collect()
        };
        let status = config.status.as_deref().map(fill);
        Self { on: fill(&config.on), off: fill(&config.off), status }
    }
}

impl Outlet for ExecOutlet {
    fn switch(&self, to: Switch) -> Answer<'_, ()> {
        let words = if to == Switch::On { &self.on } else { &self.off };
        async move {
            let ended = run(words).await?;
            if ended.status.success() { Ok(()) } else { Err(ended.refusal(&words[0])) }
        }
        .boxed()
    }

    fn status(&self) -> Option<Answer<'_, State>> {
        let words = self.status.as_ref()?;
        Some(async move { run(words).await?.state(&words[0]) }.boxed())
    }
}

impl Ended {
    /// The state that a status program tells: by its output, `on` or `off` (or 1 or 0); and when it
    /// prints nothing at all by its exit status, 0 for on and 1 for off, as `grep -q` would.
    fn state(&self, program: &str) -> Result<State, OutletError> {
        let silent = self.output.trim().is_empty() && self.errors.trim().is_empty();
        match (self.output.trim().to_ascii_lowercase().as_str(), self.status.code()) {
            ("on" | "1", Some(0)) => Ok(State::On),
            ("off" | "0", Some(0)) => Ok(State::Off),
            (_, Some(0)) if silent => Ok(State::On),
            (_, Some(1)) if silent => Ok(State::Off),
            (_, Some(0)) => {
                let output = self.output.trim();
                Err(OutletError::Refused(format!(
                    "{program} printed {output:?}, neither on nor off"
                )))
            }
            _ => Err(self.refusal(program)),
        }
    }

    fn refusal(&self, program: &str) -> OutletError {
        let said = if self.errors.trim().is_empty() { &self.output } else { &self.errors };
        // Programs say what went wrong in their last line.
        match said.trim().lines().next_back() {
            Some(line) => OutletError::Refused(format!("{program} failed: {line:?}")),
            None => OutletError::Refused(format!("{program} failed: {}", self.status)),
        }
    }
}

/// Runs a program to its end. Dropped before, it is killed with everything in its process group.
async fn run(words: &[String]) -> Result<Ended, OutletError> {
    let program = &words[0];
    let cannot =
        |error: std::io::Error| OutletError::Unreachable(format!("cannot run {program}: {error}"));
    let mut child = Command::new(program)
        .args(&words[1..])
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

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Vec<String> {
        ["sh", "-c", script].map(str::to_owned).to_vec()
    }

    fn outlet(on: &str, status: &str) -> ExecOutlet {
        ExecOutlet { on: shell(on), off: shell("exit 0"), status: Some(shell(status)) }
    }

    async fn state(script: &str) -> Result<State, OutletError> {
        outlet("", script).status().unwrap().await
    }

    #[tokio::test]
    async fn a_program_tells_the_state_by_its_output_or_by_its_exit_status() {
        assert_eq!(state("echo On").await, Ok(State::On));
        assert_eq!(state("echo 0").await, Ok(State::Off));
        assert_eq!(state("exit 0").await, Ok(State::On));
        assert_eq!(state("exit 1").await, Ok(State::Off));
    }

    #[tokio::test]
    async fn a_program_that_fails_tells_no_state() {
        let failed = state("echo cannot connect >&2; exit 1").await.unwrap_err();
        assert_eq!(failed, OutletError::Refused("sh failed: \"cannot connect\"".into()));
        assert!(state("echo maybe").await.is_err());
        assert!(state("echo on; exit 2").await.is_err());
        assert!(state("exit 2").await.is_err());
    }

    #[tokio::test]
    async fn a_program_may_leave_something_behind_and_say_a_lot() {
        let background = outlet("sleep 60 & echo $!", "");
        background.switch(Switch::On).await.unwrap();
        let loud = outlet("yes | head -c 1000000; exit 3", "");
        assert!(loud.switch(Switch::On).await.is_err());
    }

    #[tokio::test]
    async fn a_missing_program_is_told_by_name() {
        let missing = ExecOutlet { on: vec!["/no/such".into()], off: Vec::new(), status: None };
        let error = missing.switch(Switch::On).await.unwrap_err();
        assert!(error.to_string().starts_with("cannot run /no/such: "), "{error}");
        assert!(missing.status().is_none());
    }
}
