//! A terminal that follows a console for somebody who only shows text: what has changed on its screen,
//! and what has left it.

use std::collections::VecDeque;
use std::io;
use std::num::NonZeroU16;

use super::cells;
use super::{Console, PastError};
use crate::capture::{Read, Reader};
use crate::wire::view::{Draw, Line, MAX_SIZE, Span};

/// How far back the stream is replayed for a screen. One that was drawn before that and not touched since
/// comes out incomplete.
pub const REPLAY: u64 = 256 * 1024;

/// The most rows that leave the screen between two drawings and are told; the record has the rest.
const SCROLLED: usize = 400;

/// A screen of the stream up to an offset.
pub struct Terminal {
    parser: vt100::Parser<Dropped>,
    rows: NonZeroU16,
    cols: NonZeroU16,
    /// Of the next byte.
    offset: u64,
    /// How many rows had left the screen when it was drawn last: the number of its top row.
    top: u64,
    /// How many have left it since.
    left: u64,
    /// Where lines begin: number of the row, offset of the byte. Both only grow.
    lines: VecDeque<(u64, u64)>,
    /// The rows as they were drawn; none that was not yet.
    drawn: Vec<Option<Vec<Span>>>,
    /// What was drawn before does not count.
    fresh: bool,
}

/// Counts the rows that have left the screen and that nobody will be told.
#[derive(Debug, Default)]
struct Dropped(u64);

impl vt100::Callbacks for Dropped {
    fn on_scroll(&mut self, _: vt100::capture::RowContents<'_>, alternate_screen: bool) {
        self.0 += u64::from(!alternate_screen);
    }
}

impl Terminal {
    /// An empty one, whose first byte will be that at `offset`.
    fn new(rows: NonZeroU16, cols: NonZeroU16, offset: u64) -> Self {
        Self {
            parser: vt100::Parser::new_with_callbacks(rows, cols, SCROLLED, Dropped::default()),
            rows,
            cols,
            offset,
            top: 0,
            left: 0,
            lines: VecDeque::from([(0, offset)]),
            drawn: vec![None; usize::from(rows.get())],
            fresh: true,
        }
    }

    /// The offset of the next byte.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Begins anew in this size and at an offset: what came before it is not held.
    pub fn restart(&mut self, rows: NonZeroU16, cols: NonZeroU16, offset: u64) {
        *self = Self::new(rows, cols, offset);
    }

    /// Rows and columns.
    pub fn size(&self) -> (NonZeroU16, NonZeroU16) {
        (self.rows, self.cols)
    }

    /// The next bytes of the stream.
    pub fn process(&mut self, bytes: &[u8]) {
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.parser.process(line);
            self.offset += line.len() as u64;
            let screen = self.parser.screen();
            if screen.alternate_screen() {
                continue;
            }
            let (row, _) = screen.cursor_position();
            let left = self.parser.callbacks().0 + screen.scrollback_len() as u64;
            // Reset to its beginnings, a terminal has forgotten what had left it.
            let lost = self.left.saturating_sub(left);
            self.parser.callbacks_mut().0 += lost;
            self.left = left + lost;
            if line.ends_with(b"\n") {
                let top = self.top + self.left;
                let row = top + u64::from(row);
                let (begun, at) = self.lines.back().copied().unwrap_or_default();
                if row > top && begun >= row {
                    // The cursor was moved up: what the line printed stands above where it is now, and what
                    // was there before does not.
                    self.begin(row - 1, at);
                }
                self.begin(row, self.offset);
                if self.lines.len() > SCROLLED + usize::from(MAX_SIZE.0) {
                    self.lines.pop_front();
                }
            }
        }
    }

    /// A line begins with a row.
    fn begin(&mut self, row: u64, offset: u64) {
        while self.lines.back().is_some_and(|(last, _)| *last >= row) {
            self.lines.pop_back();
        }
        self.lines.push_back((row, offset));
    }

    /// What has changed since the last time.
    pub fn draw(&mut self) -> Draw {
        let (mut missing, mut gone) = (0, Vec::new());
        // What has left the other screen is told when that is seen again.
        if !self.parser.screen().alternate_screen() {
            missing = std::mem::take(&mut self.parser.callbacks_mut().0);
            gone = cells::take_scrolled(&mut self.parser);
            self.left = 0;
        }
        let first = self.top + missing;
        let moved = usize::try_from(missing).unwrap_or(usize::MAX).saturating_add(gone.len());
        self.top = first + gone.len() as u64;
        let lines = gone.into_iter().zip(first..);
        let lines = lines.map(|(spans, row)| Line { at: self.begins(row), spans });
        let mut scrolled: Vec<Line> = lines.collect();
        let cut = missing > 0;
        if cut || self.fresh {
            // It is to be known where to go on backwards.
            let whole = scrolled.iter().position(|line| line.at.is_some());
            scrolled.drain(..whole.unwrap_or(scrolled.len()));
        }
        let moved = moved.min(self.drawn.len());
        self.drawn.drain(..moved);
        self.drawn.resize(usize::from(self.rows.get()), None);
        let top = self.line_of(self.top);
        let screen = self.parser.screen();
        let mut changed = Vec::new();
        for (at, drawn) in self.drawn.iter_mut().enumerate() {
            let spans = cells::row(screen, at as u16);
            if drawn.as_ref() != Some(&spans) {
                changed.push((at as u16, spans.clone()));
                *drawn = Some(spans);
            }
        }
        Draw {
            offset: self.offset,
            rows: self.rows.get(),
            cols: self.cols.get(),
            fresh: std::mem::take(&mut self.fresh),
            cut,
            scrolled,
            moved: moved as u16,
            changed,
            top: top.map(|(_, offset)| offset),
            begun: top.map_or(0, |(row, _)| self.top - row),
            cursor: (!screen.hide_cursor()).then(|| screen.cursor_position()),
            application_cursor: screen.application_cursor(),
            bracketed_paste: screen.bracketed_paste(),
        }
    }

    /// Somebody has drawn all of it already, with what had left it, on a screen that they still have.
    pub fn known(&mut self) {
        self.draw();
        self.drawn.fill(None);
    }

    /// The offset of a row's first byte, if a line begins with it.
    fn begins(&self, row: u64) -> Option<u64> {
        let found = self.lines.binary_search_by_key(&row, |(row, _)| *row).ok()?;
        Some(self.lines[found].1)
    }

    /// Where the line begins that a row is of: number of its first row, offset of its first byte.
    fn line_of(&self, row: u64) -> Option<(u64, u64)> {
        let behind = self.lines.partition_point(|(begin, _)| *begin <= row);
        Some(self.lines[behind.checked_sub(1)?])
    }
}

impl std::fmt::Debug for Terminal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terminal").field("offset", &self.offset).finish_non_exhaustive()
    }
}

impl Console {
    /// A terminal as it stands at an offset, or at the head when that is before it: what came before is
    /// replayed.
    ///
    /// # Errors
    /// When the screen is larger than [`MAX_SIZE`].
    pub async fn terminal(
        &self,
        rows: NonZeroU16,
        cols: NonZeroU16,
        at: u64,
    ) -> Result<Terminal, PastError> {
        if rows.get() > MAX_SIZE.0 || cols.get() > MAX_SIZE.1 {
            return Err(PastError::Screen { rows, cols, most: MAX_SIZE });
        }
        let to = at.min(self.head());
        let from = to.saturating_sub(REPLAY);
        let mut reader = Reader::new(self.store.clone());
        let replayed = tokio::task::spawn_blocking(move || {
            let mut terminal = Terminal::new(rows, cols, from);
            // The first line may be only the end of one.
            let mut whole = from == 0;
            while terminal.offset < to {
                match reader.read(terminal.offset, to, REPLAY as usize) {
                    Read::Pieces(pieces) => {
                        for piece in pieces {
                            let mut bytes = &piece.bytes[..];
                            if !whole {
                                let end = bytes.iter().position(|byte| *byte == b'\n');
                                let skipped = end.map_or(0, |end| end + 1);
                                whole = true;
                                terminal.restart(rows, cols, piece.offset + skipped as u64);
                                bytes = &bytes[skipped..];
                            }
                            terminal.process(bytes);
                        }
                    }
                    // What was drawn before a hole is not what is on the screen now.
                    Read::Gap { to } => {
                        terminal.restart(rows, cols, to);
                        whole = true;
                    }
                }
            }
            terminal
        });
        Ok(replayed.await.map_err(io::Error::other)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn terminal(rows: u16, cols: u16) -> Terminal {
        let size = |n| NonZeroU16::new(n).unwrap();
        Terminal::new(size(rows), size(cols), 0)
    }

    fn text(spans: &[Span]) -> String {
        spans.iter().map(|span| span.0.as_str()).collect()
    }

    /// What a page shows that obeys.
    #[derive(Default)]
    struct Page {
        gone: Vec<(Option<u64>, String)>,
        rows: Vec<String>,
    }

    impl Page {
        fn obey(&mut self, draw: Draw) {
            if draw.fresh {
                *self =
                    Self { rows: vec![String::new(); usize::from(draw.rows)], ..Self::default() };
            }
            if draw.cut {
                self.gone.clear();
            }
            self.gone.extend(draw.scrolled.iter().map(|line| (line.at, text(&line.spans))));
            self.rows.drain(..usize::from(draw.moved));
            self.rows.resize(usize::from(draw.rows), String::new());
            for (at, spans) in draw.changed {
                self.rows[usize::from(at)] = text(&spans);
            }
        }

        fn all(&self) -> Vec<&str> {
            let gone = self.gone.iter().map(|(_, text)| text.as_str());
            gone.chain(self.rows.iter().map(String::as_str)).collect()
        }
    }

    #[test]
    fn rows_that_leave_the_screen_are_told_once_with_where_their_lines_begin() {
        let (mut terminal, mut page) = (terminal(3, 5), Page::default());
        for bytes in ["one\r\n", "two\r\nthreefour\r\n", "five\r\n", "six"] {
            terminal.process(bytes.as_bytes());
            page.obey(terminal.draw());
        }
        assert_eq!(page.all(), ["one", "two", "three", "four", "five", "six"]);
        let at: Vec<_> = page.gone.iter().map(|(at, _)| *at).collect();
        assert_eq!(at, [Some(0), Some(5), Some(10)]);
        let draw = terminal.draw();
        // The top row is the second half of a line.
        assert_eq!((draw.top, draw.begun), (Some(10), 1));
        assert_eq!((draw.changed.len(), draw.moved), (0, 0));
    }

    #[test]
    fn a_full_screen_program_leaves_what_was_there_as_it_was() {
        let (mut terminal, mut page) = (terminal(3, 10), Page::default());
        terminal.process(b"a\r\nb\r\nc\r\nd\x1b[?1049h\x1b[H1\r\n2\r\n3\r\n4\r\n5");
        page.obey(terminal.draw());
        assert_eq!(page.all(), ["3", "4", "5"]);
        terminal.process(b"\x1b[?1049l!\r\n");
        page.obey(terminal.draw());
        assert_eq!(page.all(), ["a", "b", "c", "d!", ""]);
    }

    #[test]
    fn more_than_can_be_told_is_left_to_the_record() {
        let (mut terminal, mut page) = (terminal(3, 10), Page::default());
        terminal.process(b"first\r\n");
        page.obey(terminal.draw());
        (0..1000).for_each(|n| terminal.process(format!("{n}\r\n").as_bytes()));
        let draw = terminal.draw();
        assert!(draw.cut && draw.scrolled.len() == SCROLLED);
        page.obey(draw);
        assert_eq!(page.gone[0].1, "598");
        assert!(page.gone[0].0.is_some());
    }

    #[test]
    fn a_reset_is_no_lost_count() {
        let mut terminal = terminal(3, 10);
        terminal.process(b"a\r\nb\r\nc\r\nd\r\n\x1bcnew\r\n");
        let draw = terminal.draw();
        assert!(draw.cut && draw.scrolled.is_empty());
        // What was wiped is had from the record.
        assert_eq!(draw.top, Some(12));
        terminal.process(b"x\r\ny\r\nz");
        let draw = terminal.draw();
        assert_eq!((text(&draw.scrolled[0].spans), draw.cut), ("new".into(), false));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_and_a_page_shows_what_the_terminal_has(
            parts in proptest::collection::vec(
                prop_oneof![
                    "[a-z\r\n]{0,20}".prop_map(String::into_bytes),
                    "\x1b\\[[0-9;?]{0,6}[@-~]".prop_map(String::into_bytes),
                    "\x1b[ -~]{1,3}".prop_map(String::into_bytes),
                    proptest::collection::vec(any::<u8>(), 0..20),
                ],
                0..40,
            ),
            rows in 1_u16..6, cols in 1_u16..12,
        ) {
            let (mut terminal, mut page) = (terminal(rows, cols), Page::default());
            page.obey(terminal.draw());
            for bytes in parts {
                terminal.process(&bytes);
                page.obey(terminal.draw());
            }
            let screen = terminal.parser.screen();
            let now: Vec<String> = (0..rows).map(|at| text(&cells::row(screen, at))).collect();
            prop_assert_eq!(page.rows, now);
        }
    }
}
