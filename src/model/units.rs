//! Durations and sizes as people write them: `5s`, `1m30s`, `64MiB`.

use std::time::Duration;

use bytesize::ByteSize;
use jiff::SignedDuration;

/// Reads a duration such as `500ms`, `5s`, `1m30s` or `2h`.
///
/// # Errors
/// Says what was expected when the text is no duration or a negative one.
pub fn duration(text: &str) -> Result<Duration, String> {
    let expected = || format!("{text:?} is no duration; write it like 500ms, 5s, 1m30s or 2h");
    let signed: SignedDuration = text.parse().map_err(|_| expected())?;
    Duration::try_from(signed).map_err(|_| expected())
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

/// A time in seconds for people: `45 s`, `30 min`, `2 h`; the whole ones of the largest that fits.
pub fn time_span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
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
