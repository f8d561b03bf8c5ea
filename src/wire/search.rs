//! What a search answers: one JSON object a line, as lines are found.

use serde::{Deserialize, Serialize};

use crate::model::Name;

/// A line of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Answer {
    /// A console's line that matches.
    Line(Match),
    /// The last line of a complete answer.
    End(End),
}

/// A console's line that matches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Match {
    #[schema(value_type = String)]
    pub console: Name,
    /// The absolute offset of the line's first byte.
    pub offset: u64,
    /// The offset behind its last byte and its line end.
    pub end: u64,
    /// When its first byte came, in microseconds since the Unix epoch; 0 where that is not known.
    pub time_us: u64,
    /// The line without its line end. What is no UTF-8 is replaced by U+FFFD.
    pub line: String,
}

/// How a search ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct End {
    /// Whether it ended because as many lines were found as were asked for.
    pub more: bool,
    /// How many bytes the range has in all consoles.
    pub held: u64,
    /// How many of them were read. Of the others an index says that they have no such line.
    pub read: u64,
}
