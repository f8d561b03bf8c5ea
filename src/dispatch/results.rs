//! What a job's tests and actions gave, in the form of LAVA's `results`.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::error::Error;

/// The result of one test case, or of one action in the suite `lava`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct CaseResult {
    /// The suite: `0_smoke`, or `lava` for the actions.
    pub definition: String,
    pub case: String,
    /// `pass`, `fail`, `skip` or `unknown`.
    pub result: String,
    /// Of an action: its level.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// In seconds, to the millisecond.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "milliseconds")]
    pub duration: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measurement: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub units: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    /// The lines of the log between which the case ran, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starttc: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endtc: Option<u64>,
    /// Where in the console's stream the case was started and reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_offset: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_offset: Option<u64>,
    /// Why an action failed, or `job` ended as it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_msg: Option<String>,
    /// What else an action has found out.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: BTreeMap<String, String>,
}

/// As `0_smoke/net/ping: pass 12.5 ms`, for people.
impl fmt::Display for CaseResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/", self.definition)?;
        if let Some(set) = &self.set {
            write!(f, "{set}/")?;
        }
        write!(f, "{}: {}", self.case, self.result)?;
        if let Some(measurement) = self.measurement {
            write!(f, " {measurement}")?;
        }
        let others = [&self.units, &self.error_msg];
        others.into_iter().flatten().try_for_each(|other| write!(f, " {other}"))
    }
}

/// The suite of the actions and of the job itself.
pub const LAVA: &str = "lava";

/// All results of a job, in the order in which they came.
#[derive(Debug, Default)]
pub struct Results {
    cases: Vec<CaseResult>,
}

impl Results {
    pub fn add(&mut self, case: CaseResult) {
        self.cases.push(case);
    }

    pub fn all(&self) -> &[CaseResult] {
        &self.cases
    }

    /// The test cases, without LAVA's own suite.
    pub fn tests(&self) -> impl Iterator<Item = &CaseResult> {
        self.cases.iter().filter(|case| case.definition != LAVA)
    }

    /// How many test cases failed; those whose definition did not end count too.
    pub fn failed(&self) -> usize {
        let unfinished = self
            .cases
            .iter()
            .filter(|case| case.definition == LAVA && case.uuid.is_some() && case.result == "fail");
        self.tests().filter(|case| case.result == "fail").count() + unfinished.count()
    }
}

fn milliseconds<S: serde::Serializer>(seconds: &Option<f64>, to: S) -> Result<S::Ok, S::Error> {
    seconds.map(|seconds| (seconds * 1000.0).round() / 1000.0).serialize(to)
}

impl CaseResult {
    /// The result of the whole job, `complete` being a pass.
    pub fn job(error: Option<&Error>, seconds: f64) -> Self {
        Self {
            definition: LAVA.into(),
            case: "job".into(),
            result: if error.is_none() { "pass" } else { "fail" }.into(),
            duration: Some(seconds),
            error_type: error.map(|error| error.class().into()),
            error_msg: error.map(ToString::to_string),
            extra: BTreeMap::from([(
                "job".to_owned(),
                if error.is_none() { "complete" } else { "incomplete" }.to_owned(),
            )]),
            ..Self::default()
        }
    }
}
