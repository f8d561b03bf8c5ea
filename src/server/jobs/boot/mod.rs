//! Boots: jobs within somebody's lease. They deploy and boot what its holder asks for, and leave the board on.
//!
//! Such a job has no request of its own: its boards are those of the lease, which it shares while it lives, and which
//! goes on after it. What it takes from the image store it gets by a pass that is good for as long as it lives.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::boards::OVERTIME_S;
use super::read::read;
use super::submit::new;
use super::{JobError, Record};
use crate::dispatch::execute::LOG;
use crate::model::{
    BootRequest, BootState, Ending, Failure, JobBoard, JobHealth, JobInfo, JobState, Kind, Name,
    RequestState, Right, Sha256, units,
};
use crate::server::state::State;
use crate::server::{Asker, Server, ServerError};

mod definition;

pub use definition::{BootFile, Source};

/// The header that has the pass.
pub const PASS: &str = "x-lava-pass";
/// What a definition is called in messages.
const FILE: &str = "the boot";
/// So much of a log is looked at for how far a boot is, in bytes.
const LOOKED_AT: u64 = 256 * 1024;
/// What the dispatcher says of a board that it keeps on.
const KEPT: &str = "the board is up, and is kept so";

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
        let methods = self.boot_methods(&name, &description).await?;
        let pass = new_pass().map_err(|error| Failure::from_error(Kind::Infra, &error));
        let pass = pass.map_err(JobError::Definition)?;
        let define = |id| {
            let about =
                definition::About { name: &name, kind: description.kind.as_str(), id, pass: &pass };
            definition::definition(&about, &methods, asked, files)
        };
        let text = define(0).map_err(JobError::Definition)?;
        let mut wanted = read(&text, FILE).map_err(JobError::Definition)?;
        wanted.specs = vec![format!("name={name}")];
        self.try_out(&text, FILE, &wanted, asker).await?;
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
        let boot = record.boot.as_ref().map(|boot| (&boot.pass, &boot.files));
        let own = boot.or(record.stored.as_ref().map(|stored| (&stored.pass, &stored.files)));
        own.is_some_and(|(own, files)| is_pass(own, pass) && files.contains(file))
    }

    /// Has a lease end as soon as the boot has that a worker has in hand on its board. Whether there is one.
    pub(in crate::server) async fn end_after_boot(
        &self,
        state: &mut State,
        lease: u64,
        ending: Ending,
        who: &str,
    ) -> Result<bool, ServerError> {
        let mut boots = state.jobs.live.values();
        let in_hand = |it: &&Record| it.info.request == lease && it.info.worker.is_some();
        let Some(record) = boots.find(|it| it.boot.is_some() && in_hand(it)).cloned() else {
            return Ok(false);
        };
        let mut record = record;
        let now = units::now_us() / 1_000_000;
        if state.lab.lease(lease).is_some_and(|lease| lease.until <= now) {
            state.lab.overrun(lease, now + OVERTIME_S, now)?;
        }
        if let Some(boot) = record.boot.as_mut().filter(|boot| boot.then.is_none()) {
            boot.then = Some((ending, who.to_owned()));
            record.info.state = JobState::Canceling;
            record.info.canceled_by.get_or_insert_with(|| who.to_owned());
            self.put_job(state, record).await?;
        }
        Ok(true)
    }

    /// A boot has ended: the lease is its holder's alone again, or ends with it.
    pub(super) async fn lease_after(
        &self,
        state: &mut State,
        job: &Record,
    ) -> Result<(), ServerError> {
        match job.boot.as_ref().and_then(|boot| boot.then.clone()) {
            Some((ending, who)) => self.end(state, job.info.request, ending, &who).await.map(drop),
            None => self.share_with_boot(state, job, false).await,
        }
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

    /// A boot with how far it is.
    pub(super) fn with_stage(&self, mut info: JobInfo) -> JobInfo {
        if info.boot.is_some() {
            info.boot = Some(match (info.state, info.health) {
                // One that was held has a reason for its end.
                (JobState::Finished, JobHealth::Complete) if info.error_msg.is_none() => {
                    BootState::Ready
                }
                (JobState::Finished, _) => BootState::Failed,
                (JobState::Running | JobState::Canceling, _) => {
                    let board = info.boards.first().map_or("", |board| board.name.as_str());
                    stage(&self.0.logs.folder(info.id, board).join(LOG))
                }
                _ => BootState::Queued,
            });
        }
        info
    }
}

impl State {
    /// Whether a worker has a boot in hand on a board of a lease.
    pub(in crate::server) fn is_booted(&self, lease: u64) -> bool {
        let mut boots = self.jobs.live.values().filter(|it| it.boot.is_some());
        boots.any(|it| it.info.request == lease && it.info.worker.is_some())
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

/// 244 random bits.
pub(super) fn new_pass() -> std::io::Result<String> {
    let one = || std::fs::read_to_string("/proc/sys/kernel/random/uuid");
    Ok(format!("{}-{}", one()?.trim(), one()?.trim()))
}

/// How far the boot of a log is: which action has begun last.
fn stage(log: &Path) -> BootState {
    let mut text = Vec::new();
    let read = std::fs::File::open(log).and_then(|mut file| {
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(LOOKED_AT)))?;
        file.take(LOOKED_AT).read_to_end(&mut text)
    });
    match read {
        Ok(_) => stage_of(&String::from_utf8_lossy(&text)),
        Err(_) => BootState::Deploying,
    }
}

fn stage_of(log: &str) -> BootState {
    if log.contains(KEPT) {
        return BootState::Ready;
    }
    // As `start: 2.4.1 auto-login-action`.
    let begun = log.rsplit("start: ").find_map(|rest| {
        let (level, name) = rest.split_once(' ')?;
        let block = level.split('.').next()?.parse::<u32>().ok()?;
        Some((block, name.split(' ').next().unwrap_or_default()))
    });
    match begun {
        Some((2.., name)) if LOGIN.iter().any(|action| name.starts_with(action)) => {
            BootState::Login
        }
        Some((2.., _)) => BootState::Booting,
        _ => BootState::Deploying,
    }
}

/// The actions that wait for a shell.
const LOGIN: [&str; 3] = ["auto-login-action", "login-action", "expect-shell-connection"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_tells_how_far_a_boot_is() {
        for (log, state) in [
            ("", BootState::Deploying),
            ("start: 1 tftp-deploy (timeout 00:01:00)", BootState::Deploying),
            ("start: 1.2 x\"}\n{\"msg\":\"start: 2 uboot-action (t)", BootState::Booting),
            ("start: 2 a\nstart: 2.4 auto-login-action (timeout", BootState::Login),
            ("start: 2.4 auto-login-action\nstart: off", BootState::Login),
            ("start: 2 a\nthe board is up, and is kept so", BootState::Ready),
        ] {
            assert_eq!(stage_of(log), state, "{log}");
        }
    }
}
