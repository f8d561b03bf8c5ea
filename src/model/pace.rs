//! How fast typed bytes go to a board: for boot loaders that lose what comes too fast.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::units;

/// The longest [`Interval`]: with it, somebody would still wait for the end of a line.
const MAX: Duration = Duration::from_secs(10);

/// How fast typed bytes go to a board.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Pace {
    /// From one character to the next. Below a millisecond it is kept on average only.
    pub byte: Interval,
    /// After the end of a line, instead of `byte` where it is longer.
    pub line: Interval,
}

/// A time between two things that are sent. As text `10ms`, or a rate: `100/s`, `100B/s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Interval(Duration);

impl Pace {
    /// Whether there is nothing to wait for.
    pub fn is_none(self) -> bool {
        self == Self::default()
    }
}

impl Interval {
    pub fn time(self) -> Duration {
        self.0
    }
}

impl FromStr for Interval {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!("{text:?} is no pace; write a time from one to the next like 10ms, or 100B/s")
        };
        let time = match text.strip_suffix("/s") {
            Some(rate) => {
                let digits = rate.strip_suffix('B').unwrap_or(rate);
                let rate: u32 = digits.parse().map_err(|_| wrong())?;
                Duration::from_secs(1).checked_div(rate).ok_or_else(wrong)?
            }
            None if text == "0" => Duration::ZERO,
            None => units::duration(text).map_err(|_| wrong())?,
        };
        if time > MAX {
            return Err(format!("{text:?} is too slow; {} s is the most", MAX.as_secs()));
        }
        Ok(Self(time))
    }
}

impl TryFrom<String> for Interval {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Interval> for String {
    fn from(interval: Interval) -> Self {
        interval.to_string()
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ns = self.0.as_nanos();
        match ns {
            _ if ns.is_multiple_of(1_000_000) => write!(f, "{}ms", ns / 1_000_000),
            _ if ns.is_multiple_of(1_000) => write!(f, "{}us", ns / 1_000),
            _ => write!(f, "{ns}ns"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_pace_is_a_time_or_a_rate() {
        let time = |text: &str| text.parse().map(Interval::time);
        assert_eq!(time("10ms"), Ok(Duration::from_millis(10)));
        assert_eq!(time("100B/s"), Ok(Duration::from_millis(10)));
        assert_eq!(time("11520/s"), Ok(Duration::from_nanos(86_805)));
        assert_eq!(time("0"), Ok(Duration::ZERO));
        for wrong in ["", "10", "0/s", "-1ms", "fast/s", "11s", "4294967296/s"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_the_same(ns in 0..=10_000_000_000_u64) {
            let interval = Interval(Duration::from_nanos(ns));
            prop_assert_eq!(interval.to_string().parse(), Ok(interval));
        }

        #[test]
        fn no_text_makes_it_panic(text in "[0-9a-zB/. ]{0,20}") {
            let _ = text.parse::<Interval>();
        }
    }
}
