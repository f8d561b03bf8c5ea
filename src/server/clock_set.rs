//! A clock that is set, ahead or back: what has not ended is as old as it was, and has as much time left.
//!
//! Times are kept and told by the clock of this host. When that is set, they are moved with it: since when somebody
//! waits, has a board, or a job runs, and until when leases are. What people have said by the clock stays where it is:
//! bookings, the beginnings that they asked for, maintenance, and how long tokens and images are good.
//!
//! A host without a battery begins in the past, and its clock is set when it has found somebody to ask. What was written
//! before that start was told by another clock, the right one: it does not move when the clock is set.

use std::sync::Arc;

use rustix::time::{ClockId, clock_gettime};

use super::state::{Record, State};
use super::{Server, ServerError, jobs};
use crate::model::{RequestState, units};

/// A clock that differs by less than this, in microseconds, from one look to the next is being corrected.
const CORRECTED_US: i64 = 2_000_000;

/// Both clocks at one moment, in microseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    /// The one that people set.
    wall_us: u64,
    /// The one that nobody sets, and that goes on while the host sleeps.
    since_boot_us: u64,
}

/// The clock is behind what is in the store, since we have begun: what is there was told by another one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Behind {
    /// When we began, in seconds by this clock.
    began_s: u64,
    /// The newest that is in the store.
    newest_us: u64,
}

impl Behind {
    /// `None` for a clock that is not.
    pub(super) fn of(now_us: u64, newest_us: u64) -> Option<Self> {
        (now_us < newest_us).then(|| {
            let newest = units::time_text(newest_us);
            tracing::warn!(
                "the clock of this host is behind: something in the database has happened at {newest} already. Leases end \
                 by a clock that is right: see to it that it is set"
            );
            Self { began_s: now_us / 1_000_000, newest_us }
        })
    }

    /// Whether something that has happened, in seconds, was told by this clock, which is at `now_s`.
    fn is_of_it(behind: Option<Self>, at_s: u64, now_s: u64) -> bool {
        behind.is_none_or(|behind| (behind.began_s..=now_s).contains(&at_s))
    }

    /// The same after the clock was set; `None` when it is right now.
    fn moved(self, by: i64, now_us: u64) -> Option<Self> {
        let began_s = self.began_s.saturating_add_signed(by);
        (now_us < self.newest_us).then_some(Self { began_s, ..self })
    }
}

impl Seen {
    pub(super) fn now() -> Self {
        let boot = clock_gettime(ClockId::Boottime);
        // Neither is negative.
        let since_boot_us = boot.tv_sec as u64 * 1_000_000 + boot.tv_nsec as u64 / 1000;
        Self { wall_us: units::now_us(), since_boot_us }
    }

    /// By how many seconds the clock was set since then; 0 when it was not.
    fn set_by(self, now: Self) -> i64 {
        let passed = now.since_boot_us.wrapping_sub(self.since_boot_us);
        let by_us = now.wall_us.wrapping_sub(self.wall_us).wrapping_sub(passed) as i64;
        if by_us.unsigned_abs() < CORRECTED_US.unsigned_abs() {
            return 0;
        }
        // Whole seconds: leases end at such.
        by_us.saturating_add(500_000).div_euclid(1_000_000)
    }
}

impl Server {
    /// Looks at the clock. If it was set, all that has not ended is moved with it, in the store first.
    ///
    /// # Errors
    /// When that cannot be written: then it is tried again at the next look.
    pub(super) async fn heed_clock(&self, state: &mut State) -> Result<(), ServerError> {
        let now = Seen::now();
        match state.clocks.map_or(0, |seen| seen.set_by(now)) {
            // It was behind by little, and nobody has set it since.
            0 => state.behind = state.behind.filter(|it| now.wall_us < it.newest_us),
            by => self.move_times(state, by, now.wall_us).await?,
        }
        state.clocks = Some(now);
        Ok(())
    }

    /// The clock was set by so many seconds, and is at `now_us`.
    pub(super) async fn move_times(
        &self,
        state: &mut State,
        by: i64,
        now_us: u64,
    ) -> Result<(), ServerError> {
        let (behind, then_s) = (state.behind, moved_us(now_us, by.saturating_neg()) / 1_000_000);
        let is_of_it = |at_s: u64| Behind::is_of_it(behind, at_s, then_s);
        let ends = state.ends_by_it.clone();
        let requests = state.requests.values();
        let requests: Vec<Record> = requests
            .map(|record| record.moved(by, is_of_it, ends.contains(&record.info.id)))
            .collect();
        let rows: Vec<_> = requests.iter().map(Record::row).collect();
        self.0.store.put_requests(&rows, &[]).await?;
        let jobs: Vec<jobs::Record> =
            state.jobs.live.values().map(|job| job.moved(by, is_of_it)).collect();
        for job in &jobs {
            self.0.store.put_job(&job.row()).await?;
        }
        let (seconds, direction) = (by.unsigned_abs(), if by < 0 { "back" } else { "ahead" });
        tracing::warn!(
            "the clock was set {direction} by {seconds} s: what waits, leases and jobs are as old as before and have as \
             much time left"
        );
        for record in requests {
            state.requests.insert(record.info.id, Arc::new(record));
        }
        for job in jobs {
            state.jobs.live.insert(job.info.id, job);
        }
        let checked = state.jobs.checked_us.values_mut();
        let checked = checked.filter(|at| **at > 0 && is_of_it(**at / 1_000_000));
        checked.for_each(|at| *at = moved_us(*at, by));
        state.lab.clock_set(by, is_of_it, |id| ends.contains(&id));
        state.behind = behind.and_then(|behind| behind.moved(by, now_us));
        if state.behind.is_none() {
            state.ends_by_it.clear();
        }
        self.changed();
        Ok(())
    }
}

/// A time in microseconds, so many seconds later.
fn moved_us(at_us: u64, by: i64) -> u64 {
    at_us.saturating_add_signed(by.saturating_mul(1_000_000))
}

impl State {
    /// The end of a lease is anew, by this clock.
    pub(super) fn note_end(&mut self, id: u64) {
        if self.behind.is_some() {
            self.ends_by_it.insert(id);
        }
    }
}

impl Record {
    /// As old as it was, by a clock that was set, as far as it was told by that; its end may be when the rest is not.
    fn moved(&self, by: i64, is_of_it: impl Fn(u64) -> bool, end_is: bool) -> Self {
        let mut moved = self.clone();
        let info = &mut moved.info;
        if is_of_it(info.submitted_us / 1_000_000) {
            info.submitted_us = moved_us(info.submitted_us, by);
        }
        let leased = info.state == RequestState::Leased;
        let since_is = info.since_us.is_some_and(|since| leased && is_of_it(since / 1_000_000));
        if since_is {
            info.since_us = info.since_us.map(|at| moved_us(at, by));
        }
        if since_is || leased && end_is {
            info.until_us = info.until_us.map(|at| moved_us(at, by));
        }
        moved
    }
}

impl jobs::Record {
    /// The same of a job that has not ended.
    fn moved(&self, by: i64, is_of_it: impl Fn(u64) -> bool) -> Self {
        let mut moved = self.clone();
        let info = &mut moved.info;
        for at in [Some(&mut info.submitted_us), info.started_us.as_mut()].into_iter().flatten() {
            if is_of_it(*at / 1_000_000) {
                *at = moved_us(*at, by);
            }
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clock_that_is_set_moves_times() {
        let seen = Seen { wall_us: 1_000_000_000_000, since_boot_us: 50_000_000 };
        let later = |wall_us, since_boot_us| seen.set_by(Seen { wall_us, since_boot_us });
        assert_eq!(later(1_000_010_000_000, 60_000_000), 0);
        assert_eq!(later(1_000_011_500_000, 60_000_000), 0, "it is corrected");
        assert_eq!(later(1_086_410_300_000, 60_000_000), 86_400);
        assert_eq!(later(996_409_700_000, 60_000_000), -3600);
        // The host has slept: that is time, too.
        assert_eq!(later(1_003_600_000_000, 3_650_000_000), 0);
    }
}
