//! `Range` (RFC 9110, section 14): one range of bytes. Of several, which nobody has to understand, all is given.

use std::ops::Range;

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    All,
    Part(Range<u64>),
    /// Bytes that there are none of.
    Nothing,
}

/// What a header asks for of so many bytes.
pub(super) fn range(header: Option<&str>, size: u64) -> Asked {
    let Some(ranges) = header.and_then(|header| header.trim().strip_prefix("bytes=")) else {
        return Asked::All;
    };
    let Some((first, last)) = ranges.split_once('-') else { return Asked::All };
    let (first, last) = (first.trim(), last.trim());
    let part = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => first..last.saturating_add(1).min(size),
        (Ok(first), Err(_)) if last.is_empty() => first..size,
        (Err(_), Ok(last_ones)) if first.is_empty() => size.saturating_sub(last_ones)..size,
        _ => return Asked::All,
    };
    if part.is_empty() { Asked::Nothing } else { Asked::Part(part) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_range_is_understood_and_everything_else_is_all() {
        for (header, asked) in [
            ("bytes=0-0", Asked::Part(0..1)),
            ("bytes=2-", Asked::Part(2..10)),
            ("bytes=-3", Asked::Part(7..10)),
            ("bytes=-30", Asked::Part(0..10)),
            ("bytes=5-99", Asked::Part(5..10)),
            ("bytes=10-", Asked::Nothing),
            ("bytes=-0", Asked::Nothing),
            ("bytes=5-4", Asked::All),
            ("bytes=0-1,3-4", Asked::All),
            ("lines=0-1", Asked::All),
            ("bytes=x", Asked::All),
        ] {
            assert_eq!(range(Some(header), 10), asked, "{header}");
        }
        assert_eq!(range(None, 10), Asked::All);
    }

    proptest! {
        #[test]
        fn what_is_given_is_there(header in "bytes=[-0-9, ]{0,30}", size: u64) {
            if let Asked::Part(part) = range(Some(&header), size) {
                prop_assert!(part.start < part.end && part.end <= size);
            }
        }
    }
}
