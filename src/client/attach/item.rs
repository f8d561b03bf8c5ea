//! What is asked for when attaching, and what comes of it.

use std::num::NonZeroU16;

use super::ANSWER_TIMEOUT;
use super::link::Incoming;
use super::sending::MAX_ASKING;
use crate::model::event::Mode;
use crate::model::{Event, Failure, Kind, Point};
use crate::wire::attach::{Answer, FromServer, PortState, Session};
use crate::wire::frame::Frame;

/// How to attach.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The mode to ask for. [`Hello::mode`] says which one was given.
    pub mode: Mode,
    pub from: From,
    /// The name that others see.
    pub user: Option<String>,
    /// Not to be let go for being idle: for programs that wait.
    pub stay: bool,
    /// For [`From::Screen`]: rows and columns of the terminal; 24 and 80 when `None`.
    pub size: Option<(NonZeroU16, NonZeroU16)>,
}

/// Where in the stream to begin.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum From {
    /// With the next byte of the board.
    #[default]
    Head,
    /// With [`Item::Screen`], then the next byte.
    Screen,
    /// With the first byte at or after a point in the past.
    Past(Point),
}

/// What comes from a console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// The next bytes: `offset` is where the last ones ended, or where a gap did.
    Bytes(Frame),
    Event(Event),
    Screen(Screen),
    /// This session's own mode has changed.
    Mode {
        mode: Mode,
        by: Option<String>,
        holder: Option<Session>,
    },
    /// The bytes in between are not held any more.
    Gap {
        from: u64,
        to: u64,
    },
    /// The answer to a request made with [`super::Attachment::ask`].
    Answer {
        id: u64,
        answer: Answer,
    },
    /// Something that the daemon tells this session.
    Notice(String),
    /// The session is over, because it was idle or somebody let it go. Nothing comes after it.
    Ended {
        reason: String,
    },
    /// The connection is gone and is being made again. Requests not answered yet will not be, and
    /// what was typed last may not have arrived: it is never sent twice.
    Lost {
        reason: String,
    },
    /// Attached again; the stream goes on where it stopped. The mode may be another one.
    Resumed(Hello),
    /// After [`Item::Resumed`]: the daemon forgot the stream it had, and counts anew from here.
    Renumbered {
        from: u64,
    },
}

/// The screen as it stood at an offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Screen {
    pub offset: u64,
    pub rows: NonZeroU16,
    pub cols: NonZeroU16,
    /// What draws it on a cleared terminal, cursor and attributes included.
    pub draw: String,
}

/// How the console stood when a connection began. See [`FromServer::Hello`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    pub session: u64,
    pub mode: Mode,
    pub from: u64,
    pub head: u64,
    pub port: PortState,
    pub others: Vec<Session>,
    pub holder: Option<Session>,
}

/// Why something was not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    #[error("not attached: the connection is being made again")]
    Away,
    #[error("the connection was lost: {0}")]
    Lost(String),
    #[error("no answer within {} s", ANSWER_TIMEOUT.as_secs())]
    NoAnswer,
    #[error("{MAX_ASKING} requests before it have not left yet")]
    Behind,
}

impl SendError {
    pub fn failure(&self) -> Failure {
        Failure::from_error(Kind::Lab, self)
    }
}

impl Hello {
    pub(super) fn of(incoming: Incoming) -> Option<Self> {
        match incoming {
            Incoming::Message(FromServer::Hello {
                session,
                mode,
                from,
                head,
                port,
                others,
                holder,
                ..
            }) => Some(Self { session, mode, from, head, port, others, holder }),
            _ => None,
        }
    }
}
