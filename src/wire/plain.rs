//! What boards print, made fit for the terminals of people who read about it later.

use crate::model::is_shown;

/// Terminal sequences are looked at up to this length; what is longer is none.
const MAX_SEQUENCE: usize = 256;

/// A line as text that a terminal only shows: without colours and cursor movements, other control
/// characters as `^G`. Tabs stay; what would turn the direction of what follows becomes U+FFFD.
pub fn plain(line: &[u8]) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((first, after)) = rest.split_first() {
        if let Some(length) = sequence(rest) {
            rest = &rest[length..];
            continue;
        }
        match first {
            b'\t' => text.push('\t'),
            0..0x20 | 0x7f => text.extend(['^', char::from(first ^ 0x40)]),
            _ => {
                let end = rest.iter().position(|byte| *byte < 0x20 || *byte == 0x7f);
                let (shown, after) = rest.split_at(end.unwrap_or(rest.len()));
                let shown = String::from_utf8_lossy(shown);
                text.extend(shown.chars().map(|c| if is_shown(c) { c } else { '\u{fffd}' }));
                rest = after;
                continue;
            }
        }
        rest = after;
    }
    text
}

/// The last line of some bytes that is not blank, as [`plain`] text of at most `most` characters. Of a line
/// that was overwritten (`10%\r20%`) it is what was written last.
pub fn last_line(bytes: &[u8], most: usize) -> String {
    let pieces = bytes.rsplit(|byte| matches!(byte, b'\n' | b'\r'));
    for piece in pieces {
        let text = plain(piece).replace('\t', " ");
        let text = text.trim_end();
        if !text.trim_start().is_empty() {
            return text.chars().take(most).collect();
        }
    }
    String::new()
}

/// The length of the control sequence that some bytes begin with; `None` when it is none, or not all
/// of it is there.
fn sequence(bytes: &[u8]) -> Option<usize> {
    let (0x1b, kind) = (bytes.first()?, bytes.get(1)?) else { return None };
    let within = bytes.len().min(MAX_SEQUENCE);
    let body = &bytes[2..within.max(2)];
    match kind {
        b'[' => {
            let end = body.iter().position(|byte| !(0x20..0x40).contains(byte))?;
            (0x40..0x7f).contains(&body[end]).then_some(end + 3)
        }
        // Strings, ended by BEL or ESC \.
        b']' | b'P' | b'_' | b'^' | b'X' => {
            let bell = body.iter().position(|byte| *byte == 0x07).map(|end| end + 3);
            let st = body.windows(2).position(|two| two == b"\x1b\\").map(|end| end + 4);
            bell.into_iter().chain(st).min()
        }
        // Which characters a set has.
        0x20..0x30 => body.first().map(|_| 3),
        0x30..0x7f => Some(2),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_line_is_shown_without_what_moves_or_colours() {
        assert_eq!(
            plain(b"[\x1b[0;32m  OK  \x1b[0m] Started \x1b]0;title\x07Getty"),
            "[  OK  ] Started Getty"
        );
        assert_eq!(plain(b"10%\r20%\x07\tdone\x7f"), "10%^M20%^G\tdone^?");
        assert_eq!(plain("caf\u{e9} \u{9b}2J".as_bytes()), "caf\u{e9} \u{fffd}2J");
        assert_eq!(plain(b"\xff\x1b[2"), "\u{fffd}^[[2");
        assert_eq!(plain("\u{202e}\u{2066}x\u{200f}".as_bytes()), "\u{fffd}\u{fffd}x\u{fffd}");
    }

    #[test]
    fn the_last_line_is_what_one_sees_last() {
        assert_eq!(last_line(b"one\r\n=> ", 80), "=>");
        assert_eq!(last_line(b"one\r\ntwo\r\n\r\n", 80), "two");
        assert_eq!(last_line(b" 10%\r 20%\r", 80), " 20%");
        assert_eq!(last_line(b"x\x1b]52;c;AAAA\x07yz", 2), "xy");
        assert_eq!(last_line(b"\r\n \x1b[0m\r\n", 80), "");
    }

    proptest! {
        #[test]
        fn nothing_in_a_plain_line_can_move_a_cursor(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(plain(&line).chars().all(|c| c == '\t' || is_shown(c)));
        }
    }
}
