//! What a board has said, for whoever waits for something in it.

use std::ops::Range;

use super::expect::Expected;
use super::plain::plain;

/// The longest match, in bytes, that is surely found when it comes in pieces.
pub const MAX_MATCH: usize = 4096;
/// So much that nobody has waited for yet is kept, in bytes; of more, the oldest is let go.
const MAX_HELD: usize = 1024 * 1024;
/// The longest begin of a line that is looked at as a prompt, in bytes.
const MAX_PROMPT: usize = 512;

/// A stream as it comes, and how far one has got in it. Positions are absolute offsets.
#[derive(Debug, Clone, Default)]
pub struct Heard {
    bytes: Vec<u8>,
    /// The offset of the first byte that is held.
    begin: u64,
    /// All before it is done with.
    cursor: u64,
    /// All before it was searched.
    searched: u64,
}

impl Heard {
    /// From an offset on.
    pub fn from(offset: u64) -> Self {
        Self { bytes: Vec::new(), begin: offset, cursor: offset, searched: offset }
    }

    /// The next bytes. Those of another place than the end (a gap) count as following all the same.
    pub fn push(&mut self, offset: u64, bytes: &[u8]) {
        if self.bytes.is_empty() || offset != self.end() {
            let missing = offset.saturating_sub(self.end());
            let held = self.bytes.len() as u64;
            // Where it was counted anew, there is nothing in common.
            if self.bytes.is_empty() || offset < self.end() {
                self.bytes.clear();
                (self.begin, self.cursor, self.searched) = (offset, offset, offset);
            } else {
                self.begin = offset - held;
                self.cursor += missing;
                self.searched += missing;
            }
        }
        self.bytes.extend_from_slice(bytes);
        let done = self.at(self.cursor).min(self.at(self.searched)).saturating_sub(MAX_MATCH);
        let least = self.bytes.len().saturating_sub(MAX_HELD);
        // Not for each piece anew: moving costs.
        if done > MAX_MATCH || least > 0 {
            let gone = done.max(least);
            self.bytes.drain(..gone);
            self.begin += gone as u64;
            self.cursor = self.cursor.max(self.begin);
            self.searched = self.searched.max(self.begin);
        }
    }

    /// The offset behind everything heard.
    pub fn end(&self) -> u64 {
        self.begin + self.bytes.len() as u64
    }

    pub fn cursor(&self) -> u64 {
        self.cursor
    }

    /// What is not done with yet.
    pub fn rest(&self) -> &[u8] {
        &self.bytes[self.at(self.cursor)..]
    }

    /// Some of what is held.
    pub fn range(&self, range: Range<u64>) -> &[u8] {
        let (begin, end) = (self.at(range.start), self.at(range.end));
        &self.bytes[begin.min(end)..end]
    }

    /// So many of the bytes that were left are done with.
    pub fn take(&mut self, length: usize) {
        self.cursor = self.cursor.saturating_add(length as u64).min(self.end());
        self.searched = self.cursor;
    }

    /// The first match in what is not done with; behind it one goes on. It is found wherever the pieces
    /// were cut, and waiting costs no more than what comes.
    pub fn find(&mut self, expected: &Expected) -> Option<Range<u64>> {
        let from = self.at(self.searched).saturating_sub(MAX_MATCH).max(self.at(self.cursor));
        let found = expected.find_from(&self.bytes, from);
        self.searched = self.end();
        let found = found?;
        let found = self.begin + found.start as u64..self.begin + found.end as u64;
        (self.cursor, self.searched) = (found.end, found.end);
        Some(found)
    }

    /// Something else is waited for from now on.
    pub fn search_again(&mut self) {
        self.searched = self.cursor;
    }

    /// The line that has no end yet, as a person sees it: without colours, and what a carriage return
    /// has gone back over. Done with or not: a prompt stays one.
    pub fn line(&self) -> String {
        let tail = &self.bytes[self.bytes.len().saturating_sub(MAX_PROMPT)..];
        let begin = tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let line = &tail[begin..];
        let end = line.iter().rposition(|byte| *byte != b'\r').map_or(0, |at| at + 1);
        let begin = line[..end].iter().rposition(|byte| *byte == b'\r').map_or(0, |at| at + 1);
        plain(&line[begin..end])
    }

    fn at(&self, offset: u64) -> usize {
        let at = usize::try_from(offset.saturating_sub(self.begin)).unwrap_or(usize::MAX);
        at.min(self.bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_match_is_found_wherever_it_is_cut_and_once() {
        let login = Expected::stream("log.n: ").unwrap();
        let mut heard = Heard::default();
        heard.push(100, b"panda lo");
        assert_eq!(heard.find(&login), None);
        heard.push(108, b"gin: login: ");
        assert_eq!(heard.find(&login), Some(106..113));
        assert_eq!(heard.rest(), b"login: ");
        assert_eq!(heard.find(&login), Some(113..120));
        assert_eq!(heard.find(&login), None);
        assert_eq!(heard.range(106..111), b"login");
    }

    #[test]
    fn a_line_begins_wherever_a_person_sees_one() {
        let mut heard = Heard::default();
        heard.push(0, b"first\r\nlast line");
        assert!(heard.find(&Expected::stream("^last").unwrap()).is_some());
        heard.push(16, b"\r\nend\r\n");
        assert!(heard.find(&Expected::stream("line$").unwrap()).is_some());
    }

    #[test]
    fn a_prompt_is_seen_without_its_colours() {
        let mut heard = Heard::default();
        heard.push(0, b"text\r\n\x1b[?2004h\x1b[01;32mroot@panda\x1b[00m:~# ");
        assert_eq!(heard.line(), "root@panda:~# ");
        heard.push(heard.end(), b"\r=> ");
        assert_eq!(heard.line(), "=> ");
        heard.push(heard.end(), b"\r\n");
        assert_eq!(heard.line(), "");
    }

    #[test]
    fn gaps_and_new_numbers_do_no_harm() {
        let mut heard = Heard::default();
        heard.push(10, b"one ");
        heard.push(100, b"two ");
        assert_eq!((heard.end(), heard.rest()), (104, &b"one two "[..]));
        heard.push(3, b"three");
        assert_eq!((heard.cursor(), heard.rest()), (3, &b"three"[..]));
    }

    proptest! {
        #[test]
        fn whatever_is_cut_the_same_is_found(
            stream in "[ab\r\n=> ]{0,60}",
            cuts in prop::collection::vec(1_usize..9, 1..20),
        ) {
            let expected = Expected::stream("a+b?=> ").unwrap();
            let mut whole = Heard::default();
            whole.push(7, stream.as_bytes());
            // What comes later can only make a match longer where it is at the end of a piece.
            let first = whole.find(&expected);
            let (mut cut, mut at, mut found) = (Heard::default(), 0, None);
            let mut cuts = cuts.iter().cycle();
            while at < stream.len() && found.is_none() {
                let end = (at + cuts.next().unwrap()).min(stream.len());
                cut.push(7 + at as u64, &stream.as_bytes()[at..end]);
                found = cut.find(&expected);
                at = end;
            }
            prop_assert_eq!(found, first);
        }

        #[test]
        fn it_keeps_no_more_than_it_needs(pieces in prop::collection::vec(1_usize..60_000, 1..60)) {
            let (mut heard, mut at) = (Heard::default(), 0);
            let never = Expected::stream("never").unwrap();
            for piece in pieces {
                heard.push(at, &vec![b'x'; piece]);
                at += piece as u64;
                prop_assert_eq!(heard.end(), at);
                if at.is_multiple_of(3) {
                    prop_assert_eq!(heard.find(&never), None);
                    heard.take(usize::MAX);
                }
                prop_assert!(heard.bytes.len() <= MAX_HELD + 60_000);
            }
        }
    }
}
