//! Health checks: jobs that tell whether a board is in order, now and then or when somebody asks.
//!
//! A board that has one is checked when nobody knows how it is, and again after a while. Its check passes:
//! the board is good. It fails: the board is bad, and given to nobody until somebody has looked. A check that the lab
//! has not let come to its end (LAVA's infrastructure errors: its worker is gone, an outlet does not answer) says nothing
//! of the board: it stays as it is, and is checked again soon.
//!
//! A board that is looping is left to its checks, one after the other, and stays so whatever comes of them.

use super::read::read;
use super::submit::new_check;
use super::{JobError, Jobs};
use crate::model::{BoardDescription, BoardHealth, JobHealth, JobInfo, Name, units};
use crate::sched::Seconds;
use crate::server::state::State;
use crate::server::{Server, ServerError};

/// After a check that says nothing the next one comes so much later, in microseconds.
const AGAIN_US: u64 = 600 * 1_000_000;
/// A board that is looping is checked so often at most: a check may end as soon as it begins.
const LOOPS_US: u64 = 10 * 1_000_000;
/// LAVA's class of errors that are the lab's.
const INFRASTRUCTURE: &str = "Infrastructure";
/// So far back it is looked when a board was checked last, in jobs.
const LOOKED_AT: u32 = 10_000;
/// What a health check is called in messages.
const FILE: &str = "the health check";

impl Server {
    /// Has a board checked, as soon as it is free. One that is bad counts as unknown from now on.
    ///
    /// # Errors
    /// When there is no such board, or it has no health check.
    pub async fn check_board(&self, name: &str, who: &str) -> Result<JobInfo, ServerError> {
        let mut state = self.looked().await;
        let (name, board) = state.find(name)?;
        let (name, health) = (name.clone(), board.health);
        if board.description.health_check.is_none() {
            return Err(JobError::NoCheck(name).into());
        }
        if !health.is_usable() && health != BoardHealth::Looping {
            let (unknown, why) = (BoardHealth::Unknown, "its health check is to run");
            self.change_health(&mut state, &name, unknown, why, who).await?;
        }
        if let Some(under_way) = state.jobs.check_of(&name) {
            return Ok(under_way.clone());
        }
        self.begin_check(&mut state, &name).await
    }

    async fn begin_check(&self, state: &mut State, name: &Name) -> Result<JobInfo, ServerError> {
        let (_, board) = state.find(name.as_str())?;
        let text = board.description.health_check.clone();
        let text = text.ok_or_else(|| JobError::NoCheck(name.clone()))?;
        // One that cannot begin is not tried again at once.
        state.jobs.checked_us.insert(name.clone(), units::now_us());
        let wanted = read(&text, FILE).map_err(JobError::Definition)?;
        self.begin_job(state, new_check(wanted, name), &text).await
    }

    /// Begins the checks whose time has come. When the next one's comes.
    pub(super) async fn due_checks(
        &self,
        state: &mut State,
        now_us: u64,
    ) -> Result<Option<Seconds>, ServerError> {
        let every_us = self.0.config.check_every.as_micros() as u64;
        let mut next = None;
        let mut due = Vec::new();
        for (name, board) in &state.boards {
            let every_us = match board.health {
                BoardHealth::Looping => LOOPS_US,
                health if health.is_usable() && every_us > 0 => every_us,
                _ => continue,
            };
            if board.description.health_check.is_none() || board.away.is_some() {
                continue;
            }
            let checked = state.jobs.checked_us.get(name).copied().unwrap_or(0);
            let at_us = checked.saturating_add(every_us);
            match at_us <= now_us {
                true if state.jobs.check_of(name).is_none() => due.push(name.clone()),
                true => {}
                false => {
                    let at = at_us / 1_000_000 + 1;
                    next = Some(next.map_or(at, |next: Seconds| next.min(at)));
                }
            }
        }
        for name in due {
            if let Err(error) = self.begin_check(state, &name).await {
                tracing::warn!(board = name.as_str(), "its health check cannot begin: {error}");
            }
        }
        Ok(next)
    }

    /// What a health check says of its board.
    pub(super) async fn take_health(
        &self,
        state: &mut State,
        job: &JobInfo,
    ) -> Result<(), ServerError> {
        let Some(board) = job.checks.as_ref().filter(|board| state.boards.contains_key(*board))
        else {
            return Ok(());
        };
        let id = job.id;
        let passed = job.tally.is_none_or(|tally| tally.fail == 0);
        let loops = state.find(board.as_str())?.1.health == BoardHealth::Looping;
        let (health, reason) = match job.health {
            JobHealth::Complete if passed => {
                (BoardHealth::Good, format!("its health check, job {id}, has passed"))
            }
            JobHealth::Canceled | JobHealth::Unknown => return Ok(()),
            JobHealth::Incomplete if tells_nothing(job) => {
                if !loops {
                    let at = last_check(job, self.0.config.check_every.as_micros() as u64);
                    state.jobs.checked_us.insert(board.clone(), at);
                }
                let health = state.find(board.as_str())?.1.health;
                (health, format!("its health check, job {id}, says nothing of it: {}", why(job)))
            }
            JobHealth::Complete => (BoardHealth::Bad, format!("its health check: job {id} failed")),
            JobHealth::Incomplete => {
                (BoardHealth::Bad, format!("its health check, job {id}: {}", why(job)))
            }
        };
        let who = format!("job {id}");
        let health = if loops { BoardHealth::Looping } else { health };
        self.change_health(state, &board.clone(), health, &reason, &who).await.map(drop)
    }

    /// When boards were checked last, after a start.
    pub(super) async fn load_checks(&self, state: &mut State) -> Result<(), ServerError> {
        for row in self.0.store.jobs_before(u64::MAX, LOOKED_AT).await? {
            let info = super::record(&row)?.info;
            let checked = last_check(&info, self.0.config.check_every.as_micros() as u64);
            if let Some(board) = info.checks {
                let at = state.jobs.checked_us.entry(board).or_default();
                *at = checked.max(*at);
            }
        }
        Ok(())
    }
}

/// Whether a check has ended for the lab's reasons.
fn tells_nothing(check: &JobInfo) -> bool {
    check.health == JobHealth::Incomplete && check.error_type.as_deref() == Some(INFRASTRUCTURE)
}

/// From when the next check is counted.
fn last_check(check: &JobInfo, every_us: u64) -> u64 {
    match check.ended_us.filter(|_| tells_nothing(check)) {
        Some(ended) => (ended + AGAIN_US.min(every_us)).saturating_sub(every_us),
        None => check.submitted_us,
    }
}

/// What went wrong with a check, in one line.
fn why(check: &JobInfo) -> String {
    let why = check.error_msg.as_deref().unwrap_or("it is incomplete");
    why.lines().next().unwrap_or_default().chars().take(200).collect()
}

/// Looks whether a board's health check is a job.
///
/// # Errors
/// Everything that is wrong with it, with line and column.
pub(in crate::server) fn check(board: &BoardDescription) -> Result<(), ServerError> {
    let Some(text) = &board.health_check else { return Ok(()) };
    read(text, FILE).map_err(JobError::Definition)?;
    Ok(())
}

impl Jobs {
    /// The health check of a board that has not ended.
    fn check_of(&self, board: &Name) -> Option<&JobInfo> {
        let mut checks = self.live.values().filter(|it| it.info.checks.as_ref() == Some(board));
        checks.next().map(|record| &record.info)
    }
}
