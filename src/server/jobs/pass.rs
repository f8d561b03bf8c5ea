//! Taking jobs on: when they get their boards, lose them, wait too long, or their worker is gone.

use std::time::Duration;

use super::workers::infrastructure;
use super::{Jobs, Record, WorkerKey};
use crate::model::{
    CutOff, Ending, Failure, JobBoard, JobHealth, JobState, RequestInfo, RequestState, WorkFailure,
};
use crate::sched::Seconds;
use crate::server::heard::Heard;
use crate::server::state::State;
use crate::server::{Server, ServerError, US};

impl Server {
    /// Takes all jobs on. When the next thing happens to them by itself, and in how long a worker may be gone.
    pub(in crate::server) async fn pass_jobs(
        &self,
        state: &mut State,
        now_us: u64,
    ) -> Result<(Option<Seconds>, Option<Duration>), ServerError> {
        let silent = self.give_up_lost(state).await?;
        self.give_back_unused(state, now_us).await?;
        let moved = state.jobs.live.values().filter(|record| record.is_moved(state, now_us));
        let moved: Vec<Record> = moved.cloned().collect();
        for record in moved {
            self.take_on(state, record, now_us).await?;
        }
        // A crash between a job's end and its lease's leaves this.
        let orphans = state.requests.values().filter(|request| {
            request.info.job.is_some_and(|job| !state.jobs.live.contains_key(&job))
        });
        let orphans: Vec<u64> = orphans.map(|request| request.info.id).collect();
        for id in orphans {
            self.end(state, id, Ending::Released, US).await?;
        }
        let checks = self.due_checks(state, now_us).await?;
        Ok(([state.jobs.next_time(), checks].into_iter().flatten().min(), silent))
    }

    /// Gives up the jobs of workers that are silent, and later frees their boards. It is done at every look, so that
    /// nothing is left undone by a store that fails. In how long the next worker will have been silent for too long.
    async fn give_up_lost(&self, state: &mut State) -> Result<Option<Duration>, ServerError> {
        let (heard, gone) = (&self.0.workers, self.0.config.worker_gone);
        for name in state.jobs.age(heard, gone) {
            tracing::warn!(worker = name, "nothing is heard of a worker any more");
            // Its machines are gone with it.
            state.unlooked = true;
            self.changed();
        }
        let mut next = state.jobs.next_silence(heard, gone);
        let held: Vec<(Record, WorkerKey)> =
            state.jobs.live.values().filter_map(|it| Some((it.clone(), it.worker()?))).collect();
        for (mut record, worker) in held {
            let silence = heard.silence(&worker);
            if silence < gone {
                continue;
            }
            let what =
                format!("nothing was heard of its worker {} for {} s", worker.0, gone.as_secs());
            let counts_by = Duration::from_secs(record.gone_s).max(gone);
            let left = CutOff::of(counts_by).frees().saturating_sub(silence);
            if left.is_zero() {
                let health = record.ended(JobHealth::Incomplete);
                let failure = infrastructure(what);
                let failure = Some(failure).filter(|_| record.info.error_msg.is_none());
                self.finish_job(state, record, health, failure).await?;
                continue;
            }
            next = Some(next.map_or(left, |next| next.min(left)));
            if record.info.error_msg.is_none() {
                record.info.state = JobState::Canceling;
                record.fail("Infrastructure", what);
                self.put_job(state, record).await?;
            }
        }
        heard.keep(|worker| state.jobs.knows(worker));
        Ok(next)
    }

    async fn take_on(
        &self,
        state: &mut State,
        mut record: Record,
        now_us: u64,
    ) -> Result<(), ServerError> {
        let id = record.info.id;
        if record.info.request == 0 {
            return self.ask_again(state, record, now_us).await;
        }
        let request = state.requests.get(&record.info.request).map(|it| it.info.clone());
        let own = |request: &RequestInfo| record.boot.is_some() || request.job == Some(id);
        let Some(request) = request.filter(own) else {
            return self.without_boards(state, record).await;
        };
        let (before, over) = (record.info.state, record.has_waited(now_us));
        if request.state != RequestState::Leased {
            return match over {
                true => self.has_waited_too_long(state, record).await,
                false => Ok(()),
            };
        }
        if !matches!(before, JobState::Submitted | JobState::Scheduling) {
            return Ok(());
        }
        if record.boot.is_some() {
            self.share_with_boot(state, &record, true).await?;
        }
        let request = state.requests.get(&request.id).map_or(request, |it| it.info.clone());
        let told = state.is_told(&request);
        record.info.state = if told { JobState::Scheduled } else { JobState::Scheduling };
        if record.boot.is_none() {
            let boards = request.boards.iter().zip(&record.roles);
            let boards = boards.map(|(name, role)| (name.clone(), role.clone()));
            record.info.boards = boards.map(|(name, role)| JobBoard { name, role }).collect();
        }
        match record.info.state == before {
            true => Ok(()),
            false => self.put_job(state, record).await,
        }
    }

    /// A job has no request: a crash has come between the two, or its boards went back.
    async fn ask_again(
        &self,
        state: &mut State,
        mut record: Record,
        now_us: u64,
    ) -> Result<(), ServerError> {
        let id = record.info.id;
        let known = state.requests.values().find(|it| it.info.job == Some(id));
        if let Some(request) = known.map(|request| request.info.id) {
            record.info.request = request;
        } else if record.has_waited(now_us) {
            return self.has_waited_too_long(state, record).await;
        } else if !state.has_worker_for(&record) {
            return Ok(());
        } else if let Err(error) = self.ask_for(state, &mut record).await {
            if error.may_pass() {
                return Err(error);
            }
            let message = Failure::from(error).message;
            let failure = WorkFailure { class: "Configuration".into(), message };
            let health = JobHealth::Incomplete;
            return self.finish_job(state, record, health, Some(failure)).await.map(drop);
        }
        self.put_job(state, record).await
    }

    async fn has_waited_too_long(
        &self,
        state: &mut State,
        record: Record,
    ) -> Result<(), ServerError> {
        let message = "its boards were not free within its queue time-out".to_owned();
        let failure = WorkFailure { class: "Canceled".into(), message };
        self.finish_job(state, record, JobHealth::Canceled, Some(failure)).await.map(drop)
    }

    /// A job's request has ended, and nobody has told the job.
    async fn without_boards(&self, state: &mut State, record: Record) -> Result<(), ServerError> {
        let request = self.0.store.request(record.info.request).await?;
        let request = request.as_ref().map(crate::server::load::record).transpose()?;
        let how = request.and_then(|it| it.info.ending).map_or("ended", Ending::as_str);
        let what = format!("its request {} was {how}", record.info.request);
        match record.info.worker {
            None => {
                let health = record.ended(JobHealth::Incomplete);
                self.finish_job(state, record, health, Some(infrastructure(what))).await.map(drop)
            }
            Some(_) => self.wind_up(state, record.info.id, None, &what).await,
        }
    }
}

impl Record {
    /// Whether there may be something to do for it.
    fn is_moved(&self, state: &State, now_us: u64) -> bool {
        if self.script.is_some() {
            return false;
        }
        match state.requests.get(&self.info.request) {
            None => true,
            Some(it) if self.boot.is_none() && it.info.job != Some(self.info.id) => true,
            Some(request) => match request.info.state {
                RequestState::Leased => {
                    matches!(self.info.state, JobState::Submitted | JobState::Scheduling)
                }
                _ => self.has_waited(now_us),
            },
        }
    }

    /// Whether its boards have not come within its queue time-out.
    fn has_waited(&self, now_us: u64) -> bool {
        let waited = now_us.saturating_sub(self.info.submitted_us);
        self.queue_s.is_some_and(|queue| waited >= queue.saturating_mul(1_000_000))
    }
}

impl Jobs {
    /// The workers that nothing was heard of for too long, from now on.
    fn age(&mut self, heard: &Heard<WorkerKey>, gone: Duration) -> Vec<String> {
        let mut lost = Vec::new();
        for (name, worker) in self.workers.iter_mut().filter(|(_, worker)| worker.live) {
            if heard.silence(&(name.clone(), worker.instance.clone())) >= gone {
                worker.live = false;
                lost.push(name.to_string());
            }
        }
        lost
    }

    /// In how long the next worker may be gone.
    fn next_silence(&self, heard: &Heard<WorkerKey>, gone: Duration) -> Option<Duration> {
        let left = self.live_workers().map(|(name, worker)| {
            gone.saturating_sub(heard.silence(&(name.clone(), worker.instance.clone())))
        });
        left.min()
    }

    /// Whether a worker is the one of its name, or has jobs.
    fn knows(&self, worker: &WorkerKey) -> bool {
        let newest = self.workers.get(&worker.0).is_some_and(|it| it.instance == worker.1);
        newest || self.of(&worker.0).any(|it| it.instance.as_ref() == Some(&worker.1))
    }

    /// When a job has waited too long.
    fn next_time(&self) -> Option<Seconds> {
        let waiting = self.live.values().filter(|it| it.info.state == JobState::Submitted);
        waiting.filter_map(|it| Some(it.info.submitted_us / 1_000_000 + it.queue_s? + 1)).min()
    }
}
