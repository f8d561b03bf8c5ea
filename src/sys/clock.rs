//! Whether the clock is right.

/// Whether the kernel holds the clock for synchronised, as NTP and PTP daemons tell it; `None` when it
/// does not say (adjtimex(2)).
pub fn clock_is_synchronised() -> Option<bool> {
    // SAFETY: all-zero bytes are a valid `timex`: it has numbers only. With `modes` of zero the kernel
    // changes nothing, and writes no more than the struct that it is given.
    let state = unsafe {
        let mut timex: libc::timex = std::mem::zeroed();
        libc::adjtimex(&raw mut timex)
    };
    match state {
        ..0 => None,
        libc::TIME_ERROR => Some(false),
        _ => Some(true),
    }
}
