//! What sessions ask of the task that owns the port.

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::model::Event;

/// The longest break that is sent, in milliseconds.
pub(super) const MAX_BREAK_MS: u64 = 10_000;

/// One message to the supervisor; kept small, since every console has a queue of them.
#[derive(Debug)]
pub(super) enum Command {
    /// Bytes for the board.
    Type {
        who: String,
        bytes: Bytes,
    },
    /// An event that was published already and is to be captured.
    Record(Box<Event>),
    Break(Box<Break>),
}

#[derive(Debug)]
pub(super) struct Break {
    pub(super) who: String,
    pub(super) ms: u64,
    /// Why it was not sent, if it was not.
    pub(super) answer: oneshot::Sender<Result<(), String>>,
}
