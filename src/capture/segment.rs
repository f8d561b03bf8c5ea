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

/// The files that belong to a segment.
pub(super) const SUFFIXES: [&str; 4] = ["raw", "raw.zst", "idx", "jsonl"];

impl Store {
    /// Lists the segments in a folder. Leftovers of interrupted compressions are removed.
    pub(super) fn scan(dir: PathBuf) -> io::Result<Self> {
        let mut segments: Vec<Segment> = Vec::new();
        for entry in fs::read_dir(&dir)? {
            let path = entry?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            if name.ends_with(".tmp") {
                fs::remove_file(&path)?;
                continue;
            }
            let (stem, compressed) = match name.strip_suffix(".raw") {
                Some(stem) => (stem, false),
                None => match name.strip_suffix(".raw.zst") {
                    Some(stem) => (stem, true),
                    None => continue,
                },
            };
            let Ok(start) = stem.parse::<u64>() else { continue };
            let len = if compressed {
                match super::compress::decompressed_len(&path) {
                    Ok(len) => len,
                    Err(error) => {
                        tracing::warn!(path = %path.display(), %error, "a damaged segment is left out");
                        continue;
                    }
                }
            } else {
                fs::metadata(&path)?.len()
            };
            segments.push(Segment { start, len: Some(len), compressed });
        }
        // A crash between the rename and the removal leaves both files: the raw one then counts.
        segments.sort_by_key(|segment| (segment.start, segment.compressed));
        segments.dedup_by_key(|segment| segment.start);
        Ok(Self { dir, segments: Mutex::new(segments), housekeeping: Mutex::new(()) })
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
