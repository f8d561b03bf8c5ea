//! Outlets: the verbs, the states, and what lava-power says of them.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Lease, Name};

/// What can be asked of an outlet.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    On,
    Off,
    /// Off, a wait, and on again, with nothing in between.
    Cycle,
    Status,
}

/// Whether an outlet gives power.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    On,
    Off,
    /// Of several outlets some are on and some are off.
    Partly,
    /// Nobody could tell, or the PDU says something that is neither.
    Unknown,
}

/// What the state in a [`Report`] rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verified {
    /// It was read back from the PDU.
    Verified,
    /// The PDU took the request, and has no way to tell what came of it.
    Accepted,
    /// Nothing: the PDU cannot be asked.
    Unknown,
}

/// An outlet as it is configured, or the several outlets of one board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OutletInfo {
    /// The name of the board that it feeds.
    #[schema(value_type = String)]
    pub name: Name,
    /// Of several the one that is switched on first; so for the port.
    #[schema(value_type = String)]
    pub pdu: Name,
    /// Which of the PDU's outlets, in the PDU's own words.
    pub port: String,
    /// All of a board that has several, in the order in which they are switched on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub feeds: Vec<Feed>,
    /// The boards that lose their power with this one, for they are on the same outlet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub shared_with: Vec<Name>,
    /// The URL of the board's console, whose timeline shows what is done to the outlet.
    pub console: Option<String>,
    /// A cycle has switched it off and could not switch it on again; it is tried until it is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_off: Option<LeftOff>,
    /// Who has leased the board.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
}

/// One of a board's outlets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Feed {
    #[schema(value_type = String)]
    pub pdu: Name,
    pub port: String,
}

/// A board that has lost its power by a cycle, and did not get it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LeftOff {
    /// Since when, in microseconds since the Unix epoch.
    pub since_us: u64,
    /// Who had asked for the cycle.
    pub who: String,
    /// How often it has been tried to be switched on.
    pub tries: u64,
    /// What came of the last try.
    pub error: String,
}

/// An operation in the past of an outlet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PowerRecord {
    pub verb: Verb,
    pub who: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Somebody else held the board, or might have.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
    /// When it began, in microseconds since the Unix epoch.
    pub begin_us: u64,
    /// When it ended, if it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_us: Option<u64>,
    pub result: PowerResult,
    /// What the outlet was then, as far as anybody could tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What came of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PowerResult {
    UnderWay,
    Verified,
    Accepted,
    Unknown,
    Failed,
    /// Off, and not on again: it is tried on.
    LeftOff,
    /// lava-power ended meanwhile, or somebody else has switched the board before it was on again.
    Interrupted,
}

/// What a PDU measures at an outlet; `None` of what it does not.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct Reading {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volts: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amperes: Option<f64>,
    /// Active power.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watts: Option<f64>,
}

impl Reading {
    /// Of two outlets of one board together: currents and powers add up, voltages do not.
    #[must_use]
    pub fn beside(self, other: Self) -> Self {
        let sum = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (Some(a), Some(b)) => Some(a + b),
            (a, b) => a.or(b),
        };
        Self {
            volts: self.volts.or(other.volts),
            amperes: sum(self.amperes, other.amperes),
            watts: sum(self.watts, other.watts),
        }
    }
}

// What is measured is a number: never NaN, which neither PDUs nor JSON can say.
impl Eq for Reading {}

/// What was read last at an outlet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MeterReport {
    #[schema(value_type = String)]
    pub outlet: Name,
    /// When, in microseconds since the Unix epoch.
    pub time_us: u64,
    #[serde(flatten)]
    pub reading: Reading,
}

/// Who asks for an operation, and why.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PowerRequest {
    /// Without authentication this is who the client says it is; its address when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Also when somebody else holds the board. Needs a reason, which everybody at the console sees.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
}

/// What an operation came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Report {
    #[schema(value_type = String)]
    pub outlet: Name,
    pub verb: Verb,
    /// The state after the operation.
    pub state: State,
    pub verified: Verified,
    /// How long it took, in milliseconds, without the wait for other operations on the same board.
    pub took_ms: u64,
    /// Of a board with several outlets what each is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub feeds: Vec<FeedReport>,
}

/// What came of an operation at one of a board's outlets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FeedReport {
    #[schema(value_type = String)]
    pub pdu: Name,
    pub port: String,
    pub state: State,
    pub verified: Verified,
}

impl Verb {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
            Self::Cycle => "cycle",
            Self::Status => "status",
        }
    }
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
            Self::Partly => "partly",
            Self::Unknown => "unknown",
        }
    }
}

impl PowerResult {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnderWay => "under way",
            Self::Verified => "verified",
            Self::Accepted => "accepted",
            Self::Unknown => "unknown",
            Self::Failed => "failed",
            Self::LeftOff => "left off",
            Self::Interrupted => "interrupted",
        }
    }
}

impl From<Verified> for PowerResult {
    fn from(verified: Verified) -> Self {
        match verified {
            Verified::Verified => Self::Verified,
            Verified::Accepted => Self::Accepted,
            Verified::Unknown => Self::Unknown,
        }
    }
}

impl Verified {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Accepted => "accepted",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for PowerResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_reads_as_documented() {
        let report = Report {
            outlet: "panda01".parse().unwrap(),
            verb: Verb::Cycle,
            state: State::On,
            verified: Verified::Verified,
            took_ms: 2034,
            feeds: Vec::new(),
        };
        let json = serde_json::to_string(&report).unwrap();
        assert_eq!(
            json,
            r#"{"outlet":"panda01","verb":"cycle","state":"on","verified":"verified","took_ms":2034}"#
        );
        assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
    }
}
