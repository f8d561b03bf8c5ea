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
}

/// What is counted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Counted {
    pub outlet: Name,
    pub verb: Verb,
    /// `verified`, `accepted`, `unknown`, `failed`, or `refused` when somebody else holds the board.
    pub result: &'static str,
}

impl Tally {
    pub(super) fn figures(&self) -> Figures {
        self.lock().clone()
    }

    /// `answers` tells whether the PDU answered, if it was asked.
    pub(super) fn count(&self, pdu: &Name, answers: Option<bool>, kind: Counted) {
        let mut figures = self.lock();
        *figures.operations.entry(kind).or_default() += 1;
        if let Some(answers) = answers {
            figures.reachable.insert(pdu.clone(), answers);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Figures> {
        // Numbers are never half-written.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
