//! What a program says and how it exits when a thing could not be done.

use std::error::Error as StdError;
use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whose matter a failure is. Each kind has its exit code, the same in every program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The thing asked for was tried and failed: a test failed, an outlet did not switch.
    Failed,
    /// Wrong usage: an unknown board, an impossible option.
    User,
    /// Wrong configuration, job or device file.
    Config,
    /// The lab is at fault: a daemon, a PDU or a board is unreachable or timed out.
    Lab,
    /// The caller has no right to it, or somebody else holds the board.
    Refused,
    /// The host is at fault: disk full, permission denied, program missing.
    Infra,
    /// The person pressed Ctrl-C, or the process was told to end.
    Interrupted,
    /// Our own mistake.
    Bug,
}

impl Kind {
    /// The process exit code: 0 is done, and 1 to 4 and 130 mean the same in every program.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Failed | Self::Bug => 1,
            Self::User | Self::Config => 2,
            Self::Lab | Self::Infra => 3,
            Self::Refused => 4,
            Self::Interrupted => 130,
        }
    }
}

/// Who or what stands against something that is refused, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// Somebody else has the console.
    Held,
    /// Somebody else has leased the board, or it cannot be told who has.
    Leased,
    /// Somebody else has typed at the console a while ago.
    Typing,
    /// A budget is spent.
    Budget,
    /// Who asks may not, or is not known.
    Rights,
    /// Of another version of us.
    #[serde(other)]
    Other,
}

impl Refusal {
    /// Whether force, where one may use it, does it all the same.
    pub fn yields_to_force(self) -> bool {
        matches!(self, Self::Held | Self::Leased | Self::Typing | Self::Budget)
    }

    /// Whether taking the console does.
    pub fn yields_to_holder(self) -> bool {
        matches!(self, Self::Held | Self::Typing)
    }
}

/// One failure as a person gets to see it: what went wrong, and what to do.
///
/// Library modules have their own error enums; a `Failure` is made from them at the edge, where
/// the kind is known.
#[derive(Debug)]
pub struct Failure {
    pub kind: Kind,
    /// What went wrong and where, without a full stop. May have several lines.
    pub message: String,
    /// What to do about it, if we know.
    pub hint: Option<String>,
    /// Of [`Kind::Refused`] why, where it is one of these.
    pub refusal: Option<Refusal>,
}

impl Failure {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, refusal: None }
    }

    /// A failure with the messages of an error and all of its sources in one line.
    pub fn from_error(kind: Kind, error: &(dyn StdError + 'static)) -> Self {
        Self::new(kind, chain(error))
    }

    pub fn because(self, refusal: Refusal) -> Self {
        Self { refusal: Some(refusal), ..self }
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// The messages of an error and its sources, joined by `: `, each said only once.
pub fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let message = error.to_string();
        if !text.contains(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        source = error.source();
    }
    text
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

impl StdError for Failure {}
