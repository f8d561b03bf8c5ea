//! What sessions ask of the task that owns the port.

use bytes::Bytes;
use tokio::sync::oneshot;

use super::line::LineRequest;
use super::receipt::Receipt;
use crate::config::{CaptureOptions, PortSpec};
use crate::model::{Keys, Name, Pace};

/// Bytes for the board. They are sent in a box, since every console has a queue of them.
#[derive(Debug)]
pub(super) struct Typed {
    pub(super) who: String,
    pub(super) bytes: Bytes,
    /// The console's own when `None`.
    pub(super) pace: Option<Pace>,
    /// Where somebody waits for them.
    pub(super) receipt: Option<Receipt>,
    /// How often the write lock had been taken by force when they were accepted: what a session
    /// typed before it lost the lock does not reach the board after that.
    pub(super) forced: u64,
}

impl Typed {
    pub(super) fn new(who: String, bytes: Bytes, forced: u64) -> Self {
        Self { who, bytes, pace: None, receipt: None, forced }
    }
}

/// What else the supervisor is asked for; kept small, since every console has a queue of them.
#[derive(Debug)]
pub(super) enum Request {
    Break(Box<Break>),
    /// Send a sequence, before everything that was typed.
    Sequence(Box<Sequence>),
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

#[derive(Debug)]
pub(super) struct Sequence {
    pub(super) who: String,
    /// Told to everybody when it begins.
    pub(super) name: Option<Name>,
    pub(super) keys: Keys,
    pub(super) receipt: Receipt,
}
