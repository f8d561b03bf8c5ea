//! Loopback addresses that belong to one test, for programs that know one port only, and for many
//! ports at once.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, Ordering};

/// An address that no other test uses at the same time.
pub(crate) fn own_host() -> Ipv4Addr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    let [_, high, middle, low] =
        std::process::id().wrapping_mul(16).wrapping_add(next).to_be_bytes();
    Ipv4Addr::new(127, 1 + high % 250, middle, low.clamp(1, 254))
}
