//! The loop that looks at the queue: whenever anything has changed, and when a time has come.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use super::published::Published;
use super::registry::event;
use super::state::{Record, State};
use super::{Server, ServerError, US};
use crate::model::{Ending, RequestState, units};
use crate::sched::{Decision, RequestId, Seconds};
use crate::store::EventRow;

/// It is looked at least so often: clocks are set, and a store that failed may work again.
const AT_LEAST_EVERY: Duration = Duration::from_secs(10);
/// … and so long after the store has failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// Who has not looked for so long was away.
const AWAY: Duration = Duration::from_secs(15);
/// So often, in seconds, the scheduler forgets what no longer matters.
const FORGET_S: Seconds = 600;
/// What is longer ago than this is not kept, in seconds; and so often that is seen to.
const KEPT_S: Seconds = 366 * 24 * 3600;
const CLEAR_S: Seconds = 24 * 3600;

/// Somebody looks at the queue again and again, until it is dropped.
struct Looking<'a>(&'a AtomicBool);

impl<'a> Looking<'a> {
    fn begin(looking: &'a AtomicBool) -> Self {
        looking.store(true, Ordering::Relaxed);
        Self(looking)
    }
}

impl Drop for Looking<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

impl Server {
    /// Gives boards to who waits, and ends what is over, until `shutdown`.
    pub async fn run(&self, shutdown: CancellationToken) {
        let mut changes = self.changes();
        let _looking = Looking::begin(&self.0.looking);
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
    pub(super) async fn pass(&self) -> Result<(u64, Duration), ServerError> {
        let mut state = self.0.state.lock().await;
        self.heed_clock(&mut state).await?;
        let now_us = units::now_us();
        let now = now_us / 1_000_000;
        let believed = state.believes_the_clock(now_us);
        // A time in which we were stopped, or the store did not work, is nobody's silence.
        let away = state.looked.map_or(Duration::ZERO, |looked| looked.elapsed());
        if away > AWAY {
            tracing::warn!("nothing was decided for {} s", away.as_secs());
            self.0.holders.forgive(away);
            self.0.daemons.forgive(away);
            self.0.used.forgive(away);
            self.0.workers.forgive(away);
        }
        let stale = state.age(&self.0.daemons);
        for old in state.outlived(&self.0.daemons) {
            self.remove_daemon(&mut state, &old).await?;
        }
        let busy = state.try_busy_again();
        if state.unlooked {
            state.look();
            self.changed();
        }
        if !state.turns.is_empty() {
            self.0.store.put_requests(&[], &state.turns).await?;
            state.turns.clear();
        }
        self.heed_rights(&mut state).await?;
        let silence = self.end_what_is_over(&mut state, now).await?;
        let view = state.lab.view(now);
        let pass = view.pass();
        if !pass.decisions.is_empty() {
            self.carry_out(&mut state, &pass.decisions, now_us).await?;
        }
        let (jobs, workers) = self.pass_jobs(&mut state, now_us).await?;
        if now >= state.forgotten + FORGET_S {
            state.lab.forget(now);
            state.forgotten = now;
            if believed && now >= state.cleared + CLEAR_S {
                state.cleared = now;
                let before_us = now_us.saturating_sub(KEPT_S * 1_000_000);
                if let Err(error) = self.0.store.forget_before(before_us).await {
                    tracing::error!("what is old is not forgotten: {error}");
                }
            }
        }
        let planned = pass.planned.iter().map(|plan| plan.at).min();
        let times = [planned, jobs, state.next_time(now)];
        let next = times.into_iter().flatten().filter(|at| *at > now).min().map(|at| {
            let left_us = at.saturating_mul(1_000_000).saturating_sub(units::now_us());
            Duration::from_micros(left_us.max(1000))
        });
        let pause = [next, stale, silence, workers, busy]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(AT_LEAST_EVERY);
        let seen = *self.0.changes.borrow();
        let published = Published::new(&state, &view, seen, &self.0.interest.now());
        self.0.published.send_replace(Arc::new(published));
        state.view = view;
        state.looked = Some(Instant::now());
        Ok((seen, pause))
    }

    /// Ends leases and bookings whose time is over, and requests of whose holders nothing is heard. In how long the
    /// next holder will have been silent for too long.
    async fn end_what_is_over(
        &self,
        state: &mut State,
        now: Seconds,
    ) -> Result<Option<Duration>, ServerError> {
        let mut next: Option<Duration> = None;
        let mut ended: Vec<_> =
            state.lab.over(now).into_iter().map(|id| (id, Ending::Expired)).collect();
        for (id, record) in &state.requests {
            let silent = record.patience().map(|patience| {
                (patience.saturating_sub(self.0.holders.silence(id)), Ending::Silent)
            });
            let idle = record.idle().and_then(|(idle, boards)| {
                let unused = boards.iter().map(|board| self.0.used.silence(board)).min()?;
                Some((idle.saturating_sub(unused), Ending::Idle))
            });
            for (left, ending) in silent.into_iter().chain(idle) {
                if left.is_zero() {
                    ended.push((*id, ending));
                } else {
                    next = Some(next.map_or(left, |next| next.min(left)));
                }
            }
        }
        ended.sort_by_key(|(id, _)| *id);
        ended.dedup_by_key(|(id, _)| *id);
        for (id, ending) in ended {
            match state.requests.get(&id).map(|record| record.info.job) {
                None => self.end_unknown(state, id, now),
                Some(None) if self.end_after_boot(state, id, ending, US).await? => {}
                Some(None) => drop(self.end(state, id, ending, US).await?),
                Some(Some(job)) => self.end_time_of(state, id, job, ending, now).await?,
            }
        }
        Ok(next)
    }

    /// Ends what the scheduler has and nobody else knows of, so that it holds up no board and no other request.
    fn end_unknown(&self, state: &mut State, id: RequestId, now: Seconds) {
        tracing::error!(request = id, "nobody knows of it: it is ended");
        let _ = state.lab.end(id, now);
        state.leased.retain(|_, lease| *lease != id);
        self.changed();
    }

    async fn carry_out(
        &self,
        state: &mut State,
        decisions: &[Decision],
        now_us: u64,
    ) -> Result<(), ServerError> {
        let (mut records, mut events) = (Vec::new(), Vec::new());
        let (known, unknown): (Vec<_>, Vec<_>) =
            decisions.iter().partition(|decision| state.requests.contains_key(&decision.request()));
        for decision in unknown {
            self.end_unknown(state, decision.request(), now_us / 1_000_000);
        }
        for decision in &known {
            let Some(record) = state.requests.get(&decision.request()) else { continue };
            let record = decided(Record::clone(record), decision, state, now_us);
            if record.info.state == RequestState::Leased {
                events.extend(happened(&record, &record.info.user, "leased"));
            }
            records.push(record);
        }
        let rows: Vec<_> = records.iter().map(Record::row).collect();
        self.0.store.put_requests(&rows, &events).await?;
        for decision in known {
            if let Err(error) = state.lab.apply(decision, now_us / 1_000_000) {
                // Not one of them has gone before since the pass: only a mistake of ours comes here.
                let id = decision.request();
                tracing::error!(request = id, "what was decided cannot be done: {error}");
                self.end(state, id, Ending::Lost, US).await?;
                records.retain(|record| record.info.id != id);
            }
        }
        for record in records {
            let info = &record.info;
            tracing::info!(request = info.id, user = info.user, boards = ?info.boards, "{}", info.state.as_str());
            if info.state == RequestState::Leased {
                info.boards.iter().for_each(|board| self.0.used.say(board.clone(), ()));
                // What a daemon has said of the last holder is nothing to this one.
                state.refused.retain(|(board, _), _| !info.boards.contains(board));
                state.begin_lease(info.id, &info.boards, now_us);
            }
            state.requests.insert(info.id, Arc::new(record));
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
        let record = state.requests.get(&id).ok_or(ServerError::NoRequest(id))?;
        let mut record = Record::clone(record);
        let before = record.info.state;
        let now_us = units::now_us();
        record.info.state = RequestState::Ended;
        (record.info.ending, record.info.ended_us) = (Some(ending), Some(now_us));
        let events = match before {
            RequestState::Leased => happened(&record, who, "released"),
            RequestState::Booked if ending == Ending::Taken => happened(&record, who, "cancelled"),
            _ => Vec::new(),
        };
        self.0.store.put_requests(&[record.row()], &events).await?;
        // What the scheduler does not know has nothing there.
        let _ = state.lab.end(id, now_us / 1_000_000);
        state.leased.retain(|_, lease| *lease != id);
        state.fresh.remove(&id);
        state.requests.remove(&id);
        record.audience.iter().for_each(|audience| state.dismiss(audience));
        self.0.holders.forget(&id);
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

pub(super) fn happened(record: &Record, who: &str, what: &str) -> Vec<EventRow> {
    let info = &record.info;
    let how = info.ending.map(|ending| format!(", {}", ending.as_str())).unwrap_or_default();
    let detail = format!("request {} of {}{how}", info.id, info.user);
    info.boards.iter().map(|board| event(board, who, what, &detail)).collect()
}

impl State {
    /// Whether what is old by the clock may be forgotten for good.
    fn believes_the_clock(&mut self, now_us: u64) -> bool {
        let now = Instant::now();
        let new = || Clock::new("nothing of the past is forgotten", now_us, now);
        self.clock.get_or_insert_with(new).is_right(now_us, now)
    }

    /// When something is over, or begins, that is known already.
    fn next_time(&self, now: Seconds) -> Option<Seconds> {
        let seconds = |us: u64| us / 1_000_000;
        let times = self.requests.values().flat_map(|record| {
            let info = &record.info;
            let begins = (info.state != RequestState::Leased).then_some(info.since_us).flatten();
            let starts = (info.state == RequestState::Waiting).then_some(info.start_us).flatten();
            [info.until_us.map(seconds), begins.map(seconds), starts.map(seconds)]
        });
        times.flatten().filter(|at| *at > now).min()
    }
}
