//! Jobs for several boards at once: what they tell each other, and who waits for whom.
//!
//! [`group`] knows what was sent, who waits, and when nobody can be waited for any more; it does no
//! I/O. The [`coordinator`] keeps groups for jobs of this process and, on a Unix socket, for those of
//! others. A [`member`] is a job's own end of it.

pub(super) mod calls;
pub mod coordinator;
pub mod group;
pub mod member;
pub mod wire;

pub use coordinator::Coordinator;
pub use group::{Ask, Entry};
pub use member::{Member, Seat};

#[cfg(test)]
mod tests;
