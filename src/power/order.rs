//! What becomes of a request: its turn, the checks, the record, and the operation.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use super::board::{Board, Room, Whole};
use super::interlock::Leave;
use super::keeper::Keeper;
use super::tally::Counted;
use super::{Asked, Common, Entry, Note, OperationError, PowerError};
use crate::model::event::Phase;
use crate::model::{LeftOff, Name, PowerRecord, PowerResult, Report, State, Verb, What, units};

/// How long an operation may go on after the daemon was told to end.
pub(super) const GRACE: Duration = Duration::from_secs(4);

/// A request that waits for its board.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) entry: Arc<Entry>,
    /// Not [`Verb::Status`].
    pub(super) verb: Verb,
    pub(super) asked: Asked,
    pub(super) answer: oneshot::Sender<Result<Report, PowerError>>,
    pub(super) room: Room,
}

/// One that is carried out. The board is held.
#[derive(Debug)]
struct Operation<'a> {
    common: &'a Arc<Common>,
    entry: &'a Arc<Entry>,
    verb: Verb,
    asked: &'a Asked,
    leave: Leave,
    /// Its number in the journal, once it has begun.
    begun: Option<u64>,
    started: Instant,
}

/// Looks what state a board is in. Nobody is disturbed by that, so nobody is asked for leave, and an
/// operation on the board need not be over.
pub(super) async fn look(
    common: &Common,
    entry: &Entry,
    asked: &Asked,
) -> Result<Report, PowerError> {
    let started = Instant::now();
    let whole = entry.board.status().await.map_err(|fault| entry.error(fault));
    let result = whole.map(|whole| entry.report(Verb::Status, &whole, started));
    audit(common, entry, Verb::Status, asked, &Leave::default(), started, &result);
    result
}

impl Order {
    /// Until told to end. Orders that still wait then are not carried out.
    pub(super) async fn carry_out(self, common: Arc<Common>) {
        let Self { entry, verb, asked, mut answer, room: _room } = self;
        let ending = &common.surroundings.ending;
        let turn = async {
            let held = entry.board.hold().await;
            entry.board.feeds[0].seat.pdu.is_free().await;
            held
        };
        let _held = tokio::select! {
            held = turn => held,
            // Whoever asked has gone, so nobody expects the board to lose its power now.
            () = answer.closed() => return,
            () = ending.cancelled() => return,
        };
        let out_of_time = async {
            ending.cancelled().await;
            sleep(GRACE).await;
        };
        let (leave, started) = (Leave::default(), Instant::now());
        let (common, entry) = (&common, &entry);
        let mut operation =
            Operation { common, entry, verb, asked: &asked, leave, begun: None, started };
        let result = tokio::select! {
            result = operation.run() => result,
            () = out_of_time => Err(PowerError::Operation {
                outlet: entry.board.name.clone(),
                pdu: entry.board.place(&entry.board.feeds[0].seat),
                error: OperationError::GivenUp,
                hint: None,
            }),
        };
        let Operation { leave, begun, started, .. } = operation;
        let keeper = begun.and_then(|begun| settle(common, entry, verb, &asked, begun, &result));
        let result = result.map(|whole| entry.report(verb, &whole, started));
        audit(common, entry, verb, &asked, &leave, started, &result);
        let ended = match &result {
            Ok(report) => Some((Phase::Done, format!("{}, {}", report.state, report.verified))),
            // Nothing has begun.
            Err(PowerError::Held(_) | PowerError::Overdrawn(_)) => None,
            Err(PowerError::Operation { error, .. }) => Some((Phase::Failed, error.to_string())),
            Err(error) => Some((Phase::Failed, error.to_string())),
        };
        // The one who asked may be gone by now; everybody else still sees it.
        let _ = answer.send(result);
        if let Some((phase, detail)) = ended {
            tell(common, entry, &asked.who, verb, phase, Some(detail)).await;
        }
        if let Some(keeper) = keeper {
            common.surroundings.tasks.spawn(keeper.run());
        }
    }
}

impl Operation<'_> {
    async fn run(&mut self) -> Result<Whole, PowerError> {
        let Self { common, entry, verb, asked, .. } = *self;
        let affected = common.affected(entry);
        let boards: Vec<&Board> = affected.iter().map(|entry| &entry.board).collect();
        let leave = Leave::get(&common.witnesses(), &boards, asked).await;
        self.leave = leave.map_err(PowerError::Held)?;
        let names: Vec<&Name> = boards.iter().map(|board| &board.name).collect();
        let ledger = &common.ledger;
        let cuts = match verb {
            Verb::Off => !is_off(&affected),
            verb => verb == Verb::Cycle,
        };
        if cuts {
            let booked = ledger.book(&names, &asked.who, asked.force, units::now_us());
            booked.map_err(PowerError::Overdrawn)?;
        }
        if verb == Verb::On {
            let wait = names.iter().map(|name| ledger.off_for(name, &asked.who, units::now_us()));
            sleep(wait.max().unwrap_or_default()).await;
        }
        affected.iter().for_each(|entry| entry.supersede());
        self.begin().await;
        // Everybody is told first, and then it is switched.
        tell(common, entry, &asked.who, verb, Phase::Begin, self.leave.detail(asked)).await;
        self.started = Instant::now();
        let Board { off_time, .. } = &entry.board;
        let whole = match verb {
            Verb::On => entry.board.on().await,
            Verb::Off => {
                let off = entry.board.off().await;
                names.iter().for_each(|name| ledger.went_off(name, units::now_us()));
                off
            }
            Verb::Cycle => {
                let off_time = asked.off_time.unwrap_or(*off_time);
                let least = names.iter().map(|name| ledger.off_time(name, &asked.who)).max();
                let off_time = off_time.max(least.unwrap_or_default());
                entry.board.cycle(off_time, &common.surroundings.ending).await
            }
            Verb::Status => entry.board.status().await,
        };
        whole.map_err(|fault| entry.error(fault))
    }

    /// Writes it down; before a cycle, on the disk.
    async fn begin(&mut self) {
        let (journal, verb, asked) = (self.entry.journal.clone(), self.verb, self.asked.clone());
        if verb != Verb::Cycle {
            self.begun = Some(journal.begin(verb, &asked, false));
            return;
        }
        let tasks = &self.common.surroundings.tasks;
        let written = tasks.spawn_blocking(move || journal.begin(verb, &asked, true));
        self.begun = written.await.ok();
    }
}

/// Whether the last thing that was done to any of these boards, which share outlets, was to switch the
/// first one off: to do so again cuts nothing.
fn is_off(affected: &[&Entry]) -> bool {
    let newest = affected.iter().filter_map(|entry| entry.journal.last());
    let newest = newest.max_by_key(|record| record.begin_us);
    let first = affected.first().and_then(|entry| entry.journal.last());
    newest.is_some_and(|newest| is_off_by(&newest) && first.as_ref() == Some(&newest))
}

/// Whether a board is off since this was done.
pub(super) fn is_off_by(record: &PowerRecord) -> bool {
    record.verb == Verb::Off && record.state == Some(State::Off)
}

/// Writes down what an operation came to. A cycle may not be over then: who sees to it is given.
fn settle(
    common: &Arc<Common>,
    entry: &Arc<Entry>,
    verb: Verb,
    asked: &Asked,
    begun: u64,
    result: &Result<Whole, PowerError>,
) -> Option<Keeper> {
    let journal = &entry.journal;
    let error = match result {
        Ok(whole) => {
            journal.end(begun, whole.verified.into(), Some(whole.state), None);
            return None;
        }
        Err(PowerError::Operation { error, .. }) => error,
        Err(_) => return None,
    };
    let text = error.to_string();
    match error {
        OperationError::LeftOff { error, .. } => {
            let error = error.to_string();
            journal.left_off(begun, &error);
            let (since_us, who) = (begun, asked.who.clone());
            entry.set_left_off(Some(LeftOff { since_us, who, tries: 1, error }));
            Some(Keeper::of_left_off(common, entry, &asked.who, begun))
        }
        // The next start finds it so in the journal.
        OperationError::GivenUp if verb == Verb::Cycle => None,
        error if verb == Verb::Cycle && error.is_unclear() => {
            Some(Keeper::of_unclear(common, entry, &asked.who, begun, text))
        }
        _ => {
            journal.end(begun, PowerResult::Failed, None, Some(&text));
            None
        }
    }
}

/// Tells everybody on the board's console, and on those of the boards that lose their power with it.
pub(super) async fn tell(
    common: &Common,
    entry: &Entry,
    who: &str,
    verb: Verb,
    phase: Phase,
    detail: Option<String>,
) {
    let outlet = entry.board.name.clone();
    let what = What::Power { outlet, verb: verb.to_string(), phase, detail };
    let note = Note { who: who.to_owned(), what };
    let mut told = Vec::new();
    for entry in common.affected(entry) {
        if let Some(console) = &entry.board.console {
            told.push(common.surroundings.consoles.record(console, &note));
        }
    }
    futures_util::future::join_all(told).await;
}

/// One line for every operation, under the target `audit`. Looks at an outlet are only logged when
/// they fail: programs look every second.
fn audit(
    common: &Common,
    entry: &Entry,
    verb: Verb,
    asked: &Asked,
    leave: &Leave,
    started: Instant,
    result: &Result<Report, PowerError>,
) {
    let (outlet, pdu) = (entry.board.name.as_str(), entry.board.pdus());
    let ms = started.elapsed().as_millis() as u64;
    let Asked { who, reason, force, .. } = asked;
    let reason = reason.as_deref();
    let Leave { overrides, unasked } = leave;
    let (force, overrides) = (force.then_some(true), overrides.as_deref());
    let unasked = unasked.as_deref();
    let word = result.as_ref().map_or_else(PowerError::word, |report| report.verified.as_str());
    let outlet_name = entry.board.name.clone();
    common.tally.count(Counted { outlet: outlet_name, verb, result: word });
    match result {
        Ok(Report { state, .. }) if verb == Verb::Status => {
            tracing::debug!(target: "audit", who, outlet, pdu, %verb, result = word, %state, ms, "power");
        }
        Ok(Report { state, .. }) => {
            tracing::info!(target: "audit", who, outlet, pdu, %verb, result = word, %state, ms, reason, force, overrides, unasked, "power");
        }
        Err(error) => {
            let error = match error {
                PowerError::Operation { error, .. } => error.to_string(),
                error => error.to_string(),
            };
            tracing::info!(target: "audit", who, outlet, pdu, %verb, result = word, error, ms, reason, force, overrides, unasked, "power");
        }
    }
}
