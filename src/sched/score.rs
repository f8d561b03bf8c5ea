//! What decides who comes first.
//!
//! A request's score is `priority + waited - used`, in points. Priority is LAVA's, 0 to 100. Waiting earns
//! [`POINTS_A_DAY`] points a day, without a bound, so that whatever comes later is overtaken: after a day and
//! a half at most, nothing that arrives from then on goes before. What a user and their group have had of the
//! lab of late costs up to [`MOST_USED`] points: half of them at the average of all who use it, and it
//! is forgotten by half every [`HALF_LIFE`]. Of equal scores the older goes first.

use std::collections::BTreeMap;

use super::Seconds;

pub const POINTS_A_DAY: f64 = 100.0;
/// The most that use costs: half of it a user's own, half of it the group's.
pub const MOST_USED: f64 = 50.0;
pub const HALF_LIFE: Seconds = DAY;
const DAY: Seconds = 24 * 3600;
/// An account that has less than so many board-seconds left is closed.
const NEGLIGIBLE: f64 = 1.0;

/// What of a request's score comes from where.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    pub priority: f64,
    pub waited: f64,
    pub used: f64,
}

impl Score {
    pub fn points(&self) -> f64 {
        self.priority + self.waited - self.used
    }
}

/// How much of the lab users and groups have had: board-seconds, of which half is forgotten each
/// [`HALF_LIFE`].
#[derive(Debug, Clone, Default)]
pub struct Usage {
    users: Accounts,
    groups: Accounts,
}

/// Kept as they would be at the epoch, so that time alone changes none of them.
#[derive(Debug, Clone, Default)]
struct Accounts {
    had: BTreeMap<String, Had>,
}

#[derive(Debug, Clone, Copy)]
struct Had {
    board_seconds: f64,
    at: Seconds,
}

impl Had {
    fn left(self, now: Seconds) -> f64 {
        left(self.board_seconds, self.at, now)
    }
}

/// What is not forgotten yet of so many board-seconds of a time.
pub(super) fn left(board_seconds: f64, at: Seconds, now: Seconds) -> f64 {
    let age = now.saturating_sub(at) as f64 / HALF_LIFE as f64;
    board_seconds * (-age).exp2()
}

impl Accounts {
    fn charge(&mut self, who: &str, board_seconds: f64, now: Seconds) {
        let had = self.had.entry(who.to_owned()).or_insert(Had { board_seconds: 0.0, at: now });
        *had = Had { board_seconds: (had.left(now) + board_seconds).max(0.0), at: now };
    }

    /// Each one's share of the most that use costs, from 0 to 1.
    fn shares(&self, now: Seconds) -> BTreeMap<&str, f64> {
        let left = self.had.iter().map(|(who, had)| (who.as_str(), had.left(now)));
        let left: Vec<_> = left.filter(|(_, had)| *had >= NEGLIGIBLE).collect();
        let average = left.iter().map(|(_, had)| had).sum::<f64>() / left.len().max(1) as f64;
        left.into_iter().map(|(who, had)| (who, 1.0 - (-had / average).exp2())).collect()
    }

    fn forget(&mut self, now: Seconds) {
        self.had.retain(|_, had| had.left(now) >= NEGLIGIBLE);
    }
}

impl Usage {
    /// A lease began or was booked (its whole length is charged), or ended before its time (negative).
    pub fn charge(&mut self, user: &str, group: Option<&str>, board_seconds: f64, now: Seconds) {
        self.users.charge(user, board_seconds, now);
        if let Some(group) = group {
            self.groups.charge(group, board_seconds, now);
        }
    }

    /// The clock was set by so many seconds: nothing is forgotten by that.
    pub(super) fn clock_set(&mut self, by: i64, is_of_it: impl Fn(Seconds) -> bool) {
        let all = self.users.had.values_mut().chain(self.groups.had.values_mut());
        all.filter(|had| is_of_it(had.at))
            .for_each(|had| had.at = had.at.saturating_add_signed(by));
    }

    pub(super) fn forget(&mut self, now: Seconds) {
        self.users.forget(now);
        self.groups.forget(now);
    }

    pub(super) fn at(&self, now: Seconds) -> Used<'_> {
        Used { users: self.users.shares(now), groups: self.groups.shares(now) }
    }
}

/// What everybody's use costs at one moment.
#[derive(Debug)]
pub(super) struct Used<'a> {
    users: BTreeMap<&'a str, f64>,
    groups: BTreeMap<&'a str, f64>,
}

impl Used<'_> {
    /// Points that requests of this user lose.
    pub(super) fn points(&self, user: &str, group: Option<&str>) -> f64 {
        let user = self.users.get(user).copied().unwrap_or(0.0);
        let group = group.and_then(|group| self.groups.get(group)).copied().unwrap_or(0.0);
        MOST_USED / 2.0 * (user + group)
    }
}

/// Points for having waited.
pub(super) fn waited(since: Seconds, now: Seconds) -> f64 {
    now.saturating_sub(since) as f64 * POINTS_A_DAY / DAY as f64
}
