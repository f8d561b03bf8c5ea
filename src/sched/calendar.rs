//! When a board is taken.

use super::{RequestId, Seconds};

/// The times at which one board is not to be had, in order of their beginnings. Of leases there is one at most.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Calendar {
    taken: Vec<Taken>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) from: Seconds,
    /// The first second at which it is free again.
    pub(super) until: Seconds,
    pub(super) by: By,
}

/// What takes a board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Lease(RequestId),
    /// A reservation in advance.
    Booking(RequestId),
    /// Maintenance, which its admin has set.
    Window,
}

impl Taken {
    /// From when on the board is not to be had. Somebody who has a lease has the board, whatever the clock
    /// says: when it is set back, "now" is before the lease's beginning, and the board is theirs all the same.
    fn begins(&self) -> Seconds {
        if matches!(self.by, By::Lease(_)) { 0 } else { self.from }
    }
}

impl Calendar {
    /// Whether the board is free from `from` until `until`.
    pub(super) fn is_free(&self, from: Seconds, until: Seconds) -> bool {
        self.taken.iter().all(|taken| taken.until <= from || until <= taken.begins())
    }

    /// The first moment from `from` on at which it is free for so long.
    pub(super) fn first_free(&self, from: Seconds, length: Seconds) -> Seconds {
        let mut at = from;
        for taken in &self.taken {
            if taken.until <= at {
                continue;
            }
            if at.saturating_add(length) <= taken.begins() {
                break;
            }
            at = taken.until;
        }
        at
    }

    /// Takes it, if it is free then.
    #[must_use]
    pub(super) fn take(&mut self, taken: Taken) -> bool {
        let free = taken.begins() < taken.until && self.is_free(taken.from, taken.until);
        if free {
            self.put(taken);
        }
        free
    }

    /// The same, whatever else takes it then: so it was before.
    pub(super) fn put(&mut self, taken: Taken) {
        let at = self.taken.partition_point(|other| other.begins() < taken.begins());
        self.taken.insert(at, taken);
    }

    /// Somebody has it.
    pub(super) fn is_leased(&self) -> bool {
        self.taken.iter().any(|taken| matches!(taken.by, By::Lease(_)))
    }

    /// Lets what takes it end at another time. A lease that is not ended in time may go on into a booking.
    pub(super) fn set_end(&mut self, by: By, until: Seconds) {
        self.taken.iter_mut().filter(|taken| taken.by == by).for_each(|taken| taken.until = until);
    }

    pub(super) fn free(&mut self, by: By) {
        self.taken.retain(|taken| taken.by != by);
    }

    /// What takes it for the longest, of what takes it between these.
    pub(super) fn last_between(&self, from: Seconds, until: Seconds) -> Option<Taken> {
        let within = |taken: &&Taken| taken.begins() < until && from < taken.until;
        self.taken.iter().rev().find(within).copied()
    }

    /// What takes it at this moment.
    pub(super) fn at(&self, now: Seconds) -> Option<Taken> {
        self.last_between(now, now + 1)
    }

    /// Forgets windows that are over. What leases and bookings take is freed by whoever ends them.
    pub(super) fn forget_windows(&mut self, before: Seconds) {
        self.taken.retain(|taken| taken.by != By::Window || before < taken.until);
    }

    pub(super) fn clear_windows(&mut self) {
        self.free(By::Window);
    }
}
