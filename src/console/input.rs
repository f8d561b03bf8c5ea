//! What sessions ask of the task that owns the port.

use bytes::Bytes;
use tokio::sync::oneshot;

use super::line::LineRequest;
use crate::config::{CaptureOptions, PortSpec};
use crate::model::Event;

/// The longest break that is sent, in milliseconds.
pub(super) const MAX_BREAK_MS: u64 = 10_000;

/// Bytes for the board. They are sent in a box, since every console has a queue of them.
#[derive(Debug)]
pub(super) struct Typed {
    pub(super) who: String,
    pub(super) bytes: Bytes,
    /// How often the write lock had been taken by force when they were accepted: what a session
    /// typed before it lost the lock does not reach the board after that.
    pub(super) forced: u64,
}

/// What else the supervisor is asked for; kept small, since every console has a queue of them.
#[derive(Debug)]
pub(super) enum Request {
    /// An event that was published already and is to be captured.
    Record(Box<Event>),
    Break(Box<Break>),
    Line(Box<LineRequest>),
    /// Serve this port from now on.
    Port(Box<PortSpec>),
    /// Record by these limits from now on.
    Capture(Box<CaptureOptions>),
    /// Open a lost port now.
    Retry,
    /// Close the port until it is to be opened again, or open it.
    Down(Box<Down>),
}

#[derive(Debug)]
pub(super) struct Down {
    pub(super) who: String,
    pub(super) down: bool,
    /// Why nothing was done, if so.
    pub(super) answer: oneshot::Sender<Result<(), String>>,
}

#[derive(Debug)]
pub(super) struct Break {
    pub(super) who: String,
    pub(super) ms: u64,
    /// Why it was not sent, if it was not.
    pub(super) answer: oneshot::Sender<Result<(), String>>,
}
