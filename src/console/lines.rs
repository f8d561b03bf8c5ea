//! The record as rows of text: every line that was printed, whatever became of it on a screen.
//!
//! A terminal of one row prints them: colours, tabs and carriage returns are as on a screen, and nothing
//! moves the cursor to another line or wipes one out.

use std::io;
use std::num::NonZeroU16;

use super::cells;
use super::{Console, PastError};
use crate::wire::view::{Line, Lines, MAX_SIZE};

/// How far from an offset is read at a time, in bytes.
const REACH: u64 = 64 * 1024;
/// The most rows that a line can be: what it has beyond that is left out of its beginning.
const ROWS: usize = 1000;
/// What leaves the alternate screen, which keeps no lines.
const MAIN_SCREEN: &[u8] = b"\x1b[?1049l\x1b[?47l";

impl Console {
    /// The last lines, at most so many, of what came before an offset, in rows of so many columns.
    ///
    /// # Errors
    /// When the rows are longer than [`MAX_SIZE`] has columns, or the capture cannot be read.
    pub async fn lines_before(
        &self,
        before: u64,
        cols: NonZeroU16,
        most: usize,
    ) -> Result<Lines, PastError> {
        if cols.get() > MAX_SIZE.1 {
            return Err(PastError::Screen { rows: NonZeroU16::MIN, cols, most: MAX_SIZE });
        }
        let mut past = self.held(before.saturating_sub(REACH), Some(before));
        let (mut from, mut bytes) = (past.offset(), Vec::new());
        while let Some(pieces) = past.next().await? {
            for piece in pieces {
                if piece.offset != from + bytes.len() as u64 {
                    // What came before a hole is had by asking for it.
                    (from, bytes) = (piece.offset, Vec::new());
                }
                bytes.extend_from_slice(&piece.bytes);
            }
        }
        let first = self.status().first;
        let begin = begin(&bytes, most, from == first);
        bytes.drain(..begin);
        let from = from + begin as u64;
        let lines = tokio::task::spawn_blocking(move || print(&bytes, from, cols));
        let lines = lines.await.map_err(io::Error::other)?;
        Ok(Lines { from, to: before, more: from > first, lines })
    }

    /// The first lines, at most so many, of what came from an offset on. A last one that is not whole is
    /// among them only when nothing came behind it yet.
    ///
    /// # Errors
    /// As [`Self::lines_before`].
    pub async fn lines_from(
        &self,
        from: u64,
        cols: NonZeroU16,
        most: usize,
    ) -> Result<Lines, PastError> {
        if cols.get() > MAX_SIZE.1 {
            return Err(PastError::Screen { rows: NonZeroU16::MIN, cols, most: MAX_SIZE });
        }
        let mut past = self.held(from, Some(from.saturating_add(REACH)));
        let (mut from, mut bytes, mut hole) = (past.offset(), Vec::new(), None);
        while let Some(pieces) = past.next().await? {
            for piece in pieces {
                match piece.offset == from + bytes.len() as u64 {
                    _ if hole.is_some() => {}
                    true => bytes.extend_from_slice(&piece.bytes),
                    false if bytes.is_empty() => {
                        from = piece.offset;
                        bytes.extend_from_slice(&piece.bytes);
                    }
                    // What comes behind a hole is had by asking for it.
                    false => hole = Some(piece.offset),
                }
            }
        }
        if bytes.is_empty() {
            from = past.offset();
        }
        let all = from + bytes.len() as u64;
        let end = end(&bytes, most, hole.is_some() || all >= self.head());
        bytes.truncate(end);
        let to = hole.filter(|_| from + end as u64 == all).unwrap_or(from + end as u64);
        let lines = tokio::task::spawn_blocking(move || print(&bytes, from, cols));
        let lines = lines.await.map_err(io::Error::other)?;
        Ok(Lines { from, to, more: from > self.status().first, lines })
    }
}

/// Where the last lines begin. What comes before the first end of a line may be only the end of one, unless
/// it is `whole`.
fn begin(bytes: &[u8], most: usize, whole: bool) -> usize {
    let body = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let ends = || body.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    let enough = ends().rev().nth(most.saturating_sub(1));
    let first = if whole { Some(0) } else { ends().next() };
    enough.or(first).unwrap_or(0)
}

/// Where the first lines end. What comes behind the last end of a line may be only the beginning of one,
/// unless it is `whole`.
fn end(bytes: &[u8], most: usize, whole: bool) -> usize {
    let ends =
        || bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    let enough = ends().nth(most.saturating_sub(1));
    let last = if whole { None } else { ends().next_back() };
    enough.or(last).unwrap_or(bytes.len())
}

/// Bytes of which the first has the offset `at`.
fn print(bytes: &[u8], mut at: u64, cols: NonZeroU16) -> Vec<Line> {
    let mut parser = vt100::Parser::new(NonZeroU16::MIN, cols, ROWS);
    let mut lines = Vec::new();
    for text in bytes.split_inclusive(|byte| *byte == b'\n') {
        parser.process(text);
        if parser.screen().alternate_screen() {
            parser.process(MAIN_SCREEN);
        }
        if !text.ends_with(b"\n") {
            parser.process(b"\r\n");
        }
        let mut rows = cells::take_scrolled(&mut parser).into_iter();
        let first = rows.next().unwrap_or_default();
        lines.push(Line { at: Some(at), spans: first });
        lines.extend(rows.map(|spans| Line { at: None, spans }));
        at += text.len() as u64;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn printed(bytes: &[u8]) -> Vec<(Option<u64>, String)> {
        let lines = print(bytes, 100, NonZeroU16::new(10).unwrap());
        let text = |line: &Line| line.spans.iter().map(|span| span.0.as_str()).collect();
        lines.iter().map(|line| (line.at, text(line))).collect()
    }

    #[test]
    fn every_line_that_was_printed_is_there_though_the_screen_was_cleared() {
        let lines = printed(b"one\r\n\x1b[2J\x1b[Htwo\r\n 50%\r100%\r\n\x1b[?1049hvi\r\nlast");
        let texts: Vec<&str> = lines.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, ["one", "two", "100%", "", "last"]);
        assert_eq!(lines[1].0, Some(105));
    }

    #[test]
    fn a_long_line_is_several_rows_and_only_the_first_has_its_offset() {
        let lines = printed(b"0123456789abc\r\nx");
        let row = |at, text: &str| (at, text.to_owned());
        assert_eq!(lines, [row(Some(100), "0123456789"), row(None, "abc"), row(Some(115), "x")]);
    }

    #[test]
    fn the_last_lines_are_whole() {
        assert_eq!(begin(b"end\na\nb\n", 9, false), 4);
        assert_eq!(begin(b"end\na\nb\n", 9, true), 0);
        assert_eq!(begin(b"end\na\nb\nc", 2, true), 6);
        assert_eq!(begin(b"endless", 2, false), 0);
        assert_eq!(begin(b"", 2, false), 0);
    }

    #[test]
    fn the_first_lines_are_whole() {
        assert_eq!(end(b"a\nb\nbegun", 9, false), 4);
        assert_eq!(end(b"a\nb\nlast", 9, true), 8);
        assert_eq!(end(b"a\nb\nc", 1, true), 2);
        assert_eq!(end(b"endless", 2, false), 7);
        assert_eq!(end(b"", 2, true), 0);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            bytes in proptest::collection::vec(prop_oneof![Just(0x1b), Just(b'['), Just(b'\n'), any::<u8>()], 0..300),
            cols in 1_u16..20,
        ) {
            print(&bytes, 0, NonZeroU16::new(cols).unwrap());
        }
    }
}
