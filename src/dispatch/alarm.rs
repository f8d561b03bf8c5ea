//! What tells that a board is dead, wherever it is in the stream.

use super::error::Error;
use super::expect::Place;

/// A kernel that gave up, to the end of its line.
const PANIC: &str = r"Kernel panic - not syncing[^\r\n]*[\r\n]";
/// A boot loader's banner: after the kernel has been started, a reboot that nobody asked for.
const REBOOT: &str = r"U-Boot (?:SPL )?20\d\d\.\d\d[^\r\n]*[\r\n]";

/// What ends a boot at once.
pub(super) const BOOT: [&str; 2] = [PANIC, REBOOT];

/// The error for what one of [`BOOT`] has found: it says the line, and where it is.
pub(super) fn error(line: &str, place: Place) -> Error {
    let what = if line.starts_with("Kernel panic") {
        "the kernel panicked"
    } else {
        "the board rebooted by itself"
    };
    let at = place.offset.map(|offset| format!(" at offset {offset}")).unwrap_or_default();
    Error::Dead(format!("{what}{at}: {line:?}"))
}
