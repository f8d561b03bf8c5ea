//! Having a process end: it is asked once, and killed when it takes too long.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::Instant;

/// A process that was told to end may take so long to switch its boards off.
const PATIENCE: Duration = Duration::from_secs(300);

/// What was done about it.
#[derive(Debug)]
pub(super) struct EndOf {
    since: Instant,
    asked: Option<Pid>,
}

impl EndOf {
    pub(super) fn begin() -> Self {
        Self { since: Instant::now(), asked: None }
    }

    /// To be called again and again, with the process as it is known now: that may be none for a moment, or another
    /// one than before. With `kill` its time is over.
    pub(super) fn press(&mut self, process: Option<Pid>, kill: bool) {
        let Some(process) = process else { return };
        if kill || self.since.elapsed() >= PATIENCE {
            let _ = kill_process(process, Signal::KILL);
        } else if self.asked != Some(process) {
            self.asked = kill_process(process, Signal::TERM).ok().map(|()| process);
        }
    }
}
