//! Searching the lines of a capture.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::reader::Run;
use super::segment::Segment;
use super::{Reader, Store, grams};
use crate::wire::lines::{MAX_LINE, trimmed};
use crate::wire::pattern::Pattern;

/// A step of a search ends after this time, or with so many lines.
const STEP: Duration = Duration::from_millis(50);
const STEP_LINES: usize = 256;
/// How many bytes are read at a time.
const READ: usize = 256 * 1024;
/// How many bytes are read at a time behind a range, for the end of its last line.
const READ_ON: u64 = 4 * 1024;

/// A line that matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The offset of its first byte, and that behind its last one with its line end.
    pub offset: u64,
    pub end: u64,
    /// When its first byte came, in microseconds since the Unix epoch; 0 where that is not known.
    pub time_us: u64,
    /// The line without its line end.
    pub line: Bytes,
}

/// A search through a range of a capture, forward. Blocks on files.
#[derive(Debug)]
pub struct Search {
    store: Arc<Store>,
    reader: Reader,
    pattern: Arc<Pattern>,
    /// Lines that begin before it are done. A line begins here, unless it is in a hole.
    at: u64,
    to: u64,
    /// What was read from `at` on.
    buffer: Vec<u8>,
    /// Where lines that match can begin, as far as `planned`; in order.
    ranges: VecDeque<Range<u64>>,
    planned: u64,
    /// How many bytes were read.
    read: u64,
}

impl Search {
    /// A search in the bytes from `from` up to `to`, which must not be beyond the head. What is cut
    /// off at either end is a line.
    pub fn new(store: Arc<Store>, pattern: Arc<Pattern>, from: u64, to: u64) -> Self {
        Self {
            reader: Reader::new(store.clone()),
            store,
            pattern,
            at: from,
            to,
            buffer: Vec::new(),
            ranges: VecDeque::new(),
            planned: from,
            read: 0,
        }
    }

    /// How many bytes were read so far; the others could not match.
    pub fn read(&self) -> u64 {
        self.read
    }

    /// Goes on for a short time, and gives the lines that were found, in order; `None` when all is
    /// searched.
    pub fn step(&mut self) -> Option<Vec<Found>> {
        let begin = Instant::now();
        let mut found = Vec::new();
        while found.len() < STEP_LINES && begin.elapsed() < STEP {
            match self.next_range() {
                Some(range) => self.advance(&range, &mut found),
                None if found.is_empty() => return None,
                None => break,
            }
        }
        Some(found)
    }

    /// The range in which the next line is looked at, with `at` in it.
    fn next_range(&mut self) -> Option<Range<u64>> {
        loop {
            self.ranges.pop_front_if(|range| range.end <= self.at);
            let next = self.ranges.front().filter(|range| range.end > self.at);
            if let Some(range) = next.cloned() {
                if range.start > self.at {
                    self.at = range.start;
                    self.buffer.clear();
                }
                return Some(range).filter(|_| self.at < self.to);
            }
            if !self.ranges.is_empty() {
                continue;
            }
            let from = self.planned.max(self.at);
            if from >= self.to {
                return None;
            }
            match self.store.find(from) {
                Ok(segment) => self.plan(segment),
                Err(next) => self.planned = next.unwrap_or(self.to),
            }
        }
    }

    /// Finds the ranges of a segment that can have lines that match.
    fn plan(&mut self, segment: Segment) {
        let end = segment.end().unwrap_or(self.to);
        let index = grams::Index::open(
            &self.store.path(segment.start, "grams"),
            segment.len.unwrap_or(end - segment.start),
        );
        let indexed = index.and_then(|index| Ok((index.candidates(&self.pattern)?, index.end())));
        let (ranges, rest) = indexed.unwrap_or_default();
        let ranges = ranges.into_iter().chain(std::iter::once(rest..end - segment.start));
        for range in ranges.filter(|range| !range.is_empty()) {
            let range = range.start + segment.start..range.end + segment.start;
            match self.ranges.back_mut() {
                Some(last) if last.end == range.start => last.end = range.end,
                _ => self.ranges.push_back(range),
            }
        }
        self.planned = end;
    }

    /// Reads on in a range and searches the lines that are complete.
    fn advance(&mut self, range: &Range<u64>, found: &mut Vec<Found>) {
        let from = self.at + self.buffer.len() as u64;
        let to = if from < range.end { range.end } else { from + READ_ON }.min(self.to);
        if from >= to {
            self.search(self.buffer.len(), found);
            return;
        }
        match self.reader.bytes(from, to, READ) {
            Run::Bytes(bytes) => {
                self.read += bytes.len() as u64;
                self.buffer.extend_from_slice(&bytes);
                let ended = self.buffer.iter().rposition(|byte| *byte == b'\n');
                let ended = ended.map_or(0, |last| last + 1);
                // Of what has no line end there are whole pieces, perhaps.
                let pieces = (self.buffer.len() - ended) / MAX_LINE * MAX_LINE;
                self.search(ended + pieces, found);
            }
            Run::Gap(to) => {
                self.search(self.buffer.len(), found);
                self.at = to;
            }
        }
    }

    /// Searches the first bytes of the buffer, which are whole lines, and forgets them.
    fn search(&mut self, ready: usize, found: &mut Vec<Found>) {
        let bytes = &self.buffer[..ready];
        let mut at = 0;
        while let Some(hit) = self.pattern.next(bytes, at).filter(|hit| *hit < ready) {
            let begin = bytes[at..hit].iter().rposition(|byte| *byte == b'\n');
            let begin = begin.map_or(at, |last| at + last + 1);
            let begin = begin + (hit - begin) / MAX_LINE * MAX_LINE;
            let longest = ready.min(begin + MAX_LINE);
            let ended = bytes[begin..longest].iter().position(|byte| *byte == b'\n');
            let end = ended.map_or(longest, |length| begin + length);
            at = end + usize::from(ended.is_some());
            let line = trimmed(&bytes[begin..end]);
            if self.pattern.matches(line) {
                let offset = self.at + begin as u64;
                found.push(Found {
                    offset,
                    end: self.at + at as u64,
                    time_us: self.reader.time_at(offset),
                    line: Bytes::copy_from_slice(line),
                });
            }
        }
        self.buffer.drain(..ready);
        self.at += ready as u64;
    }
}
