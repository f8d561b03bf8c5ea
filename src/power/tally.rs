//! What happened so far, in numbers.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::{Name, Verb};

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

    fn lock(&self) -> MutexGuard<'_, Figures> {
        // Numbers are never half-written.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
