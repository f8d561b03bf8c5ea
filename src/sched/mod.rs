//! Who gets which board, and when: the scheduler without a clock, a database or a network.
//!
//! A [`Lab`] holds boards, leases, bookings and waiting requests; [`Lab::pass`] looks at it at a moment
//! and decides. Nothing else decides, so that what holds of it holds of every server:
//!
//! - No board is ever leased twice at a time, nor in a maintenance window, nor over somebody's booking.
//! - A request for several boards gets all of them at once or waits holding none: no deadlock.
//! - Requests go by their score (see [`score`]), in which waiting counts without bound: nobody starves.
//! - A request that has to wait is planned on boards for the first time at which they are free, and who
//!   comes behind it gets these boards only for as long as that delays nobody (backfill).
//!
//! Times are seconds since the Unix epoch.

mod calendar;
mod classes;
mod lab;
mod pass;
pub mod score;
mod seats;
mod spec;
#[cfg(test)]
mod tests;
mod view;
mod why;

pub use lab::{
    Board, BoardIx, Class, Lab, LabError, Lease, MAX_BOARDS, MAX_LENGTH, Request, RequestId,
};
pub use pass::{Decision, Pass, Planned};
pub use spec::{MAX_TERMS, Spec, SpecError, Traits};
pub use view::{InLine, View};
pub use why::{Because, Why};

/// Seconds since the Unix epoch, or between two moments.
pub type Seconds = u64;
