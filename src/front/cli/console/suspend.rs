//! The terminal that a person types at, and leaving it for a while.

use std::io;

use crate::sys::RawMode;

/// A terminal in raw mode. It is as it was before when this is dropped.
#[derive(Debug)]
pub(super) struct Terminal(Option<RawMode>);

impl Terminal {
    /// Puts the terminal of standard input into raw mode.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn enter() -> io::Result<Self> {
        Ok(Self(Some(RawMode::enter(io::stdin())?)))
    }

    /// Stops this process, with the terminal as its shell wants it, until it is told to go on.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn suspend(&mut self) -> io::Result<()> {
        self.0 = None;
        let stopped = rustix::process::kill_current_process_group(rustix::process::Signal::TSTP);
        self.0 = Some(RawMode::enter(io::stdin())?);
        Ok(stopped?)
    }
}
