//! Signals that wait while one program becomes the next.

use rustix::process::Signal;

/// Those that would end a program that does not handle them yet.
const HELD: [Signal; 3] = [Signal::USR2, Signal::HUP, Signal::TERM];

/// Has SIGUSR2, SIGHUP and SIGTERM wait until [`release_signals`], in this thread and in those that it
/// starts; also over exec, since the next program is without handlers at first.
pub fn hold_signals() {
    mask(libc::SIG_BLOCK);
}

/// Has them come again, those first that have waited.
pub fn release_signals() {
    mask(libc::SIG_UNBLOCK);
}

/// Has writing to a closed pipe be an error, and no signal, as it is when a program starts: the
/// standard library undoes it before exec.
pub(super) fn ignore_pipe() {
    // SAFETY: ignoring a signal runs no code.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}

fn mask(how: libc::c_int) {
    // SAFETY: the set is initialised by sigemptyset before it is used, and lives as long as the calls.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for signal in HELD {
            libc::sigaddset(&raw mut set, signal.as_raw());
        }
        libc::pthread_sigmask(how, &raw const set, std::ptr::null_mut());
    }
}
