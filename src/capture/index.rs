//! The times of a segment's bytes: a sorted file of (time, offset) records.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::private::private;

/// Length of a record: time in µs since the epoch and absolute offset, both u64 big-endian.
const RECORD: u64 = 16;
/// Bytes that come within this many µs of a record belong to it. It bounds the index to a thousand
/// records a second however fast the line is, and is what the times are exact to.
const RESOLUTION_US: u64 = 1_000;
/// A clock that is set back by less than this, in µs, is taken to stand still meanwhile.
const STEP_BACK_US: u64 = 1_000_000;
/// Records are written together that are of no more than this many µs: see [`IndexWriter::is_due`].
const TOGETHER_US: u64 = 50_000;
/// So many records are written together at most.
const TOGETHER: usize = 64;
/// How many records are read at a time.
const BATCH: usize = 4096;

/// From `offset` on, bytes came at `time_us`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) offset: u64,
    pub(super) time_us: u64,
}

/// What an index knows of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    Nothing,
    /// All of its bytes came before.
    Before,
    /// From this offset on they came at that time or later; all of them when it is the first.
    From {
        offset: u64,
        all: bool,
    },
}

/// Appends records. Their times never go back: see [`IndexWriter::is_before`].
#[derive(Debug)]
pub(super) struct IndexWriter {
    file: File,
    last_us: Option<u64>,
    /// Records that are not written yet.
    noted: Vec<u8>,
    /// The time of the last record that was written.
    written_us: Option<u64>,
}

impl IndexWriter {
    /// Opens or creates an index. A record that a crash cut short is dropped.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = private().append(true).create(true).open(path)?;
        let len = file.metadata()?.len();
        if len % RECORD != 0 {
            file.set_len(len - len % RECORD)?;
        }
        let last = match len / RECORD {
            0 => None,
            count => IndexReader::open(path)?.get(count - 1).ok(),
        };
        let last_us = last.map(|mark| mark.time_us);
        Ok(Self { file, last_us, noted: Vec::new(), written_us: last_us })
    }

    /// Whether the clock was set back, so that what comes now has to go into an index of its own.
    pub(super) fn is_before(&self, time_us: u64) -> bool {
        self.last_us.is_some_and(|last| time_us.saturating_add(STEP_BACK_US) < last)
    }

    /// Notes that the byte at `mark.offset` came at `mark.time_us`, for [`Self::write`].
    pub(super) fn note(&mut self, mark: Mark) {
        if self.last_us.is_some_and(|last| mark.time_us < last.saturating_add(RESOLUTION_US)) {
            return;
        }
        self.noted.extend(mark.time_us.to_be_bytes());
        self.noted.extend(mark.offset.to_be_bytes());
        self.last_us = Some(mark.time_us);
    }

    /// Whether what was noted should be written soon: if it never is, the last bytes count as having
    /// come up to [`TOGETHER_US`] before they did, and not more.
    pub(super) fn is_due(&self) -> bool {
        let late = self.written_us.zip(self.last_us);
        let late = late.is_none_or(|(written, last)| last >= written.saturating_add(TOGETHER_US));
        !self.noted.is_empty() && (late || self.noted.len() >= TOGETHER * RECORD as usize)
    }

    /// Writes what was noted. After an error the file may end with a part of a record.
    pub(super) fn write(&mut self) -> io::Result<()> {
        if self.noted.is_empty() {
            return Ok(());
        }
        // A console that prints nothing keeps no memory for it.
        let noted = std::mem::take(&mut self.noted);
        self.written_us = self.last_us;
        self.file.write_all(&noted)
    }
}

/// Looks records up.
#[derive(Debug)]
pub(super) struct IndexReader(File);

impl IndexReader {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        File::open(path).map(Self)
    }

    /// The marks that tell the times of the bytes from `from` up to `to`: the last one at or before
    /// `from`, and those after it; and the end of what they tell, which is before `to` when there are
    /// more marks than are read at a time.
    pub(super) fn marks(&self, from: u64, to: u64) -> io::Result<(Vec<Mark>, u64)> {
        let count = self.len()?;
        let first = self.search(count, |mark| mark.offset <= from)?.saturating_sub(1);
        let mut marks = self.read(first, (count - first).min(BATCH as u64))?;
        let more = marks.len() == BATCH;
        marks.truncate(marks.partition_point(|mark| mark.offset < to));
        match marks.last() {
            Some(last) if more && marks.len() == BATCH && last.offset > from => {
                let end = last.offset;
                marks.pop();
                Ok((marks, end))
            }
            _ => Ok((marks, to)),
        }
    }

    /// When the first byte came.
    pub(super) fn begin_us(&self) -> io::Result<Option<u64>> {
        if self.len()? == 0 { Ok(None) } else { Ok(Some(self.get(0)?.time_us)) }
    }

    /// The first byte that came at or after a time.
    pub(super) fn at_time(&self, time_us: u64) -> io::Result<Known> {
        let count = self.len()?;
        let at = self.search(count, |mark| mark.time_us < time_us)?;
        Ok(match at {
            _ if count == 0 => Known::Nothing,
            at if at == count => Known::Before,
            at => Known::From { offset: self.get(at)?.offset, all: at == 0 },
        })
    }

    /// The number of records that come before the first one for which `before` is false.
    fn search(&self, count: u64, before: impl Fn(Mark) -> bool) -> io::Result<u64> {
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = low + (high - low) / 2;
            if before(self.get(middle)?) { low = middle + 1 } else { high = middle }
        }
        Ok(low)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len() / RECORD)
    }

    fn get(&self, at: u64) -> io::Result<Mark> {
        self.read(at, 1)?.first().copied().ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn read(&self, at: u64, count: u64) -> io::Result<Vec<Mark>> {
        let mut bytes = vec![0; (count * RECORD) as usize];
        self.0.read_exact_at(&mut bytes, at * RECORD)?;
        let numbers = |record: &[u8]| -> Option<Mark> {
            let (time, rest) = record.split_first_chunk::<8>()?;
            let (offset, _) = rest.split_first_chunk::<8>()?;
            Some(Mark { time_us: u64::from_be_bytes(*time), offset: u64::from_be_bytes(*offset) })
        };
        Ok(bytes.chunks_exact(RECORD as usize).filter_map(numbers).collect())
    }
}
