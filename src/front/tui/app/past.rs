//! What a console printed before: a window onto its record, of which only so much is in memory.

use std::collections::VecDeque;

/// So many lines of the record are kept in memory; what is beyond is read again when it is wanted.
const MAX_LINES: usize = 4000;
/// When fewer lines than this are left beyond the screen, more are read.
const AHEAD: usize = 200;

/// A line of the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Line {
    pub(in super::super) offset: u64,
    /// The offset behind it.
    pub(in super::super) end: u64,
    pub(in super::super) time_us: u64,
    /// Fit for a terminal.
    pub(in super::super) text: String,
}

/// A part of the record to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Want {
    /// Lines that end at or before this offset.
    Before(u64),
    /// Lines from this offset on.
    After(u64),
    /// Lines around this offset, in place of those that are here.
    Around(u64),
}

/// What has been read.
#[derive(Debug)]
pub(in super::super) struct Page {
    pub(in super::super) want: Want,
    pub(in super::super) lines: Vec<Line>,
    /// The range that was read: beside the lines nothing is held there.
    pub(in super::super) from: u64,
    pub(in super::super) to: u64,
    /// The oldest offset that is held, and the head when it was read.
    pub(in super::super) first: u64,
    pub(in super::super) head: u64,
}

/// The places that a search has found.
#[derive(Debug, Default)]
pub(in super::super) struct Places {
    /// Numbers the search.
    pub(in super::super) ticket: u64,
    pub(in super::super) pattern: String,
    /// In order.
    pub(in super::super) offsets: Vec<u64>,
    /// There are more than could be had.
    pub(in super::super) more: bool,
    pub(in super::super) done: bool,
}

#[derive(Debug)]
pub(in super::super) struct Past {
    lines: VecDeque<Line>,
    /// The range that has been read: the lines are all that is held there.
    from: u64,
    to: u64,
    /// The first line on the screen.
    top: usize,
    /// What was scrolled while other lines were read in place of these.
    owed: isize,
    /// The line that was gone to.
    pub(in super::super) at: Option<u64>,
    first: u64,
    head: u64,
    wanted: Option<Want>,
    pub(in super::super) places: Option<Places>,
    /// Why nothing can be read.
    pub(in super::super) trouble: Option<String>,
}

impl Past {
    /// Begins at the end, or around an offset.
    pub(in super::super) fn new(around: Option<u64>) -> (Self, Want) {
        let want = around.map_or(Want::Before(u64::MAX), Want::Around);
        let past = Self {
            lines: VecDeque::new(),
            from: 0,
            to: 0,
            top: usize::MAX,
            owed: 0,
            at: around,
            first: 0,
            head: u64::MAX,
            wanted: Some(want),
            places: None,
            trouble: None,
        };
        (past, want)
    }

    /// The lines on a screen of so many rows.
    pub(in super::super) fn screen(&self, rows: usize) -> impl Iterator<Item = &Line> {
        self.lines.range(self.top(rows)..).take(rows)
    }

    fn top(&self, rows: usize) -> usize {
        self.top.min(self.lines.len().saturating_sub(rows))
    }

    pub(in super::super) fn is_reading(&self) -> bool {
        self.wanted.is_some()
    }

    /// How much of the record is above the screen, in percent.
    pub(in super::super) fn percent(&self, rows: usize) -> u64 {
        let last = self.screen(rows).last().filter(|_| !self.is_at_end(rows));
        let last = last.map_or(self.head, |line| line.end);
        let (held, above) =
            (self.head - self.first.min(self.head), last.saturating_sub(self.first));
        (u128::from(above.min(held)) * 100).checked_div(held.into()).map_or(100, |part| part as u64)
    }

    /// Moves by so many lines on a screen of so many rows. Gives what is to be read for it.
    pub(in super::super) fn scroll(&mut self, by: isize, rows: usize) -> Option<Want> {
        if let Some(Want::Before(u64::MAX) | Want::Around(_)) = self.wanted {
            // From where that will be: these lines go, and before the first there is none.
            self.owed = self.owed.saturating_add(by);
            return None;
        }
        self.move_by(by, rows);
        self.more(rows)
    }

    fn move_by(&mut self, by: isize, rows: usize) {
        self.top = self.top(rows).saturating_add_signed(by);
        self.top = self.top(rows);
    }

    /// Whether the last line of the record is on the screen.
    pub(in super::super) fn is_at_end(&self, rows: usize) -> bool {
        self.top(rows) + rows >= self.lines.len() && self.to >= self.head
    }

    /// Goes to an offset.
    pub(in super::super) fn go(&mut self, offset: u64, rows: usize) -> Option<Want> {
        self.at = Some(offset);
        if (self.from..self.to).contains(&offset) && !self.lines.is_empty() {
            self.center(rows);
            return self.more(rows);
        }
        self.want(Want::Around(offset))
    }

    /// To the oldest line, or the newest.
    pub(in super::super) fn edge(&mut self, oldest: bool) -> Option<Want> {
        self.at = None;
        self.top = if oldest { 0 } else { usize::MAX };
        self.wanted = None;
        self.want(if oldest { Want::Around(self.first) } else { Want::Before(u64::MAX) })
    }

    /// Lines have been read. Gives what is to be read next.
    pub(in super::super) fn read(&mut self, page: Page, rows: usize) -> Option<Want> {
        if self.wanted != Some(page.want) {
            // Something else is wanted by now.
            return None;
        }
        (self.wanted, self.trouble) = (None, None);
        (self.first, self.head) = (page.first, page.head);
        match page.want {
            Want::Before(u64::MAX) | Want::Around(_) => {
                self.lines = page.lines.into();
                (self.from, self.to) = (page.from, page.to);
                self.center(rows);
                let owed = std::mem::take(&mut self.owed);
                self.move_by(owed, rows);
            }
            // It got no further: there is nothing.
            Want::Before(_) if page.from >= self.from => self.first = self.from,
            Want::After(_) if page.to <= self.to => self.head = self.to,
            Want::Before(_) => {
                let top = self.top(rows);
                self.top = top + page.lines.len();
                page.lines.into_iter().rev().for_each(|line| self.lines.push_front(line));
                self.from = page.from;
                let most = MAX_LINES.max(self.top + rows);
                if self.lines.len() > most {
                    self.lines.truncate(most);
                    self.to = self.lines.back().map_or(self.to, |line| line.end);
                }
            }
            Want::After(_) => {
                self.top = self.top(rows);
                self.lines.extend(page.lines);
                self.to = page.to;
                let surplus = self.lines.len().saturating_sub(MAX_LINES).min(self.top);
                if surplus > 0 {
                    self.lines.drain(..surplus);
                    self.top -= surplus;
                    self.from = self.lines.front().map_or(self.from, |line| line.offset);
                }
            }
        }
        self.more(rows)
    }

    /// Reading has failed.
    pub(in super::super) fn failed(&mut self, why: String) {
        (self.wanted, self.owed, self.trouble) = (None, 0, Some(why));
    }

    /// The place that was found next to where one is.
    pub(in super::super) fn neighbour(&self, next: bool, rows: usize) -> Option<u64> {
        let offsets = &self.places.as_ref()?.offsets;
        // Where nothing has been read yet, it is the end of the record.
        let here = self.at.unwrap_or_else(|| match (next, self.screen(rows).next()) {
            (true, Some(first)) => first.offset,
            (true, None) => 0,
            (false, _) => self.screen(rows).last().map_or(u64::MAX, |last| last.end),
        });
        if next {
            offsets.get(offsets.partition_point(|offset| *offset <= here)).copied()
        } else {
            let before = offsets.partition_point(|offset| *offset < here);
            before.checked_sub(1).map(|at| offsets[at])
        }
    }

    /// Puts the line that was gone to into the middle; without one it is the end.
    fn center(&mut self, rows: usize) {
        let Some(at) = self.at else {
            return;
        };
        let line = self.lines.partition_point(|line| line.end <= at);
        self.top = line.saturating_sub(rows / 2);
    }

    fn more(&mut self, rows: usize) -> Option<Want> {
        let top = self.top(rows);
        if self.wanted.is_some() {
            // One goes on from the edges when that has come.
            return None;
        }
        if top < AHEAD && self.from > self.first {
            return self.want(Want::Before(self.from));
        }
        if top + rows + AHEAD > self.lines.len() && self.to < self.head {
            return self.want(Want::After(self.to));
        }
        None
    }

    fn want(&mut self, want: Want) -> Option<Want> {
        (self.wanted, self.owed) = (Some(want), 0);
        self.wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LINE: u64 = 10;

    /// Which lines of a record are held, of ten bytes each.
    type Record = Vec<bool>;

    fn whole(total: u64) -> Record {
        vec![true; total as usize]
    }

    /// What is read of it, so many lines at a time.
    fn page(want: Want, record: &Record, chunk: u64) -> Page {
        let head = record.len() as u64 * LINE;
        let chunk = chunk * LINE;
        let (mut from, mut to) = match want {
            Want::Before(to) => (to.min(head).saturating_sub(chunk), to.min(head)),
            Want::After(from) => (from, (from + chunk).min(head)),
            Want::Around(at) => (at.saturating_sub(chunk), (at + chunk).min(head)),
        };
        // What is in the middle of a line belongs to what is read next.
        (from, to) = (from.next_multiple_of(LINE), to / LINE * LINE);
        let held = |from: u64, to: u64| (from / LINE..to / LINE).filter(|n| record[*n as usize]);
        let mut lines: Vec<u64> = held(from, to).collect();
        if lines.is_empty() {
            // A hole is passed over.
            if matches!(want, Want::Before(_)) {
                let last = held(0, from).next_back().map_or(0, |last| last + 1) * LINE;
                from = last.saturating_sub(chunk);
                lines = held(from, last).collect();
            } else {
                let next = held(to, head).next().map_or(head, |next| next * LINE);
                to = (next + chunk).min(head);
                lines = held(next, to).collect();
            }
        }
        let line = |number: u64| Line {
            offset: number * LINE,
            end: (number + 1) * LINE,
            time_us: number,
            text: number.to_string(),
        };
        let lines = lines.into_iter().map(line).collect();
        Page { want, lines, from, to, first: 0, head }
    }

    fn read_all(past: &mut Past, mut want: Option<Want>, record: &Record, rows: usize) {
        let mut reads = 0;
        while let Some(now) = want {
            want = past.read(page(now, record, 100), rows);
            reads += 1;
            assert!(reads < 100, "it reads for ever");
        }
    }

    fn seen(past: &Past, rows: usize) -> (u64, u64) {
        let lines: Vec<u64> = past.screen(rows).map(|line| line.time_us).collect();
        (lines[0], lines[lines.len() - 1])
    }

    #[test]
    fn it_begins_at_the_end_and_goes_anywhere() {
        let (rows, record) = (20, whole(50_000));
        let (mut past, want) = Past::new(None);
        read_all(&mut past, Some(want), &record, rows);
        assert_eq!(seen(&past, rows), (49_980, 49_999));
        assert!(past.is_at_end(rows));
        let more = past.scroll(-20, rows);
        read_all(&mut past, more, &record, rows);
        assert_eq!(seen(&past, rows), (49_960, 49_979));
        let more = past.go(123_450, rows);
        read_all(&mut past, more, &record, rows);
        assert_eq!(seen(&past, rows), (12_335, 12_354));
        let more = past.edge(true);
        read_all(&mut past, more, &record, rows);
        assert_eq!(seen(&past, rows), (0, 19));
        let more = past.edge(false);
        read_all(&mut past, more, &record, rows);
        assert_eq!((seen(&past, rows), past.percent(rows)), ((49_980, 49_999), 100));
    }

    #[test]
    fn keys_that_come_while_it_reads_count_from_where_it_will_be() {
        let (rows, record) = (20, whole(50_000));
        let (mut past, want) = Past::new(None);
        assert_eq!((past.scroll(-19, rows), past.scroll(-19, rows)), (None, None));
        read_all(&mut past, Some(want), &record, rows);
        assert_eq!(seen(&past, rows), (49_942, 49_961));
        let more = past.go(123_450, rows);
        assert_eq!(past.scroll(5, rows), None);
        read_all(&mut past, more, &record, rows);
        assert_eq!(seen(&past, rows), (12_340, 12_359));
    }

    #[test]
    fn places_are_gone_to_one_after_the_other() {
        let (mut past, want) = Past::new(None);
        read_all(&mut past, Some(want), &whole(1000), 20);
        past.places = Some(Places { offsets: vec![100, 5000, 9900], ..Places::default() });
        assert_eq!(past.neighbour(false, 20), Some(9900));
        past.at = Some(9900);
        assert_eq!(past.neighbour(true, 20), None);
        assert_eq!(past.neighbour(false, 20), Some(5000));
        past.at = Some(5000);
        assert_eq!(past.neighbour(true, 20), Some(9900));
    }

    /// The capture could not be written any more, for example.
    #[test]
    fn a_hole_at_the_end_is_read_once_and_what_is_before_it_is_there() {
        let mut record = whole(10_000);
        record[5000..].fill(false);
        let (mut past, want) = Past::new(None);
        read_all(&mut past, Some(want), &record, 20);
        assert_eq!((seen(&past, 20), past.is_at_end(20)), ((4980, 4999), true));
        let more = past.go(80_000, 20);
        read_all(&mut past, more, &record, 20);
        assert_eq!(seen(&past, 20), (4980, 4999));
        let more = past.scroll(-30, 20);
        read_all(&mut past, more, &record, 20);
        assert_eq!(seen(&past, 20), (4950, 4969));
    }

    proptest! {
        #[test]
        fn wherever_one_goes_there_is_what_is_held_and_not_too_much(
            total in 1..20_000_u64, rows in 1..60_usize,
            holes in proptest::collection::vec((any::<prop::sample::Index>(), 1..3000_usize), 0..4),
            steps in proptest::collection::vec((0..4_u8, -500..500_isize, any::<prop::sample::Index>()), 0..40),
        ) {
            let mut record = whole(total);
            for (at, length) in holes {
                let from = at.index(record.len());
                let to = (from + length).min(record.len());
                record[from..to].fill(false);
            }
            let held: Vec<u64> = (0..total).filter(|number| record[*number as usize]).collect();
            let (mut past, want) = Past::new(None);
            read_all(&mut past, Some(want), &record, rows);
            for (step, by, at) in steps {
                let want = match step {
                    0 | 1 => past.scroll(by, rows),
                    2 => past.go(at.index((total * LINE) as usize) as u64, rows),
                    _ => past.edge(by < 0),
                };
                read_all(&mut past, want, &record, rows);
                let screen: Vec<u64> = past.screen(rows).map(|line| line.time_us).collect();
                prop_assert_eq!(screen.len(), held.len().min(rows));
                let first = held.partition_point(|number| Some(number) < screen.first());
                prop_assert_eq!(&screen[..], &held[first.min(held.len())..][..screen.len()]);
                prop_assert!(past.lines.len() <= MAX_LINES + AHEAD + rows);
            }
        }
    }
}
