//! What happened so far, in numbers.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use std::time::Duration;

use crate::model::{Name, Verb};

/// The upper bounds of the classes that requests are counted in, by how many seconds they took.
pub const CLASSES: [f64; 12] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Counts of all operations since the start, shared by all PDUs. As large as there are outlets.
#[derive(Debug, Default)]
pub(super) struct Tally(Mutex<Figures>);

#[derive(Debug, Clone, Default)]
pub struct Figures {
    pub operations: BTreeMap<Counted, u64>,
    /// Whether a PDU answered when it was last asked.
    pub reachable: BTreeMap<Name, bool>,
    /// How often a journal could not be written.
    pub unjournaled: u64,
    pub requests: BTreeMap<Name, Requests>,
}

/// Requests to one PDU.
#[derive(Debug, Clone, Default)]
pub struct Requests {
    /// `ok`, `refused`, `unreachable`, `unclear` or `unanswered`, and how many.
    pub results: BTreeMap<&'static str, u64>,
    /// How many took no longer than each of [`CLASSES`] and longer than the one before; and longer than
    /// all.
    pub classes: [u64; CLASSES.len() + 1],
    pub seconds: f64,
}

/// What is counted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Counted {
    pub outlet: Name,
    pub verb: Verb,
    /// `verified`, `accepted`, `unknown`, `failed`, or `refused` when somebody else holds the board or
    /// a budget is spent.
    pub result: &'static str,
}

impl Tally {
    pub(super) fn figures(&self) -> Figures {
        self.lock().clone()
    }

    pub(super) fn count(&self, kind: Counted) {
        *self.lock().operations.entry(kind).or_default() += 1;
    }

    /// Whether a PDU has answered, now.
    pub(super) fn reachable(&self, pdu: &Name, answers: bool) {
        let mut figures = self.lock();
        if let Some(known) = figures.reachable.get_mut(pdu) {
            *known = answers;
        } else {
            figures.reachable.insert(pdu.clone(), answers);
        }
    }

    pub(super) fn unjournaled(&self) {
        self.lock().unjournaled += 1;
    }

    /// A request to a PDU, whatever for.
    pub(super) fn request(&self, pdu: &Name, result: &'static str, took: Duration) {
        let mut figures = self.lock();
        let requests = figures.requests.entry(pdu.clone()).or_default();
        *requests.results.entry(result).or_default() += 1;
        let seconds = took.as_secs_f64();
        let class = CLASSES.iter().position(|bound| seconds <= *bound).unwrap_or(CLASSES.len());
        requests.classes[class] += 1;
        requests.seconds += seconds;
    }

    fn lock(&self) -> MutexGuard<'_, Figures> {
        // Numbers are never half-written.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
