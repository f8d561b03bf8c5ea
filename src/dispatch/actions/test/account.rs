//! What a test shell has said until now. It outlives the action that reads it, so that nothing of it is
//! lost when that is cut off.

use std::sync::{Arc, Mutex, PoisonError};

use super::follower::{Follower, Mark};
use super::pattern::OwnPattern;
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::expect::Found;
use crate::dispatch::ledger::{Heard, Ledger};

/// The account of a running test shell; clones are the same one.
#[derive(Debug, Clone)]
pub struct Account(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    follower: Follower,
    ledger: Ledger<Mark>,
}

/// What a line of the board's is in the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    Signal,
    Check,
    Total,
    /// A match of the definition's own pattern.
    Own,
}

impl Account {
    pub(super) fn new(stage: usize) -> Self {
        let inner = Inner { follower: Follower::new(stage), ledger: Ledger::default() };
        Self(Arc::new(Mutex::new(inner)))
    }

    fn with<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes in what the board has said. Tells whether the running definition's own pattern is another now.
    ///
    /// # Errors
    /// [`Error::Test`] when the test itself ends the job.
    pub(super) fn heard(
        &self,
        entry: Entry,
        found: &Found,
        context: &mut Context,
    ) -> Result<bool, Error> {
        self.with(|inner| {
            let before = inner.follower.own_pattern().cloned();
            inner.heard(entry, found, context)?;
            Ok(before.as_ref() != inner.follower.own_pattern())
        })
    }

    /// Whether this is the board's own account of all its signals, which is the last but one of its lines.
    pub(super) fn is_end(&self, found: &Found) -> bool {
        let (number, sum) = numbered(found);
        number > 0 && self.with(|inner| inner.ledger.total(number, sum))
    }

    /// See [`Ledger::missing`].
    pub(super) fn missing(&self) -> Option<Vec<u64>> {
        self.with(|inner| inner.ledger.missing())
    }

    /// See [`Ledger::asks_again`].
    pub(super) fn asks_again(&self) {
        self.with(|inner| inner.ledger.asks_again());
    }

    pub(super) fn own_pattern(&self) -> Option<OwnPattern> {
        self.with(|inner| inner.follower.own_pattern().cloned())
    }

    pub(super) fn waiting_for(&self) -> String {
        self.with(|inner| inner.follower.waiting_for())
    }

    /// Whether all definitions have come to their end.
    pub(super) fn is_complete(&self, context: &mut Context) -> bool {
        self.with(|inner| inner.follower.is_complete(context))
    }

    /// Nothing more will come: what was held back counts, and what has not ended has failed.
    ///
    /// # Errors
    /// As [`Account::heard`].
    pub fn close(&self, context: &mut Context) -> Result<(), Error> {
        self.with(|inner| {
            let late = inner.ledger.give_up();
            let done = inner.count(late, context);
            inner.follower.finish(context);
            done
        })
    }
}

impl Inner {
    fn heard(&mut self, entry: Entry, found: &Found, context: &mut Context) -> Result<(), Error> {
        let (damaged, renumbered) = (self.ledger.damaged(), self.ledger.renumbered());
        let lost = self.ledger.lost();
        let (number, sum) = numbered(found);
        let counting = match entry {
            Entry::Own => {
                self.follower.own(found, context);
                return Ok(());
            }
            Entry::Check => self.ledger.vouched(number, sum, found.before.trim().is_empty()),
            Entry::Total => {
                let _ = self.ledger.total(number, sum);
                return Ok(());
            }
            Entry::Signal => {
                let with = Mark::of(found, context);
                let [text, name, arguments] = [0, 1, 2].map(|i| word(found, i).to_owned());
                self.ledger.heard(Heard { text, name, arguments, with })
            }
        };
        if damaged == 0 && self.ledger.damaged() > 0 {
            context.log.warning(
                "a signal of the board's came damaged: it is asked for again at the end of the tests, \
                 and those after it wait for it",
            );
        }
        if renumbered == 0 && self.ledger.renumbered() > 0 {
            context.log.warning(
                "the board gives several signals one number: it cannot keep them, most likely since its \
                 file system is full or read-only",
            );
        }
        if self.ledger.lost() > lost {
            let more = self.ledger.lost() - lost;
            context.log.error(format!(
                "{more} signals that came damaged are not waited for any more: results are missing"
            ));
        }
        self.count(counting, context)
    }

    fn count(&mut self, signals: Vec<Heard<Mark>>, context: &mut Context) -> Result<(), Error> {
        signals.into_iter().try_for_each(|signal| self.follower.signal(&signal, context))
    }
}

fn word(found: &Found, i: usize) -> &str {
    found.groups.get(i).map_or("", String::as_str)
}

/// The number and the checksum of a line that vouches.
fn numbered(found: &Found) -> (u64, &str) {
    (word(found, 1).parse().unwrap_or_default(), word(found, 2))
}
