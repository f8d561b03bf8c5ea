//! Requests for boards: what somebody asks for, and what a server says of it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{BootState, Name};

/// "A board like this, for so long."
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BoardRequest {
    /// What the board is to be like: `panda`, `arch=armv7 ram>=1GB cpus>=2`, `tag=hdmi`, `name=panda01`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub spec: String,
    /// So many of them, all at once; 1 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boards: Option<usize>,
    /// In place of `spec` and `boards`: a description for each board, all at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub specs: Vec<String>,
    /// How long it is to be, as `2h`; 31 days at most.
    #[serde(rename = "for")]
    pub length: String,
    /// Not before this, in microseconds since the Unix epoch; boards for it are booked in advance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_us: Option<u64>,
    /// LAVA's: 0 (low) to 100 (high); 50 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// What for; others see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who asks, where nobody logs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The request, and its lease, end when nothing is heard of their holder for so long, as `1m`. Each
    /// request about it, and following its events, is heard. Without it they go on by themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<String>,
    /// The same, but only until the boards are there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patience: Option<String>,
    /// The lease ends when for so long nobody has typed at a console of its boards, nor switched their power, nor extended
    /// it. Nothing else is known of what is done with boards that have no console.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<String>,
}

/// Where a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RequestState {
    /// In the queue.
    Waiting,
    /// Boards are reserved for it from `since_us` on.
    Booked,
    /// It has its boards.
    Leased,
    /// It has had them, or was called back.
    Ended,
}

/// How a request has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// Its holder has given the boards back.
    Released,
    /// Its holder has called it back before there were boards.
    Cancelled,
    /// Its time was over.
    Expired,
    /// Nothing was heard of its holder for longer than was agreed.
    Silent,
    /// Nobody used its boards for longer than was agreed.
    Idle,
    /// Somebody else has ended it, who may.
    Taken,
    /// What it had or was to have is not there any more.
    Lost,
}

/// A request, and from when on there is one its lease, as a server tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RequestInfo {
    pub id: u64,
    pub state: RequestState,
    pub user: String,
    /// Who else uses its boards, by leave of the holder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared_with: Vec<String>,
    /// A description for each board.
    pub specs: Vec<String>,
    pub length_s: u64,
    pub priority: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// All times are in microseconds since the Unix epoch.
    pub submitted_us: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_us: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat_s: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patience_s: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_s: Option<u64>,
    /// The boards that it has, will have, or has had.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub boards: Vec<Name>,
    /// Since when it has them, and until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_us: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_us: Option<u64>,
    /// Of a lease: the daemons of its boards know their holder, so that nobody else switches them or types there.
    #[serde(default)]
    pub ready: bool,
    /// Of a lease that is not ready: what an outlet's daemon says to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unready: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending: Option<Ending>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_us: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
    /// The job that it is for, if it is for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<u64>,
}

/// What a request waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Waiting {
    /// 1 is who comes next, of those who want one of these boards.
    pub position: usize,
    /// When it may be its turn, as far as that can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate_us: Option<u64>,
    /// Why it waits, in a sentence.
    pub why: String,
    /// It will never be its turn as the lab is now: there are no such boards, or not so many.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub never: bool,
    /// What its place in the queue is made of.
    pub score: Points,
}

/// The parts of a place in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Points {
    pub priority: i64,
    /// For the time that it waits.
    pub waited: i64,
    /// Against those who have used much of late.
    pub used: i64,
}

/// What is asked of a lease or of a waiting request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LeaseChange {
    /// Of `extend`: how long it is to go on from now, as `1h`.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub length: Option<String>,
    /// Of `share` and `give`: to whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Who asks, where nobody logs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// The next thing that has happened in the lab, for who follows a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LabEvent {
    pub time_us: u64,
    /// `board`, `request`, `job` or `daemon`.
    pub about: String,
    /// The name of the board, the number of the request or job, the URL of the daemon.
    pub id: String,
    /// What it is now: `leased`, `ended`, `stale`, …; of a job its state, `submitted` to `finished`.
    pub what: String,
    /// Of a job that has ended what it came to: `complete`, `incomplete` or `canceled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<String>,
    /// Of the boot of a board that somebody has leased: how far it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<BootState>,
}

impl RequestState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Booked => "booked",
            Self::Leased => "leased",
            Self::Ended => "ended",
        }
    }
}

impl Ending {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Silent => "silent",
            Self::Idle => "idle",
            Self::Taken => "taken",
            Self::Lost => "lost",
        }
    }
}
