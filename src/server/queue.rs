//! The loop that looks at the queue: whenever anything has changed, and when a time has come.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::registry::event;
use super::state::{Record, State};
use super::{Server, ServerError};
use crate::model::{Ending, RequestState, units};
use crate::sched::{Decision, Seconds};
use crate::store::EventRow;

/// It is looked at least so often: clocks are set, and a store that failed may work again.
const AT_LEAST_EVERY: Duration = Duration::from_secs(10);
/// … and so long after the store has failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// So often, in seconds, the scheduler forgets what no longer matters.
const FORGET_S: Seconds = 600;
/// Who the history says has ended a lease whose time was over.
const US: &str = "lava-server";

impl Server {
    /// Gives boards to who waits, and ends what is over, until `shutdown`.
    pub async fn run(&self, shutdown: CancellationToken) {
        let mut changes = self.changes();
        loop {
            let (seen, pause) = match self.pass().await {
                Ok(done) => done,
                Err(error) => {
                    tracing::error!("nothing is decided: {error}");
                    (*changes.borrow(), AFTER_FAILURE)
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = changes.wait_for(|changes| *changes != seen) => {}
                () = tokio::time::sleep(pause.min(AT_LEAST_EVERY)) => {}
            }
        }
    }

    /// Looks once. Which state it has seen, and how long nothing happens by itself.
    async fn pass(&self) -> Result<(u64, Duration), ServerError> {
        let mut state = self.0.state.lock().await;
        let now_us = units::now_us();
        let now = now_us / 1_000_000;
        let stale = state.age(now_us);
        if state.unlooked {
            state.look();
            self.changed();
        }
        let over = state.lab.over(now).into_iter().map(|id| (id, Ending::Expired));
        let silent =
            state.requests.values().filter(|it| it.silent_at().is_some_and(|at| at <= now));
        let silent = silent.map(|record| (record.info.id, Ending::Silent));
        let mut ended: Vec<_> = over.chain(silent).collect();
        ended.sort_by_key(|(id, _)| *id);
        ended.dedup_by_key(|(id, _)| *id);
        for (id, ending) in ended {
            self.end(&mut state, id, ending, US).await?;
        }
        let pass = state.lab.pass(now);
        if !pass.decisions.is_empty() {
            self.carry_out(&mut state, &pass.decisions, now_us).await?;
        }
        let jobs = self.pass_jobs(&mut state, now_us).await?;
        if now >= state.forgotten + FORGET_S {
            state.lab.forget(now);
            state.forgotten = now;
        }
        let planned = pass.planned.iter().map(|plan| plan.at).min();
        let times = [stale, planned, jobs, state.next_time(now)];
        let next = times.into_iter().flatten().filter(|at| *at > now).min();
        let pause = next.map_or(AT_LEAST_EVERY, |at| {
            Duration::from_micros((at * 1_000_000).saturating_sub(units::now_us()).max(1000))
        });
        Ok((*self.0.changes.borrow(), pause))
    }

    async fn carry_out(
        &self,
        state: &mut State,
        decisions: &[Decision],
        now_us: u64,
    ) -> Result<(), ServerError> {
        let (mut records, mut events) = (Vec::new(), Vec::new());
        for decision in decisions {
            let Some(record) = state.requests.get(&decision.request()) else { continue };
            let record = decided(record.clone(), decision, state, now_us);
            if record.info.state == RequestState::Leased {
                events.extend(happened(&record, &record.info.user, "leased"));
            }
            records.push(record);
        }
        let rows: Vec<_> = records.iter().map(Record::row).collect();
        self.0.store.put_requests(&rows, &events).await?;
        for decision in decisions {
            state.lab.apply(decision, now_us / 1_000_000)?;
        }
        for record in records {
            let info = &record.info;
            tracing::info!(request = info.id, user = info.user, boards = ?info.boards, "{}", info.state.as_str());
            if info.state == RequestState::Leased {
                state.leased.extend(info.boards.iter().map(|board| (board.clone(), info.id)));
            }
            state.requests.insert(info.id, record);
        }
        self.changed();
        Ok(())
    }

    /// Ends a request, and its lease if there is one.
    pub(super) async fn end(
        &self,
        state: &mut State,
        id: u64,
        ending: Ending,
        who: &str,
    ) -> Result<Record, ServerError> {
        let mut record = state.requests.get(&id).ok_or(ServerError::NoRequest(id))?.clone();
        let leased = record.info.state == RequestState::Leased;
        let now_us = units::now_us();
        record.info.state = RequestState::Ended;
        (record.info.ending, record.info.ended_us) = (Some(ending), Some(now_us));
        let events = if leased { happened(&record, who, "released") } else { Vec::new() };
        self.0.store.put_requests(&[record.row()], &events).await?;
        // What the scheduler does not know has nothing there.
        let _ = state.lab.end(id, now_us / 1_000_000);
        state.leased.retain(|_, lease| *lease != id);
        state.requests.remove(&id);
        tracing::info!(request = id, user = record.info.user, who, "{}", ending.as_str());
        self.changed();
        Ok(record)
    }
}

fn decided(mut record: Record, decision: &Decision, state: &State, now_us: u64) -> Record {
    let (boards, since_us, until, to) = match decision {
        Decision::Lease { boards, until, .. } => (boards, now_us, until, RequestState::Leased),
        Decision::Book { boards, from, until, .. } => {
            (boards, from * 1_000_000, until, RequestState::Booked)
        }
    };
    let names = boards.iter().map(|board| state.lab.board(*board).traits.name.clone());
    record.info.boards = names.collect();
    record.info.state = to;
    (record.info.since_us, record.info.until_us) = (Some(since_us), Some(until * 1_000_000));
    record
}

fn happened(record: &Record, who: &str, what: &str) -> Vec<EventRow> {
    let info = &record.info;
    let how = info.ending.map(|ending| format!(", {}", ending.as_str())).unwrap_or_default();
    let detail = format!("request {} of {}{how}", info.id, info.user);
    info.boards.iter().map(|board| event(board, who, what, &detail)).collect()
}

impl State {
    /// When something is over, or begins, that is known already.
    fn next_time(&self, now: Seconds) -> Option<Seconds> {
        let seconds = |us: u64| us / 1_000_000;
        let times = self.requests.values().flat_map(|record| {
            let info = &record.info;
            let begins = (info.state != RequestState::Leased).then_some(info.since_us).flatten();
            let starts = (info.state == RequestState::Waiting).then_some(info.start_us).flatten();
            [
                info.until_us.map(seconds),
                begins.map(seconds),
                starts.map(seconds),
                record.silent_at(),
            ]
        });
        times.flatten().filter(|at| *at > now).min()
    }
}
