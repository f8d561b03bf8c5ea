//! What workers say, and what they are told.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::logs::JobLog;
use super::{JobError, Record, Worker, WorkerKey};
use crate::dispatch::record::Outcome;
use crate::model::{
    BootState, JobHealth, JobState, LONGEST_GONE, LogHeld, Name, PROTOCOL, Tally, WorkEnd,
    WorkFailure, WorkerHello, WorkerInfo, WorkerOrders, units,
};
use crate::server::state::State;
use crate::server::{Server, ServerError};

/// A worker waits no longer than this for an answer.
const LONGEST_WAIT: Duration = Duration::from_secs(20);
/// So many jobs are handed to a worker in one answer at most.
const MAX_AT_ONCE: usize = 16;
/// What a worker was told to end or to forget, and still has, it is told again after this: the answer may have been
/// lost.
const TOLD_AGAIN: Duration = Duration::from_secs(1);
/// What a worker says of itself is no longer than this, in bytes.
const MAX_TEXT: usize = 100;
/// A greeting names so many jobs at most.
const MAX_NAMED: usize = 10_000;

/// What there is to do for a worker, before the documents of its jobs are made.
#[derive(Debug, Default)]
struct Orders {
    start: Vec<Record>,
    begin: Vec<u64>,
    cancel: Vec<u64>,
    drop: Vec<u64>,
    /// Of the newest greeting.
    number: u64,
    /// A newer greeting has come.
    late: bool,
}

impl Server {
    /// Hears a worker's greeting.
    ///
    /// # Errors
    /// When another worker has its name, or it says too much.
    pub async fn greet(&self, name: &Name, hello: &WorkerHello) -> Result<(), ServerError> {
        check(name, hello)?;
        let key = (name.clone(), hello.instance.clone());
        // It is heard also while everything waits for a slow database.
        self.0.workers.again(&key, &());
        let mut state = self.looked().await;
        let known = state.jobs.workers.get(name);
        let other = |known: &&Worker| known.live && known.instance != hello.instance;
        if known.filter(other).is_some() {
            return Err(JobError::OtherWorker(name.clone()).into());
        }
        let same = known.filter(|known| known.instance == hello.instance);
        let newest = same.map_or(0, |known| known.number);
        let newer = same.filter(|same| same.number > hello.number);
        let machines = newer.and_then(|newer| newer.machines.clone());
        let machines = machines.unwrap_or_else(|| hello.machines.clone());
        let before = known.filter(|known| known.live);
        let offers_anew = before.is_none_or(|known| known.machines.as_ref() != Some(&machines));
        let conflicts = before.map(|known| known.conflicts.clone()).unwrap_or_default();
        if before.is_none() {
            tracing::info!(worker = name.as_str(), version = hello.version, "a worker is here");
            self.changed();
        }
        let short = |text: &str| text.chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect();
        let worker = Worker {
            instance: hello.instance.clone(),
            version: short(&hello.version),
            protocol: hello.protocol,
            slots: hello.slots,
            scripts: hello.scripts,
            number: hello.number.max(newest),
            live: true,
            machines: Some(machines.clone()),
            conflicts: Vec::new(),
        };
        self.0.workers.say(key, ());
        state.jobs.workers.insert(name.clone(), worker);
        if offers_anew {
            state.unlooked = true;
            self.changed();
        }
        let refused = self.take_offers(&mut state, name, &machines).await?;
        for why in refused.iter().filter(|why| !conflicts.contains(why)) {
            tracing::warn!(worker = name.as_str(), "a machine that it offers is no board: {why}");
        }
        if let Some(worker) = state.jobs.workers.get_mut(name) {
            worker.conflicts = refused;
        }
        for id in &hello.jobs {
            let Some(record) = state.jobs.live.get(id).filter(|it| it.is_on(name, hello)) else {
                continue;
            };
            let gone_s = self.gone_s(hello);
            if record.info.started_us.is_none() || record.gone_s != gone_s {
                let mut record = record.clone();
                record.gone_s = gone_s;
                if record.info.started_us.is_none() {
                    record.info.started_us = Some(units::now_us());
                    if record.info.state != JobState::Canceling {
                        record.info.state = JobState::Running;
                    }
                }
                self.put_job(&mut state, record).await?;
            }
        }
        self.miss(&mut state, name, hello).await
    }

    /// How long a worker may be silent, in whole seconds: what it goes by until it has our answer, or what that says.
    fn gone_s(&self, hello: &WorkerHello) -> u64 {
        let ours = self.0.config.worker_gone.as_millis().div_ceil(1000) as u64;
        hello.gone_s.min(LONGEST_GONE.as_secs()).max(ours)
    }

    /// Ends what a worker was to run and does not know of.
    async fn miss(
        &self,
        state: &mut State,
        name: &Name,
        hello: &WorkerHello,
    ) -> Result<(), ServerError> {
        if state.jobs.workers.get(name).is_some_and(|known| known.number > hello.number) {
            return Ok(());
        }
        // What another one of its name has is that one's.
        let missing = state.jobs.of(name).filter(|it| it.is_on(name, hello));
        let missing = missing.filter(|it| !hello.jobs.contains(&it.info.id));
        let missing: Vec<Record> = missing.cloned().collect();
        for record in missing {
            let begun = record.info.started_us.is_some();
            let canceled = record.info.state == JobState::Canceling;
            if !begun && !canceled {
                // The answer that said so may have been lost: it is said again.
                continue;
            }
            let what = format!("its worker {name} does not know of it any more");
            // Why we have had it end says more.
            let failure = (begun && record.info.error_msg.is_none()).then(|| infrastructure(what));
            let health = record.ended(JobHealth::Incomplete);
            self.finish_job(state, record, health, failure).await?;
        }
        Ok(())
    }

    /// What a worker that has greeted so is to do now; `None` when there is nothing. Jobs that are to begin are
    /// its own from now on.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn orders(
        &self,
        name: &Name,
        hello: &WorkerHello,
    ) -> Result<Option<WorkerOrders>, ServerError> {
        let Orders { start, begin, cancel, drop, number, late } = self.decide(name, hello).await?;
        let mut orders = self.no_orders(number);
        (orders.begin, orders.cancel, orders.drop) = (begin, cancel, drop);
        for record in start {
            let id = record.info.id;
            match self.work(&record).await {
                Ok(work) => {
                    self.0.state.lock().await.jobs.hindered.remove(&id);
                    orders.start.push(work);
                }
                Err(error) if error.may_pass() => {
                    tracing::error!(job = id, "it cannot be handed over now: {error}");
                    let mut state = self.0.state.lock().await;
                    state.jobs.hindered.insert(id, error.to_string());
                }
                Err(error) => {
                    let mut state = self.0.state.lock().await;
                    let Some(record) = state.jobs.live.get(&id).cloned() else { continue };
                    let message = crate::model::Failure::from(error).message;
                    let failure = WorkFailure { class: "Configuration".into(), message };
                    let health = record.ended(JobHealth::Incomplete);
                    self.finish_job(&mut state, record, health, Some(failure)).await?;
                }
            }
        }
        let WorkerOrders { start, begin, cancel, drop, .. } = &orders;
        let none = start.is_empty() && begin.is_empty() && cancel.is_empty() && drop.is_empty();
        let some = late || !none;
        Ok(some.then_some(orders))
    }

    /// What a worker that has greeted so is to do, as soon as there is something: after a while it is nothing, for it
    /// has to be heard of some times before it is gone.
    ///
    /// # Errors
    /// As [`Self::orders`].
    pub async fn wait_for_orders(
        &self,
        name: &Name,
        hello: &WorkerHello,
    ) -> Result<WorkerOrders, ServerError> {
        let mut changes = self.changes();
        let until = Instant::now() + LONGEST_WAIT.min(self.0.config.worker_gone / 4);
        loop {
            changes.borrow_and_update();
            if let Some(orders) = self.orders(name, hello).await? {
                return Ok(orders);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(self.no_orders(hello.number));
            }
            // What it has may have to be told again.
            let pause = if hello.jobs.is_empty() { left } else { left.min(TOLD_AGAIN) };
            tokio::select! {
                _ = changes.changed() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// What a worker is told that is to do nothing.
    pub fn no_orders(&self, number: u64) -> WorkerOrders {
        WorkerOrders {
            number,
            protocol: PROTOCOL,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            gone_s: self.0.config.worker_gone.as_secs(),
            ..WorkerOrders::default()
        }
    }

    async fn decide(&self, name: &Name, hello: &WorkerHello) -> Result<Orders, ServerError> {
        let mut state = self.looked().await;
        let mut orders = Orders::default();
        let Some(worker) = state.jobs.workers.get(name) else { return Ok(orders) };
        orders.number = worker.number;
        if worker.number > hello.number || worker.instance != hello.instance {
            orders.late = true;
            return Ok(orders);
        }
        let key = (name.clone(), hello.instance.clone());
        let now = Instant::now();
        state.jobs.told.retain(|_, told| now.duration_since(*told) < TOLD_AGAIN);
        for id in &hello.jobs {
            let record = state.jobs.live.get(id).filter(|record| record.is_on(name, hello));
            let over = record.is_none_or(|record| record.info.state == JobState::Canceling);
            let (gone, id) = (record.is_none(), *id);
            // It says what it has heard; one of an older version does not, and is told again after a while.
            let heard = if gone { &hello.dropping } else { &hello.canceling };
            let what = (key.clone(), id, gone);
            if !over || heard.contains(&id) || state.jobs.told.contains_key(&what) {
                continue;
            }
            state.jobs.told.insert(what, now);
            if gone { orders.drop.push(id) } else { orders.cancel.push(id) }
        }
        let own = state.jobs.of(name).filter(|it| it.is_on(name, hello));
        let still = own.filter(|it| it.info.state != JobState::Canceling).map(|it| it.info.id);
        orders.begin.extend(still.filter(|id| hello.unsure.contains(id)));
        let own = state.jobs.of(name).filter(|it| it.is_on(name, hello));
        let own = own.filter(|it| !hello.jobs.contains(&it.info.id));
        let own = own.filter(|it| it.info.state == JobState::Scheduled);
        orders.start.extend(own.take(MAX_AT_ONCE).cloned());
        let mut waiting: Vec<&Record> =
            state.jobs.live.values().filter(|it| it.waits_for(name, &state)).collect();
        waiting.sort_by_key(|it| (std::cmp::Reverse(it.info.priority), it.info.id));
        let has = hello.jobs.len() + orders.start.len();
        let room = hello.slots.saturating_sub(has).min(MAX_AT_ONCE - orders.start.len());
        let taken: Vec<Record> = waiting.into_iter().take(room).cloned().collect();
        for mut record in taken {
            // A boot is within somebody's time, and a script has none.
            let own = record.script.is_none() && record.boot.is_none();
            if own && !self.begin_time(&mut state, &record).await? {
                continue;
            }
            record.info.worker = Some(name.clone());
            record.instance = Some(hello.instance.clone());
            record.gone_s = self.gone_s(hello);
            self.put_job(&mut state, record.clone()).await?;
            tracing::info!(job = record.info.id, worker = name.as_str(), "handed over");
            orders.start.push(record);
        }
        Ok(orders)
    }

    /// Takes a piece of a job's log from its worker.
    ///
    /// # Errors
    /// When the job is not that worker's, or its log cannot be written.
    pub async fn take_log(
        &self,
        worker: &Name,
        id: u64,
        board: &str,
        offset: u64,
        bytes: Vec<u8>,
    ) -> Result<LogHeld, ServerError> {
        let (log, is_boot) = {
            let state = self.0.state.lock().await;
            let record = state.jobs.live.get(&id);
            let record = record.filter(|record| record.info.worker.as_ref() == Some(worker));
            let worker = worker.clone();
            let record = record.ok_or(JobError::NotOn { id, worker })?;
            if !record.info.logs().contains(&board) {
                return Err(JobError::NoLog { id, board: board.to_owned() }.into());
            }
            (self.0.logs.open(id, board), record.boot.is_some())
        };
        let taken = blocking(move || {
            let held = log.append(offset, &bytes)?;
            // Its end tells what is wrong with that.
            let _ = log.outcome();
            Ok((held, is_boot.then(|| log.stage()).transpose()?))
        });
        let (held, stage) = taken.await.map_err(|error| JobError::Log { id, error })?;
        if let Some(stage) = stage {
            self.note_stage(id, stage).await?;
        }
        Ok(held)
    }

    /// Notes how far a boot is, as its log says.
    async fn note_stage(&self, id: u64, stage: BootState) -> Result<(), ServerError> {
        let mut state = self.0.state.lock().await;
        let live = state.jobs.live.get(&id);
        let Some(record) = live.filter(|it| it.info.boot < Some(stage)) else { return Ok(()) };
        let mut record = record.clone();
        record.info.boot = Some(stage);
        self.put_job(&mut state, record).await
    }

    /// Hears that a job has ended. What it came to is in its log, which was read as it came: nobody waits for the boards
    /// while that is done.
    ///
    /// # Errors
    /// When its log is not all here yet or cannot be read, or it is not that worker's. One that has ended already is
    /// none.
    pub async fn end_work(&self, worker: &Name, id: u64, end: &WorkEnd) -> Result<(), ServerError> {
        let logs: Vec<(String, Arc<JobLog>)> = {
            let state = self.0.state.lock().await;
            let record = state.jobs.live.get(&id);
            let Some(record) = record.filter(|it| it.info.worker.as_ref() == Some(worker)) else {
                return Err(JobError::NotOn { id, worker: worker.clone() }.into());
            };
            let names = record.info.logs().into_iter();
            names.map(|name| (name.to_owned(), self.0.logs.open(id, name))).collect()
        };
        let boards = logs.len();
        let (mut read, mut identities) = (Vec::new(), Vec::new());
        for (board, log) in logs {
            let bytes = end.logs.get(&board).copied().unwrap_or(0);
            let outcome = blocking(move || {
                let held = log.append(0, &[])?.held;
                if held < bytes {
                    return Ok(Err(held));
                }
                log.finish()?;
                Ok(Ok(log.outcome()?))
            });
            match outcome.await.map_err(|error| JobError::Log { id, error })? {
                Ok(Some(mut outcome)) => {
                    let told = outcome.identity.take();
                    identities.extend(board.parse::<Name>().ok().zip(told));
                    read.push(outcome);
                }
                Ok(None) => {}
                Err(held) => return Err(JobError::LogShort { id, held, bytes }.into()),
            }
        }
        let mut state = self.looked().await;
        let Some(mut record) = state.jobs.live.get(&id).cloned() else { return Ok(()) };
        record.info.tally = Some(tally(&read));
        let (complete, failure) = verdict(&read, boards, end);
        let health = if complete { JobHealth::Complete } else { JobHealth::Incomplete };
        let health = record.ended(health);
        // Why we have had it end says more than that it was ended.
        let failure = failure.filter(|_| record.info.error_msg.is_none());
        self.finish_job(&mut state, record, health, failure).await?;
        // Nobody has had the boards since.
        for (board, told) in identities {
            let who = format!("job {id}");
            if let Err(error) = self.identify_in(&mut state, &board, told, &who).await {
                tracing::warn!(job = id, "who {board} says that it is cannot be compared: {error}");
            }
        }
        Ok(())
    }

    /// How the jobs stand that have not ended.
    pub async fn live_jobs(&self) -> Vec<JobState> {
        self.0.state.lock().await.jobs.live.values().map(|record| record.info.state).collect()
    }

    pub async fn workers(&self) -> Vec<WorkerInfo> {
        let state = self.0.state.lock().await;
        let info = |(name, worker): (&Name, &Worker)| WorkerInfo {
            name: name.clone(),
            version: worker.version.clone(),
            protocol: worker.protocol,
            live: worker.live,
            seen_us: self.seen_us(&(name.clone(), worker.instance.clone())),
            slots: worker.slots,
            jobs: state.jobs.of(name).map(|record| record.info.id).collect(),
            machines: worker.machines.iter().flat_map(BTreeMap::keys).cloned().collect(),
            conflicts: worker.conflicts.clone(),
        };
        state.jobs.workers.iter().map(info).collect()
    }

    fn seen_us(&self, worker: &WorkerKey) -> u64 {
        units::now_us().saturating_sub(self.0.workers.silence(worker).as_micros() as u64)
    }
}

impl Record {
    fn is_on(&self, worker: &Name, hello: &WorkerHello) -> bool {
        self.info.worker.as_ref() == Some(worker) && self.instance.as_ref() == Some(&hello.instance)
    }

    /// Whether it has its boards, and this worker may have it.
    pub(super) fn waits_for(&self, worker: &Name, state: &State) -> bool {
        let wanted = self.info.boards.iter().filter_map(|board| {
            state.boards.get(&board.name).and_then(|board| board.description.worker.as_ref())
        });
        self.info.state == JobState::Scheduled
            && self.info.worker.is_none()
            && (self.script.is_none()
                || state.jobs.workers.get(worker).is_some_and(|known| known.scripts))
            && wanted.chain(&self.wants).all(|wanted| wanted == worker)
    }

    /// What becomes of it when it ends now: who wanted it to end gets what they wanted.
    pub(in crate::server) fn ended(&self, health: JobHealth) -> JobHealth {
        let canceled = self.info.canceled_by.is_some() && health != JobHealth::Complete;
        if canceled { JobHealth::Canceled } else { health }
    }
}

/// # Errors
/// When a greeting is longer than any worker's can be.
fn check(name: &Name, hello: &WorkerHello) -> Result<(), ServerError> {
    if hello.instance.len() > MAX_TEXT || hello.instance.contains(char::is_control) {
        let what = format!(
            "worker {name}: its instance is longer than {MAX_TEXT} bytes, or has control characters"
        );
        return Err(ServerError::Wrong(what));
    }
    let named = [&hello.jobs, &hello.canceling, &hello.dropping];
    let most = named.into_iter().map(BTreeSet::len).max().unwrap_or(0);
    if most > MAX_NAMED {
        let what = format!(
            "worker {name} names {most} jobs, and {MAX_NAMED} are heard of at most: stop it, remove the folders of \
             jobs that have ended from its folder, and start it again"
        );
        return Err(ServerError::Wrong(what));
    }
    Ok(())
}

/// Does what may take its time on a disk.
async fn blocking<T: Send + 'static>(
    what: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(what).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

pub(in crate::server) fn infrastructure(message: String) -> WorkFailure {
    WorkFailure { class: "Infrastructure".into(), message }
}

/// Whether all boards of a job are done with it; else what went wrong first.
fn verdict(outcomes: &[Outcome], boards: usize, end: &WorkEnd) -> (bool, Option<WorkFailure>) {
    let complete = outcomes.len() == boards && outcomes.iter().all(|it| it.complete == Some(true));
    if complete {
        return (true, None);
    }
    let told = outcomes.iter().find_map(|outcome| {
        let class = outcome.error_type.clone()?;
        Some(WorkFailure { class, message: outcome.error_msg.clone().unwrap_or_default() })
    });
    let lost = || infrastructure("its dispatcher has ended without a word".into());
    (false, told.or_else(|| end.failure.clone()).or_else(|| Some(lost())))
}

fn tally(outcomes: &[Outcome]) -> Tally {
    let mut tally = Tally::default();
    for Outcome { tally: own, .. } in outcomes {
        tally.pass += own.pass;
        tally.fail += own.fail;
        tally.skip += own.skip;
        tally.unknown += own.unknown;
    }
    tally
}
