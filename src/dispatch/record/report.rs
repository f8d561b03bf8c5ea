//! The results of a job, by suite, with how long each case took.

use std::collections::HashMap;
use std::mem::size_of;
use std::ops::ControlFlow;
use std::path::Path;

use serde::Serialize;

use super::entry::{self, Entry};
use super::view::MAX_LINES;
use crate::dispatch::execute::LOG;
use crate::dispatch::results::{CaseResult, LAVA};
use crate::model::Failure;

/// So many results are kept of a log, …
const MAX_RESULTS: usize = 100_000;
/// … and all together take no more memory than this, in bytes.
const MAX_MEMORY: usize = 96 << 20;
/// A result that takes more than this, in bytes, is kept without its `extra`.
const MAX_CASE: usize = 64 << 10;
/// What a result takes beside its texts, and what an entry of its `extra` takes, in bytes.
const EXTRA: usize = 96;
/// The longest text of a time, in bytes.
const MAX_TIME: usize = 64;
/// Of a job that has told no end.
const UNFINISHED: &str = "unfinished";
/// A line of which nobody knows when it was.
const NO_TIME: u32 = u32::MAX;

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

/// The results of a job: the first 100,000 of them, or as many as go into 96 MiB. The job's own is always there.
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
    /// So many results of the log are too many, and not here.
    #[serde(skip_serializing_if = "is_none")]
    pub left_out: u64,
    /// Where each suite but `lava` is.
    #[serde(skip)]
    places: HashMap<String, usize>,
    #[serde(skip)]
    kept: usize,
    /// What the results take, in bytes.
    #[serde(skip)]
    memory: usize,
}

impl Report {
    /// Reads the log in a job's output folder, line by line: of lines that are no results 4 bytes are kept, of the
    /// first 8,000,000.
    ///
    /// # Errors
    /// As [`entry::read`].
    pub fn read(folder: &Path) -> Result<Self, Failure> {
        let mut report = Self::new(None);
        let (mut times, mut begin_us): (Vec<u32>, Option<u64>) = (Vec::new(), None);
        entry::read(&folder.join(LOG), 0, |entry: Entry| {
            if times.len() < MAX_LINES {
                let ms = entry.time_us().map_or(NO_TIME, |time| {
                    let begin = *begin_us.get_or_insert(time);
                    u32::try_from(time.saturating_sub(begin) / 1000).unwrap_or(NO_TIME)
                });
                times.push(ms);
            }
            if entry.index == 0 {
                report.begin = Some(entry.dt).filter(|time| time.len() <= MAX_TIME);
            }
            if entry.lvl == "results"
                && let Ok(case) = serde_json::from_value::<CaseResult>(entry.msg)
            {
                let at = |line: u64| {
                    let ms = times.get(usize::try_from(line).ok()?).copied()?;
                    (ms != NO_TIME).then_some(u64::from(ms))
                };
                let seconds = seconds(&case, at, 1e3);
                report.add(case, seconds);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(report)
    }

    /// Of a log that begins then, RFC 3339, and has no results yet.
    pub(super) fn new(begin: Option<String>) -> Self {
        Self {
            job: UNFINISHED.into(),
            error_type: None,
            error_msg: None,
            begin,
            suites: Vec::new(),
            left_out: 0,
            places: HashMap::new(),
            kept: 0,
            memory: 0,
        }
    }

    /// Adds the next result, if there is room.
    pub(super) fn add(&mut self, mut case: CaseResult, seconds: Option<f64>) {
        let is_end = case.definition == LAVA && case.case == "job";
        let is_first_end = is_end && self.job == UNFINISHED;
        if is_end {
            let done = case.result == "pass";
            self.job = if done { "complete" } else { "incomplete" }.into();
            self.error_type.clone_from(&case.error_type);
            self.error_msg.clone_from(&case.error_msg);
        }
        if memory(&case) > MAX_CASE {
            case.extra.clear();
        }
        let memory = memory(&case);
        let fits = self.kept < MAX_RESULTS && self.memory + memory <= MAX_MEMORY;
        if !fits && !is_first_end {
            self.left_out += 1;
            return;
        }
        self.memory += memory;
        self.kept += 1;
        let at = self.place(&case.definition);
        self.suites[at].cases.push(Timed { case, seconds });
    }

    /// Where a suite is; a new one is before `lava`.
    fn place(&mut self, name: &str) -> usize {
        let has_lava = self.suites.last().is_some_and(|last| last.name == LAVA);
        let known = match name {
            LAVA => has_lava.then(|| self.suites.len() - 1),
            _ => self.places.get(name).copied(),
        };
        known.unwrap_or_else(|| {
            let at = self.suites.len() - usize::from(has_lava);
            self.suites.insert(at, Suite { name: name.to_owned(), cases: Vec::new() });
            if name != LAVA {
                self.places.insert(name.to_owned(), at);
            }
            at
        })
    }

    /// What the results take in memory, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.memory
    }
}

/// How long a case took: as it says itself, or else between its lines, of which `at` tells when they were.
pub(super) fn seconds(
    case: &CaseResult,
    at: impl Fn(u64) -> Option<u64>,
    of_second: f64,
) -> Option<f64> {
    let between = || {
        let (from, to) = (at(case.starttc?)?, at(case.endtc?)?);
        Some(to.saturating_sub(from) as f64 / of_second)
    };
    case.duration.or_else(between)
}

/// What a result takes, in bytes.
fn memory(case: &CaseResult) -> usize {
    let texts = [
        &case.level,
        &case.namespace,
        &case.set,
        &case.units,
        &case.reference,
        &case.uuid,
        &case.error_type,
        &case.error_msg,
        &case.repository,
        &case.path,
        &case.revision,
        &case.commit_id,
    ];
    let texts: usize = texts.into_iter().flatten().map(String::len).sum();
    let extra: usize = case.extra.iter().map(|(key, text)| key.len() + text.len() + EXTRA).sum();
    // The suite's name may stand only here.
    let own = 3 * case.definition.len() + case.case.len() + case.result.len();
    size_of::<Timed>() + EXTRA + own + texts + extra
}

fn is_none(number: &u64) -> bool {
    *number == 0
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
            // Of none the sum of floats is a negative zero.
            None => self
                .cases
                .iter()
                .filter_map(|timed| timed.seconds)
                .fold(0.0, |sum, more| sum + more),
        }
    }
}
