//! Boards that somebody has leased past us, at a daemon that has not told us of it: found when a lease of ours is told
//! there, and refused.
//!
//! A lease that has never been ready is given back then, all of its boards, and its request goes on waiting. The board
//! is nobody's to have for a while; its daemon's announcements say more.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::claim::Changed;
use super::queue::happened;
use super::state::{Part, Record, State};
use super::{Server, ServerError, US};
use crate::model::{JobState, Name, units};

/// So long nobody is given a board that somebody has past us.
const BUSY: Duration = Duration::from_secs(60);
/// A lease that is older was ready once, as far as we know after a start, in microseconds.
const FRESH_US: u64 = 60 * 1_000_000;

impl Server {
    /// A daemon has refused the lease of a board for somebody else's.
    pub(super) async fn take_back(
        &self,
        state: &mut State,
        part: &Part,
        why: &str,
    ) -> Result<(), ServerError> {
        let board = &part.0;
        let lease = state.leased.get(board).copied().filter(|id| state.fresh.contains(id));
        let Some(id) = lease else { return Ok(()) };
        let Some(before) = state.requests.get(&id).cloned() else { return Ok(()) };
        if state.in_hand(id).is_some() {
            // A worker was told of its job: what is so there is the job's matter.
            return Ok(());
        }
        let job = before.info.job.and_then(|job| state.jobs.live.get(&job));
        // A script's lease is not what the script runs by.
        if let Some(mut job) = job.filter(|job| job.info.request == id).cloned() {
            job.info.state = JobState::Submitted;
            job.info.boards.clear();
            self.put_job(state, job).await?;
        }
        let mut record = Record::clone(&before);
        record.wait_again();
        // What its user may have may be otherwise since it was leased.
        state.changed = Some(Changed::Rights);
        let events = happened(&before, US, "given back");
        self.0.store.put_requests(&[record.row()], &events).await?;
        state.lab.end(id, units::now_us() / 1_000_000)?;
        let request = state.scheduled(&record)?;
        state.lab.submit(request)?;
        state.leased.retain(|_, lease| *lease != id);
        state.fresh.remove(&id);
        state.requests.insert(id, Arc::new(record));
        // Its time to be heard of begins again.
        self.0.holders.say(id, ());
        state.busy.insert(board.clone(), (Instant::now() + BUSY, why.to_owned()));
        state.look_at(board);
        tracing::warn!(request = id, board = board.as_str(), why, "its boards are given back");
        self.changed();
        Ok(())
    }
}

impl State {
    /// A lease has begun.
    pub(super) fn begin_lease(&mut self, id: u64, boards: &[Name], since_us: u64) {
        self.leased.extend(boards.iter().map(|board| (board.clone(), id)));
        self.last_lease.extend(boards.iter().map(|board| (board.clone(), id)));
        if since_us.saturating_add(FRESH_US) > units::now_us() {
            self.fresh.insert(id);
        }
    }

    /// All daemons of a board's lease may know of it by now: nobody else's is in the way then.
    pub(super) fn settle(&mut self, board: &Name) {
        if self.lease_of(board).is_some_and(|info| self.is_told(info))
            && let Some(id) = self.leased.get(board)
        {
            self.fresh.remove(id);
        }
    }

    /// Boards that were somebody else's a while ago can be tried again. In how long the next one can.
    pub(super) fn try_busy_again(&mut self) -> Option<Duration> {
        let now = Instant::now();
        let before = self.busy.len();
        self.busy.retain(|_, (until, _)| *until > now);
        self.unlooked |= self.busy.len() < before;
        self.busy.values().map(|(until, _)| until.saturating_duration_since(now)).min()
    }
}
