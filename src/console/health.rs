//! How a console's line and board are: counted where its bytes pass, told when somebody asks.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::supervisor::Supervisor;
use crate::model::event::Phase;
use crate::model::health::{Health, Mismatch, Seen, Sight};
use crate::model::line::LineErrors;
use crate::model::{Event, What, units};
use crate::wire::feed::PowerTold;

/// The rate is that of so many whole seconds.
const SECONDS: usize = 5;
/// A board that was switched off may print for this long still, in microseconds: it has capacitors.
const OFF_US: u64 = 5_000_000;
/// So many bytes that come after that are noise on a line that nobody drives.
const NOISE: u64 = 64;
/// A board that was switched on has this long to print something.
pub(super) const SILENT: Duration = Duration::from_secs(60);
const SILENT_US: u64 = SILENT.as_micros() as u64;

/// What is known of one console.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Vitals {
    rate: Rate,
    /// When the last byte came, in microseconds since the Unix epoch.
    heard_us: Option<u64>,
    boot: Option<Sight>,
    trouble: Option<Sight>,
    restart: Option<Sight>,
    seen: BTreeMap<Seen, u64>,
    power: Power,
}

/// Bytes in each of the last seconds, by the number of the second.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Rate {
    second: u64,
    bytes: [u64; SECONDS + 1],
}

/// What was done to the board's outlet last, and what came since.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Power {
    /// `None` while it is not known: nothing was done yet, or something is under way.
    on: Option<bool>,
    since_us: u64,
    /// Bytes since it was switched on; or, switched off, since they ought not to come any more.
    bytes: u64,
}

impl Vitals {
    /// Bytes came. `Some` when they are the first that disagree with the board's power.
    pub(super) fn heard(&mut self, time_us: u64, bytes: usize) -> Option<Mismatch> {
        let bytes = bytes as u64;
        self.rate.add(time_us / 1_000_000, bytes);
        self.heard_us = Some(time_us);
        let before = self.mismatch(time_us);
        let Power { on, since_us, bytes: count } = &mut self.power;
        if *on != Some(false) || time_us > *since_us + OFF_US {
            *count = count.saturating_add(bytes);
        }
        let now = self.mismatch(time_us);
        now.filter(|now| *now == Mismatch::PrintsWhileOff && before != Some(*now))
    }

    /// Something was done to the board's outlet. `true` when it is to print something now.
    pub(super) fn power(&mut self, event: &Event) -> bool {
        let What::Power { verb, phase, .. } = &event.what else { return false };
        let on = verb != "off";
        match phase {
            Phase::Begin => {
                self.power = Power { since_us: event.time_us, ..Power::default() };
            }
            Phase::Done if on => {
                // What it printed before the PDU was read back counts.
                (self.power.on, self.power.since_us) = (Some(true), event.time_us);
            }
            Phase::Done => {
                self.power = Power { on: Some(false), since_us: event.time_us, bytes: 0 };
            }
            Phase::Failed => self.power = Power::default(),
        }
        on && *phase == Phase::Done && self.power.bytes == 0
    }

    /// After what time a board that was switched on ought to have printed something, if it has not.
    pub(super) fn silent_in(&self, now_us: u64) -> Option<Duration> {
        let Power { on, since_us, bytes } = self.power;
        let left = since_us.saturating_add(SILENT_US).checked_sub(now_us)?;
        (on == Some(true) && bytes == 0).then(|| Duration::from_micros(left).min(SILENT))
    }

    pub(super) fn saw(&mut self, sight: &Sight) {
        *self.seen.entry(sight.what).or_default() += 1;
        match sight.what {
            Seen::Boot => {
                self.boot = Some(sight.clone());
                self.trouble = None;
            }
            Seen::Restart | Seen::Halt => self.restart = Some(sight.clone()),
            Seen::Panic | Seen::Oops | Seen::Watchdog => {
                let known = self.trouble.as_ref().map_or(0, |known| known.what.severity());
                if sight.what.severity() > known {
                    self.trouble = Some(sight.clone());
                }
            }
            Seen::Kernel => {}
        }
    }

    pub(super) fn mismatch(&self, now_us: u64) -> Option<Mismatch> {
        let Power { on, since_us, bytes } = self.power;
        match on? {
            false => (bytes >= NOISE).then_some(Mismatch::PrintsWhileOff),
            true => (bytes == 0 && now_us >= since_us.saturating_add(SILENT_US))
                .then_some(Mismatch::SilentWhileOn),
        }
    }

    /// What was done to the board's outlet last.
    pub(super) fn power_told(&self) -> PowerTold {
        PowerTold { on: self.power.on, since_us: self.power.since_us }
    }

    /// What is told to whoever asks.
    pub(super) fn health(&self, now_us: u64, errors: Option<LineErrors>) -> Health {
        Health {
            bytes_per_s: self.rate.per_second(now_us / 1_000_000),
            idle_ms: self.heard_us.map(|heard| now_us.saturating_sub(heard) / 1000),
            boot: self.boot.clone(),
            trouble: self.trouble.clone(),
            restart: self.restart.clone(),
            seen: self.seen.clone(),
            errors,
            mismatch: self.mismatch(now_us),
        }
    }
}

impl Supervisor {
    /// Looks through bytes that are published already; clients need not wait for that.
    pub(super) fn look_at(
        &mut self,
        offset: u64,
        time_us: u64,
        bytes: &[u8],
        mismatch: Option<Mismatch>,
    ) {
        self.silent_at = None;
        let sights = self.signs.feed(offset, time_us, bytes);
        self.tell_health(sights, mismatch);
    }

    fn tell_health(&mut self, sights: Vec<Sight>, mismatch: Option<Mismatch>) {
        for sight in sights {
            self.console.state().vitals.saw(&sight);
            let Sight { what, at, line, .. } = sight;
            self.event(None, What::Seen { what, at, line });
        }
        if let Some(what) = mismatch {
            tracing::warn!(console = %self.console.name(), "{what}");
            self.event(None, What::Mismatch { what });
        }
    }

    /// A line with a sign in it is told after a while even though it has not ended.
    pub(super) fn flush_signs(&mut self) {
        let sight = self.signs.flush();
        self.tell_health(sight.into_iter().collect(), None);
    }

    /// The time has come by which a board ought to have printed something.
    pub(super) fn silent(&mut self) {
        self.silent_at = None;
        let mismatch = self.console.state().vitals.mismatch(units::now_us());
        self.tell_health(Vec::new(), mismatch);
    }
}

impl Rate {
    fn add(&mut self, second: u64, bytes: u64) {
        self.forward(second);
        let slot = (self.second % self.bytes.len() as u64) as usize;
        self.bytes[slot] = self.bytes[slot].saturating_add(bytes);
    }

    /// Empties the seconds between the last one that had bytes and this one.
    fn forward(&mut self, second: u64) {
        let slots = self.bytes.len() as u64;
        // A clock that was set back goes on in the second that it was in.
        for passed in 1..=second.saturating_sub(self.second).min(slots) {
            self.bytes[((self.second + passed) % slots) as usize] = 0;
        }
        self.second = self.second.max(second);
    }

    /// Of the whole seconds before this one.
    fn per_second(&self, second: u64) -> u64 {
        let mut now = self.clone();
        now.forward(second);
        let current = (now.second % now.bytes.len() as u64) as usize;
        let whole = now.bytes.iter().enumerate().filter(|(slot, _)| *slot != current);
        whole.map(|(_, bytes)| bytes).fold(0, |sum: u64, bytes| sum.saturating_add(*bytes))
            / SECONDS as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const S: u64 = 1_000_000;

    fn power(vitals: &mut Vitals, time_us: u64, verb: &str, phase: Phase) -> bool {
        let outlet = "panda01".parse().unwrap();
        let what = What::Power { outlet, verb: verb.into(), phase, detail: None };
        vitals.power(&Event { offset: 0, time_us, who: None, what })
    }

    #[test]
    fn the_rate_is_that_of_the_last_whole_seconds() {
        let mut vitals = Vitals::default();
        let rate = |vitals: &Vitals, second: u64| vitals.health(second * S, None).bytes_per_s;
        for second in 100..110 {
            vitals.heard(second * S + 5, 700);
            vitals.heard(second * S + 900_000, 300);
        }
        assert_eq!(rate(&vitals, 110), 1000);
        assert_eq!(rate(&vitals, 112), 600);
        assert_eq!(rate(&vitals, 116), 0);
        assert_eq!(vitals.health(110 * S, None).idle_ms, Some(100));
        assert_eq!(Vitals::default().health(S, None).idle_ms, None);
    }

    #[test]
    fn a_board_that_prints_although_it_is_off_is_told_once() {
        let mut vitals = Vitals::default();
        power(&mut vitals, 100 * S, "off", Phase::Begin);
        vitals.heard(100 * S, 5000);
        assert!(!power(&mut vitals, 101 * S, "off", Phase::Done));
        assert_eq!(vitals.heard(102 * S, 5000), None, "it runs down");
        assert_eq!(vitals.heard(107 * S, 10), None, "noise");
        assert_eq!(vitals.heard(108 * S, 60), Some(Mismatch::PrintsWhileOff));
        assert_eq!(vitals.heard(109 * S, 60), None, "told already");
        assert_eq!(vitals.mismatch(500 * S), Some(Mismatch::PrintsWhileOff));
        power(&mut vitals, 600 * S, "on", Phase::Begin);
        assert_eq!(vitals.mismatch(601 * S), None);
    }

    #[test]
    fn a_board_that_is_switched_on_and_prints_nothing_is_told_after_a_while() {
        let mut vitals = Vitals::default();
        power(&mut vitals, 100 * S, "cycle", Phase::Begin);
        assert!(power(&mut vitals, 103 * S, "cycle", Phase::Done), "it is watched");
        assert_eq!(vitals.mismatch(150 * S), None);
        assert_eq!(vitals.silent_in(150 * S), Some(Duration::from_secs(13)));
        assert_eq!(vitals.silent_in(164 * S), None, "that was told");
        assert_eq!(vitals.mismatch(164 * S), Some(Mismatch::SilentWhileOn));
        assert_eq!(vitals.heard(170 * S, 1), None);
        assert_eq!(vitals.mismatch(500 * S), None);

        power(&mut vitals, 600 * S, "on", Phase::Begin);
        vitals.heard(601 * S, 100);
        assert!(
            !power(&mut vitals, 603 * S, "on", Phase::Done),
            "it has printed before the PDU answered"
        );
        assert_eq!(vitals.mismatch(900 * S), None);
        power(&mut vitals, 950 * S, "off", Phase::Failed);
        assert_eq!(vitals.mismatch(2000 * S), None, "nobody knows");
    }

    #[test]
    fn the_worst_since_the_last_boot_is_the_trouble() {
        let mut vitals = Vitals::default();
        let mut saw = |what, at| {
            vitals.saw(&Sight { what, time_us: at * S, at, line: format!("line {at}") });
            vitals.health(100 * S, None).trouble.map(|trouble| trouble.at)
        };
        assert_eq!(saw(Seen::Oops, 1), Some(1));
        assert_eq!(saw(Seen::Panic, 2), Some(2));
        assert_eq!(saw(Seen::Oops, 3), Some(2));
        assert_eq!(saw(Seen::Restart, 4), Some(2));
        assert_eq!(saw(Seen::Boot, 5), None);
        assert_eq!(saw(Seen::Watchdog, 6), Some(6));
        let health = vitals.health(100 * S, None);
        assert_eq!(health.boot.unwrap().at, 5);
        assert_eq!(health.restart.unwrap().at, 4);
        assert_eq!(health.seen[&Seen::Oops], 2);
    }

    proptest! {
        #[test]
        fn no_clock_and_no_flood_makes_it_panic(
            steps in prop::collection::vec((any::<u64>(), any::<u32>(), 0..8_u8), 0..40),
        ) {
            let mut vitals = Vitals::default();
            for (time_us, bytes, verb) in steps {
                vitals.heard(time_us, bytes as usize);
                let phase = [Phase::Begin, Phase::Done, Phase::Failed][usize::from(verb) % 3];
                power(&mut vitals, time_us, if verb < 4 { "off" } else { "on" }, phase);
                vitals.health(time_us.wrapping_mul(3), None);
            }
        }
    }
}
