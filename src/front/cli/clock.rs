//! Times as people here read them.

use crate::model::units;

/// A time in microseconds since the epoch in this host's zone (`$TZ`), with milliseconds and the zone.
pub(in crate::front) fn local(time_us: u64) -> String {
    let time =
        i64::try_from(time_us).ok().and_then(|us| jiff::Timestamp::from_microsecond(us).ok());
    match time {
        Some(time) if time_us > 0 => {
            let zone = jiff::tz::TimeZone::system();
            time.to_zoned(zone).strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string()
        }
        _ => units::time_text(time_us),
    }
}
