//! What a board is owed: to be on again.
//!
//! A cycle owes its board power from the moment that its beginning is in the journal, and there it stands,
//! in one place: while the newest operation of the journal is not over, something is open
//! ([`super::journal`]). Every operation, however it ended, passes [`Entry::settle`], which writes what is
//! so, and then [`see_to`], as every start does: whatever is open has a keeper, one for each board. What was
//! owed before an operation began is owed after it, unless the board was seen on, or the operation was to
//! switch it off: then somebody wants it so.
//!
//! What is kept here beside the journal is only what a new process does not need to know.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use super::board::{Board, Whole};
use super::keeper::Keeper;
use super::{Common, Entry, OperationError, PowerError};
use crate::model::{LeftOff, PowerRecord, PowerResult, State, Verb, units};

/// How long a request may be carried out late at least, that nobody has an answer of; and how many of
/// the longest times that the PDU has to answer.
const LATE: Duration = Duration::from_secs(120);
const LATE_TIMEOUTS: u32 = 10;

/// A board's duty, as far as it is not in the journal.
#[derive(Debug, Default)]
pub(super) struct Duty {
    known: Mutex<Known>,
    woken: Notify,
}

#[derive(Debug, Default)]
struct Known {
    /// A cycle has switched it off, and it is not known to be on again.
    left_off: Option<LeftOff>,
    /// It was seen on, and is watched: something may yet switch it off.
    is_on: bool,
    /// Until when that may be.
    late_until: Option<Instant>,
    /// When it may be on again at the earliest, by its budgets.
    not_before: Option<Instant>,
    /// Since when all that its PDU says is that it has taken the request.
    untold_since: Option<Instant>,
    /// There is a keeper.
    kept: bool,
}

/// An operation that has begun, and what came of it.
#[derive(Debug)]
pub(super) struct Came<'a> {
    pub(super) verb: Verb,
    pub(super) who: &'a str,
    /// Its number in the journal.
    pub(super) begun: u64,
    /// Something of it may yet be carried out.
    pub(super) late: bool,
    /// It failed, and the board is on.
    pub(super) is_on: bool,
    pub(super) result: &'a Result<Whole, PowerError>,
}

/// Sees to it that somebody sees to what is open. The caller holds the board, or nobody else can have it
/// yet.
pub(super) fn see_to(common: &Arc<Common>, entry: &Arc<Entry>) {
    if entry.journal.pending().is_some() && entry.duty.keep() {
        let keeper = Keeper::new(common, entry);
        common.surroundings.tasks.spawn(keeper.run());
    }
}

/// Sees to what the process before this one has left open.
pub(super) fn take_up(common: &Arc<Common>, entry: &Arc<Entry>) {
    let Some(PowerRecord { begin_us, who, state, error, .. }) = entry.journal.pending() else {
        return;
    };
    if entry.journal.owes() {
        entry.duty.expect_late(&entry.board);
        if state == Some(State::On) {
            entry.duty.seen_on();
        } else {
            let error = error.unwrap_or_else(|| "lava-power ended in the middle of a cycle".into());
            let left_off = LeftOff { since_us: begin_us, who: who.clone(), tries: 0, error };
            entry.duty.lock().left_off = Some(left_off);
            // Some time before now.
            entry.went_off(common, &who);
        }
    }
    if entry.duty.keep() {
        let keeper = Keeper::after_restart(common, entry);
        common.surroundings.tasks.spawn(keeper.run());
    }
}

impl Entry {
    /// Writes down what an operation came to that has begun. The caller holds the board.
    pub(super) fn settle(&self, came: &Came<'_>) {
        let Came { verb, who, begun, late, is_on, result } = *came;
        let Self { journal, duty, board, .. } = self;
        // By what was before it; a cycle owes by itself, but nothing if it certainly did nothing.
        let owed = journal.was_owed();
        let is_bug =
            matches!(result, Err(PowerError::Operation { error: OperationError::Bug, .. }));
        if verb == Verb::Cycle && (late || is_bug) {
            duty.expect_late(board);
        }
        let error = match result {
            Ok(whole) => {
                let (result, state) = (whole.verified.into(), Some(whole.state));
                return if verb != Verb::Off && journal.owes() && duty.is_late() {
                    journal.so_far(begun, result, state, None);
                    duty.seen_on();
                } else {
                    journal.end(begun, result, state, None);
                    duty.forget();
                };
            }
            Err(PowerError::Operation { error, .. }) => error,
            // Nothing was asked of any PDU, and what was owed is.
            Err(error) if owed => return self.stays_off(begun, who, &error.to_string()),
            Err(error) => {
                let text = error.to_string();
                return journal.end(begun, PowerResult::Failed, None, Some(&text));
            }
        };
        let text = error.to_string();
        let state = error.state().filter(|_| board.feeds.len() == 1);
        match error {
            OperationError::LeftOff { error, .. } => {
                self.stays_off(begun, who, &error.to_string());
            }
            _ if verb == Verb::Cycle && is_on && duty.is_late() => {
                journal.so_far(begun, PowerResult::Failed, Some(State::On), Some(&text));
                duty.seen_on();
            }
            _ if verb == Verb::Cycle && is_on => {
                journal.end(begun, PowerResult::Failed, Some(State::On), Some(&text));
                duty.forget();
            }
            error if verb != Verb::Off && (owed || verb == Verb::Cycle && error.is_unclear()) => {
                let outlet = board.name.as_str();
                let what = match error {
                    OperationError::GivenUp => "the next start of lava-power goes on",
                    _ => "trying on until it is, or somebody switches it off",
                };
                tracing::error!(outlet, who, error = text, "{}; {what}", error.shout());
                self.stays_off(begun, who, &text);
            }
            // It may come true after all, or nobody knows whether it has: the PDU is asked when it can be.
            OperationError::Unheard { .. } => {
                journal.so_far(begun, PowerResult::Failed, state, Some(&text));
            }
            error if error.is_unclear() && error.state().is_none() => {
                journal.so_far(begun, PowerResult::Unknown, None, Some(&text));
            }
            _ => journal.end(begun, PowerResult::Failed, state, Some(&text)),
        }
    }

    /// The board is off, at the latest since now; it was by whoever asked for it.
    pub(super) fn went_off(&self, common: &Common, who: &str) {
        let affected = common.affected(self);
        let names = affected.iter().map(|entry| &entry.board.name);
        names.clone().for_each(|name| common.ledger.went_off(name, units::now_us()));
        let least = names.map(|name| common.ledger.off_time(name, who)).max();
        self.duty.lock().not_before = least.map(|least| Instant::now() + least);
    }

    fn stays_off(&self, begun: u64, who: &str, error: &str) {
        self.journal.so_far(begun, PowerResult::LeftOff, None, Some(error));
        self.duty.not_on(begun, who, error);
    }
}

impl Duty {
    pub(super) fn left_off(&self) -> Option<LeftOff> {
        self.lock().left_off.clone()
    }

    /// Nothing is owed any more.
    pub(super) fn forget(&self) {
        let mut known = self.lock();
        *known = Known { kept: known.kept, ..Known::default() };
    }

    /// One more try came to nothing.
    pub(super) fn not_on(&self, since_us: u64, who: &str, error: &str) {
        let mut known = self.lock();
        known.is_on = false;
        let left_off = known.left_off.get_or_insert_with(|| LeftOff {
            since_us,
            who: who.to_owned(),
            tries: 0,
            error: String::new(),
        });
        left_off.tries += 1;
        left_off.error = error.to_owned();
    }

    /// It was seen on, and is watched from now on.
    pub(super) fn seen_on(&self) {
        let mut known = self.lock();
        (known.is_on, known.left_off, known.untold_since) = (true, None, None);
    }

    pub(super) fn is_on(&self) -> bool {
        self.lock().is_on
    }

    /// What was asked just now of a board's PDUs may be carried out for some time.
    pub(super) fn expect_late(&self, board: &Board) {
        let late = LATE.max(board.timeout() * LATE_TIMEOUTS);
        self.lock().late_until = Some(Instant::now() + late);
    }

    /// How long the board has to stay off yet.
    pub(super) fn least_off(&self) -> Duration {
        let not_before = self.lock().not_before;
        not_before.map_or(Duration::ZERO, |at| at.saturating_duration_since(Instant::now()))
    }

    /// Whether something may yet be carried out.
    pub(super) fn is_late(&self) -> bool {
        self.lock().late_until.is_some_and(|until| until > Instant::now())
    }

    /// For how long the PDU has told nothing but that it has taken what was asked.
    pub(super) fn untold(&self) -> Duration {
        self.lock().untold_since.get_or_insert_with(Instant::now).elapsed()
    }

    /// It said something else.
    pub(super) fn told(&self) {
        self.lock().untold_since = None;
    }

    /// Waits for so long, or until something has happened to the board.
    pub(super) async fn rest(&self, time: Duration) {
        let _ = timeout(time, self.woken.notified()).await;
    }

    /// Something has happened to the board: its keeper, if it has one, is to see to it.
    pub(super) fn wake(&self) {
        if self.lock().kept {
            self.woken.notify_one();
        }
    }

    /// Whether whoever asks is the keeper from now on.
    fn keep(&self) -> bool {
        !std::mem::replace(&mut self.lock().kept, true)
    }

    /// The keeper leaves. It holds the board.
    pub(super) fn leave(&self) {
        self.lock().kept = false;
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // Each thing that is known is written in one step.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
