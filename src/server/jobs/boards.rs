//! Whose a job's boards are, and until when.
//!
//! A job is in hand from the moment at which a worker may have been told of it. Then only its end gives its boards
//! back; before, they can go back at any time, and the job asks anew.

use super::{Jobs, Record, Worker};
use crate::model::{Ending, JobState, Name, RequestState, units};
use crate::sched::{Seconds, Spec};
use crate::server::state::State;
use crate::server::{Server, ServerError, US};

/// A lease whose job does not end is looked at so often, in seconds: its boards stay taken that long.
pub(super) const OVERTIME_S: Seconds = 60;
/// A job may be handed over when its lease is by so much shorter than it wanted, in seconds: half of what it has
/// beyond its own limit.
const SHORTER_S: Seconds = 300;

impl Server {
    /// A job's lease is over by its time, or for another reason of the queue's.
    pub(in crate::server) async fn end_time_of(
        &self,
        state: &mut State,
        request: u64,
        job: u64,
        ending: Ending,
        now: Seconds,
    ) -> Result<(), ServerError> {
        let own = state.jobs.live.get(&job).filter(|it| it.info.request == request);
        let Some(record) = own.cloned() else {
            return self.end(state, request, ending, US).await.map(drop);
        };
        match state.in_hand(request) {
            Some(job) => {
                self.wind_up(state, job, None, "the time of its lease was over").await?;
                state.lab.overrun(request, now + OVERTIME_S, now)?;
                Ok(())
            }
            None => self.ask_anew(state, record, ending).await,
        }
    }

    /// Tells a job that is in hand to end; its boards are its own until it has. By somebody it is cancelled, else
    /// it is the lab's matter.
    pub(in crate::server) async fn wind_up(
        &self,
        state: &mut State,
        job: u64,
        by: Option<&str>,
        why: &str,
    ) -> Result<(), ServerError> {
        let Some(record) = state.jobs.live.get(&job) else { return Ok(()) };
        if record.info.state == JobState::Canceling {
            return Ok(());
        }
        let mut record = record.clone();
        tracing::info!(job, why, "is told to end");
        record.info.state = JobState::Canceling;
        match by {
            Some(by) => drop(record.info.canceled_by.get_or_insert_with(|| by.to_owned())),
            None => record.fail("Infrastructure", why),
        }
        self.put_job(state, record).await
    }

    /// Gives back the boards of a job that no worker was told of. It asks for boards again, as old as it is.
    pub(super) async fn ask_anew(
        &self,
        state: &mut State,
        mut record: Record,
        ending: Ending,
    ) -> Result<(), ServerError> {
        let request = std::mem::take(&mut record.info.request);
        record.info.state = JobState::Submitted;
        record.info.boards.clear();
        tracing::info!(job = record.info.id, request, "its boards go back, and it asks anew");
        // In this order: of a job that has no request it is looked for.
        self.put_job(state, record).await?;
        self.end(state, request, ending, US).await.map(drop)
    }

    /// Gives back what jobs have that wait for a worker where none is.
    pub(super) async fn give_back_unused(
        &self,
        state: &mut State,
        now_us: u64,
    ) -> Result<(), ServerError> {
        let patience_us = self.0.config.worker_gone.as_micros() as u64;
        let unused = state.jobs.live.values().filter(|it| {
            let since = state.requests.get(&it.info.request).and_then(|it| it.info.since_us);
            it.info.state == JobState::Scheduled
                && it.boot.is_none()
                && it.info.worker.is_none()
                && it.boot.is_none()
                && since.is_some_and(|since| since.saturating_add(patience_us) <= now_us)
                && !state.jobs.live_workers().any(|(name, _)| it.waits_for(name, state))
        });
        let unused: Vec<Record> = unused.cloned().collect();
        for record in unused {
            self.ask_anew(state, record, Ending::Idle).await?;
        }
        Ok(())
    }

    /// Lets a job's time begin now, where no worker was told of it yet. Whether it fits; else its boards have gone back.
    pub(super) async fn begin_time(
        &self,
        state: &mut State,
        record: &Record,
    ) -> Result<bool, ServerError> {
        let (request, now) = (record.info.request, units::now_us() / 1_000_000);
        let Some(was) = state.lab.lease(request).map(|lease| lease.until) else {
            return Ok(false);
        };
        let until = now + record.length_s;
        if state.lab.prolong(request, until, now).is_err() {
            if was >= until.saturating_sub(SHORTER_S.min(record.length_s / 2)) {
                return Ok(true);
            }
            self.ask_anew(state, record.clone(), Ending::Expired).await?;
            return Ok(false);
        }
        let Some(known) = state.requests.get(&request) else { return Ok(false) };
        let mut new = crate::server::state::Record::clone(known);
        new.info.until_us = Some(until.saturating_mul(1_000_000));
        if let Err(error) = self.0.store.put_requests(&[new.row()], &[]).await {
            let _ = state.lab.overrun(request, was, now);
            return Err(error.into());
        }
        state.note_end(request);
        self.put(state, new)?;
        Ok(true)
    }
}

impl State {
    /// The job that a lease's boards are used by, as far as anybody knows: a worker was told of it, and has not said
    /// that it is over.
    pub(in crate::server) fn in_hand(&self, request: u64) -> Option<u64> {
        let info = &self.requests.get(&request)?.info;
        let record = self.jobs.live.get(&info.job?)?;
        let own = info.state == RequestState::Leased && record.info.request == request;
        (own && record.info.worker.is_some()).then_some(record.info.id)
    }

    /// Whether there is a worker that could run a job, on boards that there are.
    pub(super) fn has_worker_for(&self, record: &Record) -> bool {
        let specs = record.info.specs.iter().filter_map(|text| text.parse::<Spec>().ok());
        let specs: Vec<Spec> = specs.collect();
        self.jobs.live_workers().any(|(name, _)| {
            let wanted = record.wants.as_ref().is_none_or(|wanted| wanted == name);
            wanted && specs.iter().all(|spec| self.is_for(name, spec))
        })
    }

    /// Whether a worker may run jobs on a board like that.
    fn is_for(&self, worker: &Name, spec: &Spec) -> bool {
        self.boards.values().any(|board| {
            let own = board.description.worker.as_ref().is_none_or(|own| own == worker);
            own && spec.answers(&self.lab.board(board.ix).traits)
        })
    }
}

impl Jobs {
    pub(super) fn live_workers(&self) -> impl Iterator<Item = (&Name, &Worker)> {
        self.workers.iter().filter(|(_, worker)| worker.live)
    }
}
