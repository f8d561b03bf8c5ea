//! What flows through the outlets of a PDU: read now and then, while it has nothing else to do.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::{Instant, sleep_until};

use crate::model::Reading;

/// How much of it has to change for the record of a board: this part, and at least so many units.
const PART: f64 = 0.1;
const VOLTS: f64 = 5.0;
const AMPERES: f64 = 0.05;
const WATTS: f64 = 2.0;

/// When the outlets of a PDU are read next: one after the other, and all of them every so often.
#[derive(Debug)]
pub(super) struct Rounds {
    every: Duration,
    outlets: usize,
    /// The outlet that is next; as many as there are, when the round is over.
    next: usize,
    /// When the next round begins.
    due: Instant,
}

/// What was read at an outlet, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct Metered {
    /// In microseconds since the Unix epoch.
    pub time_us: u64,
    pub reading: Reading,
}

impl Rounds {
    pub(super) fn new(every: Duration, outlets: usize) -> Self {
        Self { every, outlets, next: 0, due: Instant::now() }
    }

    /// Waits until an outlet is to be read, and tells which. The same one again, until it is
    /// [`Self::read`]. Cancel safe.
    pub(super) async fn outlet(&self) -> usize {
        if self.every.is_zero() || self.outlets == 0 {
            return std::future::pending().await;
        }
        sleep_until(self.due).await;
        self.next
    }

    /// That the outlet was read, or could not be.
    pub(super) fn read(&mut self) {
        self.next += 1;
        if self.next >= self.outlets {
            self.next = 0;
            self.due = Instant::now() + self.every;
        }
    }

    /// That the PDU does not answer: the rest of the round would only wait for it, too.
    pub(super) fn give_up(&mut self) {
        self.next = self.outlets;
        self.read();
    }
}

impl Metered {
    pub(super) fn says_something(&self) -> bool {
        self.reading != Reading::default()
    }

    pub(super) fn now(reading: Reading) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { time_us: since.as_micros() as u64, reading }
    }
}

/// Whether people would want to know that it was `before` and is `now`.
pub(super) fn differs(before: Option<Reading>, now: Reading) -> bool {
    let Some(before) = before else { return now != Reading::default() };
    let moved = |before: Option<f64>, now: Option<f64>, least: f64| match (before, now) {
        (Some(before), Some(now)) => (now - before).abs() >= least.max(before.abs() * PART),
        (None, Some(_)) => true,
        (_, None) => false,
    };
    moved(before.volts, now.volts, VOLTS)
        || moved(before.amperes, now.amperes, AMPERES)
        || moved(before.watts, now.watts, WATTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_changed_is_worth_a_line() {
        let of = |volts, amperes, watts| Reading {
            volts: Some(volts),
            amperes: Some(amperes),
            watts: Some(watts),
        };
        let before = Some(of(230.0, 0.9, 163.0));
        assert!(!differs(before, of(231.5, 0.92, 170.0)));
        assert!(differs(before, of(230.0, 0.9, 140.0)));
        assert!(differs(before, of(230.0, 0.0, 163.0)));
        assert!(differs(before, of(190.0, 0.9, 163.0)));
        assert!(!differs(Some(of(0.0, 0.0, 0.0)), of(0.0, 0.01, 1.0)), "noise");
        assert!(!differs(None, Reading::default()), "it measures nothing");
        assert!(differs(None, of(230.0, 0.0, 0.0)));
        assert!(!differs(before, Reading::default()), "it does not answer just now");
    }

    #[tokio::test(start_paused = true)]
    async fn every_outlet_has_its_turn_also_when_it_was_put_off() {
        let mut rounds = Rounds::new(Duration::from_secs(60), 2);
        let begin = Instant::now();
        assert_eq!(rounds.outlet().await, 0);
        assert_eq!(rounds.outlet().await, 0, "an order came between");
        rounds.read();
        assert_eq!(rounds.outlet().await, 1);
        rounds.read();
        assert_eq!(rounds.outlet().await, 0);
        assert_eq!(begin.elapsed().as_secs(), 60);
        rounds.give_up();
        assert_eq!(rounds.outlet().await, 0);
        assert_eq!(begin.elapsed().as_secs(), 120);
        let never = Rounds::new(Duration::ZERO, 2);
        assert!(tokio::time::timeout(Duration::from_secs(9999), never.outlet()).await.is_err());
    }
}
