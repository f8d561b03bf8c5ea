//! What undoes something that a job has done on this host: it is run at the job's end, while the board has power, or by
//! the guard of a job that was killed; either way as what it undoes was run.

use std::fmt;
use std::time::Duration;

use futures_util::FutureExt as _;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::error::Error;
use super::host;
use super::power::{self, Asking};

/// How long one of them may take.
const LIMIT: Duration = Duration::from_secs(60);

/// One thing to be undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Undo {
    /// By a command of the device's, as [`power::run`] takes it.
    Command(String),
    /// By a program, as [`host::run`] takes it.
    Program(Vec<String>),
}

impl Undo {
    /// Undoes it, in [`LIMIT`] at most. Cancel safe: a program is killed.
    ///
    /// # Errors
    /// Why it could not be undone.
    pub(super) async fn run(&self, asking: &Asking<'_>) -> Result<(), Error> {
        let done = async {
            match self {
                Self::Command(command) => power::run_one(command, asking).await,
                Self::Program(words) => {
                    host::run_as(words, asking.settings, asking.log).await.map(drop)
                }
            }
        };
        timeout(LIMIT, done.boxed()).await.unwrap_or_else(|_| {
            let seconds = LIMIT.as_secs();
            Err(Error::Infrastructure(format!("{self} has not ended after {seconds} s")))
        })
    }
}

/// As it is run, in quotation marks.
impl fmt::Display for Undo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(command) => write!(f, "{command:?}"),
            Self::Program(words) => write!(f, "{:?}", words.join(" ")),
        }
    }
}

/// Undoes all, the last first. What cannot be undone is noted in the log.
pub(super) async fn all(undo: &[Undo], asking: &Asking<'_>) {
    for undo in undo.iter().rev() {
        if let Err(error) = undo.run(asking).await {
            asking.log.warning(error.to_string());
        }
    }
}
