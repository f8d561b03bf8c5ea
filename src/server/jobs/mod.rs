//! Jobs: a request for boards, and a worker that runs a dispatcher on them.
//!
//! A job is written down before anything else; its request in the queue is made from it, and made again where
//! that was lost. [`pass`] takes jobs on whenever the queue is looked at, [`workers`] hears what becomes of
//! those that run, and [`finish`](super::Server::finish_job) is the one way out, which gives the boards back.
//! Everything but the logs is decided behind the lock that requests and boards are behind.
//!
//! A job's boards are its own from the moment at which a worker is told of it until that worker has said that
//! it is over: whatever would end the lease before (its time, its holder, force) tells the job to end instead, and the
//! lease and the claims at the boards' daemons go on until then ([`boards`]). Of a worker that is silent for
//! `worker_gone` the jobs are lost, and it ends them by itself; their boards are free when the last of them has to be
//! dead ([`crate::model::CutOff`] says by when). Before a job is handed over its lease is nobody's loss: the job's time begins then, and where it does not fit
//! any more, or no worker is there, the boards go back and the job asks for boards anew, with the age that it has.

mod boards;
pub mod boot;
mod ci;
mod error;
mod health;
mod keep;
mod logs;
mod pass;
mod read;
mod rest;
mod stored;
mod submit;
#[cfg(test)]
mod tests;
mod work;
mod workers;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::claim::Claim;
use super::overview::JobStanding;
use super::state::State;
use super::{Server, ServerError};
use crate::dispatch::record::short;
use crate::model::{
    Ending, JOB_NAMES, JobHealth, JobInfo, JobState, Machine, Name, WorkFailure, units,
};
use crate::store::{JobRow, StoreError};

/// The longest class of an error and the longest message of a job, in bytes: every list of jobs has them.
const MAX_CLASS: usize = 100;
const MAX_MESSAGE: usize = 4096;
/// What has become of so many jobs is known to those who follow the lab: more do not end between two of their looks.
const ENDED: usize = 1000;
/// A worker's name, and which of that name it is.
pub(super) type WorkerKey = (Name, String);

pub use ci::RunToken;
pub use error::JobError;
pub(super) use health::check as check_health_check;
pub(super) use logs::Logs;
pub use submit::JobList;
pub(super) use submit::{HEALTH, may_see};
pub(super) use workers::infrastructure;

/// The jobs that have not ended, and the workers.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    pub(super) live: BTreeMap<u64, Record>,
    pub(super) last_id: u64,
    pub(super) workers: BTreeMap<Name, Worker>,
    /// The tokens of scripts that run.
    tokens: BTreeMap<u64, String>,
    /// When each board's health was last asked for by a job, in microseconds since the epoch.
    pub(super) checked_us: BTreeMap<Name, u64>,
    /// When a worker was told last to end a job, or (`true`) to forget it.
    pub(super) told: BTreeMap<(WorkerKey, u64, bool), Instant>,
    /// The last that have ended, for those who follow the lab.
    pub(super) ended: VecDeque<(u64, Arc<JobStanding>)>,
    /// Why a job cannot be handed over at the moment.
    pub(super) hindered: BTreeMap<u64, String>,
}

/// A job as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) info: JobInfo,
    /// The boards that its user may have, if not all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) audience: Option<BTreeSet<Name>>,
    /// What that hangs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    claim: Option<Claim>,
    /// Of each board that it is for, its role.
    pub(super) roles: Vec<Option<String>>,
    /// How long it has its boards, in seconds.
    pub(super) length_s: u64,
    /// How long it waits for them, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) queue_s: Option<u64>,
    /// The worker that it asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) wants: Option<Name>,
    /// Who may look at it; everybody when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) viewers: Option<Viewers>,
    /// Which of the workers of its worker's name has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) instance: Option<String>,
    /// By how long a silence, in seconds, that worker goes for all that is known.
    #[serde(default)]
    pub(super) gone_s: u64,
    /// It runs a script.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    script: Option<ci::Script>,
    /// It takes images from the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stored: Option<stored::Stored>,
    /// It boots a board of somebody's lease.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) boot: Option<boot::Boot>,
}

/// Who may look at a job beside its user and who may control everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Viewers {
    Nobody,
    Groups(Vec<String>),
}

/// A worker that was heard of since the server began, or that has jobs from before.
#[derive(Debug, Clone)]
pub(super) struct Worker {
    pub(super) instance: String,
    pub(super) version: String,
    pub(super) protocol: u32,
    pub(super) slots: usize,
    /// It runs scripts, too.
    pub(super) scripts: bool,
    /// The number of its newest greeting.
    pub(super) number: u64,
    pub(super) live: bool,
    /// What it offers, once it was heard of, …
    pub(super) machines: Option<BTreeMap<Name, Machine>>,
    /// … and why some of that are no boards.
    pub(super) conflicts: Vec<String>,
}

impl Jobs {
    /// Whether a worker lives, and what it offers; `None` when it was not heard of since we have begun.
    pub(super) fn offers(&self, worker: &Name) -> Option<(bool, &BTreeMap<Name, Machine>)> {
        let worker = self.workers.get(worker)?;
        Some((worker.live, worker.machines.as_ref()?))
    }

    /// Whether a worker has begun it.
    pub(super) fn is_running(&self, id: u64) -> bool {
        let record = self.live.get(&id);
        record.is_some_and(|it| it.info.started_us.is_some())
    }

    /// The jobs that were given to a worker.
    pub(super) fn of<'a>(&'a self, worker: &'a Name) -> impl Iterator<Item = &'a Record> {
        self.live.values().filter(move |record| record.info.worker.as_ref() == Some(worker))
    }
}

impl Record {
    pub(super) fn row(&self) -> JobRow {
        JobRow {
            id: self.info.id,
            state: self.info.state.as_str().to_owned(),
            ended_us: self.info.ended_us.unwrap_or(0),
            // Plain texts and numbers: that cannot fail.
            document: serde_json::to_string(self).unwrap_or_default(),
        }
    }

    /// Who its dispatcher is to consoles and outlets: with one board `job:5`, with several `job:5.0` and on.
    fn names(&self) -> Vec<String> {
        let id = self.info.id;
        let several = (0..self.roles.len()).map(|i| format!("{JOB_NAMES}{id}.{i}"));
        let several = several.filter(|_| self.roles.len() > 1);
        std::iter::once(format!("{JOB_NAMES}{id}")).chain(several).collect()
    }

    /// The worker that was told of it.
    fn worker(&self) -> Option<WorkerKey> {
        self.info.worker.clone().zip(self.instance.clone())
    }

    /// Notes what went wrong; a worker may say anything.
    fn fail(&mut self, class: &str, message: impl Into<String>) {
        self.info.error_type = Some(short(class.to_owned(), MAX_CLASS));
        self.info.error_msg = Some(short(message.into(), MAX_MESSAGE));
    }
}

/// # Errors
/// When the store has something that is no job.
pub(super) fn record(row: &JobRow) -> Result<Record, ServerError> {
    serde_json::from_str(&row.document).map_err(|error| {
        ServerError::Store(StoreError::Damaged(format!("job {}: {error}", row.id)))
    })
}

impl Server {
    /// Takes up the jobs that had not ended, after a start.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(super) async fn load_jobs(&self) -> Result<(), ServerError> {
        let mut state = self.0.state.lock().await;
        state.jobs.last_id = self.0.store.last_job().await?;
        for row in self.0.store.live_jobs().await? {
            let record = record(&row)?;
            if let Some(worker) = record.worker() {
                // It has its time to be heard of again.
                self.0.workers.say(worker.clone(), ());
                let (name, instance) = worker;
                let (version, slots, scripts) = (String::new(), 0, false);
                let (protocol, number, live) = (0, 0, true);
                let (machines, conflicts) = (None, Vec::new());
                let worker = Worker {
                    instance,
                    version,
                    protocol,
                    slots,
                    scripts,
                    number,
                    live,
                    machines,
                    conflicts,
                };
                state.jobs.workers.insert(name, worker);
            }
            state.jobs.live.insert(record.info.id, record);
        }
        self.load_checks(&mut state).await
    }

    /// Writes what a job is now.
    pub(super) async fn put_job(
        &self,
        state: &mut State,
        record: Record,
    ) -> Result<(), ServerError> {
        self.0.store.put_job(&record.row()).await?;
        state.jobs.live.insert(record.info.id, record);
        self.changed();
        Ok(())
    }

    /// Ends a job, and gives its boards back at once.
    pub(in crate::server) async fn finish_job(
        &self,
        state: &mut State,
        mut record: Record,
        health: JobHealth,
        failure: Option<WorkFailure>,
    ) -> Result<JobInfo, ServerError> {
        if let Some(WorkFailure { class, message }) = failure {
            record.fail(&class, message);
        }
        let now_us = units::now_us();
        (record.info.state, record.info.health) = (JobState::Finished, health);
        (record.info.ended_us, record.info.waiting) = (Some(now_us), None);
        // In this order: who is to do it again after a failure still has the job.
        self.take_health(state, &record.info).await?;
        if record.boot.is_some() {
            self.lease_after(state, &record).await?;
        }
        self.0.store.put_job(&record.row()).await?;
        let id = record.info.id;
        state.jobs.live.remove(&id);
        state.jobs.hindered.remove(&id);
        let standing = JobStanding::of(&record.info, record.viewers.as_ref());
        state.jobs.ended.push_back((id, Arc::new(standing)));
        if state.jobs.ended.len() > ENDED {
            state.jobs.ended.pop_front();
        }
        state.jobs.tokens.remove(&id);
        self.0.logs.close(id);
        tracing::info!(job = id, user = record.info.user, "{}", health.as_str());
        self.changed();
        if state.requests.get(&record.info.request).is_some_and(|it| it.info.job == Some(id)) {
            let who = format!("job {id}");
            if let Err(error) = self.end(state, record.info.request, Ending::Released, &who).await {
                tracing::error!(job = id, "its boards are given back at the next look: {error}");
            }
        }
        Ok(record.info)
    }
}
