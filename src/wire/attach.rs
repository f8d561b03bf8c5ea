//! The text messages of an attached WebSocket: one JSON object each.
//!
//! The connection is opened by `GET /consoles/NAME/attach` with the query of [`Query`]. The server
//! first says [`FromServer::Hello`], then, if asked for, [`FromServer::Screen`]; from then on
//! binary frames ([`super::frame`]) and events come in the order of the timeline.

use std::collections::BTreeMap;
use std::num::NonZeroU16;

use serde::{Deserialize, Serialize};

use super::line::LineState;
pub use super::request::Verb;
use crate::model::event::Mode;
use crate::model::{Event, Name};

/// The largest WebSocket message a client may send, in bytes.
pub const MAX_CLIENT_MESSAGE: usize = 64 * 1024;

/// The query of an attach request: `?mode=rw&from=screen&user=alice`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    #[serde(default)]
    pub mode: Mode,
    /// `head` (the default), `screen`, or a [`crate::model::Point`] in the past.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The name that others see. Without authentication it is what the client says it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The size for `from=screen`; 24 by 80 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<NonZeroU16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cols: Option<NonZeroU16>,
    /// Do not let the session go for being idle: for programs that wait.
    #[serde(default, skip_serializing_if = "is_false")]
    pub stay: bool,
}

/// What the server says in text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum FromServer {
    /// The first message of every session.
    Hello {
        console: Name,
        /// Numbers this session among all of the daemon's.
        session: u64,
        /// The mode that was given; less than was asked for when somebody else holds the console.
        mode: Mode,
        /// Where the stream begins.
        from: u64,
        /// The offset that the next byte of the board will have.
        head: u64,
        /// Whether the port is open, and if not, why.
        port: PortState,
        /// Who else is attached.
        others: Vec<Session>,
        /// Who has the write lock, if anybody.
        #[serde(default)]
        holder: Option<Session>,
    },
    /// The screen as it stands at `offset`, where the stream begins.
    Screen {
        offset: u64,
        rows: NonZeroU16,
        cols: NonZeroU16,
        /// What draws it, cursor and attributes included, on a cleared terminal.
        draw: String,
    },
    /// Something happened on the console's timeline.
    Event(Event),
    /// This session's own mode has changed.
    Mode {
        mode: Mode,
        /// Who changed it: the user who forced, or who gave the lock back.
        by: Option<String>,
        /// Who has the write lock now, if anybody.
        holder: Option<Session>,
    },
    /// The bytes from `from` to `to` are not held any more; the stream goes on at `to`.
    Gap { from: u64, to: u64 },
    /// Something that concerns this session only: it is idle, and will be let go.
    Notice { text: String },
    /// The session is over, and not to be taken up again: it was idle, or somebody let it go.
    Ended { reason: String },
    /// The answer to the request with this id.
    Reply {
        id: u64,
        #[serde(flatten)]
        answer: Answer,
    },
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Answer {
    Done,
    Refused {
        reason: String,
    },
    Sessions {
        sessions: Vec<Session>,
    },
    /// The break sequences: name, and what is sent.
    Sequences {
        sequences: BTreeMap<Name, String>,
    },
    Line(LineState),
    /// So many bytes were sent; and so many were not, when it ended before, for this reason.
    Sent {
        bytes: u64,
        #[serde(default, skip_serializing_if = "is_zero")]
        missing: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// What is missing can be sent at once: only the daemon's process is another one now.
        #[serde(default, skip_serializing_if = "is_false")]
        again: bool,
    },
}

impl Answer {
    /// So many bytes were sent, and so many were not, for this reason if there are any.
    pub fn sent(bytes: u64, missing: u64, reason: impl Into<String>) -> Self {
        let reason = (missing > 0).then(|| reason.into());
        Self::Sent { bytes, missing, reason, again: false }
    }

    /// What is missing of what was sent can be sent at once.
    pub fn again(&mut self) {
        if let Self::Sent { missing: 1.., again, .. } = self {
            *again = true;
        }
    }
}

/// A request by a client. Every one gets exactly one [`FromServer::Reply`] with its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    pub id: u64,
    #[serde(flatten)]
    pub verb: Verb,
}

/// One session on a console.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    pub session: u64,
    pub user: String,
    pub mode: Mode,
    /// How it is attached: `websocket`, `browser`, `telnet`, `raw` or `conmux`.
    pub via: String,
    /// The client's address, as text.
    pub peer: String,
    /// Since when, in microseconds since the Unix epoch.
    pub since_us: u64,
    /// For how many seconds it has typed nothing and asked for nothing.
    #[serde(default)]
    pub idle_s: u64,
    /// When it typed last, in microseconds since the Unix epoch, if it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub typed_us: Option<u64>,
    /// It is not let go for being idle.
    #[serde(default, skip_serializing_if = "is_false")]
    pub stay: bool,
}

/// Whether a console's port is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum PortState {
    /// Not tried yet.
    Starting,
    Open,
    /// Being tried again; `reason` tells what the last try said.
    Closed {
        reason: String,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_false(value: &bool) -> bool {
    !*value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::request::SendBreak;

    #[test]
    fn messages_are_flat_json_objects() {
        let request = Request {
            id: 1,
            verb: Verb::Break(SendBreak { ms: Some(500), ..SendBreak::default() }),
        };
        let json = serde_json::to_string(&request).unwrap();
        assert_eq!(json, r#"{"id":1,"request":"break","ms":500}"#);
        assert_eq!(serde_json::from_str::<Request>(&json).unwrap(), request);

        let reply = FromServer::Reply { id: 1, answer: Answer::Refused { reason: "a pty".into() } };
        let json = serde_json::to_string(&reply).unwrap();
        assert_eq!(json, r#"{"type":"reply","id":1,"answer":"refused","reason":"a pty"}"#);
        assert_eq!(serde_json::from_str::<FromServer>(&json).unwrap(), reply);
    }
}
