//! Whether the clock of this host can be believed, before what is kept until a time is removed for good.
//! What a clock that was set means to what has not ended is in [`clock_set`](super::clock_set).

use std::time::{Duration, Instant};

/// A clock goes wrong by no more than this unnoticed.
const LEAP: Duration = Duration::from_secs(600);
/// What has leapt ahead is not believed for so long: time to put it right.
const HOLD: Duration = Duration::from_secs(24 * 3600);
/// Nor is a clock at first: it may be set only after a start of the host.
const FIRST: Duration = Duration::from_secs(600);

/// The clock as it was seen last, beside the one that nobody sets.
#[derive(Debug)]
pub(super) struct Clock {
    seen: (u64, Instant),
    /// Until then it is not believed.
    held: Instant,
    /// What follows from that, for the log.
    what: &'static str,
}

impl Clock {
    /// One that says so many microseconds since the Unix epoch.
    pub(super) fn new(what: &'static str, now_us: u64, now: Instant) -> Self {
        Self { seen: (now_us, now), held: now + FIRST, what }
    }

    /// Looks at it. Whether it can be believed; one that is put back can be again.
    pub(super) fn is_right(&mut self, now_us: u64, now: Instant) -> bool {
        let (then_us, then) = std::mem::replace(&mut self.seen, (now_us, now));
        let passed = now.saturating_duration_since(then);
        let ahead = Duration::from_micros(now_us.saturating_sub(then_us)).saturating_sub(passed);
        if ahead > LEAP {
            self.held = now + HOLD;
            let (seconds, what) = (ahead.as_secs(), self.what);
            tracing::warn!(
                "the clock has leapt {seconds} s ahead: {what} for a day; if it is wrong, set it right until then"
            );
        } else if Duration::from_micros(then_us.saturating_sub(now_us)) > LEAP {
            self.held = self.held.min(now);
        }
        now >= self.held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_leaps_ahead_is_not_believed_until_it_is_put_back_or_a_day_is_over() {
        let (begin, us) = (Instant::now(), |time: Duration| time.as_micros() as u64 + 1_000_000);
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        let year = Duration::from_secs(365 * 24 * 3600);
        let mut clock = Clock::new("nothing is removed", us(minutes(0)), begin);
        let mut look = |real: Duration, told: Duration| clock.is_right(us(told), begin + real);
        assert!(!look(minutes(1), minutes(1)), "it has only begun");
        assert!(look(minutes(11), minutes(11)));
        assert!(look(minutes(12), minutes(20)), "a little is nothing");
        assert!(!look(minutes(13), minutes(13) + year));
        assert!(!look(minutes(14), minutes(14) + year), "nor a minute later");
        assert!(look(minutes(15), minutes(15)), "it is put back");
        assert!(!look(minutes(16), minutes(16) + year));
        assert!(look(minutes(17 + 24 * 60), minutes(17 + 24 * 60) + year), "so it is the time");
    }
}
