//! What a job and its coordinator say to each other: JSON, a line for each message.

use serde::{Deserialize, Serialize};

use super::group::{Ask, Entry, Who};

/// The longest line, in bytes: an answer has what all members have sent.
pub const MAX_LINE: usize = 1024 * 1024;

/// From a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
pub enum FromMember {
    /// The first line. The group is complete when `size` jobs have joined it.
    Join { group: String, size: usize, who: Who, essential: bool },
    /// One at a time; another one instead of one that is not answered yet. The answer has its number.
    Ask { number: u64, ask: Ask },
    /// The last line; without it the job has failed.
    End { failed: Option<String> },
}

/// From the coordinator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
pub enum ToMember {
    /// The group is complete.
    Complete { members: Vec<Who> },
    /// What an ask came to.
    Answer { number: u64, data: Vec<Entry> },
    /// What was asked for cannot come any more.
    Never { number: u64, why: String },
    /// The ask makes no sense; number 0 is the joining.
    Refused { number: u64, why: String },
    /// The whole group ends.
    Lost { why: String },
}
