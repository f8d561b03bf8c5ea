//! Where people are with their boards: the consoles, which know who uses one and show what happens to
//! it.

use std::fmt;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::model::{Failure, What};

/// One entry for a console's timeline, as the console's daemon takes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    pub who: String,
    #[serde(flatten)]
    pub what: What,
}

/// Who uses a console.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    pub holder: Option<Holder>,
    #[serde(default)]
    pub sessions: Vec<Typist>,
}

/// Who has a console for themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    pub user: String,
    /// Since when, in microseconds since the Unix epoch.
    pub since_us: u64,
}

/// Who is attached to a console.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Typist {
    pub user: String,
    /// `websocket`, `telnet`, `raw` or `conmux`.
    pub via: String,
    /// When they typed last, in microseconds since the Unix epoch.
    #[serde(default)]
    pub typed_us: Option<u64>,
}

/// The consoles of boards, by their URLs. All of this is back within a second: power does not wait
/// for a console.
pub trait Consoles: Send + Sync + fmt::Debug {
    /// Puts a note on the console's timeline. Best effort.
    fn record<'a>(&'a self, console: &'a str, note: &'a Note) -> BoxFuture<'a, ()>;

    /// Asks who uses the console. Fails when it does not answer.
    fn usage<'a>(&'a self, console: &'a str) -> BoxFuture<'a, Result<Usage, Failure>>;
}
