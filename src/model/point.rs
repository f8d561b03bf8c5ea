//! Points in a console's past, as people and programs write them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::civil::{DateTime, Time};
use jiff::{SignedDuration, Timestamp, Zoned};

use super::event::Phase;
use super::{Event, Seen, What, units};

/// A point in a console's stream. Its text is the same in the HTTP interface, in the query of an
/// attach request and on command lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// `4711`: an absolute offset.
    Offset(u64),
    /// `2026-11-21T10:30:00Z`: the first byte that came at or after a time, which is in
    /// microseconds since the Unix epoch.
    Time(u64),
    /// `10m`, `7d`: the time so long ago.
    Ago(Duration),
    /// `reset`, `boot`: where something happened last.
    Mark(Mark),
}

/// Something that happens to a board again and again, to be gone back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Before the newest reset of the board by its outlet; if there is none, as [`Mark::Boot`].
    Reset,
    /// Where the board began to boot last, as far as the timeline tells; if nothing tells, as
    /// [`Mark::Reset`].
    Boot,
}

/// A text that is no [`Point`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no point in time; write an offset, a time such as 2026-11-21T10:30:00Z, an age such as \
     10m or 7d, or one of {words}", words = words()
)]
pub struct PointError(String);

impl Point {
    /// Reads what a person wrote, whose time zone and present time these are: besides what every
    /// program understands, a local time such as `10:30` (the last one, today or yesterday),
    /// `2026-11-21 10:30` or `2026-11-21`.
    ///
    /// # Errors
    /// When the text is no point in time.
    pub fn local(text: &str, now: &Zoned) -> Result<Self, PointError> {
        let wrong = |_| PointError(text.to_owned());
        text.parse().or_else(|error| match local_time(text.trim(), now) {
            Some(time) => Ok(Self::Time(micros(time.map_err(wrong)?.timestamp()))),
            None => Err(error),
        })
    }

    /// The time that it stands for, in microseconds since the Unix epoch; `None` where that depends
    /// on the console.
    pub fn time_us(&self, now_us: u64) -> Option<u64> {
        match self {
            Self::Time(time_us) => Some(*time_us),
            Self::Ago(age) => {
                Some(now_us.saturating_sub(u64::try_from(age.as_micros()).unwrap_or(u64::MAX)))
            }
            Self::Offset(_) | Self::Mark(_) => None,
        }
    }
}

impl Mark {
    const ALL: [Self; 2] = [Self::Reset, Self::Boot];

    fn word(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Boot => "boot",
        }
    }

    /// What the mark stands for if nothing of its own is on the timeline.
    fn other(self) -> Self {
        match self {
            Self::Reset => Self::Boot,
            Self::Boot => Self::Reset,
        }
    }

    /// Whether an event is what the mark stands for.
    fn is(self, what: &What) -> bool {
        match (self, what) {
            (Self::Reset, What::Power { verb, phase: Phase::Begin, .. }) => {
                verb == "on" || verb == "cycle"
            }
            (Self::Boot, What::Seen { what: Seen::Boot, .. }) => true,
            _ => false,
        }
    }

    /// The offset of the mark among a console's events, which come newest first. Operations that
    /// failed do not count.
    pub fn find(self, newest_first: impl IntoIterator<Item = Event>) -> Option<u64> {
        let mut other = None;
        let mut failed = None;
        for event in newest_first {
            if let What::Power { outlet, verb, phase, .. } = &event.what {
                let operation = (outlet.clone(), verb.clone());
                if *phase == Phase::Failed {
                    failed = Some(operation);
                    continue;
                }
                if failed.take_if(|failed| *failed == operation).is_some() {
                    continue;
                }
            }
            let place = match &event.what {
                What::Seen { at, .. } => *at,
                _ => event.offset,
            };
            if self.is(&event.what) {
                return Some(place);
            }
            if other.is_none() && self.other().is(&event.what) {
                other = Some(place);
            }
        }
        other
    }
}

impl FromStr for Point {
    type Err = PointError;

    fn from_str(text: &str) -> Result<Self, PointError> {
        let trimmed = text.trim();
        if let Some(mark) = Mark::ALL.into_iter().find(|mark| mark.word() == trimmed) {
            return Ok(Self::Mark(mark));
        }
        if trimmed.bytes().all(|byte| byte.is_ascii_digit())
            && let Ok(offset) = trimmed.parse()
        {
            return Ok(Self::Offset(offset));
        }
        if let Ok(age) = units::duration(trimmed) {
            return Ok(Self::Ago(age));
        }
        let time: Timestamp = trimmed.parse().map_err(|_| PointError(text.to_owned()))?;
        Ok(Self::Time(micros(time)))
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Offset(offset) => write!(f, "{offset}"),
            Self::Time(time_us) => match i64::try_from(*time_us).map(Timestamp::from_microsecond) {
                Ok(Ok(time)) => write!(f, "{time}"),
                _ => write!(f, "{}", Timestamp::MAX),
            },
            Self::Ago(age) => match SignedDuration::try_from(*age) {
                Ok(age) => write!(f, "{age:#}"),
                Err(_) => write!(f, "{:#}", SignedDuration::MAX),
            },
            Self::Mark(mark) => mark.fmt(f),
        }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The local time that a text means, if it looks like one.
fn local_time(text: &str, now: &Zoned) -> Option<Result<Zoned, jiff::Error>> {
    let zone = |time: DateTime| time.to_zoned(now.time_zone().clone());
    if let Ok(time) = text.parse::<DateTime>() {
        return Some(zone(time));
    }
    let time: Time = text.parse().ok()?;
    Some(match zone(now.date().to_datetime(time)) {
        Ok(today) if today > *now => {
            now.date().yesterday().and_then(|day| zone(day.to_datetime(time)))
        }
        today => today,
    })
}

fn micros(time: Timestamp) -> u64 {
    u64::try_from(time.as_microsecond()).unwrap_or(0)
}

fn words() -> String {
    Mark::ALL.map(Mark::word).join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn point(text: &str) -> Point {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn a_point_is_an_offset_a_time_an_age_or_a_mark() {
        assert_eq!(point("4711"), Point::Offset(4711));
        assert_eq!(point("1970-01-01T00:00:01Z"), Point::Time(1_000_000));
        assert_eq!(point("1970-01-01T01:00:01.5+01:00"), Point::Time(1_500_000));
        assert_eq!(point("1960-01-01T00:00:00Z"), Point::Time(0));
        assert_eq!(point("10m"), Point::Ago(Duration::from_secs(600)));
        assert_eq!(point("7d"), Point::Ago(Duration::from_secs(7 * 86_400)));
        assert_eq!(point("reset"), Point::Mark(Mark::Reset));
        for wrong in ["", "yesterday", "10:30", "-10m", "99999999999999999999", "1mo", "resett"] {
            assert!(wrong.parse::<Point>().is_err(), "{wrong}");
        }
        let told = "yesterday".parse::<Point>().unwrap_err().to_string();
        assert!(told.contains("\"yesterday\"") && told.ends_with("reset and boot"), "{told}");
    }

    #[test]
    fn a_person_may_write_local_times_and_an_hour_to_come_was_yesterday() {
        let now: Zoned = "2026-11-21T12:00:00+01:00[+01:00]".parse().unwrap();
        let local = |text: &str| Point::local(text, &now).map(|point| point.to_string());
        assert_eq!(local("10:30").unwrap(), "2026-11-21T09:30:00Z");
        assert_eq!(local("12:30").unwrap(), "2026-11-20T11:30:00Z");
        assert_eq!(local("10:30:05.25").unwrap(), "2026-11-21T09:30:05.25Z");
        assert_eq!(local("2026-11-20 10:30").unwrap(), "2026-11-20T09:30:00Z");
        assert_eq!(local("2026-11-20").unwrap(), "2026-11-19T23:00:00Z");
        assert_eq!(local("2026-11-20T10:30:00Z").unwrap(), "2026-11-20T10:30:00Z");
        assert_eq!(local("10m").unwrap(), "10m");
        assert!(local("25:00").is_err());
    }

    #[test]
    fn a_mark_is_the_newest_of_its_kind_that_did_not_fail() {
        let event = |offset, verb: &str, phase| Event {
            offset,
            time_us: 1,
            who: None,
            what: What::Power {
                outlet: "panda01".parse().unwrap(),
                verb: verb.into(),
                phase,
                detail: None,
            },
        };
        let mut events = vec![
            Event { offset: 1, time_us: 1, who: None, what: What::Detach },
            event(10, "cycle", Phase::Begin),
            event(12, "cycle", Phase::Done),
            event(20, "off", Phase::Begin),
            event(21, "off", Phase::Done),
        ];
        let find = |mark: Mark, events: &[Event]| mark.find(events.iter().rev().cloned());
        assert_eq!(find(Mark::Reset, &events), Some(10));
        assert_eq!(find(Mark::Boot, &events), Some(10));
        events.push(event(30, "on", Phase::Begin));
        events.push(event(31, "on", Phase::Failed));
        assert_eq!(find(Mark::Reset, &events), Some(10));
        events.push(event(40, "on", Phase::Begin));
        assert_eq!(find(Mark::Reset, &events), Some(40));
        assert_eq!(find(Mark::Reset, &events[..1]), None);
        let seen = |what| What::Seen { what, at: 50, line: "U-Boot 2023.01".into() };
        events.push(Event { offset: 80, time_us: 1, who: None, what: seen(Seen::Boot) });
        events.push(Event { offset: 90, time_us: 1, who: None, what: seen(Seen::Kernel) });
        assert_eq!(find(Mark::Boot, &events), Some(50), "where the banner begins");
        assert_eq!(find(Mark::Reset, &events), Some(40));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            offset: u64,
            time_us in 0_u64..253_402_207_200_000_000,
            age_us in 0_u64..1 << 60,
        ) {
            for point in [
                Point::Offset(offset),
                Point::Time(time_us),
                Point::Ago(Duration::from_micros(age_us)),
                Point::Mark(Mark::Boot),
            ] {
                prop_assert_eq!(point.to_string().parse(), Ok(point));
            }
        }

        #[test]
        fn any_text_is_a_point_or_an_error_and_never_a_panic(text in "\\PC{0,40}") {
            let now: Zoned = "2026-11-21T12:00:00+01:00[+01:00]".parse().unwrap();
            if let Ok(point) = Point::local(&text, &now) {
                prop_assert_eq!(point.to_string().parse::<Point>(), Ok(point));
                let _ = point.time_us(units::now_us());
            }
        }

        #[test]
        fn near_points_are_no_panic_either(text in "[-+:.TZ 0-9dhmsw]{0,24}") {
            let now: Zoned = "2026-03-29T02:30:00+02:00[+02:00]".parse().unwrap();
            let _ = Point::local(&text, &now);
        }
    }
}
