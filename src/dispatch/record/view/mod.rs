//! A log as one looks through it: where its lines begin, when they were logged and at which level, and which
//! actions they are of, and its results. It is read once, and then as far as it has grown; a line costs 12 bytes here.

mod find;
mod line;
mod outline;

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use super::{Report, report};
use crate::dispatch::results::CaseResult;
use crate::model::units;
use crate::wire::plain::plain;
pub use find::{Found, Wanted};
use line::{Clock, Head, LEVELS, head, message, time_behind};
pub use outline::Action;
use outline::Outline;

/// So many lines are looked through; of what comes behind them only the results are known.
pub(super) const MAX_LINES: usize = 8_000_000;
/// The longest line that is looked at, in bytes; what is longer is shown cut.
const MAX_LINE: usize = 1 << 20;
/// The longest text of a line that is shown, in characters, …
const MAX_SHOWN: usize = 16 * 1024;
/// … of all lines that are shown at once, in bytes, and then of each.
const MAX_TOGETHER: usize = 4 << 20;
const LEAST_SHOWN: usize = 200;
/// So many bytes are read at a time.
const BLOCK: usize = 1 << 20;
/// The level stands in the top byte of a place.
const LEVEL_SHIFT: u32 = 56;
/// At the end of a line stands when the board said it, within so many bytes.
const BEHIND: u64 = 128;

/// A log that was read as far as it was. Of the largest it takes 96 MiB for its lines, 40 MiB for what was found in
/// it, 20 MiB for its actions, and what a [`Report`] takes.
#[derive(Debug)]
pub struct View {
    path: PathBuf,
    /// How many bytes of it were read: whole lines.
    length: u64,
    /// Where each line begins, and its level.
    places: Vec<u64>,
    /// When each was logged, in milliseconds after the first.
    times: Vec<u32>,
    /// Where the last of them ends.
    end: u64,
    begin_us: Option<u64>,
    clock: Clock,
    outline: Outline,
    /// Shared with those who read it while the log is read on.
    report: Arc<Report>,
    found: find::Kept,
}

/// A line as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Row {
    /// Its number, from 0.
    pub line: u64,
    /// When it was logged, in milliseconds after the first line.
    pub ms: u32,
    /// LAVA's level.
    pub level: &'static str,
    /// Without colours and control characters.
    pub text: String,
}

impl View {
    /// Of the log in this file, which need not be there yet. Nothing is read.
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            length: 0,
            places: Vec::new(),
            times: Vec::new(),
            end: 0,
            begin_us: None,
            clock: Clock::default(),
            outline: Outline::default(),
            report: Arc::new(Report::new(None)),
            found: find::Kept::default(),
        }
    }

    /// Reads what has come since the last time. A last line without an end is left for the next one.
    ///
    /// # Errors
    /// Why the file cannot be read; one that is not there is empty.
    pub fn grow(&mut self) -> io::Result<()> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        if file.metadata()?.len() <= self.length {
            return Ok(());
        }
        file.seek(SeekFrom::Start(self.length))?;
        let mut block = Vec::with_capacity(BLOCK + MAX_LINE);
        loop {
            let read = (&mut file).take(BLOCK as u64).read_to_end(&mut block)?;
            if read == 0 {
                return Ok(());
            }
            let whole = match memchr::memrchr(b'\n', &block) {
                Some(end) => end + 1,
                // No log of ours has such a line: a part of it is one.
                None if block.len() > MAX_LINE => block.len(),
                None => continue,
            };
            let mut begin = 0;
            for end in memchr::memchr_iter(b'\n', &block[..whole]).chain([whole - 1]) {
                if end >= begin {
                    self.add(&block[begin..=end], &file);
                }
                begin = end + 1;
            }
            block.drain(..whole);
        }
    }

    fn add(&mut self, line: &[u8], file: &File) {
        let begin = self.length;
        self.length += line.len() as u64;
        let Head { time, level, message } = head(line);
        if self.places.len() < MAX_LINES {
            let number = self.places.len() as u32;
            let last_ms = self.times.last().copied().unwrap_or(0);
            let time_us = time.and_then(|time| self.clock.read(time));
            if number == 0 {
                self.begin_us = time_us.filter(|begin| *begin > 0);
                self.report = Arc::new(Report::new(self.begin_us.map(units::time_text)));
            }
            let begin_us = self.begin_us.unwrap_or(0);
            let ms = time_us.map_or(last_ms, |time| {
                u32::try_from(time.saturating_sub(begin_us) / 1000).unwrap_or(u32::MAX)
            });
            self.places.push(begin | (level as u64) << LEVEL_SHIFT);
            self.times.push(ms);
            self.end = self.length;
            if matches!(LEVELS[level], "info" | "debug") {
                self.outline.follow(message, number, ms);
            }
        }
        if LEVELS[level] == "results" {
            self.add_result(line, file);
        }
    }

    fn add_result(&mut self, line: &[u8], file: &File) {
        let entry: Result<super::Entry, _> = serde_json::from_slice(line);
        let case = entry.and_then(|entry| serde_json::from_value::<CaseResult>(entry.msg));
        let Ok(case) = case else { return };
        self.outline.result(&case);
        let seconds = report::seconds(&case, |line| self.said_us(file, line), 1e6);
        Arc::make_mut(&mut self.report).add(case, seconds);
    }

    /// When a line was said by the board, or else when it was logged, in microseconds since the epoch.
    fn said_us(&self, file: &File, line: u64) -> Option<u64> {
        let at = usize::try_from(line).ok()?;
        let logged_us = u64::from(*self.times.get(at)?) * 1000 + self.begin_us.unwrap_or(0);
        let (begin, end) = (self.place(at), self.place(at + 1));
        let from = begin.max(end.saturating_sub(BEHIND));
        let mut last = [0; BEHIND as usize];
        let last = &mut last[..(end - from) as usize];
        let said = file.read_exact_at(last, from).ok().and_then(|()| time_behind(last));
        Some(said.unwrap_or(logged_us))
    }

    /// How many lines there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// When the log begins, in microseconds since the epoch.
    pub fn begin_us(&self) -> Option<u64> {
        self.begin_us
    }

    /// When its last line was logged, in milliseconds after the first.
    pub fn last_ms(&self) -> u32 {
        self.times.last().copied().unwrap_or(0)
    }

    /// The actions in the order in which they began.
    pub fn actions(&self) -> &[Action] {
        self.outline.actions()
    }

    /// These lines as they are shown: long ones cut, and cut short when all together are more than 4 MiB.
    ///
    /// # Errors
    /// Why the file cannot be read.
    pub fn rows(&self, lines: &[u32]) -> io::Result<Vec<Row>> {
        let file = File::open(&self.path)?;
        let (mut rows, mut room) = (Vec::with_capacity(lines.len()), MAX_TOGETHER);
        for line in lines {
            let most = MAX_SHOWN.min(room).max(LEAST_SHOWN);
            let Some(row) = self.row(&file, *line, most)? else { continue };
            room = room.saturating_sub(row.text.len());
            rows.push(row);
        }
        Ok(rows)
    }

    fn row(&self, file: &File, line: u32, most: usize) -> io::Result<Option<Row>> {
        let at = line as usize;
        let (Some(place), Some(ms)) = (self.places.get(at), self.times.get(at)) else {
            return Ok(None);
        };
        let level = (place >> LEVEL_SHIFT) as usize;
        let text = plain(message(&self.bytes(file, at)?).as_bytes());
        let text = match text.char_indices().nth(most) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        };
        Ok(Some(Row { line: u64::from(line), ms: *ms, level: LEVELS[level], text }))
    }

    fn bytes(&self, file: &File, at: usize) -> io::Result<Vec<u8>> {
        let (begin, end) = (self.place(at), self.place(at + 1));
        let mut line = vec![0; (end.saturating_sub(begin) as usize).min(MAX_LINE)];
        file.read_exact_at(&mut line, begin)?;
        Ok(line)
    }

    fn place(&self, at: usize) -> u64 {
        self.places.get(at).map_or(self.end, |place| place & ((1 << LEVEL_SHIFT) - 1))
    }

    /// The results so far, as a job's end has them.
    pub fn report(&self) -> Arc<Report> {
        self.report.clone()
    }

    /// How much memory it takes, in bytes, about.
    pub fn memory(&self) -> usize {
        let lines =
            self.places.capacity() * size_of::<u64>() + self.times.capacity() * size_of::<u32>();
        lines + self.found.memory() + self.outline.memory() + self.report.memory()
    }
}

#[cfg(test)]
mod tests;
