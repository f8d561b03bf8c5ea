//! What boards print, made fit for the terminals of people who read about it later.

/// Terminal sequences are looked at up to this length; what is longer is none.
const MAX_SEQUENCE: usize = 256;

/// A line as text that a terminal only shows: without colours and cursor movements, other control
/// characters as `^G`. Tabs stay.
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
                text.extend(shown.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }));
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

/// Takes from a recording what a terminal would answer, as if the board had just asked: the answers
/// would be typed, at the board or at a shell.
#[derive(Debug, Default)]
pub struct Mute {
    /// The beginning of a sequence.
    held: Vec<u8>,
}

impl Mute {
    /// What is left of the next bytes, and of those that were held.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut all = std::mem::take(&mut self.held);
        all.extend_from_slice(bytes);
        let mut left = Vec::with_capacity(all.len());
        let mut rest = &all[..];
        while let Some((first, after)) = rest.split_first() {
            match (first, sequence(rest)) {
                (0x1b, Some(length)) => {
                    let (sequence, after) = rest.split_at(length);
                    if !asks(sequence) {
                        left.extend_from_slice(sequence);
                    }
                    rest = after;
                    continue;
                }
                (0x1b, None) if rest.len() < MAX_SEQUENCE => {
                    self.held = rest.to_vec();
                    return left;
                }
                // "Who are you?"
                (0x05, _) => {}
                _ => left.push(*first),
            }
            rest = after;
        }
        left
    }

    /// What is still held when the recording ends.
    pub fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }
}

/// Whether a terminal answers a sequence: reports of its state, of its kind, of its colours.
fn asks(sequence: &[u8]) -> bool {
    match sequence {
        [0x1b, b'Z'] => true,
        [0x1b, b'[', .., b'n' | b'c' | b'x' | b't' | b'u' | b'q' | b'p'] => {
            let last = sequence[sequence.len() - 1];
            let marked = sequence.iter().any(|byte| b"?>=$".contains(byte));
            matches!(last, b'n' | b'c' | b'x' | b't')
                || (last != b'p' && marked)
                || sequence.contains(&b'$')
        }
        [0x1b, b']', ..] => sequence.contains(&b'?'),
        [0x1b, b'P' | b'_', ..] => true,
        _ => false,
    }
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
    }

    #[test]
    fn the_last_line_is_what_one_sees_last() {
        assert_eq!(last_line(b"one\r\n=> ", 80), "=>");
        assert_eq!(last_line(b"one\r\ntwo\r\n\r\n", 80), "two");
        assert_eq!(last_line(b" 10%\r 20%\r", 80), " 20%");
        assert_eq!(last_line(b"x\x1b]52;c;AAAA\x07yz", 2), "xy");
        assert_eq!(last_line(b"\r\n \x1b[0m\r\n", 80), "");
    }

    #[test]
    fn what_a_terminal_would_answer_is_taken_out_and_nothing_else() {
        let mut mute = Mute::default();
        let screen = b"\x1b[2J\x1b[1;1H\x1b[0;32mU-Boot\x1b[0m\x1b(B\r\n";
        assert_eq!(mute.feed(screen), screen);
        for question in [
            &b"\x1b[6n"[..],
            b"\x1b[c",
            b"\x1b[>c",
            b"\x1bZ",
            b"\x05",
            b"\x1b[?2004$p",
            b"\x1b[18t",
            b"\x1b]11;?\x07",
            b"\x1bP+q544e\x1b\\",
            b"\x1b[>q",
            b"\x1b[?u",
        ] {
            let asked = [b"a", question, b"b"].concat();
            assert_eq!(mute.feed(&asked), b"ab", "{question:?}");
            let (one, two) = asked.split_at(2);
            assert_eq!([mute.feed(one), mute.feed(two)].concat(), b"ab", "{question:?}");
        }
        assert_eq!(mute.feed(b"end\x1b["), b"end");
        assert_eq!(mute.finish(), b"\x1b[");
    }

    proptest! {
        #[test]
        fn nothing_in_a_plain_line_can_move_a_cursor(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(plain(&line).chars().all(|c| c == '\t' || !c.is_control()));
        }

        #[test]
        fn text_passes_a_mute_as_it_is(text in "[ -~\r\n]{0,100}", cut in 0_usize..100) {
            let (one, two) = text.as_bytes().split_at(cut.min(text.len()));
            let mut mute = Mute::default();
            prop_assert_eq!([mute.feed(one), mute.feed(two), mute.finish()].concat(), text.as_bytes());
        }

        #[test]
        fn any_bytes_are_bounded(bytes in proptest::collection::vec(prop_oneof![Just(0x1b), Just(b'['), any::<u8>()], 0..600)) {
            let mut mute = Mute::default();
            let _ = mute.feed(&bytes);
            prop_assert!(mute.held.len() < MAX_SEQUENCE);
        }
    }
}
