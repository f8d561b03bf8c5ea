//! The segments of one console's capture, and the files they are made of.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A run of bytes that lies in one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    /// Absolute offset of the first byte.
    pub(super) start: u64,
    /// The length in bytes; `None` for the open segment, which reaches up to the head.
    pub(super) len: Option<u64>,
    pub(super) compressed: bool,
}

impl Segment {
    pub(super) fn end(&self) -> Option<u64> {
        self.len.map(|len| self.start + len)
    }
}

/// What is held of one console, shared by its writer and its readers.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    /// In the order of their starts; only the last may be open. They do not overlap, but where the
    /// capture could not be written there is a gap between two of them.
    segments: Mutex<Vec<Segment>>,
    /// Held while segments are compressed and deleted: one at a time.
    pub(super) housekeeping: Mutex<()>,
}

/// No offset is beyond this one: what says so is damaged.
const MAX_OFFSET: u64 = 1 << 62;

/// The files that belong to a segment.
pub(super) const SUFFIXES: [&str; 5] = ["raw", "raw.zst", "idx", "jsonl", "grams"];

/// Those that tell something of its bytes, and are of no use without them.
pub(super) const OF_THE_BYTES: [&str; 2] = ["idx", "grams"];

impl Store {
    /// Lists the segments in a folder, and tells the offset behind all of them, those included that
    /// are too damaged to be read. Leftovers of interrupted compressions are removed.
    pub(super) fn scan(dir: PathBuf) -> io::Result<(Self, u64)> {
        let mut segments: Vec<Segment> = Vec::new();
        let mut head = 0;
        for entry in fs::read_dir(&dir)? {
            let path = entry?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            if name.ends_with(".tmp") {
                if let Err(error) = fs::remove_file(&path) {
                    tracing::warn!(path = %path.display(), %error, "a leftover stays");
                }
                continue;
            }
            let Some((start, compressed)) = parse(name) else { continue };
            let len = len(&path, compressed);
            let end = len.and_then(|len| {
                let end = start.checked_add(len).filter(|end| *end <= MAX_OFFSET);
                end.ok_or_else(|| io::Error::other(format!("no console reaches offset {start}")))
            });
            match end {
                Ok(end) => {
                    head = head.max(end);
                    segments.push(Segment { start, len: Some(end - start), compressed });
                }
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "a damaged segment is left out");
                    head = head.max(start.min(MAX_OFFSET));
                }
            }
        }
        // A crash between the rename and the removal leaves both files: the raw one then counts.
        segments.sort_by_key(|segment| (segment.start, segment.compressed));
        segments.dedup_by_key(|segment| segment.start);
        // Where one reaches into the next, as only somebody else's doing can make it, the next one
        // counts.
        let starts: Vec<u64> = segments.iter().skip(1).map(|segment| segment.start).collect();
        for (segment, next) in segments.iter_mut().zip(starts) {
            segment.len = segment.len.map(|len| len.min(next - segment.start));
        }
        Ok((Self { dir, segments: Mutex::new(segments), housekeeping: Mutex::new(()) }, head))
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The oldest offset that is held, if anything is.
    pub fn first(&self) -> Option<u64> {
        self.lock().first().map(|segment| segment.start)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Vec<Segment>> {
        // The list is changed in single steps, so that it is whole even after a panic.
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The segment that holds an offset; else the start of the next one after it, if any.
    pub(super) fn find(&self, offset: u64) -> Result<Segment, Option<u64>> {
        let segments = self.lock();
        let after = segments.partition_point(|segment| segment.start <= offset);
        match segments[..after].last() {
            Some(segment) if segment.end().is_none_or(|end| offset < end) => Ok(*segment),
            _ => Err(segments.get(after).map(|segment| segment.start)),
        }
    }

    /// Where the bytes from `from` on are held without a hole: the first offset at or after `from`
    /// that is held, and the end of the run. `None` when nothing is held from there on.
    pub fn run(&self, from: u64, head: u64) -> Option<(u64, u64)> {
        let segments = self.lock();
        let held =
            segments.iter().skip_while(|segment| segment.end().is_some_and(|end| end <= from));
        let mut run: Option<(u64, u64)> = None;
        for segment in held {
            let end = segment.end().unwrap_or(head);
            run = match run {
                None => Some((segment.start.max(from), end)),
                Some((first, last)) if segment.start == last => Some((first, end)),
                Some(_) => break,
            };
        }
        run.filter(|(first, end)| first < end)
    }

    /// Deletes the files of a segment that is in the list no more. What cannot be deleted is logged.
    pub(super) fn remove(&self, start: u64) {
        for suffix in SUFFIXES {
            match fs::remove_file(self.path(start, suffix)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(dir = %self.dir.display(), start, %error, "a segment stays");
                }
                _ => {}
            }
        }
    }

    pub(super) fn path(&self, start: u64, suffix: &str) -> PathBuf {
        self.dir.join(format!("{start:020}.{suffix}"))
    }
}

/// The start of the segment whose bytes a file has, and whether they are compressed.
fn parse(name: &str) -> Option<(u64, bool)> {
    let (stem, suffix) = name.split_once('.')?;
    let compressed = match suffix {
        "raw" => false,
        "raw.zst" => true,
        _ => return None,
    };
    let start = stem.parse().ok()?;
    (stem == format!("{start:020}")).then_some((start, compressed))
}

/// The number of bytes that a file holds of the stream.
fn len(path: &Path, compressed: bool) -> io::Result<u64> {
    let file = fs::metadata(path)?;
    if !file.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    if compressed { super::source::decompressed_len(path) } else { Ok(file.len()) }
}
