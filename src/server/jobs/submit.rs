//! What people do with jobs: hand them in, look at them, end them, hand them in again.

use std::collections::BTreeSet;

use super::boot::with_stage;
use super::read::{Wanted, read};
use super::{JobError, Record, Viewers, record};
use crate::dispatch::masked::masked;
use crate::model::{
    BoardRequest, Failure, JobHealth, JobInfo, JobState, JobSubmit, Kind, Name, Right, units,
};
use crate::sched::Spec;
use crate::server::audience::Audience;
use crate::server::lease::{audience, needed, read as read_request};
use crate::server::state::{self, State};
use crate::server::{Asker, Server, ServerError};
use crate::store::StoreError;

/// So many jobs of a user may be live at a time.
pub(super) const MAX_LIVE: usize = 1000;
/// So many jobs are listed at once at most.
const MAX_LISTED: u32 = 1000;
/// LAVA's in the middle.
pub(super) const PRIORITY: u8 = 50;
/// What a definition is called that has no name.
const FILE: &str = "job";
/// The highest priority.
const HIGH: u8 = 100;
/// Who asks for health checks.
pub(in crate::server) const HEALTH: &str = "lava-health";

/// Some of the jobs.
#[derive(Debug)]
pub struct JobList {
    pub jobs: Vec<JobInfo>,
    /// Older ones have numbers below this, whoever may see them; `None` when there are none.
    pub older: Option<u64>,
}

impl Server {
    /// Takes a job: it is in the queue from now on.
    ///
    /// # Errors
    /// Everything that is wrong with its definition; when no board of the lab is like that.
    pub async fn submit_job(
        &self,
        asked: JobSubmit,
        asker: &Asker,
    ) -> Result<JobInfo, ServerError> {
        let file = asked.file.unwrap_or_else(|| FILE.to_owned());
        self.take_job(&asked.definition, &file, asker, None).await
    }

    async fn take_job(
        &self,
        definition: &str,
        file: &str,
        asker: &Asker,
        resubmit_of: Option<u64>,
    ) -> Result<JobInfo, ServerError> {
        let tried = self.with_urls(definition).await?;
        let wanted = read(&tried, file).map_err(JobError::Definition)?;
        self.try_out(&tried, file, &wanted, asker).await?;
        let mut state = self.looked().await;
        let theirs = state.jobs.live.values().filter(|it| it.info.user == asker.user);
        if theirs.count() >= MAX_LIVE {
            let what = format!("{} has {MAX_LIVE} jobs already that have not ended", asker.user);
            return Err(ServerError::Wrong(what));
        }
        let mut wanted = wanted;
        let audience = match audience(&state, asker, wanted.priority) {
            // A job file is taken as it is; it comes before others only where its user may.
            Err(ServerError::NoPriority { most }) => {
                wanted.priority = most;
                audience(&state, asker, most)?
            }
            others => others?,
        };
        let claim = state.claim(asker, audience.as_ref(), needed(wanted.priority));
        let mut record = new(wanted, asker.user.clone());
        record.claim = claim;
        (record.audience, record.info.resubmit_of) = (audience.map(BTreeSet::from), resubmit_of);
        self.begin_job(&mut state, record, definition).await
    }

    /// Writes a job down that has the next number.
    pub(super) async fn write_job(
        &self,
        state: &mut State,
        record: &Record,
        definition: &str,
    ) -> Result<(), ServerError> {
        let id = record.info.id;
        if let Err(error) = self.0.store.add_job(&record.row(), definition).await {
            // It may be there all the same, or one that was lost so.
            let there = self.0.store.job(id).await?.ok_or(error)?;
            state.jobs.last_id = id;
            if there != record.row() {
                return Err(StoreError::Damaged(format!("job {id} is there already")).into());
            }
        }
        state.jobs.last_id = id;
        Ok(())
    }

    /// Writes a job down, and asks for its boards.
    pub(super) async fn begin_job(
        &self,
        state: &mut State,
        mut record: Record,
        definition: &str,
    ) -> Result<JobInfo, ServerError> {
        let id = state.jobs.last_id + 1;
        record.info.id = id;
        self.write_job(state, &record, definition).await?;
        let asked = match self.ask_for(state, &mut record).await {
            Err(error) if !error.may_pass() => {
                // Nobody is to find it in the queue for ever.
                let failure = Failure::from(error);
                record.fail("Configuration", failure.message.clone());
                self.finish_job(state, record, JobHealth::Incomplete, None).await?;
                return Err(JobError::Definition(failure).into());
            }
            asked => asked,
        };
        state.jobs.live.insert(id, record.clone());
        // It is written down: what is not known yet of its request is looked for again.
        let written = match asked {
            Ok(()) => self.0.store.put_job(&record.row()).await.map_err(ServerError::from),
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            tracing::warn!(job = id, "its request is seen to later: {error}");
        }
        self.changed();
        Ok(state.with_why(record.info))
    }

    /// Puts a job's request into the queue.
    pub(super) async fn ask_for(
        &self,
        state: &mut State,
        job: &mut Record,
    ) -> Result<(), ServerError> {
        let info = &job.info;
        let asked = BoardRequest {
            specs: info.specs.clone(),
            length: format!("{}s", job.length_s),
            priority: Some(info.priority),
            reason: Some(format!("job {}", info.id)),
            ..BoardRequest::default()
        };
        let mut request = read_request(asked, info.user.clone(), units::now_us())?;
        // Also when it asks anew, its turn comes by its age.
        request.submitted_us = info.submitted_us;
        request.shared_with = job.names();
        request.job = Some(info.id);
        let account = self.account(&request.user).await?;
        let audience = job.audience.clone().map(Audience::from);
        let claim = job.claim.clone();
        let audience = match &claim {
            Some(claim) => {
                state.claimed(&request.user, claim, needed(request.priority), audience)?
            }
            None => audience,
        };
        let audience = audience.map(|audience| state.admit(audience));
        // A check of a board without a dictionary tells that.
        let dispatched = info.user != HEALTH;
        let record = state::Record { info: request, audience, claim, dispatched, account };
        job.info.request = self.enqueue(state, record).await?;
        Ok(())
    }

    /// Of so many jobs with numbers below one, the newest first, those that the asker may see.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn jobs(
        &self,
        before: Option<u64>,
        most: u32,
        asker: &Asker,
    ) -> Result<JobList, ServerError> {
        let most = most.clamp(1, MAX_LISTED);
        let rows = self.0.store.jobs_before(before.unwrap_or(u64::MAX), most).await?;
        let full = rows.len() >= most as usize;
        let older = rows.last().map(|row| row.id).filter(|id| full && *id > 1);
        let groups = self.groups_of(&asker.user).await?;
        let mut jobs = Vec::new();
        for row in &rows {
            let record = record(row)?;
            if record.is_seen_by(asker, &groups) {
                jobs.push(record.info);
            }
        }
        let state = self.looked().await;
        let jobs = jobs.into_iter().map(|info| with_stage(state.with_why(info))).collect();
        Ok(JobList { jobs, older })
    }

    /// # Errors
    /// When there is no such job, or the asker may not look at it.
    pub async fn job(&self, id: u64, asker: &Asker) -> Result<JobInfo, ServerError> {
        let info = self.job_record(id, asker).await?.info;
        Ok(with_stage(self.looked().await.with_why(info)))
    }

    /// A job as it was handed in, without the values of its secrets.
    ///
    /// # Errors
    /// As [`Self::job`].
    pub async fn definition(&self, id: u64, asker: &Asker) -> Result<String, ServerError> {
        self.job_record(id, asker).await?;
        let text = self.0.store.job_definition(id).await?.ok_or(JobError::NoJob(id))?;
        Ok(masked(&text, &text))
    }

    /// Ends a job, at once where no worker has it.
    ///
    /// # Errors
    /// When it has ended, or the asker may not.
    pub async fn cancel_job(&self, id: u64, asker: &Asker) -> Result<JobInfo, ServerError> {
        self.job_record(id, asker).await?;
        let mut state = self.looked().await;
        let mut record = state.jobs.live.get(&id).ok_or(JobError::Ended(id))?.clone();
        if !may_end(&record, asker) {
            let user = record.info.user;
            return Err(JobError::NotYours { id, user }.into());
        }
        record.info.canceled_by.get_or_insert_with(|| asker.user.clone());
        let info = match &record.info.worker {
            None => self.finish_job(&mut state, record, JobHealth::Canceled, None).await?,
            Some(_) => {
                record.info.state = JobState::Canceling;
                let info = record.info.clone();
                self.put_job(&mut state, record).await?;
                info
            }
        };
        Ok(state.with_why(info))
    }

    /// Hands a job in once more, as the asker's.
    ///
    /// # Errors
    /// As [`Self::submit_job`]; when the asker may not look at it.
    pub async fn resubmit_job(&self, id: u64, asker: &Asker) -> Result<JobInfo, ServerError> {
        let record = self.job_record(id, asker).await?;
        if record.boot.is_some() {
            let what = format!("job {id} was a boot: lava boot boots again");
            return Err(ServerError::Wrong(what));
        }
        let text = self.0.store.job_definition(id).await?.ok_or(JobError::NoJob(id))?;
        if record.info.ci.is_some() {
            return self.rerun(&record, &text, asker).await;
        }
        self.take_job(&text, &format!("job {id}"), asker, Some(id)).await
    }

    /// A job that the asker may look at. One that they may not is none to them.
    pub(super) async fn job_record(&self, id: u64, asker: &Asker) -> Result<Record, ServerError> {
        let live = self.0.state.lock().await.jobs.live.get(&id).cloned();
        let record = match live {
            Some(record) => record,
            None => {
                let row = self.0.store.job(id).await?.ok_or(JobError::NoJob(id))?;
                record(&row)?
            }
        };
        let groups = match &record.viewers {
            Some(Viewers::Groups(_)) => self.groups_of(&asker.user).await?,
            _ => Vec::new(),
        };
        match record.is_seen_by(asker, &groups) {
            true => Ok(record),
            false => Err(JobError::NoJob(id).into()),
        }
    }

    /// The groups that a user of the server's is of.
    pub async fn groups_of(&self, user: &str) -> Result<Vec<Name>, ServerError> {
        let users = self.users().await?;
        let found = users.into_iter().find(|it| it.name.as_str() == user);
        Ok(found.map(|it| it.user.groups.into_iter().collect()).unwrap_or_default())
    }
}

impl Record {
    fn is_seen_by(&self, asker: &Asker, groups: &[Name]) -> bool {
        may_see(&self.info.user, self.viewers.as_ref(), asker, groups)
    }
}

impl State {
    /// A job with why it waits.
    pub(super) fn with_why(&self, mut info: JobInfo) -> JobInfo {
        info.waiting = match info.state {
            JobState::Submitted if info.request == 0 => Some(self.no_worker()),
            JobState::Submitted => {
                self.standing(info.request).and_then(|request| request.waiting).map(|waiting| {
                    format!("number {} in the queue: {}", waiting.position, waiting.why)
                })
            }
            JobState::Scheduling => Some("the outlets of its boards are told of it".into()),
            JobState::Scheduled if info.worker.is_none() && info.ci.is_some() => {
                Some(self.no_worker_for_scripts())
            }
            JobState::Scheduled if info.worker.is_none() => Some(self.no_worker()),
            JobState::Scheduled => self.jobs.hindered.get(&info.id).cloned(),
            _ => None,
        };
        info
    }

    fn no_worker_for_scripts(&self) -> String {
        let mut live = self.jobs.workers.values().filter(|worker| worker.live);
        match live.any(|worker| worker.scripts) {
            false => "it waits for a worker that runs scripts, and there is none: lava-dispatcher \
                      worker --scripts"
                .into(),
            true => "it waits for a worker that runs scripts to have room".into(),
        }
    }

    fn no_worker(&self) -> String {
        let live = self.jobs.workers.values().filter(|worker| worker.live).count();
        match live {
            0 => "it waits for a worker, and there is none: lava-dispatcher worker --server URL"
                .into(),
            _ => "it waits for a worker that has room and may run it".into(),
        }
    }

    /// Whether a board of the lab answers to a description.
    pub(super) fn answers(&self, spec: &Spec) -> bool {
        self.boards.values().any(|board| spec.answers(&self.lab.board(board.ix).traits))
    }
}

/// A job that nobody has written down yet.
pub(super) fn new(wanted: Wanted, user: String) -> Record {
    let Wanted { name, priority, specs, roles, length_s, queue_s, worker, viewers } = wanted;
    let info = JobInfo {
        id: 0,
        name,
        user,
        state: JobState::Submitted,
        health: JobHealth::Unknown,
        priority,
        specs,
        boards: Vec::new(),
        request: 0,
        worker: None,
        submitted_us: units::now_us(),
        started_us: None,
        ended_us: None,
        error_type: None,
        error_msg: None,
        canceled_by: None,
        resubmit_of: None,
        checks: None,
        ci: None,
        boot: None,
        tally: None,
        waiting: None,
    };
    Record {
        info,
        audience: None,
        claim: None,
        roles,
        length_s,
        queue_s,
        wants: worker,
        viewers,
        instance: None,
        gone_s: 0,
        script: None,
        stored: None,
        boot: None,
    }
}

/// A health check of a board.
pub(super) fn new_check(wanted: Wanted, board: &Name) -> Record {
    let mut record = new(wanted, HEALTH.to_owned());
    record.info.checks = Some(board.clone());
    record.info.priority = HIGH;
    for spec in &mut record.info.specs {
        *spec = format!("name={board}");
    }
    record
}

/// Whether somebody of these groups may look at a user's job.
pub(in crate::server) fn may_see(
    user: &str,
    viewers: Option<&Viewers>,
    asker: &Asker,
    groups: &[Name],
) -> bool {
    let theirs = user == asker.user || asker.on_all >= Some(Right::Control);
    match viewers {
        None => true,
        Some(Viewers::Nobody) => theirs,
        Some(Viewers::Groups(all)) => {
            theirs || groups.iter().any(|group| all.iter().any(|it| it == group.as_str()))
        }
    }
}

/// Whose it is, with a token that may write; and who may control all of its boards.
fn may_end(record: &Record, asker: &Asker) -> bool {
    let info = &record.info;
    let on_all = |right| {
        let boards = info.boards.iter().chain([]);
        match info.boards.is_empty() {
            true => asker.on_all >= Some(right),
            false => boards.into_iter().all(|board| asker.may(right, board.name.as_str())),
        }
    };
    let few = record.audience.iter().flatten();
    let writes = few.into_iter().any(|board| asker.may(Right::Write, board.as_str()));
    // A script has no boards of its own.
    let runs = info.ci.is_some() && asker.rights.most() >= Some(Right::Write);
    let own = info.user == asker.user && (writes || runs || on_all(Right::Write));
    own || on_all(Right::Control)
}

impl From<JobError> for ServerError {
    fn from(error: JobError) -> Self {
        Self::Job(error)
    }
}

/// What is told of a job for boards that the lab has not.
pub(super) fn no_board(spec: &str) -> JobError {
    let what = format!("no board of the lab is like this: {spec}");
    JobError::Definition(Failure::new(Kind::User, what).hint("lava board list has them"))
}
