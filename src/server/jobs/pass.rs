//! Taking jobs on: when they get their boards, lose them, wait too long, or their worker is gone.

use super::workers::infrastructure;
use super::{Jobs, Record};
use crate::model::{
    Ending, Failure, JobBoard, JobHealth, JobState, Name, RequestState, WorkFailure,
};
use crate::sched::Seconds;
use crate::server::state::State;
use crate::server::{Server, ServerError};

/// Who ends what is of a job that is none any more.
const US: &str = "lava-server";

impl Server {
    /// Takes all jobs on. When the next thing happens to them by itself.
    pub(in crate::server) async fn pass_jobs(
        &self,
        state: &mut State,
        now_us: u64,
    ) -> Result<Option<Seconds>, ServerError> {
        let gone = state.jobs.age(now_us, self.0.config.worker_gone.as_micros() as u64);
        for name in gone {
            let (of, after) = (state.jobs.of(&name), self.0.config.worker_gone.as_secs());
            let lost: Vec<Record> = of.cloned().collect();
            tracing::warn!(worker = name.as_str(), "nothing is heard of a worker any more");
            for record in lost {
                let what = format!("nothing was heard of its worker {name} for {after} s");
                let health = record.ended(JobHealth::Incomplete);
                self.finish_job(state, record, health, Some(infrastructure(what))).await?;
            }
            self.changed();
        }
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
        Ok([state.jobs.next_time(self.0.config.worker_gone.as_secs()), checks]
            .into_iter()
            .flatten()
            .min())
    }

    async fn take_on(
        &self,
        state: &mut State,
        mut record: Record,
        now_us: u64,
    ) -> Result<(), ServerError> {
        let id = record.info.id;
        if record.info.request == 0 {
            // A crash has come between the job and its request: is there one already?
            let known = state.requests.values().find(|it| it.info.job == Some(id));
            match known.map(|request| request.info.id) {
                Some(request) => record.info.request = request,
                None => {
                    if let Err(error) = self.ask_for(state, &mut record).await {
                        let message = Failure::from(error).message;
                        let failure = WorkFailure { class: "Configuration".into(), message };
                        let health = JobHealth::Incomplete;
                        return self
                            .finish_job(state, record, health, Some(failure))
                            .await
                            .map(drop);
                    }
                }
            }
            return self.put_job(state, record).await;
        }
        let request = state.requests.get(&record.info.request).map(|it| it.info.clone());
        let Some(request) = request.filter(|request| request.job == Some(id)) else {
            return self.without_boards(state, record).await;
        };
        let (before, over) = (record.info.state, record.has_waited(now_us));
        if request.state != RequestState::Leased {
            return match over {
                true => {
                    let what = "its boards were not free within its queue time-out".to_owned();
                    let failure = WorkFailure { class: "Canceled".into(), message: what };
                    let health = JobHealth::Canceled;
                    self.finish_job(state, record, health, Some(failure)).await.map(drop)
                }
                false => Ok(()),
            };
        }
        if !matches!(before, JobState::Submitted | JobState::Scheduling) {
            return Ok(());
        }
        let told = state.is_told(&request);
        record.info.state = if told { JobState::Scheduled } else { JobState::Scheduling };
        let roles = request.boards.iter().zip(&record.roles);
        record.info.boards =
            roles.map(|(name, role)| JobBoard { name: name.clone(), role: role.clone() }).collect();
        match record.info.state == before {
            true => Ok(()),
            false => self.put_job(state, record).await,
        }
    }

    /// A job's request has ended, and nobody has told the job.
    async fn without_boards(
        &self,
        state: &mut State,
        mut record: Record,
    ) -> Result<(), ServerError> {
        let request = self.0.store.request(record.info.request).await?;
        let request = request.as_ref().map(crate::server::load::record).transpose()?;
        let how = request.and_then(|it| it.info.ending).map_or("ended", Ending::as_str);
        let what = format!("its request {} was {how}", record.info.request);
        if record.info.worker.is_none() {
            let health = record.ended(JobHealth::Incomplete);
            return self
                .finish_job(state, record, health, Some(infrastructure(what)))
                .await
                .map(drop);
        }
        if record.info.state == JobState::Canceling {
            return Ok(());
        }
        record.info.state = JobState::Canceling;
        record.fail("Infrastructure", what);
        self.put_job(state, record).await
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
            Some(request) if request.info.job != Some(self.info.id) => true,
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
    fn age(&mut self, now_us: u64, gone_us: u64) -> Vec<Name> {
        let mut gone = Vec::new();
        for (name, worker) in &mut self.workers {
            // A clock that was set back keeps nobody alive.
            worker.seen_us = worker.seen_us.min(now_us);
            if worker.live && worker.seen_us + gone_us <= now_us {
                worker.live = false;
                gone.push(name.clone());
            }
        }
        gone
    }

    /// When a worker may be gone, or a job has waited too long.
    fn next_time(&self, gone_s: Seconds) -> Option<Seconds> {
        let workers = self.workers.values().filter(|worker| worker.live);
        let workers = workers.map(|worker| worker.seen_us / 1_000_000 + gone_s + 1);
        let waiting = self.live.values().filter(|it| it.info.state == JobState::Submitted);
        let waiting =
            waiting.filter_map(|it| Some(it.info.submitted_us / 1_000_000 + it.queue_s? + 1));
        workers.chain(waiting).min()
    }
}
