//! The results of a job, by suite, with how long each case took.

use std::ops::ControlFlow;
use std::path::Path;

use serde::Serialize;

use super::entry::{self, Entry};
use crate::dispatch::execute::LOG;
use crate::dispatch::results::{CaseResult, LAVA};
use crate::model::{BoardIdentity, Failure, Mac};

/// A result and what the log adds to it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Timed {
    #[serde(flatten)]
    pub case: CaseResult,
    /// In seconds: as the result says, or from the lines of the log between which the case ran.
    pub seconds: Option<f64>,
}

/// The cases of one test definition, or the actions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Suite {
    pub name: String,
    pub cases: Vec<Timed>,
}

/// All results of a job.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// `complete`, `incomplete`, or `unfinished` where the dispatcher was ended before the job.
    pub job: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_msg: Option<String>,
    /// When the log begins, RFC 3339.
    pub begin: Option<String>,
    /// The suites of the test definitions, in the order of their first results, and `lava` last.
    pub suites: Vec<Suite>,
    /// What the board has told of itself by `lava-identity`.
    #[serde(skip)]
    pub identity: Option<BoardIdentity>,
}

impl Report {
    /// Reads the log in a job's output folder.
    ///
    /// # Errors
    /// As [`entry::read`].
    pub fn read(folder: &Path) -> Result<Self, Failure> {
        let mut times = Vec::new();
        let mut results = Vec::new();
        let (mut begin, mut identity) = (None, None);
        entry::read(&folder.join(LOG), 0, |entry: Entry| {
            times.push(entry.time_us());
            begin.get_or_insert_with(|| entry.dt.clone());
            if entry.lvl == "results" {
                results.extend(serde_json::from_value::<CaseResult>(entry.msg).ok());
            } else if entry.lvl == "event" {
                identity = entry.msg.as_str().and_then(identity_of).or(identity.take());
            }
            Ok(ControlFlow::Continue(()))
        })?;
        let timed = results.into_iter().map(|case| {
            let at = |line: Option<u64>| {
                let line = usize::try_from(line?).ok()?;
                *times.get(line)?
            };
            let between = at(case.starttc).zip(at(case.endtc));
            let between = between.map(|(from, to)| to.saturating_sub(from) as f64 / 1e6);
            Timed { seconds: case.duration.or(between), case }
        });
        Ok(Self { identity, ..Self::new(begin, timed) })
    }

    pub(super) fn new(begin: Option<String>, cases: impl Iterator<Item = Timed>) -> Self {
        let mut report = Self {
            job: "unfinished".into(),
            error_type: None,
            error_msg: None,
            begin,
            suites: Vec::new(),
            identity: None,
        };
        for timed in cases {
            let case = &timed.case;
            if case.definition == LAVA && case.case == "job" {
                let done = case.result == "pass";
                report.job = if done { "complete" } else { "incomplete" }.into();
                report.error_type.clone_from(&case.error_type);
                report.error_msg.clone_from(&case.error_msg);
            }
            match report.suites.iter_mut().find(|suite| suite.name == case.definition) {
                Some(suite) => suite.cases.push(timed),
                None => {
                    report.suites.push(Suite { name: case.definition.clone(), cases: vec![timed] });
                }
            }
        }
        report.suites.sort_by_key(|suite| suite.name == LAVA);
        report
    }
}

/// What `lava-identity` has said; an address that is none is passed over.
fn identity_of(event: &str) -> Option<BoardIdentity> {
    let mut told = BoardIdentity::default();
    for word in event.strip_prefix("lava-identity ")?.split_whitespace() {
        match word.split_once('=') {
            Some(("mac", mac)) => told.mac.extend(mac.parse::<Mac>()),
            Some(("identity", text)) if !text.is_empty() => told.identity = Some(text.to_owned()),
            _ => {}
        }
    }
    Some(told)
}

impl Suite {
    pub fn count(&self, result: &str) -> usize {
        self.cases.iter().filter(|timed| timed.case.result == result).count()
    }

    /// The seconds of all cases; of the actions, those of the job, since the others are inside it.
    pub fn seconds(&self) -> f64 {
        let job = self.cases.iter().find(|timed| self.name == LAVA && timed.case.case == "job");
        match job {
            Some(job) => job.seconds.unwrap_or(0.0),
            None => self.cases.iter().filter_map(|timed| timed.seconds).sum(),
        }
    }
}
