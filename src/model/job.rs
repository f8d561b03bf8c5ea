//! Jobs: what somebody submits, and what a server says of it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{BootState, Name};

/// What jobs are called at consoles and outlets begins so: `job:7`, and `job:7.1` of one with several boards.
pub const JOB_NAMES: &str = "job:";
/// What the log of a script's run is called.
pub const SCRIPT: &str = "script";

/// Where a job stands; the words are LAVA's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum JobState {
    /// Its request is in the queue.
    Submitted,
    /// It has boards, whose outlets do not know yet.
    Scheduling,
    /// It waits for a worker, or for word that one has begun.
    Scheduled,
    Running,
    /// It is to end, and its worker has not said yet that it has.
    Canceling,
    Finished,
}

/// What has become of a job; the words are LAVA's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum JobHealth {
    /// It has not ended.
    Unknown,
    /// All of its actions were done, whatever its tests gave.
    Complete,
    Incomplete,
    Canceled,
}

/// A job as somebody hands it in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JobSubmit {
    /// LAVA's job definition, YAML.
    pub definition: String,
    /// What its file is called where somebody reads what is wrong with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Who asks, where nobody logs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// A board of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobBoard {
    #[schema(value_type = String)]
    pub name: Name,
    /// In a job for several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
}

/// How many test cases came to what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tally {
    pub pass: usize,
    pub fail: usize,
    pub skip: usize,
    pub unknown: usize,
}

/// A job as a server tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobInfo {
    pub id: u64,
    /// Its `job_name`.
    pub name: String,
    pub user: String,
    pub state: JobState,
    pub health: JobHealth,
    pub priority: u8,
    /// What kind of board it is for; in a job for several, of each.
    pub specs: Vec<String>,
    /// The boards that it has or has had.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub boards: Vec<JobBoard>,
    /// Its request in the queue; `GET /requests/{id}` tells why it waits.
    pub request: u64,
    /// Who runs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub worker: Option<Name>,
    /// All times are in microseconds since the Unix epoch.
    pub submitted_us: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_us: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_us: Option<u64>,
    /// Of an incomplete job: LAVA's class of error, and what went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_msg: Option<String>,
    /// Who wants it to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canceled_by: Option<String>,
    /// Of which job it is a repetition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resubmit_of: Option<u64>,
    /// The board whose health it tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub checks: Option<Name>,
    /// The CI job of which it is a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub ci: Option<Name>,
    /// Of the boot of a board that somebody has leased: how far it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<BootState>,
    /// What its tests gave, once it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tally: Option<Tally>,
    /// Why it waits, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<String>,
}

impl JobState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::Scheduling => "scheduling",
            Self::Scheduled => "scheduled",
            Self::Running => "running",
            Self::Canceling => "canceling",
            Self::Finished => "finished",
        }
    }
}

impl JobHealth {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Complete => "complete",
            Self::Incomplete => "incomplete",
            Self::Canceled => "canceled",
        }
    }
}

impl JobInfo {
    /// What its logs are called: as its boards, and `script` where it is the run of one.
    pub fn logs(&self) -> Vec<&str> {
        match self.ci.is_some() {
            true => vec![SCRIPT],
            false => self.boards.iter().map(|board| board.name.as_str()).collect(),
        }
    }

    pub fn has_ended(&self) -> bool {
        self.state == JobState::Finished
    }
}
