//! Outlets: the verbs, the states, and what lava-power says of them.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Name;

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

/// An outlet as it is configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OutletInfo {
    /// The name of the board that it feeds.
    #[schema(value_type = String)]
    pub name: Name,
    #[schema(value_type = String)]
    pub pdu: Name,
    /// Which of the PDU's outlets, in the PDU's own words.
    pub port: String,
    /// The URL of the board's console, whose timeline shows what is done to the outlet.
    pub console: Option<String>,
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
    /// How long it took, in milliseconds, without the wait for other operations on the same PDU.
    pub took_ms: u64,
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
            Self::Unknown => "unknown",
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
        };
        let json = serde_json::to_string(&report).unwrap();
        assert_eq!(
            json,
            r#"{"outlet":"panda01","verb":"cycle","state":"on","verified":"verified","took_ms":2034}"#
        );
        assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
    }
}
