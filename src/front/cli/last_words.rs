//! What is said at the very end: somebody may have stopped reading, and is not waited for without end.

use std::process::ExitCode;
use std::sync::mpsc;
use std::time::Duration;

use crate::model::Failure;

/// How long who has stopped reading is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Prints on standard output, behind what is being written there; in time, or not at all.
pub(super) fn print(bytes: Vec<u8>) {
    // Nobody to tell that standard output is closed.
    in_time(move || drop(super::print(&bytes)));
}

/// [`super::exit`] for a failure, where standard error may be held up, too.
pub(super) fn exit(failure: Failure) -> ExitCode {
    let code = failure.kind.exit_code();
    in_time(move || {
        super::exit(Err(failure));
    });
    ExitCode::from(code)
}

/// On a thread of its own, which ends with the process if not before: a write to a stopped terminal or a
/// full pipe cannot be called back.
fn in_time(say: impl FnOnce() + Send + 'static) {
    let (done, over) = mpsc::sync_channel::<()>(1);
    let thread = std::thread::Builder::new().spawn(move || {
        say();
        drop(done);
    });
    if thread.is_ok() {
        let _ = over.recv_timeout(PATIENCE);
    }
}
