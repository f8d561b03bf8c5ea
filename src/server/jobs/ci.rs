//! CI jobs: scripts of a repository, and their runs, which are jobs without boards of their own. A run has a token
//! that is let in as who has begun it, and for as long as it lasts; what it asks for is noted as its own, and ended
//! with it (`pass.rs`: requests of jobs that are none any more).

use serde::{Deserialize, Serialize};

use super::read::Wanted;
use super::submit::{MAX_LIVE, PRIORITY, new};
use super::{JobError, Jobs, Record};
use crate::config::TokenUser;
use crate::model::{
    CiInfo, CiJob, JobInfo, JobState, Name, Right, Rights, TOKEN_BYTES, TokenHash, Work,
    WorkScript, token_of, units,
};
use crate::server::{Asker, Basis, Server, ServerError};
use crate::store::{CiRow, StoreError};
use crate::sys::random;

/// So long a run may take when nothing else is said, and at most, in seconds.
const LIMIT_S: u64 = 3600;
const MAX_LIMIT_S: u64 = 7 * 24 * 3600;
/// The longest text of a CI job, and of all that a script is given, in bytes.
const MAX_TEXT: usize = 4096;
/// So many words a script is given at most.
const MAX_ARGS: usize = 256;
/// So many CI jobs there are at most, and so many of a user.
const MAX_CI: usize = 10_000;
const MAX_CI_OF_ONE: usize = 200;
/// So many runs of a user may wait for a worker at a time.
const MAX_WAITING: usize = 200;

/// What a job is that runs a script.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Script {
    /// Of the token that it has, once a worker has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<TokenHash>,
    /// What who began it could do then, …
    rights: Rights,
    /// … and what that hangs on: it can do no more than they can now.
    #[serde(default)]
    basis: Basis,
}

/// The token of a run.
#[derive(Debug)]
pub struct RunToken {
    pub token: TokenUser,
    pub basis: Basis,
}

impl Server {
    pub async fn ci_jobs(&self) -> Result<Vec<CiInfo>, ServerError> {
        self.0.store.ci_jobs().await?.iter().map(info).collect()
    }

    /// # Errors
    /// When there is none of that name.
    pub async fn ci_job(&self, name: &str) -> Result<CiInfo, ServerError> {
        let row = self.0.store.ci_job(name).await?;
        info(&row.ok_or_else(|| JobError::NoCi(name.to_owned()))?)
    }

    /// Adds a CI job, or says anew what it is.
    ///
    /// # Errors
    /// When it is not understood, or somebody else's.
    pub async fn put_ci(
        &self,
        name: Name,
        job: CiJob,
        asker: &Asker,
    ) -> Result<CiInfo, ServerError> {
        check(&job)?;
        // One after the other, beside all else.
        let _turn = self.0.ci.lock().await;
        let all = self.ci_jobs().await?;
        let known = all.iter().find(|ci| ci.name == name);
        known.map_or(Ok(()), |ci| owned(ci, asker))?;
        if known.is_none() {
            let theirs = all.iter().filter(|ci| ci.user == asker.user).count();
            let (of_all, of_them) = ("there are".to_owned(), format!("{} has", asker.user));
            for (whose, count, most) in
                [(of_all, all.len(), MAX_CI), (of_them, theirs, MAX_CI_OF_ONE)]
            {
                if count >= most {
                    let what = format!("{whose} {most} CI jobs already, which is the most");
                    return Err(ServerError::Wrong(what));
                }
            }
        }
        let user = known.map_or_else(|| asker.user.clone(), |ci| ci.user.clone());
        let ci = CiInfo { name, user, job };
        let document = serde_json::to_string(&ci).unwrap_or_default();
        self.0.store.put_ci_job(&CiRow { name: ci.name.to_string(), document }).await?;
        Ok(ci)
    }

    /// # Errors
    /// When there is none, or it is somebody else's.
    pub async fn remove_ci(&self, name: &str, asker: &Asker) -> Result<(), ServerError> {
        owned(&self.ci_job(name).await?, asker)?;
        self.0.store.remove_ci_job(name).await?;
        Ok(())
    }

    /// Has a CI job run, as the asker.
    ///
    /// # Errors
    /// When there is none, or the asker may have no board.
    pub async fn run_ci(
        &self,
        name: &str,
        args: Vec<String>,
        asker: &Asker,
    ) -> Result<JobInfo, ServerError> {
        let length: usize = args.iter().map(String::len).sum();
        if args.len() > MAX_ARGS || length > MAX_TEXT || args.iter().any(|arg| arg.contains('\0')) {
            let what = format!("a script is given {MAX_ARGS} words of {MAX_TEXT} bytes at most");
            return Err(ServerError::Wrong(what));
        }
        let CiInfo { name, job, .. } = self.ci_job(name).await?;
        let limit_s = check(&job)?;
        let CiJob { git, reference, script, worker, .. } = job;
        let user = asker.user.clone();
        let script = WorkScript { ci: name, git, reference, script, args, user, limit_s };
        self.begin_script(script, worker, asker, None).await
    }

    /// Has a script run as it was run before.
    pub(super) async fn rerun(
        &self,
        record: &Record,
        definition: &str,
        asker: &Asker,
    ) -> Result<JobInfo, ServerError> {
        let script = script_of(record.info.id, definition)?;
        let script = WorkScript { user: asker.user.clone(), ..script };
        self.begin_script(script, record.wants.clone(), asker, Some(record.info.id)).await
    }

    async fn begin_script(
        &self,
        script: WorkScript,
        worker: Option<Name>,
        asker: &Asker,
        resubmit_of: Option<u64>,
    ) -> Result<JobInfo, ServerError> {
        if asker.job.is_some() {
            return Err(ServerError::Wrong("a script that runs begins no other one".into()));
        }
        if asker.user.parse::<Name>().is_err() {
            let what = format!("a script asks in its user's name, and {:?} is none", asker.user);
            return Err(ServerError::Wrong(what));
        }
        if asker.rights.most() < Some(Right::Write) {
            return Err(ServerError::NoRights);
        }
        let wanted = Wanted {
            name: script.ci.to_string(),
            priority: PRIORITY,
            specs: Vec::new(),
            roles: Vec::new(),
            length_s: script.limit_s,
            queue_s: None,
            worker,
            viewers: None,
        };
        let mut record = new(wanted, asker.user.clone());
        (record.info.ci, record.info.resubmit_of) = (Some(script.ci.clone()), resubmit_of);
        // It waits for no board, only for a worker.
        record.info.state = JobState::Scheduled;
        let (rights, basis) = (asker.rights.clone(), asker.basis);
        record.script = Some(Script { token: None, rights, basis });
        let definition = serde_json::to_string_pretty(&script).unwrap_or_default();
        let mut state = self.looked().await;
        let theirs = || state.jobs.live.values().filter(|it| it.info.user == asker.user);
        if theirs().count() >= MAX_LIVE {
            let what = format!("{} has {MAX_LIVE} jobs already that have not ended", asker.user);
            return Err(ServerError::Wrong(what));
        }
        if theirs().filter(|it| it.script.is_some() && it.info.worker.is_none()).count()
            >= MAX_WAITING
        {
            let what = format!(
                "{} has {MAX_WAITING} runs already that wait for a worker; lava job cancel ends them",
                asker.user
            );
            return Err(ServerError::Wrong(what));
        }
        let id = state.jobs.last_id + 1;
        record.info.id = id;
        self.write_job(&mut state, &record, &definition).await?;
        state.jobs.live.insert(id, record.clone());
        self.changed();
        Ok(state.with_why(record.info))
    }

    /// Everything that the run of a script needs, with its token: the same one however often it is asked for, as
    /// long as this server lives.
    pub(super) async fn script_work(&self, job: &Record) -> Result<Work, ServerError> {
        let id = job.info.id;
        let definition = self.0.store.job_definition(id).await?.ok_or(JobError::NoJob(id))?;
        let script = Some(script_of(id, &definition)?);
        let mut state = self.0.state.lock().await;
        let token = match state.jobs.tokens.get(&id) {
            Some(token) => token.clone(),
            None => {
                let token = random::<TOKEN_BYTES>().map_err(JobError::Random)?;
                let token = token_of(&token);
                let record = state.jobs.live.get(&id).ok_or(JobError::NoJob(id))?;
                let mut record = record.clone();
                if let Some(script) = &mut record.script {
                    script.token = TokenHash::of(&token);
                }
                self.put_job(&mut state, record).await?;
                state.jobs.tokens.insert(id, token.clone());
                token
            }
        };
        Ok(Work { id, definition, boards: Vec::new(), token: Some(token), script, leave_on: false })
    }

    /// The tokens of the scripts that run.
    pub async fn run_tokens(&self) -> Vec<RunToken> {
        let state = self.0.state.lock().await;
        let runs = state.jobs.live.values().filter_map(|record| {
            let script = record.script.as_ref()?;
            let token = TokenUser {
                name: record.info.user.parse().ok()?,
                hash: script.token?,
                rights: script.rights.clone(),
                speaks_for_others: false,
                worker: None,
                job: Some(record.info.id),
            };
            Some(RunToken { token, basis: script.basis })
        });
        runs.collect()
    }
}

impl Jobs {
    /// The runs that may what their users may, by their names.
    pub(in crate::server) fn scripts_by_name(&self) -> impl Iterator<Item = &Record> {
        let is_by_name =
            |it: &&Record| it.script.as_ref().is_some_and(|script| script.basis == Basis::Name);
        self.live.values().filter(is_by_name)
    }
}

/// How long it may take, in seconds, if it is understood.
fn check(job: &CiJob) -> Result<u64, ServerError> {
    let wrong = |what: String| Err(ServerError::Wrong(what));
    let texts = [Some(&job.git), job.reference.as_ref(), Some(&job.script)];
    for text in texts.into_iter().flatten() {
        if text.is_empty() || text.len() > MAX_TEXT || text.contains(char::is_control) {
            return wrong(format!("git, ref and script are texts of 1 to {MAX_TEXT} bytes"));
        }
        if text.starts_with('-') {
            return wrong(format!("{text:?} would be an option"));
        }
    }
    // Everybody may look at it.
    let login = job.git.split_once("://").and_then(|(_, rest)| rest.split('/').next());
    if login.and_then(|host| host.rsplit_once('@')).is_some_and(|(login, _)| login.contains(':')) {
        return wrong("git: a URL with a password in it is shown to everybody".into());
    }
    if job.script.starts_with('/') || job.script.split('/').any(|part| part == "..") {
        return wrong(format!("script: {:?} is no path in the repository", job.script));
    }
    let Some(length) = &job.length else { return Ok(LIMIT_S) };
    let length = units::duration(length).map_err(ServerError::Wrong)?.as_secs();
    match (1..=MAX_LIMIT_S).contains(&length) {
        true => Ok(length),
        false => wrong(format!("for: a run takes 1 s to {} h", MAX_LIMIT_S / 3600)),
    }
}

fn owned(ci: &CiInfo, asker: &Asker) -> Result<(), ServerError> {
    match ci.user == asker.user || asker.on_all >= Some(Right::Control) {
        true => Ok(()),
        false => {
            let (name, user) = (ci.name.clone(), ci.user.clone());
            Err(JobError::NotYourCi { name, user }.into())
        }
    }
}

fn script_of(id: u64, definition: &str) -> Result<WorkScript, ServerError> {
    serde_json::from_str(definition).map_err(|error| {
        ServerError::Store(StoreError::Damaged(format!("the script of job {id}: {error}")))
    })
}

fn info(row: &CiRow) -> Result<CiInfo, ServerError> {
    serde_json::from_str(&row.document).map_err(|error| {
        ServerError::Store(StoreError::Damaged(format!("the CI job {}: {error}", row.name)))
    })
}
