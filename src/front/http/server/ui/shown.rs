//! How times, lengths and sizes stand on a page.

use std::fmt;

use crate::model::units;

/// A point in time: RFC 3339. A page's script shows it by the reader's own clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment(pub(super) u64);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&units::time_text(self.0))
    }
}

/// A length of time, in milliseconds, as people say it: `12.3 s`, `4 min 5 s`, `2 h 10 min`, `3 d 4 h`.
pub(super) fn span(ms: u64) -> String {
    let seconds = ms / 1000;
    let two = |many: u64, few: u64, one: &str, other: &str| match few {
        0 => format!("{many} {one}"),
        few => format!("{many} {one} {few} {other}"),
    };
    match seconds {
        0..60 => format!("{}.{} s", seconds, ms % 1000 / 100),
        60..3600 => two(seconds / 60, seconds % 60, "min", "s"),
        3600..86400 => two(seconds / 3600, seconds % 3600 / 60, "h", "min"),
        _ => two(seconds / 86400, seconds % 86400 / 3600, "d", "h"),
    }
}

/// So many bytes, as people say it.
pub(super) fn size(bytes: u64) -> String {
    bytesize::ByteSize(bytes).to_string()
}

/// What a board is to be like, in a request.
pub(super) fn specs(specs: &[String]) -> String {
    let one = |spec: &String| if spec.is_empty() { "any board".to_owned() } else { spec.clone() };
    specs.iter().map(one).collect::<Vec<_>>().join(" + ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_told_in_two_units_at_most() {
        for (ms, told) in [
            (0, "0.0 s"),
            (12_345, "12.3 s"),
            (60_000, "1 min"),
            (245_000, "4 min 5 s"),
            (7_800_000, "2 h 10 min"),
            (273_600_000, "3 d 4 h"),
        ] {
            assert_eq!(span(ms), told);
        }
    }
}
