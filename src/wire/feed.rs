//! What a feed tells of all consoles of a daemon: one JSON object a line, each whenever it has changed.

use serde::{Deserialize, Serialize};

use super::attach::PortState;
use crate::model::{Mismatch, Name, Sight};

/// The most characters of a last line that are told.
pub const MAX_LAST_LINE: usize = 200;

/// A line of a feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Told {
    /// A console as it is now: first of each, then of those that have changed.
    Console(Box<Row>),
    /// It is not served any more, or the caller may not see it any more.
    Gone {
        #[schema(value_type = String)]
        console: Name,
    },
}

/// A console at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Row {
    #[schema(value_type = String)]
    pub console: Name,
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub port: PortState,
    /// The offset that the next byte will have.
    pub head: u64,
    /// When the last byte came, in microseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard_us: Option<u64>,
    /// Over the last 5 seconds.
    pub bytes_per_s: u64,
    /// The last line that is not blank, without control characters, cut to 200 characters. For those who
    /// have the right to spy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_line: Option<String>,
    /// Who is attached.
    pub attached: Vec<String>,
    /// Who has the write lock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<Sight>,
    /// The worst that came since then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Sight>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mismatch: Option<Mismatch>,
    /// What the timeline tells of the board's power.
    pub power: PowerTold,
    /// Why the capture cannot be written at the moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture_error: Option<String>,
}

/// What a timeline tells of a board's power.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PowerTold {
    /// Whether it was switched on or off last; absent while something is under way, has failed, or nothing
    /// was told yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<bool>,
    /// Since when, in microseconds since the Unix epoch; 0 while nothing was told.
    pub since_us: u64,
}
