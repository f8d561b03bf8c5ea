//! The terminal that a program of ours runs in: raw while we use it, as it was when we leave.

use std::io;
use std::num::NonZeroU16;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, Once, PoisonError};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

/// The terminal that is raw now, and its settings from before. Global, because a panic anywhere in
/// the process has to restore it.
static CHANGED: Mutex<Option<(OwnedFd, Termios)>> = Mutex::new(None);

/// A terminal in raw mode, until this is dropped or the program panics.
///
/// A process has one at most. Signals that end the process must be handled by dropping this.
#[derive(Debug)]
#[must_use = "the terminal is restored when this is dropped"]
pub struct RawMode(());

impl RawMode {
    /// Puts a terminal into raw mode: every key comes at once and as it is, nothing is echoed.
    ///
    /// # Errors
    /// What the system says; `ENOTTY` when it is no terminal.
    pub fn enter(terminal: impl AsFd) -> io::Result<Self> {
        static HOOK: Once = Once::new();
        let terminal = terminal.as_fd().try_clone_to_owned()?;
        let before = tcgetattr(&terminal)?;
        let mut raw = before.clone();
        raw.make_raw();
        // Before the change, so that there is no moment in which a panic would leave it raw.
        *changed() = Some((terminal.try_clone()?, before));
        HOOK.call_once(|| {
            let report = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                restore();
                report(panic);
            }));
        });
        let guard = Self(());
        tcsetattr(&terminal, OptionalActions::Now, &raw)?;
        Ok(guard)
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        restore();
    }
}

/// Rows and columns of a terminal, where it tells.
pub fn terminal_size(terminal: impl AsFd) -> Option<(NonZeroU16, NonZeroU16)> {
    let size = tcgetwinsize(terminal).ok()?;
    Some((NonZeroU16::new(size.ws_row)?, NonZeroU16::new(size.ws_col)?))
}

fn restore() {
    if let Some((terminal, before)) = changed().take() {
        // The terminal may be gone; there is nothing to restore then.
        let _ = tcsetattr(terminal, OptionalActions::Now, &before);
    }
}

fn changed() -> std::sync::MutexGuard<'static, Option<(OwnedFd, Termios)>> {
    CHANGED.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use rustix::termios::LocalModes;

    #[test]
    fn the_terminal_is_as_before_after_the_end_and_after_a_panic() {
        let near = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&near).unwrap();
        unlockpt(&near).unwrap();
        let path = ptsname(&near, Vec::new()).unwrap().into_string().unwrap();
        let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY;
        let far = rustix::fs::open(path, flags, rustix::fs::Mode::empty()).unwrap();
        let cooked = || tcgetattr(&far).unwrap().local_modes.contains(LocalModes::ICANON);

        let raw = RawMode::enter(&far).unwrap();
        assert!(!cooked());
        drop(raw);
        assert!(cooked());

        let panicked = std::panic::catch_unwind(|| {
            // The guard is out of the way: only the panic hook can restore.
            std::mem::forget(RawMode::enter(&far).unwrap());
            assert!(cooked(), "raw, and panicking for it");
        });
        assert!(panicked.is_err());
        assert!(cooked());
    }
}
