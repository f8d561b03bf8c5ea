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
    /// An action was not done in time.
    #[error("{0}")]
    Timeout(Box<TimedOut>),
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

/// What was not done in time, and what is known of why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TimedOut {
    pub action: String,
    /// How long it had, in seconds.
    pub seconds: u64,
    /// What it waited for at its end, if that is known.
    pub waited_for: Option<String>,
    /// Whose time was over, and how much that was in seconds, if it was not the action's own.
    pub end_of: Option<(&'static str, u64)>,
    /// The last line that the board said; `None` where nobody listened to it.
    pub seen: Option<String>,
    /// Who had taken the console from the job.
    pub held_by: Option<String>,
    /// It is the lab that was too slow.
    pub of_lab: bool,
}

impl std::fmt::Display for TimedOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} timed out after {} s", self.action, self.seconds)?;
        if let Some(what) = &self.waited_for {
            write!(f, " waiting for {what}")?;
        }
        if let Some((whose, seconds)) = self.end_of {
            write!(f, ", when the {seconds} s of {whose} were over")?;
        }
        if let Some(holder) = &self.held_by {
            write!(f, "; {holder} has the console, so the job could not type")?;
        }
        match self.seen.as_deref() {
            None => Ok(()),
            Some("") => write!(f, "; the board said nothing"),
            Some(line) => write!(f, "; the board's last line: {line:?}"),
        }
    }
}

impl Error {
    /// The name of the class as LAVA's results have it.
    pub fn class(&self) -> &'static str {
        match self {
            Self::Infrastructure(_) => "Infrastructure",
            Self::Timeout(over) if over.of_lab => "Infrastructure",
            Self::Job(_) | Self::Dead(_) | Self::Group(_) | Self::Timeout(_) => "Job",
            Self::MultinodeTimeout(_) => "MultinodeTimeout",
            Self::Test(_) => "Test",
            Self::Configuration(_) => "Configuration",
            Self::Cancelled => "Canceled",
            Self::Bug(_) => "Bug",
        }
    }

    /// The same error with other texts: `change` gets each that a board, a program or a job file has a part in.
    #[must_use]
    pub fn with_texts(mut self, change: impl Fn(&str) -> String) -> Self {
        match &mut self {
            Self::Infrastructure(text)
            | Self::Job(text)
            | Self::Dead(text)
            | Self::Test(text)
            | Self::Configuration(text)
            | Self::Group(text)
            | Self::MultinodeTimeout(text)
            | Self::Bug(text) => *text = change(text),
            Self::Timeout(over) => {
                for text in [&mut over.waited_for, &mut over.seen].into_iter().flatten() {
                    *text = change(text);
                }
            }
            Self::Cancelled => {}
        }
        self
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
            Self::Timeout(ref over) if over.of_lab => Kind::Lab,
            Self::Job(_)
            | Self::Dead(_)
            | Self::Test(_)
            | Self::Group(_)
            | Self::MultinodeTimeout(_)
            | Self::Timeout(_) => Kind::Failed,
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
