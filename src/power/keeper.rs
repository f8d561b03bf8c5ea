//! Boards that are to have power and may not: brought back, however long that takes.
//!
//! A cycle may have switched a board off without being able to switch it on again; we may have been killed
//! in the middle of one; or an answer was lost, and what it answered may yet be carried out. The
//! operation is not over then, and the journal says so, until the board was seen on, and seen on once
//! more after the longest time that a PDU may take to do what it was asked. Who switches the board
//! meanwhile ends it.
//!
//! It is asked to be on without a look first: what reads as on may be about to go off, and to be on is what
//! a cycle asks for in the end.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::board::{Seen, Whole};
use super::{Common, Entry, order};
use crate::model::event::Phase;
use crate::model::{LeftOff, PowerRecord, PowerResult, State, Verb, Verified, units};

/// Pauses between two tries: the first, doubled up to the last.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Sees to one operation until it is over.
#[derive(Debug)]
pub(super) struct Keeper {
    common: Arc<Common>,
    entry: Arc<Entry>,
    /// Who had asked for it.
    who: String,
    /// Its number in the journal.
    begun: u64,
    why: Why,
}

#[derive(Debug)]
enum Why {
    /// A cycle has left its board off.
    LeftOff,
    /// Switching off has failed in a way that may yet come true. The board was on afterwards.
    Unclear(String),
    /// The process before this one was in the middle of a cycle.
    Restart,
    /// … or of switching on or off, which is not done again: nobody waits for it any more.
    Forgotten(Verb),
}

impl Keeper {
    pub(super) fn of_left_off(
        common: &Arc<Common>,
        entry: &Arc<Entry>,
        who: &str,
        begun: u64,
    ) -> Self {
        Self::new(common, entry, who, begun, Why::LeftOff)
    }

    pub(super) fn of_unclear(
        common: &Arc<Common>,
        entry: &Arc<Entry>,
        who: &str,
        begun: u64,
        error: String,
    ) -> Self {
        Self::new(common, entry, who, begun, Why::Unclear(error))
    }

    pub(super) fn after_restart(
        common: &Arc<Common>,
        entry: &Arc<Entry>,
        record: PowerRecord,
    ) -> Self {
        let PowerRecord { verb, who, begin_us, error, .. } = record;
        let why = if verb == Verb::Cycle { Why::Restart } else { Why::Forgotten(verb) };
        if verb == Verb::Cycle {
            let error = error.unwrap_or_else(|| "lava-power ended in the middle of a cycle".into());
            let (since_us, tries) = (begin_us, 0);
            entry.set_left_off(Some(LeftOff { since_us, who: who.clone(), tries, error }));
        }
        Self::new(common, entry, &who, begin_us, why)
    }

    fn new(common: &Arc<Common>, entry: &Arc<Entry>, who: &str, begun: u64, why: Why) -> Self {
        let (common, entry) = (common.clone(), entry.clone());
        Self { common, entry, who: who.to_owned(), begun, why }
    }

    /// Until it is over, or the daemon ends: then the next start goes on.
    pub(super) async fn run(self) {
        let ending = self.common.surroundings.ending.clone();
        let over = async {
            match &self.why {
                Why::Forgotten(verb) => self.find_out(*verb).await,
                _ => self.keep().await,
            }
        };
        ending.run_until_cancelled(over).await;
    }

    async fn keep(&self) {
        if matches!(self.why, Why::Restart) {
            if !self.adopt().await {
                return self.entry.set_left_off(None);
            }
            let outlet = self.entry.board.name.as_str();
            tracing::error!(
                outlet,
                who = self.who,
                "lava-power ended in the middle of a cycle; the board is being switched on"
            );
            let what = "lava-power ended in the middle of it; the board is being switched on";
            self.tell(Phase::Failed, what.into()).await;
        }
        let mut is_on = matches!(self.why, Why::Unclear(_));
        let mut pause = if matches!(self.why, Why::Restart) { Duration::ZERO } else { FIRST_PAUSE };
        loop {
            if !is_on {
                let Some(whole) = self.bring_back(pause).await else { return };
                let after = units::now_us().saturating_sub(self.begun) / 1_000_000;
                let Whole { state, verified, .. } = whole;
                let after = units::time_span(after);
                self.tell(Phase::Done, format!("{state}, {verified}; brought back after {after}"))
                    .await;
            }
            sleep(self.late()).await;
            let _held = self.entry.board.hold().await;
            if !self.is_pending() {
                return;
            }
            let feeds: Vec<_> = self.entry.board.feeds.iter().collect();
            if self.entry.board.look(&feeds).await == Seen::On {
                return self.end();
            }
            self.failed("it went off again, as it was asked to before".into());
            (is_on, pause) = (false, Duration::ZERO);
        }
    }

    /// Whether it is for us to see to: not while the process whose it is still runs.
    async fn adopt(&self) -> bool {
        let outlet = self.entry.board.name.as_str();
        let mut told = false;
        loop {
            match self.entry.journal.adopt() {
                Ok(true) => return self.is_pending(),
                Ok(false) if !told => {
                    tracing::error!(
                        outlet,
                        "another lava-power is in the middle of a cycle of this board; a board belongs to one of them"
                    );
                    told = true;
                }
                Ok(false) => {}
                // What was read before is what there is.
                Err(error) => {
                    tracing::error!(outlet, %error, "the journal cannot be locked");
                    return self.is_pending();
                }
            }
            sleep(FIRST_PAUSE).await;
        }
    }

    /// Tries until the board is on; `None` when somebody else has switched it.
    async fn bring_back(&self, first: Duration) -> Option<Whole> {
        let mut pause = first;
        loop {
            sleep(pause).await;
            pause = (pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
            let _held = self.entry.board.hold().await;
            if !self.is_pending() {
                return None;
            }
            let tried = Instant::now();
            match self.entry.board.on(&self.common.surroundings.ending).await {
                Ok(whole) => {
                    let outlet = self.entry.board.name.as_str();
                    let ms = tried.elapsed().as_millis() as u64;
                    tracing::warn!(outlet, state = %whole.state, verified = %whole.verified, ms, "the board was brought back");
                    self.entry.set_left_off(None);
                    return Some(whole);
                }
                Err(fault) => self.failed(self.entry.error(fault).to_string()),
            }
        }
    }

    /// One try came to nothing.
    fn failed(&self, error: String) {
        let outlet = self.entry.board.name.as_str();
        tracing::error!(
            outlet,
            error,
            "SWITCHED OFF AND NOT ON AGAIN; trying on until it is, or somebody switches it"
        );
        let tries = self.entry.left_off().map_or(0, |left_off| left_off.tries) + 1;
        let (since_us, who) = (self.begun, self.who.clone());
        self.entry.set_left_off(Some(LeftOff { since_us, who, tries, error }));
    }

    /// It is on, and stays so.
    fn end(&self) {
        let (result, error) = match &self.why {
            Why::Unclear(error) => (PowerResult::Failed, error.as_str()),
            Why::LeftOff => (PowerResult::Accepted, "it was left off, and brought back"),
            Why::Restart | Why::Forgotten(_) => (
                PowerResult::Interrupted,
                "lava-power ended in the middle, and has brought it back",
            ),
        };
        self.entry.journal.end(self.begun, result, Some(State::On), Some(error));
    }

    /// What came of switching on or off when the process ended: the PDU knows.
    async fn find_out(&self, verb: Verb) {
        sleep(self.late()).await;
        let _held = self.entry.board.hold().await;
        if !self.is_pending() {
            return;
        }
        let state = match self.entry.board.status().await {
            Ok(whole) if whole.verified != Verified::Unknown => whole.state,
            _ => State::Unknown,
        };
        let what = "lava-power ended in the middle of it";
        self.entry.journal.end(self.begun, PowerResult::Interrupted, Some(state), Some(what));
        let detail = Some(format!("{what}; it is {state}"));
        order::tell(&self.common, &self.entry, &self.who, verb, Phase::Failed, detail).await;
    }

    async fn tell(&self, phase: Phase, detail: String) {
        let who = &self.who;
        order::tell(&self.common, &self.entry, who, Verb::Cycle, phase, Some(detail)).await;
    }

    fn is_pending(&self) -> bool {
        self.entry.journal.is_pending(self.begun)
    }

    /// How long a request may take that nobody knows the answer of.
    fn late(&self) -> Duration {
        let feeds = self.entry.board.feeds.iter();
        feeds.map(|feed| feed.seat.pdu.timeout).max().unwrap_or_default()
    }
}
