//! Why something cannot be done.

use super::JobError;
use crate::model::{Failure, Kind, Name, Refusal};
use crate::sched::{LabError, SpecError};
use crate::store::StoreError;

#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error("{user} has not leased {name}, and has not control of it")]
    NotLeased { name: Name, user: String },
    #[error("there is no board {name:?}{}", near.as_ref().map(|near| format!("; did you mean {near:?}?")).unwrap_or_default())]
    NoBoard { name: String, near: Option<Name> },
    #[error("there is a board {0} already")]
    BoardThere(Name),
    #[error("{what} of {owner} already")]
    Assigned { what: String, owner: Name },
    #[error("{name} is leased by {user} (request {id})")]
    BoardLeased { name: Name, user: String, id: u64 },
    #[error("there is no user {0:?}")]
    NoUser(String),
    #[error("{0} is the last user, and without one nobody has to log in")]
    LastUser(String),
    #[error("there is no request {0}")]
    NoRequest(u64),
    #[error("request {0} has no boards: it is {1}")]
    NoLease(u64, &'static str),
    #[error("request {id} is {user}'s")]
    NotYours { id: u64, user: String },
    #[error("{0}")]
    Wrong(String),
    #[error("there is no board that you may have")]
    NoRights,
    #[error("a priority above {most} is for boards that one has control of")]
    NoPriority { most: u8 },
    #[error("nobody here is called {0}, or has a token that lets in")]
    Nobody(String),
    #[error("{user} may not have {board}")]
    NotForThem { user: String, board: Name },
    #[error("you have control of no {what} that is announced as {part:?}")]
    NotYourPart { what: &'static str, part: String },
    #[error("nothing was decided for {} s", .0.as_secs())]
    Stuck(std::time::Duration),
    #[error("{name} is booked for {user} (request {id})")]
    BoardBooked { name: Name, user: String, id: u64 },
    #[error(transparent)]
    Job(JobError),
    #[error(transparent)]
    Spec(#[from] SpecError),
    #[error(transparent)]
    Lab(#[from] LabError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ServerError {
    /// Whether it is the lab's trouble of the moment: what was asked for may be right.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Store(_)
            | Self::Stuck(_)
            | Self::Job(JobError::Log { .. } | JobError::Token { .. } | JobError::Random(_)) => {
                true
            }
            Self::Job(JobError::Definition(failure)) => {
                !matches!(failure.kind, Kind::Config | Kind::User)
            }
            _ => false,
        }
    }
}

impl From<ServerError> for Failure {
    fn from(error: ServerError) -> Self {
        let text = error.to_string();
        match error {
            ServerError::Store(error) => error.into(),
            ServerError::Job(error) => error.into(),
            ServerError::Wrong(_) | ServerError::Spec(_) => Self::new(Kind::User, text),
            ServerError::NoBoard { .. } => {
                Self::new(Kind::User, text).hint("lava board list has those that there are")
            }
            ServerError::LastUser(_) => Self::new(Kind::User, text)
                .hint("add another one first; or say that it is to be so: --open"),
            ServerError::NoRequest(_) => Self::new(Kind::User, text).hint("lava queue has them"),
            ServerError::NoLease(..) | ServerError::NoUser(_) | ServerError::Nobody(_) => {
                Self::new(Kind::User, text)
            }
            ServerError::BoardThere(_) => {
                Self::new(Kind::Refused, text).hint("lava board set changes it")
            }
            ServerError::Assigned { .. } => Self::new(Kind::Refused, text),
            ServerError::Stuck(_) => Self::new(Kind::Infra, text).hint("see its log"),
            ServerError::BoardLeased { .. } | ServerError::BoardBooked { .. } => {
                Self::new(Kind::Refused, text).because(Refusal::Leased)
            }
            ServerError::NotLeased { .. } => Self::new(Kind::Refused, text),
            ServerError::NotYours { .. } => Self::new(Kind::Refused, text)
                .because(Refusal::Leased)
                .hint("ask them; who has control of its boards may end it by force, with a reason"),
            ServerError::NoRights
            | ServerError::NoPriority { .. }
            | ServerError::NotForThem { .. } => {
                Self::new(Kind::Refused, text).because(Refusal::Rights)
            }
            ServerError::NotYourPart { .. } => Self::new(Kind::Refused, text)
                .because(Refusal::Rights)
                .hint("who has control of everything may name any, also by its URL"),
            ServerError::Lab(LabError::Taken { .. }) => {
                Self::new(Kind::Refused, text).because(Refusal::Leased)
            }
            ServerError::Lab(_) => Self::new(Kind::User, text),
        }
    }
}
