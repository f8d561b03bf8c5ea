//! A console's bytes as lines of plain text, fit to stand among those of others.

/// A line without end is cut after so many characters.
const LONGEST: usize = 1000;
/// Where tabs lead to.
const TAB: usize = 8;

/// Cuts what one console prints into lines. Control sequences, which would move the cursor about
/// among other consoles' lines, are left out.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// What is not given out yet of the present line.
    text: String,
    /// A part of it was given out already.
    continues: bool,
    /// A CR came: a line end if LF follows, else the line is written anew.
    returned: bool,
    sequence: Sequence,
    /// The begin of a character of several bytes.
    partial: Vec<u8>,
}

/// A line, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) text: String,
    /// It goes on where the last one of this console stopped.
    pub(super) continues: bool,
}

/// Where in a control sequence the stream is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Sequence {
    #[default]
    None,
    /// After ESC.
    Begun,
    /// `ESC [ …`, up to a letter.
    Control,
    /// `ESC ] …`, up to BEL or `ESC \`.
    Text,
    /// ESC within such a text.
    TextEnd,
}

impl Lines {
    /// The lines that end in these bytes.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        for byte in bytes {
            self.byte(*byte, &mut lines);
        }
        lines
    }

    /// Whether there is a begun line that was not given out.
    pub(super) fn waits(&self) -> bool {
        !self.text.is_empty()
    }

    /// Nothing more came for a while: what there is of a begun line, such as a prompt.
    pub(super) fn quiet(&mut self) -> Option<Line> {
        self.waits().then(|| self.part())
    }

    fn byte(&mut self, byte: u8, lines: &mut Vec<Line>) {
        if self.in_sequence(byte) {
            return;
        }
        if std::mem::take(&mut self.returned) && byte != b'\n' && byte != b'\r' {
            self.text.clear();
        }
        match byte {
            b'\n' => {
                self.end_character();
                let text = std::mem::take(&mut self.text);
                let continues = std::mem::take(&mut self.continues);
                // The end of a prompt that was shown already says nothing.
                if !(continues && text.is_empty()) {
                    lines.push(Line { text, continues });
                }
            }
            b'\r' => {
                self.end_character();
                self.returned = true;
            }
            0x08 => {
                self.end_character();
                self.text.pop();
            }
            b'\t' => {
                self.end_character();
                let width = TAB - self.text.chars().count() % TAB;
                self.text.extend(std::iter::repeat_n(' ', width));
            }
            0..0x20 | 0x7f => self.end_character(),
            _ => self.character(byte),
        }
        if self.text.chars().count() >= LONGEST {
            lines.push(self.part());
        }
    }

    /// Whether a byte belongs to a control sequence.
    fn in_sequence(&mut self, byte: u8) -> bool {
        let (belongs, next) = match (self.sequence, byte) {
            (Sequence::None, 0x1b) => (true, Sequence::Begun),
            (Sequence::None, _) => (false, Sequence::None),
            (Sequence::Begun, b'[') => (true, Sequence::Control),
            (Sequence::Begun, b']' | b'P' | b'_' | b'^') => (true, Sequence::Text),
            // `ESC ( B` and the like have another byte.
            (Sequence::Begun, b' '..=b'/') => (true, Sequence::Begun),
            (Sequence::Control, b' '..=b'?') => (true, Sequence::Control),
            (Sequence::Text, 0x07) => (true, Sequence::None),
            (Sequence::Text, 0x1b) => (true, Sequence::TextEnd),
            (Sequence::Text, b' '..) => (true, Sequence::Text),
            // What cannot be part of one ends it: a board may have been reset in the middle.
            (Sequence::Control | Sequence::Begun | Sequence::Text, 0..0x20) => {
                (false, Sequence::None)
            }
            (Sequence::Control | Sequence::Begun | Sequence::TextEnd, _) => (true, Sequence::None),
        };
        self.sequence = next;
        belongs
    }

    fn character(&mut self, byte: u8) {
        self.partial.push(byte);
        match std::str::from_utf8(&self.partial) {
            Ok(text) => {
                // Those of eight bits: some terminals obey them.
                let shown = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
                self.text.extend(text.chars().map(shown));
                self.partial.clear();
            }
            Err(error) if error.error_len().is_none() => {}
            Err(_) => {
                // The byte may begin a character of its own.
                self.partial.pop();
                self.end_character();
                match byte {
                    0..0x80 => self.text.push(char::from(byte)),
                    0xc2..0xf5 => self.partial.push(byte),
                    _ => self.text.push(char::REPLACEMENT_CHARACTER),
                }
            }
        }
    }

    /// A character that was begun does not go on.
    fn end_character(&mut self) {
        if !self.partial.is_empty() {
            self.partial.clear();
            self.text.push(char::REPLACEMENT_CHARACTER);
        }
    }

    fn part(&mut self) -> Line {
        let continues = std::mem::replace(&mut self.continues, true);
        Line { text: std::mem::take(&mut self.text), continues }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(bytes: &[u8]) -> Vec<String> {
        Lines::default().feed(bytes).into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn lines_end_as_boards_end_them() {
        assert_eq!(texts(b"one\r\ntwo\n\r\nthree"), ["one", "two", ""]);
        assert_eq!(texts(b"10 %\r50 %\rdone\r\r\n"), ["done"]);
        assert_eq!(texts(b"ab\x08c\td\n"), ["ac      d"]);
    }

    #[test]
    fn what_would_move_the_cursor_is_left_out() {
        let noisy = b"\x1b[2J\x1b[1;31mred\x1b[0m \x1b]0;title\x07x\x1b(By\x1b]8;;u\x1b\\z\x07\n";
        assert_eq!(texts(noisy), ["red xyz"]);
        // A sequence that a reset has cut short does not swallow what follows.
        assert_eq!(texts(b"\x1b[12\r\nU-Boot\r\n"), ["", "U-Boot"]);
    }

    #[test]
    fn text_is_utf8_where_it_is() {
        assert_eq!(texts("gr\u{fc}n \u{20ac}\n".as_bytes()), ["gr\u{fc}n \u{20ac}"]);
        assert_eq!(texts(b"\xff\xe2\x82x\xe2\n"), ["\u{fffd}\u{fffd}x\u{fffd}"]);
    }

    #[test]
    fn a_begun_line_is_given_out_when_it_is_quiet_and_goes_on_as_such() {
        let mut lines = Lines::default();
        assert_eq!(lines.feed(b"login: "), []);
        let line = |text: &str, continues| Line { text: text.into(), continues };
        assert_eq!(lines.quiet(), Some(line("login: ", false)));
        assert_eq!(lines.quiet(), None);
        assert_eq!(
            lines.feed(b"root\r\nPassword: \r\n"),
            [line("root", true), line("Password: ", false)]
        );
        lines.feed(b"=> ");
        lines.quiet();
        assert_eq!(lines.feed(b"\r\nnext\r\n"), [line("next", false)]);
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let lines = Lines::default().feed(&[b'x'; 2500]);
        assert_eq!(lines.len(), 2);
        assert!(!lines[0].continues && lines[1].continues);
    }

    proptest! {
        #[test]
        fn the_pieces_do_not_matter_and_no_control_character_comes_out(
            bytes in proptest::collection::vec(
                prop_oneof![4 => proptest::sample::select(b"ab\r\n\x1b[];1m\x07\\\x08\t\xc3\xc2\x9b\xbc(".to_vec()), 1 => any::<u8>()],
                0..80,
            ),
            cut in 0..80_usize,
        ) {
            let whole = Lines::default().feed(&bytes);
            let (begin, end) = bytes.split_at(cut.min(bytes.len()));
            let mut lines = Lines::default();
            let mut pieces = lines.feed(begin);
            pieces.extend(lines.feed(end));
            prop_assert_eq!(&pieces, &whole);
            for line in whole {
                prop_assert!(!line.text.contains(|c: char| c.is_control()), "{:?}", line);
            }
        }
    }
}
