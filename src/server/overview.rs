//! What there is in the lab, in a word each: who follows the lab is told when a word changes.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use super::jobs::{self, Viewers, may_see};
use super::state::{Board, Record, State};
use super::{Asker, Server};
use crate::model::{BootState, JobHealth, JobInfo, JobState, Name, RequestInfo};

/// The lab at a moment.
#[derive(Debug, Default)]
pub struct Overview {
    pub boards: BTreeMap<Name, BoardStanding>,
    /// Those that have not ended.
    pub requests: BTreeMap<u64, Standing>,
    /// Those that have not ended, and the last that have.
    pub jobs: BTreeMap<u64, Arc<JobStanding>>,
    /// `live` or `stale`, by their URLs.
    pub daemons: BTreeMap<String, &'static str>,
}

/// A board at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoardStanding {
    /// `idle`, `reserved`, `running`, `away`, or how healthy it is when that is why nobody gets it.
    pub word: &'static str,
    /// The lease that it had last: one that came and went between two looks is noticed by that.
    lease: Option<u64>,
}

/// A request at a moment, and whom it concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// `waiting`, `booked`, `leased`, or `ready` when the outlets know it, too.
    pub state: &'static str,
    pub holders: Vec<String>,
    pub boards: Vec<Name>,
}

/// A job at a moment, and who may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobStanding {
    pub state: JobState,
    pub health: JobHealth,
    /// Of a boot, how far it is.
    pub boot: Option<BootState>,
    pub user: String,
    pub boards: Vec<Name>,
    viewers: Option<Viewers>,
}

impl JobStanding {
    pub(super) fn of(info: &JobInfo, viewers: Option<&Viewers>) -> Self {
        Self {
            state: info.state,
            health: info.health,
            boot: jobs::boot::stage(info),
            user: info.user.clone(),
            boards: info.boards.iter().map(|board| board.name.clone()).collect(),
            viewers: viewers.cloned(),
        }
    }

    /// Whether its groups have to be known to tell who may see it.
    pub fn is_for_groups(&self) -> bool {
        matches!(self.viewers, Some(Viewers::Groups(_)))
    }

    /// Whether somebody of these groups may look at it.
    pub fn may_be_seen(&self, asker: &Asker, groups: &[Name]) -> bool {
        may_see(&self.user, self.viewers.as_ref(), asker, groups)
    }
}

impl Server {
    /// The lab as it is. It is looked at once for each change, however many ask.
    pub async fn overview(&self) -> Arc<Overview> {
        let state = self.looked().await;
        let at = *self.0.changes.borrow();
        let mut last = self.0.overview.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, overview)) = last.as_ref().filter(|(seen, _)| *seen == at) {
            return overview.clone();
        }
        let overview = Arc::new(state.overview());
        *last = Some((at, overview.clone()));
        overview
    }
}

impl State {
    fn overview(&self) -> Overview {
        let board = |(name, board): (&Name, &Board)| {
            let (word, lease) = (self.word(name, board), self.last_lease.get(name).copied());
            (name.clone(), BoardStanding { word, lease })
        };
        let request = |(id, record): (&u64, &Arc<Record>)| {
            let RequestInfo { state, user, shared_with, boards, .. } = &record.info;
            let ready = self.is_told(&record.info);
            let holders = std::iter::once(user).chain(shared_with).cloned().collect();
            let state = if ready { "ready" } else { state.as_str() };
            (*id, Standing { state, holders, boards: boards.clone() })
        };
        let job = |(id, record): (&u64, &jobs::Record)| {
            (*id, Arc::new(JobStanding::of(&record.info, record.viewers.as_ref())))
        };
        let ended = self.jobs.ended.iter().cloned();
        let daemon = |(url, daemon): (&String, &super::state::Daemon)| {
            (url.clone(), if daemon.live { "live" } else { "stale" })
        };
        Overview {
            boards: self.boards.iter().map(board).collect(),
            requests: self.requests.iter().map(request).collect(),
            jobs: ended.chain(self.jobs.live.iter().map(job)).collect(),
            daemons: self.daemons.iter().map(daemon).collect(),
        }
    }

    fn word(&self, name: &Name, board: &Board) -> &'static str {
        match () {
            () if self.runs_job(name) => "running",
            () if self.leased.contains_key(name) => "reserved",
            () if !board.health.is_usable() => board.health.as_str(),
            () if board.away.is_some() => "away",
            () => "idle",
        }
    }
}
