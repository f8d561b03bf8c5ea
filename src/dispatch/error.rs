//! Why an action or a job failed, in LAVA's classes.

use crate::model::{Failure, Kind};

/// An action's failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The lab did not do its part: power, console, a server.
    #[error("{0}")]
    Infrastructure(String),
    /// What the job asked for did not work out on the board.
    #[error("{0}")]
    Job(String),
    /// The board's system is dead: a panic, an unexpected reboot. Only a new boot helps.
    #[error("{0}")]
    Dead(String),
    /// A test definition could not be run.
    #[error("{0}")]
    Test(String),
    /// The job or the device file asks for what cannot be.
    #[error("{0}")]
    Configuration(String),
    /// An action was not done in time. `seen` is the last line that the board said.
    #[error("{action} timed out after {seconds} s{}{}", waited(.waited_for), last(.seen))]
    Timeout { action: String, seconds: u64, waited_for: String, seen: String },
    /// Another board of the job's group is what it was waiting for, or cannot do without, and is gone.
    #[error("{0}")]
    Group(String),
    /// The other boards of the group did not come to the same point in time.
    #[error("{0}")]
    MultinodeTimeout(String),
    /// Somebody ended the job.
    #[error("the job was cancelled")]
    Cancelled,
    /// Our own mistake.
    #[error("{0}")]
    Bug(String),
}

fn waited(what: &str) -> String {
    if what.is_empty() { String::new() } else { format!(" waiting for {what}") }
}

fn last(seen: &str) -> String {
    if seen.is_empty() {
        "; the board said nothing".into()
    } else {
        format!("; the board's last line: {seen:?}")
    }
}

impl Error {
    /// The name of the class as LAVA's results have it.
    pub fn class(&self) -> &'static str {
        match self {
            Self::Infrastructure(_) => "Infrastructure",
            Self::Job(_) | Self::Dead(_) | Self::Group(_) | Self::Timeout { .. } => "Job",
            Self::MultinodeTimeout(_) => "MultinodeTimeout",
            Self::Test(_) => "Test",
            Self::Configuration(_) => "Configuration",
            Self::Cancelled => "Canceled",
            Self::Bug(_) => "Bug",
        }
    }

    pub fn is_worth_a_retry(&self) -> bool {
        !matches!(
            self,
            Self::Configuration(_)
                | Self::Group(_)
                | Self::MultinodeTimeout(_)
                | Self::Cancelled
                | Self::Bug(_)
        )
    }

    /// As the whole program's failure.
    pub fn into_failure(self) -> Failure {
        let kind = match self {
            Self::Infrastructure(_) => Kind::Lab,
            Self::Job(_)
            | Self::Dead(_)
            | Self::Test(_)
            | Self::Group(_)
            | Self::MultinodeTimeout(_)
            | Self::Timeout { .. } => Kind::Failed,
            Self::Configuration(_) => Kind::Config,
            Self::Cancelled => Kind::Interrupted,
            Self::Bug(_) => Kind::Bug,
        };
        Failure::new(kind, self.to_string())
    }
}

/// A failure of the client's, of a daemon or of the host, as seen by a job.
impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let message = match &failure.hint {
            Some(hint) => format!("{} ({hint})", failure.message),
            None => failure.message.clone(),
        };
        match failure.kind {
            Kind::Config | Kind::User => Self::Configuration(message),
            Kind::Interrupted => Self::Cancelled,
            Kind::Bug => Self::Bug(message),
            Kind::Failed | Kind::Lab | Kind::Refused | Kind::Infra => Self::Infrastructure(message),
        }
    }
}
