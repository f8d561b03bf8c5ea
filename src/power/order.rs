//! What becomes of a request: its turn, the checks, the record, and the operation.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use super::board::{Board, OffTime, Room, Whole};
use super::duty::{self, Came};
use super::interlock::Leave;
use super::tally::Counted;
use super::{Asked, Common, Entry, Note, OperationError, PowerError};
use crate::model::event::Phase;
use crate::model::{Name, PowerRecord, Report, State, Verb, What, units};

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
    /// A budget has paid for it.
    booked: bool,
    /// Its number in the journal, once it has begun.
    begun: Option<u64>,
    started: Instant,
    /// Something of it may yet be carried out.
    late: bool,
    /// It failed, and the board is on.
    is_on: bool,
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
        let (booked, begun, late, is_on) = (false, None, false, false);
        let asked = &asked;
        let mut operation =
            Operation { common, entry, verb, asked, leave, booked, begun, started, late, is_on };
        let stopped = |error| PowerError::Operation {
            outlet: entry.board.name.clone(),
            pdu: entry.board.place(&entry.board.feeds[0].seat),
            error,
            hint: None,
        };
        let result = tokio::select! {
            result = AssertUnwindSafe(operation.run()).catch_unwind() => {
                // What it was is in the log.
                result.unwrap_or_else(|_| Err(stopped(OperationError::Bug)))
            }
            () = out_of_time => Err(stopped(OperationError::GivenUp)),
        };
        let Operation { leave, begun, started, late, is_on, .. } = operation;
        let result = match (result, begun) {
            (Err(PowerError::Operation { error: OperationError::GivenUp, .. }), None) => {
                Err(PowerError::Ending)
            }
            (result, _) => result,
        };
        if let Some(begun) = begun {
            let who = &asked.who;
            entry.settle(&Came { verb, who, begun, late, is_on, result: &result });
            // The others may have been waiting for this, or have lost their power by it.
            common.affected(entry).iter().for_each(|entry| entry.duty.wake());
            if verb == Verb::Cycle {
                let journal = entry.journal.clone();
                common.surroundings.tasks.spawn_blocking(move || journal.sync());
            }
        }
        duty::see_to(common, entry);
        let result = result.map(|whole| entry.report(verb, &whole, started));
        audit(common, entry, verb, asked, &leave, started, &result);
        let ended = match &result {
            Ok(report) => Some((Phase::Done, format!("{}, {}", report.state, report.verified))),
            Err(_) if begun.is_none() => None,
            Err(PowerError::Operation { error, .. }) => Some((Phase::Failed, error.to_string())),
            Err(error) => Some((Phase::Failed, error.to_string())),
        };
        // The one who asked may be gone by now; everybody else still sees it.
        let _ = answer.send(result);
        if let Some((phase, detail)) = ended {
            tell(common, entry, &asked.who, verb, phase, Some(detail)).await;
        }
    }
}

impl Operation<'_> {
    async fn run(&mut self) -> Result<Whole, PowerError> {
        let Self { common, entry, verb, asked, .. } = *self;
        let affected = common.affected(entry);
        let boards: Vec<&Board> = affected.iter().map(|entry| &entry.board).collect();
        let names: Vec<&Name> = boards.iter().map(|board| &board.name).collect();
        let Common { ledger, surroundings, .. } = &**common;
        let ending = &surroundings.ending;
        if verb == Verb::On {
            let wait = names.iter().map(|name| ledger.off_for(name, &asked.who, units::now_us()));
            let wait = sleep(wait.max().unwrap_or_default());
            ending.run_until_cancelled(wait).await;
        }
        // Only now: meanwhile somebody may have come to use it.
        let leave = Leave::get(&common.witnesses(), &boards, asked).await;
        self.leave = leave.map_err(PowerError::Held)?;
        if ending.is_cancelled() {
            return Err(PowerError::Ending);
        }
        let cuts = match verb {
            Verb::Off => !is_off(&affected),
            verb => verb == Verb::Cycle,
        };
        if cuts {
            let booked = ledger.book(&names, &asked.who, asked.force, units::now_us());
            booked.map_err(PowerError::Overdrawn)?;
            self.booked = true;
        }
        self.begin().await?;
        // Everybody is told first, and then it is switched.
        tell(common, entry, &asked.who, verb, Phase::Begin, self.leave.detail(asked)).await;
        self.started = Instant::now();
        let Board { off_time, .. } = &entry.board;
        let whole = match verb {
            Verb::On => entry.board.on(ending).await,
            Verb::Off => {
                let off = entry.board.off().await;
                names.iter().for_each(|name| ledger.went_off(name, units::now_us()));
                off
            }
            Verb::Cycle => {
                let least = names.iter().map(|name| ledger.off_time(name, &asked.who)).max();
                let least = least.unwrap_or_default();
                let wanted = asked.off_time.unwrap_or(*off_time).max(least);
                entry.board.cycle(OffTime { wanted, least }, ending).await
            }
            Verb::Status => entry.board.status().await,
        };
        self.late = whole.as_ref().map_or_else(|fault| fault.late, |whole| whole.late);
        self.is_on = whole.as_ref().is_err_and(|fault| fault.is_on);
        whole.map_err(|fault| entry.error(fault))
    }

    /// Writes it down; what cuts the power, on the disk.
    ///
    /// # Errors
    /// When that stopped half-way: without it nobody would see to what is begun.
    async fn begin(&mut self) -> Result<(), PowerError> {
        let Self { entry, verb, asked, booked, .. } = *self;
        if verb == Verb::On {
            self.begun = Some(entry.journal.begin(verb, asked, booked));
            return Ok(());
        }
        let (journal, asked) = (entry.journal.clone(), asked.clone());
        let tasks = &self.common.surroundings.tasks;
        let written = tasks.spawn_blocking(move || journal.begin(verb, &asked, booked));
        self.begun = Some(written.await.map_err(|_| PowerError::Ending)?);
        if verb == Verb::Off {
            // Somebody wants it so, and it is not owed power any more.
            entry.duty.forget();
        }
        Ok(())
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
