//! Boots: jobs within somebody's lease. They deploy and boot what its holder asks for, and leave the board on.
//!
//! Such a job has no request of its own: its boards are those of the lease, which it shares while it lives, and which
//! goes on after it. What it takes from the image store it gets by a pass that is good for as long as it lives.

use serde::{Deserialize, Serialize};

use super::boards::OVERTIME_S;
use super::read::read;
use super::submit::new;
use super::{JobError, Record};
use crate::model::{
    BootRequest, BootState, Ending, Failure, JobBoard, JobHealth, JobInfo, JobState, Kind, Name,
    RequestState, Right, Sha256, SshPlace, units,
};
use crate::server::state::State;
use crate::server::{Asker, Server, ServerError};
use crate::sys::random;

mod definition;
mod progress;

pub use definition::{BootFile, Source};
pub(super) use progress::Progress;

/// What a definition is called in messages.
const FILE: &str = "the boot";

/// What makes a job a boot.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::server) struct Boot {
    /// Who shows it gets the files.
    pass: String,
    files: Vec<Sha256>,
    /// How the lease ends with it, and whose doing that is: it was given back, or its time was over, meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    then: Option<(Ending, String)>,
}

impl Server {
    /// Has a board boot something for who has it.
    ///
    /// # Errors
    /// When it is not the asker's, is being booted already, or its dictionary has no way for that.
    pub async fn boot_board(
        &self,
        board: &str,
        asked: &BootRequest,
        files: &[BootFile],
        asker: &Asker,
    ) -> Result<JobInfo, ServerError> {
        let (name, description) = {
            let state = self.looked().await;
            let (name, found) = state.find(board)?;
            state.bootable(name, asker)?;
            (name.clone(), found.description.clone())
        };
        let device = self.device(&name, &description).await?;
        let ssh = SshPlace::of(&description.attributes);
        let pass = new_pass()?;
        let define = |id| {
            let kind = description.kind.as_str();
            let about = definition::About { name: &name, kind, id, pass: &pass, ssh: ssh.as_ref() };
            definition::definition(&about, &device, asked, files)
        };
        let text = define(0).map_err(JobError::Definition)?;
        let mut wanted = read(&text, FILE).map_err(JobError::Definition)?;
        wanted.specs = vec![format!("name={name}")];
        self.try_out(&self.with_urls(&text).await?, FILE, &wanted, asker).await?;
        // What was so a moment ago may not be so any more.
        let mut state = self.looked().await;
        let request = state.bootable(&name, asker)?;
        let id = state.jobs.last_id + 1;
        let text = define(id).map_err(JobError::Definition)?;
        let mut record = new(wanted, asker.user.clone());
        record.info.id = id;
        record.info.request = request;
        record.info.boards = vec![JobBoard { name, role: None }];
        record.info.boot = Some(BootState::Queued);
        let files = files.iter().filter_map(|file| file.stored().cloned()).collect();
        record.boot = Some(Boot { pass, files, then: None });
        self.write_job(&mut state, &record, &text).await?;
        let info = record.info.clone();
        state.jobs.live.insert(id, record);
        self.changed();
        Ok(info)
    }

    /// Whether who shows a pass may have a file for a job that has not ended.
    pub async fn may_fetch(&self, id: u64, file: &Sha256, pass: &str) -> bool {
        let state = self.0.state.lock().await;
        let Some(record) = state.jobs.live.get(&id) else { return false };
        // A boot whose words name images has both.
        let boot = record.boot.as_ref().map(|boot| (&boot.pass, &boot.files));
        let stored = record.stored.as_ref().map(|stored| (&stored.pass, &stored.files));
        let mut own = boot.into_iter().chain(stored);
        own.any(|(own, files)| is_pass(own, pass) && files.contains(file))
    }

    /// Has a lease end as soon as the boots have that workers have in hand on its boards. Whether there is one.
    pub(in crate::server) async fn end_after_boot(
        &self,
        state: &mut State,
        lease: u64,
        ending: Ending,
        who: &str,
    ) -> Result<bool, ServerError> {
        let boots: Vec<Record> = state.boots_in_hand(lease).cloned().collect();
        if boots.is_empty() {
            return Ok(false);
        }
        let now = units::now_us() / 1_000_000;
        if state.lab.lease(lease).is_some_and(|lease| lease.until <= now) {
            state.lab.overrun(lease, now + OVERTIME_S, now)?;
        }
        for mut record in boots {
            if let Some(boot) = record.boot.as_mut().filter(|boot| boot.then.is_none()) {
                boot.then = Some((ending, who.to_owned()));
                record.info.state = JobState::Canceling;
                record.info.canceled_by.get_or_insert_with(|| who.to_owned());
                self.put_job(state, record).await?;
            }
        }
        Ok(true)
    }

    /// A boot ends: the lease is its holder's alone again, or ends with the last of its boots. It is done before the boot
    /// has ended, so that whoever tells of its end again after a failure or a crash does this again, too.
    pub(super) async fn lease_after(
        &self,
        state: &mut State,
        job: &Record,
    ) -> Result<(), ServerError> {
        let (lease, then) = (job.info.request, job.boot.as_ref().and_then(|it| it.then.clone()));
        // It may have been done already, and what comes after it not.
        if !state.requests.contains_key(&lease) {
            return Ok(());
        }
        if let Some((ending, who)) = then {
            if !state.boots_in_hand(lease).any(|it| it.info.id != job.info.id) {
                return self.end(state, lease, ending, &who).await.map(drop);
            }
            self.end_after_boot(state, lease, ending, &who).await?;
        }
        self.share_with_boot(state, job, false).await
    }

    /// Shares the lease with its boot, or ends that.
    pub(super) async fn share_with_boot(
        &self,
        state: &mut State,
        job: &Record,
        lives: bool,
    ) -> Result<(), ServerError> {
        let Some(lease) = state.requests.get(&job.info.request) else { return Ok(()) };
        let (mut lease, names) = (crate::server::state::Record::clone(lease), job.names());
        let before = lease.info.shared_with.clone();
        lease.info.shared_with.retain(|user| !names.contains(user));
        if lives {
            lease.info.shared_with.extend(names);
        }
        if lease.info.shared_with == before {
            return Ok(());
        }
        self.0.store.put_requests(&[lease.row()], &[]).await?;
        self.put(state, lease).map(drop)
    }
}

impl State {
    /// The boots that workers have in hand on the boards of a lease.
    pub(in crate::server) fn boots_in_hand(&self, lease: u64) -> impl Iterator<Item = &Record> {
        let boots = self.jobs.live.values().filter(|it| it.boot.is_some());
        boots.filter(move |it| it.info.request == lease && it.info.worker.is_some())
    }

    /// The boot with which a lease ends.
    pub(in crate::server) fn ends_with(&self, lease: u64) -> Option<u64> {
        let is_last = |it: &&Record| it.boot.as_ref().is_some_and(|boot| boot.then.is_some());
        self.boots_in_hand(lease).find(is_last).map(|it| it.info.id)
    }

    /// The lease by which somebody may boot a board now.
    fn bootable(&self, board: &Name, asker: &Asker) -> Result<u64, ServerError> {
        let none = || {
            let what = format!("{} has not leased {board}", asker.user);
            let hint = format!("lava reserve name={board} --for 2h");
            JobError::Definition(Failure::new(Kind::Refused, what).hint(hint))
        };
        let id = *self.leased.get(board).ok_or_else(none)?;
        let lease = self.requests.get(&id).ok_or_else(none)?;
        let theirs = lease.is_of(&asker.user) && asker.may(Right::Write, board.as_str());
        if !theirs || lease.info.job.is_some() || lease.info.state != RequestState::Leased {
            return Err(none().into());
        }
        let under_way =
            self.jobs.live.values().find(|job| {
                job.boot.is_some() && job.info.boards.iter().any(|it| it.name == *board)
            });
        match under_way {
            None => Ok(id),
            Some(job) => {
                let id = job.info.id;
                let what = format!("{board} is being booted already, by job {id}");
                let failure = Failure::new(Kind::Refused, what);
                Err(JobError::Definition(failure.hint(format!("lava job cancel {id}"))).into())
            }
        }
    }
}

/// In a time that tells nothing of where two differ.
fn is_pass(own: &str, shown: &str) -> bool {
    let differ = own.bytes().zip(shown.bytes()).fold(0, |all, (a, b)| all | (a ^ b));
    differ == 0 && own.len() == shown.len()
}

/// 256 random bits, in hexadecimal digits.
pub(super) fn new_pass() -> Result<String, JobError> {
    let bits: [u8; 32] = random().map_err(JobError::Random)?;
    Ok(bits.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A boot with how far it is.
pub(super) fn with_stage(mut info: JobInfo) -> JobInfo {
    info.boot = stage(&info);
    info
}

/// How far a boot is: what was noted of its log, until it has ended. None of a job that is no boot.
pub(in crate::server) fn stage(info: &JobInfo) -> Option<BootState> {
    info.boot.map(|noted| match (info.state, info.health) {
        // One that was held has a reason for its end.
        (JobState::Finished, JobHealth::Complete) if info.error_msg.is_none() => BootState::Ready,
        (JobState::Finished, _) => BootState::Failed,
        (JobState::Running | JobState::Canceling, _) => noted.max(BootState::Deploying),
        _ => BootState::Queued,
    })
}
