//! Who sees to a board of which something is open ([`super::duty`]), however long that takes.
//!
//! A cycle may have switched a board off without being able to switch it on again; we may have been killed
//! in the middle of one; or an answer was lost, and what it answered may yet be carried out. The board is
//! tried until it is on, and then, where something may come true late, looked at for some time. What is
//! open of switching on or off is only looked at: nobody waits for it any more. Everything is decided
//! anew from the journal, with the board held, so whoever switches it meanwhile has had their say.
//!
//! It is asked to be on without a look first: what reads as on may be about to go off, and to be on is what
//! a cycle asks for in the end. Only outlets that somebody has switched off since, with another board on
//! them, are left as they are.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::time::{Instant, sleep};

use super::board::{Fault, Feed, Seen, Whole};
use super::{Common, Entry, order};
use crate::model::event::Phase;
use crate::model::{PowerRecord, PowerResult, State, Verb, units};

/// Pauses between two tries: the first, doubled up to the last.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How long a PDU may take the request to switch on and not tell what came of it. Then it is believed.
const UNTOLD: Duration = Duration::from_secs(300);

/// Sees to one board.
#[derive(Debug)]
pub(super) struct Keeper {
    common: Arc<Common>,
    entry: Arc<Entry>,
    /// The process before this one has left something open.
    restart: bool,
}

/// How to go on.
#[derive(Debug, Clone, Copy)]
enum Next {
    At(Duration),
    /// After a longer pause than the last one.
    Slower,
}

impl Keeper {
    pub(super) fn new(common: &Arc<Common>, entry: &Arc<Entry>) -> Self {
        Self { common: common.clone(), entry: entry.clone(), restart: false }
    }

    pub(super) fn after_restart(common: &Arc<Common>, entry: &Arc<Entry>) -> Self {
        Self { restart: true, ..Self::new(common, entry) }
    }

    /// Until nothing is open, or the daemon ends: then the next start goes on.
    pub(super) async fn run(self) {
        let ending = self.common.surroundings.ending.clone();
        let over = async {
            let mut found = None;
            if self.restart {
                self.adopt().await;
                found = self.entry.journal.pending().map(|record| record.begin_us);
                self.tell_of_restart().await;
            }
            while AssertUnwindSafe(self.keep(found)).catch_unwind().await.is_err() {
                let outlet = self.entry.board.name.as_str();
                tracing::error!(outlet, "a bug stopped who sees to this board; it is tried again");
                sleep(LONGEST_PAUSE).await;
            }
        };
        ending.run_until_cancelled(over).await;
    }

    /// Waits until what is open is for us to see to: not while the process whose it is still runs.
    async fn adopt(&self) {
        let outlet = self.entry.board.name.as_str();
        let mut told = false;
        loop {
            match self.entry.journal.adopt() {
                Ok(true) => return,
                Ok(false) if !told => {
                    tracing::error!(
                        outlet,
                        "another lava-power is switching this board; a board belongs to one of them"
                    );
                    told = true;
                }
                Ok(false) => {}
                // What was read before is what there is.
                Err(error) => {
                    tracing::error!(outlet, %error, "the journal cannot be locked");
                    return;
                }
            }
            sleep(FIRST_PAUSE).await;
        }
    }

    async fn tell_of_restart(&self) {
        let Self { entry, .. } = self;
        let Some(record) = entry.journal.pending() else { return };
        if !entry.journal.owes() || entry.duty.is_on() {
            return;
        }
        let (outlet, who) = (entry.board.name.as_str(), &record.who);
        tracing::error!(
            outlet,
            who,
            "lava-power ended in the middle of a cycle; the board is being switched on"
        );
        let what = "lava-power ended in the middle of it; the board is being switched on";
        self.tell(&record, Phase::Failed, what.into()).await;
    }

    /// `found` is the operation that the process before this one has left open.
    async fn keep(&self, found: Option<u64>) {
        let Entry { board, journal, duty, .. } = &*self.entry;
        let mut pause = match found {
            Some(_) if journal.owes() => Duration::ZERO,
            _ if !journal.owes() || duty.is_on() => board.timeout(),
            _ => FIRST_PAUSE,
        };
        loop {
            duty.rest(pause).await;
            let _held = board.hold().await;
            let Some(record) = journal.pending() else {
                duty.forget();
                return duty.leave();
            };
            let feeds = self.owed(&record);
            let next = if !journal.owes() {
                self.find_out(&record).await
            } else if feeds.is_empty() {
                let what = "its outlets were switched off since, with another board on them";
                journal.end(record.begin_us, PowerResult::Interrupted, None, Some(what));
                duty.forget();
                Next::At(Duration::ZERO)
            } else if duty.is_on() {
                self.watch(&record, &feeds).await
            } else {
                self.bring_back(&record, &feeds, found).await
            };
            pause = match next {
                Next::At(pause) => pause,
                Next::Slower => (pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE),
            };
        }
    }

    /// The board's outlets but for those that somebody has switched off since with another board.
    fn owed(&self, record: &PowerRecord) -> Vec<&Feed> {
        let Self { common, entry, .. } = self;
        let is_off = |other: &&&Entry| {
            let last = other.journal.last();
            last.is_some_and(|last| last.verb == Verb::Off && last.begin_us > record.begin_us)
        };
        let affected = common.affected(entry);
        let off: Vec<_> = affected[1..].iter().filter(is_off).collect();
        let wanted_off = |feed: &&Feed| off.iter().any(|other| other.board.has(&feed.seat));
        entry.board.feeds.iter().filter(|feed| !wanted_off(feed)).collect()
    }

    /// Tries once to switch the board on.
    async fn bring_back(&self, record: &PowerRecord, feeds: &[&Feed], found: Option<u64>) -> Next {
        let Entry { board, journal, duty, .. } = &*self.entry;
        let wait = duty.least_off();
        if !wait.is_zero() {
            return Next::At(wait);
        }
        let tried = Instant::now();
        let whole = match board.switch_on(feeds, &self.common.surroundings.ending).await {
            Ok(whole) => whole,
            Err(fault) => return self.failed(record, fault),
        };
        let (outlet, Whole { state, verified, .. }) = (board.name.as_str(), &whole);
        let ms = tried.elapsed().as_millis() as u64;
        tracing::warn!(outlet, %state, %verified, ms, "the board was brought back");
        let (result, what) = if found == Some(record.begin_us) {
            let what = "lava-power ended in the middle, and has brought it back";
            (PowerResult::Interrupted, what)
        } else {
            (PowerResult::Accepted, "it was left off, and brought back")
        };
        let late = duty.is_late();
        if late {
            journal.so_far(record.begin_us, result, Some(State::On), Some(what));
            duty.seen_on();
        } else {
            journal.end(record.begin_us, result, Some(State::On), Some(what));
            duty.forget();
        }
        let after = units::now_us().saturating_sub(record.begin_us) / 1_000_000;
        let after = units::time_span(after);
        let detail = format!("{state}, {verified}; brought back after {after}");
        self.tell(record, Phase::Done, detail).await;
        Next::At(if late { board.timeout() } else { Duration::ZERO })
    }

    /// A try came to nothing, or to nothing that anybody could tell.
    fn failed(&self, record: &PowerRecord, fault: Fault) -> Next {
        let Entry { board, journal, duty, .. } = &*self.entry;
        let is_taken = fault.error.is_taken();
        let shout = fault.error.shout();
        let (outlet, error) = (board.name.as_str(), self.entry.error(fault).to_string());
        if !is_taken {
            duty.told();
        } else if duty.untold() >= UNTOLD {
            tracing::warn!(
                outlet,
                error,
                "the board was asked to be on, and cannot be read; it is taken to be on"
            );
            let what = format!("asked to be on for {UNTOLD:?}: {error}");
            journal.end(record.begin_us, PowerResult::Unknown, Some(State::Unknown), Some(&what));
            duty.forget();
            return Next::At(Duration::ZERO);
        }
        tracing::error!(
            outlet,
            error,
            "{shout}; trying on until it is, or somebody switches it off"
        );
        duty.not_on(record.begin_us, &record.who, &error);
        Next::Slower
    }

    /// Looks at a board that is on, and may be switched off late.
    async fn watch(&self, record: &PowerRecord, feeds: &[&Feed]) -> Next {
        let Entry { board, journal, duty, .. } = &*self.entry;
        let seen = board.look(feeds).await;
        if seen != Seen::Untold {
            duty.told();
        }
        let is_over = match seen {
            Seen::On => !duty.is_late(),
            // Nothing more will be heard of it.
            Seen::Untold => duty.untold() >= UNTOLD && !duty.is_late(),
            Seen::Silent => false,
            Seen::Off => {
                let what = "it went off again, as it was asked to before";
                let outlet = board.name.as_str();
                tracing::error!(outlet, "SWITCHED OFF AND NOT ON AGAIN; {what}");
                duty.not_on(record.begin_us, &record.who, what);
                journal.so_far(record.begin_us, PowerResult::LeftOff, None, Some(what));
                // Nobody knows when.
                self.entry.went_off(&self.common, &record.who);
                return Next::At(Duration::ZERO);
            }
        };
        if !is_over {
            return Next::Slower;
        }
        journal.close(record.begin_us);
        duty.forget();
        Next::At(Duration::ZERO)
    }

    /// What came of switching on or off: the PDU knows.
    async fn find_out(&self, record: &PowerRecord) -> Next {
        let Entry { board, journal, .. } = &*self.entry;
        let mut outcomes = Vec::with_capacity(board.feeds.len());
        for feed in &board.feeds {
            match feed.seat.status().await {
                Ok(outcome) => outcomes.push(outcome),
                Err(_) => return Next::Slower,
            }
        }
        let state = Whole::of(outcomes).state;
        let (result, what) = match &record.error {
            Some(error) => (PowerResult::Failed, error.as_str()),
            None => (PowerResult::Interrupted, "lava-power ended in the middle of it"),
        };
        journal.end(record.begin_us, result, Some(state), Some(what));
        self.tell(record, Phase::Failed, format!("{what}; it is {state}")).await;
        Next::At(Duration::ZERO)
    }

    async fn tell(&self, record: &PowerRecord, phase: Phase, detail: String) {
        let PowerRecord { who, verb, .. } = record;
        order::tell(&self.common, &self.entry, who, *verb, phase, Some(detail)).await;
    }
}
