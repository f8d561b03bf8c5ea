//! A log as one looks through it: where its lines begin, when they were logged and at which level, and which
//! actions they are of. It is read once, and then as far as it has grown; a line costs 12 bytes here.

mod find;
mod line;
mod outline;

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use serde::Serialize;

use super::{Report, Timed};
use crate::dispatch::results::CaseResult;
use crate::model::units;
use crate::wire::plain::plain;
pub use find::{Found, Wanted};
use line::{Clock, Head, LEVELS, head, message};
pub use outline::Action;
use outline::Outline;

/// So many lines are looked through; what comes behind them is only in the file.
pub const MAX_LINES: usize = 8_000_000;
/// The longest line that is looked at, in bytes; what is longer is shown cut.
const MAX_LINE: usize = 1 << 20;
/// The longest text of a line that is shown, in characters.
const MAX_SHOWN: usize = 16 * 1024;
/// So many bytes are read at a time.
const BLOCK: usize = 1 << 20;
/// So many results are kept.
const MAX_RESULTS: usize = 100_000;
/// The level stands in the top byte of a place.
const LEVEL_SHIFT: u32 = 56;

/// A log that was read as far as it was.
#[derive(Debug)]
pub struct View {
    path: PathBuf,
    /// How many bytes of it were read: whole lines.
    length: u64,
    /// Where each line begins, and its level.
    places: Vec<u64>,
    /// When each was logged, in milliseconds after the first.
    times: Vec<u32>,
    begin_us: Option<u64>,
    clock: Clock,
    outline: Outline,
    /// The lines that are results.
    results: Vec<u32>,
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
            begin_us: None,
            clock: Clock::default(),
            outline: Outline::default(),
            results: Vec::new(),
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
            if read == 0 || self.places.len() >= MAX_LINES {
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
                    self.add(&block[begin..=end]);
                }
                begin = end + 1;
            }
            block.drain(..whole);
        }
    }

    fn add(&mut self, line: &[u8]) {
        if self.places.len() >= MAX_LINES {
            return;
        }
        let number = self.places.len() as u32;
        let Head { time, level, message } = head(line);
        let last_ms = self.times.last().copied().unwrap_or(0);
        let time_us = time.and_then(|time| self.clock.read(time));
        let begin_us = *self.begin_us.get_or_insert(time_us.unwrap_or(0));
        let ms = time_us.map_or(last_ms, |time| {
            u32::try_from(time.saturating_sub(begin_us) / 1000).unwrap_or(u32::MAX)
        });
        self.places.push(self.length | (level as u64) << LEVEL_SHIFT);
        self.times.push(ms);
        self.length += line.len() as u64;
        match LEVELS[level] {
            "info" | "debug" => self.outline.follow(message, number, ms),
            "results" if self.results.len() < MAX_RESULTS => {
                self.results.push(number);
                self.outline.result(line);
            }
            _ => {}
        }
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
        self.begin_us.filter(|begin| *begin > 0)
    }

    /// When its last line was logged, in milliseconds after the first.
    pub fn last_ms(&self) -> u32 {
        self.times.last().copied().unwrap_or(0)
    }

    /// The actions in the order in which they began.
    pub fn actions(&self) -> &[Action] {
        self.outline.actions()
    }

    /// These lines as they are shown.
    ///
    /// # Errors
    /// Why the file cannot be read.
    pub fn rows(&self, lines: &[u32]) -> io::Result<Vec<Row>> {
        let file = File::open(&self.path)?;
        lines.iter().filter_map(|line| self.row(&file, *line).transpose()).collect()
    }

    fn row(&self, file: &File, line: u32) -> io::Result<Option<Row>> {
        let at = line as usize;
        let (Some(place), Some(ms)) = (self.places.get(at), self.times.get(at)) else {
            return Ok(None);
        };
        let level = (place >> LEVEL_SHIFT) as usize;
        let text = plain(message(&self.bytes(file, at)?).as_bytes());
        let text = match text.char_indices().nth(MAX_SHOWN) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        };
        Ok(Some(Row { line: u64::from(line), ms: *ms, level: LEVELS[level], text }))
    }

    fn bytes(&self, file: &File, at: usize) -> io::Result<Vec<u8>> {
        let begin = self.place(at);
        let end = if at + 1 < self.places.len() { self.place(at + 1) } else { self.length };
        let mut line = vec![0; (end.saturating_sub(begin) as usize).min(MAX_LINE)];
        file.read_exact_at(&mut line, begin)?;
        Ok(line)
    }

    fn place(&self, at: usize) -> u64 {
        self.places.get(at).map_or(self.length, |place| place & ((1 << LEVEL_SHIFT) - 1))
    }

    /// The results so far, as a job's end has them.
    ///
    /// # Errors
    /// Why the file cannot be read.
    pub fn report(&self) -> io::Result<Report> {
        let begin = self.begin_us().map(units::time_text);
        if self.results.is_empty() {
            return Ok(Report::new(begin, std::iter::empty()));
        }
        let file = File::open(&self.path)?;
        let mut cases = Vec::with_capacity(self.results.len());
        for line in &self.results {
            let bytes = self.bytes(&file, *line as usize)?;
            let entry: Result<super::Entry, _> = serde_json::from_slice(&bytes);
            let case = entry.and_then(|entry| serde_json::from_value::<CaseResult>(entry.msg));
            cases.extend(case.ok());
        }
        let at = |line: Option<u64>| self.times.get(usize::try_from(line?).ok()?).copied();
        let timed = cases.into_iter().map(|case| {
            let between = at(case.starttc).zip(at(case.endtc));
            let between = between.map(|(from, to)| f64::from(to.saturating_sub(from)) / 1e3);
            Timed { seconds: case.duration.or(between), case }
        });
        Ok(Report::new(begin, timed))
    }
}

#[cfg(test)]
mod tests;
