//! Waiting for an event, never for a time to pass.

use std::time::{Duration, Instant};

/// How long an event that takes milliseconds may take. Generous: both cores may be busy with the
/// other tests and with QEMU.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

const POLL: Duration = Duration::from_millis(5);

/// Polls until `happened` says so.
///
/// # Panics
/// With `what` when it has not happened within the limit.
pub(crate) fn wait_until(limit: Duration, what: &str, happened: impl FnMut() -> bool) {
    assert!(happens(limit, happened), "after {limit:?} still not so: {what}");
}

/// Whether it happens within the limit: for those who have more to tell when it does not.
pub(crate) fn happens(limit: Duration, mut happened: impl FnMut() -> bool) -> bool {
    let begin = Instant::now();
    while !happened() {
        if begin.elapsed() >= limit {
            return false;
        }
        std::thread::sleep(POLL);
    }
    true
}
