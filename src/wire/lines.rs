//! A console's stream as lines.

use bytes::Bytes;

use super::frame::Frame;

/// The longest line, in bytes. What has no line end for longer than that is taken in pieces of this
/// length, each as a line.
pub const MAX_LINE: usize = 16 * 1024;

/// A line of a console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The absolute offset of its first byte.
    pub offset: u64,
    /// When its first byte came, in microseconds since the Unix epoch.
    pub time_us: u64,
    /// Its bytes without what ends it.
    pub bytes: Bytes,
    /// The offset behind it, and behind its line end if it has one.
    pub end: u64,
}

/// Cuts a stream into lines.
#[derive(Debug, Default)]
pub struct Lines {
    pending: Vec<u8>,
    /// Offset and time of the first pending byte.
    begin: (u64, u64),
}

impl Lines {
    /// Takes the next bytes of the stream and gives each line that they complete. After a hole in
    /// the stream what came before it is a line, too.
    pub fn push(&mut self, frame: &Frame, mut line: impl FnMut(Line)) {
        if frame.offset != self.end() {
            self.finish().into_iter().for_each(&mut line);
        }
        let mut rest = &frame.bytes[..];
        let mut offset = frame.offset;
        while !rest.is_empty() {
            if self.pending.is_empty() {
                self.begin = (offset, frame.time_us);
            }
            let room = rest.len().min(MAX_LINE - self.pending.len());
            let end = rest[..room].iter().position(|byte| *byte == b'\n');
            let taken = end.unwrap_or(room);
            self.pending.extend_from_slice(&rest[..taken]);
            let skipped = taken + usize::from(end.is_some());
            rest = &rest[skipped..];
            offset += skipped as u64;
            if end.is_some() || self.pending.len() == MAX_LINE {
                line(self.take(offset));
            }
        }
    }

    /// The line that has not ended yet, if there is one.
    pub fn finish(&mut self) -> Option<Line> {
        (!self.pending.is_empty()).then(|| self.take(self.end()))
    }

    /// The line that has not ended yet.
    pub fn pending(&self) -> &[u8] {
        &self.pending
    }

    /// When the line that has not ended yet began, in microseconds since the Unix epoch.
    pub fn pending_since(&self) -> u64 {
        self.begin.1
    }

    fn end(&self) -> u64 {
        self.begin.0 + self.pending.len() as u64
    }

    fn take(&mut self, end: u64) -> Line {
        let bytes = Bytes::copy_from_slice(trimmed(&self.pending));
        self.pending.clear();
        let (offset, time_us) = self.begin;
        self.begin.0 = end;
        Line { offset, time_us, bytes, end }
    }
}

/// A line without the carriage returns around it: some boards end lines by `\r\n`, some by `\n\r`.
pub fn trimmed(line: &[u8]) -> &[u8] {
    let begin = line.iter().position(|byte| *byte != b'\r').unwrap_or(line.len());
    let end = line.iter().rposition(|byte| *byte != b'\r').map_or(begin, |last| last + 1);
    &line[begin..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(stream: &[u8], cuts: &[usize]) -> Vec<Line> {
        let mut cutter = Lines::default();
        let mut found = Vec::new();
        let mut at = 0;
        for end in cuts.iter().copied().chain([stream.len()]) {
            let bytes = Bytes::copy_from_slice(&stream[at..end]);
            let frame = Frame { offset: 100 + at as u64, time_us: at as u64, bytes };
            cutter.push(&frame, |line| found.push(line));
            at = end;
        }
        found.extend(cutter.finish());
        found
    }

    #[test]
    fn a_line_has_the_offset_and_time_of_its_first_byte() {
        let found = lines(b"one\r\ntwo\n\rthree", &[2, 7]);
        let seen: Vec<(u64, u64, &[u8], u64)> =
            found.iter().map(|l| (l.offset, l.time_us, &l.bytes[..], l.end)).collect();
        assert_eq!(
            seen,
            [(100, 0, &b"one"[..], 105), (105, 2, b"two", 109), (109, 7, b"three", 115)]
        );
    }

    #[test]
    fn a_hole_ends_a_line() {
        let frame =
            |offset, bytes: &'static [u8]| Frame { offset, time_us: 1, bytes: bytes.into() };
        let (mut cutter, mut found) = (Lines::default(), Vec::new());
        cutter.push(&frame(5, b"lost"), |line| found.push(line));
        cutter.push(&frame(50, b"found\n"), |line| found.push(line));
        let seen: Vec<_> = found.iter().map(|line| (line.offset, line.end)).collect();
        assert_eq!(seen, [(5, 9), (50, 56)]);
    }

    proptest! {
        #[test]
        fn however_the_stream_is_cut_the_lines_are_the_same(
            stream in proptest::collection::vec(
                prop_oneof![8 => Just(b'x'), 1 => Just(b'\n'), 1 => Just(b'\r')], 0..200),
            mut cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
            long in prop_oneof![Just(0), MAX_LINE - 2..MAX_LINE + 3],
        ) {
            let mut stream = stream;
            stream.splice(0..0, std::iter::repeat_n(b'y', long));
            let mut cuts: Vec<usize> =
                cuts.drain(..).map(|cut| cut.index(stream.len() + 1)).collect();
            cuts.sort_unstable();
            let whole = lines(&stream, &[]);
            let cut = lines(&stream, &cuts);
            let text = |lines: &[Line]| -> Vec<_> {
                lines.iter().map(|l| (l.offset, l.bytes.clone(), l.end)).collect()
            };
            prop_assert_eq!(text(&whole), text(&cut));
            // Nothing is lost: each begins where the one before ended.
            let mut at = 100;
            for line in whole {
                prop_assert_eq!(line.offset, at);
                prop_assert!(line.bytes.len() <= MAX_LINE);
                at = line.end;
            }
            prop_assert_eq!(at, 100 + stream.len() as u64);
        }
    }
}
