//! Where people see what happens to their board: its console's timeline.

use std::fmt;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::model::What;

/// One entry for a console's timeline, as the console's daemon takes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    pub who: String,
    #[serde(flatten)]
    pub what: What,
}

/// Writes on the timelines of consoles.
pub trait Timeline: Send + Sync + fmt::Debug {
    /// Puts a note on the timeline of the console with this URL. Best effort, and back within a
    /// second: power does not wait for a console.
    fn record<'a>(&'a self, console: &'a str, note: &'a Note) -> BoxFuture<'a, ()>;
}
