//! Durations and sizes as people write them: `5s`, `1m30s`, `64MiB`.

use std::time::Duration;

use bytesize::ByteSize;
use jiff::{SignedDuration, Span, SpanRelativeTo};

const DAY: SpanRelativeTo<'_> = SpanRelativeTo::days_are_24_hours();

/// Reads a duration such as `500ms`, `5s`, `1m30s`, `2h` or `7d`. A day has 24 hours.
///
/// # Errors
/// Says what was expected when the text is no duration or a negative one.
pub fn duration(text: &str) -> Result<Duration, String> {
    let span = |text: &str| text.parse::<Span>().ok()?.to_duration(DAY).ok();
    let signed = text.parse::<SignedDuration>().ok().or_else(|| span(text));
    signed
        // jiff reads 10:30:05 as a duration, too; people mean a time of day.
        .filter(|_| !text.contains(':'))
        .and_then(|signed| Duration::try_from(signed).ok())
        .ok_or_else(|| format!("{text:?} is no duration; write it like 500ms, 5s, 1m30s, 2h or 7d"))
}

/// Reads a size in bytes such as `4096`, `64KiB`, `1GiB` or `5MB`.
///
/// # Errors
/// Says what was expected when the text is no size.
pub fn size(text: &str) -> Result<u64, String> {
    text.parse::<ByteSize>()
        .map(|size| size.as_u64())
        .map_err(|_| format!("{text:?} is no size; write it like 4096, 64KiB or 1GiB"))
}

/// A time in seconds for people: `45 s`, `30 min`, `2 h`, `30 days`; the nearest number of the largest that fits twice.
pub fn time_span(seconds: u64) -> String {
    let nearest = |unit: u64| (seconds + unit / 2) / unit;
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", nearest(60)),
        7200..172_800 => format!("{} h", nearest(3600)),
        _ => format!("{} days", nearest(86_400)),
    }
}

/// Microseconds since the Unix epoch, now. The unit of every time on the wire and on disk.
pub fn now_us() -> u64 {
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64)
}

/// A time in microseconds since the epoch as RFC 3339 text in UTC with milliseconds.
pub fn time_text(time_us: u64) -> String {
    match i64::try_from(time_us).map(jiff::Timestamp::from_microsecond) {
        Ok(Ok(time)) => format!("{time:.3}"),
        _ => format!("@{time_us}us"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_read_as_people_write_them() {
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2w1d12h"), Ok(Duration::from_secs(15 * 86_400 + 43_200)));
        assert!(duration("1mo").is_err());
        assert!(duration("10:30:05").is_err());
        assert!(duration("-5s").is_err());
        assert!(duration("5").is_err());
        assert_eq!(size("64MiB"), Ok(64 << 20));
        assert_eq!(size("4096"), Ok(4096));
        assert!(size("many").is_err());
    }

    #[test]
    fn a_time_is_shown_in_utc_with_milliseconds() {
        assert_eq!(time_text(1_000_000_123_456), "1970-01-12T13:46:40.123Z");
    }
}
