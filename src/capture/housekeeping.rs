//! What is done with closed segments: indexing, compressing, and deleting the oldest.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use zeekstd::{EncodeOptions, FrameSizePolicy};

use super::private::private;
use super::segment::SUFFIXES;
use super::source::Source;
use super::{Store, grams};
use crate::config::CaptureOptions;

/// Uncompressed bytes per zstd frame: what has to be decompressed to read one byte.
const FRAME: u32 = 256 * 1024;

/// Segments of fewer bytes are searched without an index: it would be large beside them, and save
/// milliseconds.
const INDEXED: u64 = 2 * 1024 * 1024;

/// Indexes and compresses the closed segments of a capture and applies its retention. Blocks on files for up
/// to seconds; may be dropped or killed at any point.
#[derive(Debug)]
pub struct Housekeeping {
    pub(super) store: Arc<Store>,
    pub(super) options: CaptureOptions,
}

impl Housekeeping {
    /// Does what there is to do. Failures are logged and tried again next time.
    pub fn run(&self) {
        let one_at_a_time = self.store.housekeeping.lock();
        // Deleting first: on a full disk it is what makes room to compress.
        self.retain();
        self.index();
        self.compress();
        drop(one_at_a_time);
    }

    /// Indexes the closed segments that are worth it and have no index, or one of fewer bytes.
    fn index(&self) {
        let closed = self.store.lock().clone().into_iter();
        let closed = closed.filter_map(|segment| Some((segment.start, segment.len?)));
        for (start, len) in closed.filter(|(_, len)| *len >= INDEXED) {
            if let Err(error) = self.index_segment(start, len) {
                let dir = self.store.dir().display();
                tracing::warn!(%dir, start, %error, "a segment could not be indexed");
            }
        }
    }

    fn index_segment(&self, start: u64, len: u64) -> io::Result<()> {
        let path = |suffix| self.store.path(start, suffix);
        if grams::Index::open(&path("grams"), len).is_ok_and(|index| index.indexed() == len) {
            return Ok(());
        }
        let temporary = path("grams.tmp");
        let mut source = Source::open(&path("raw"), &path("raw.zst"))?;
        let written = create(&temporary)
            .and_then(|file| grams::build(&mut source, len, grams::BLOCK, io::BufWriter::new(file)))
            .and_then(|()| fs::rename(&temporary, path("grams")));
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        written
    }

    fn compress(&self) {
        let closed: Vec<u64> = {
            let segments = self.store.lock();
            let raw =
                segments.iter().filter(|segment| segment.len.is_some() && !segment.compressed);
            raw.map(|segment| segment.start).collect()
        };
        for start in closed {
            if let Err(error) = self.compress_segment(start) {
                let dir = self.store.dir().display();
                tracing::warn!(%dir, start, %error, "a segment could not be compressed");
            }
        }
    }

    fn compress_segment(&self, start: u64) -> io::Result<()> {
        let raw = self.store.path(start, "raw");
        let temporary = self.store.path(start, "raw.zst.tmp");
        if let Err(error) = compress_file(&raw, &temporary) {
            let _ = fs::remove_file(&temporary);
            return Err(error);
        }
        fs::rename(&temporary, self.store.path(start, "raw.zst"))?;
        if let Some(segment) = self.store.lock().iter_mut().find(|s| s.start == start) {
            segment.compressed = true;
        }
        fs::remove_file(&raw)
    }

    fn retain(&self) {
        let mut total: u64 = 0;
        let mut sizes = Vec::new();
        // A copy: the consoles need the list while the files are looked at.
        let segments = self.store.lock().clone();
        for segment in segments {
            let files = SUFFIXES.map(|suffix| fs::metadata(self.store.path(segment.start, suffix)));
            let files: Vec<fs::Metadata> = files.into_iter().flatten().collect();
            let size: u64 = files.iter().map(fs::Metadata::len).sum();
            let newest = files.iter().filter_map(|file| file.modified().ok()).max();
            total += size;
            sizes.push((segment, size, newest));
        }
        // A clock that was wrong and then set back must not keep what is older than what it tells.
        let mut latest: Option<SystemTime> = None;
        for (_, _, newest) in sizes.iter_mut().rev() {
            latest = latest.into_iter().chain(*newest).min();
            *newest = latest;
        }
        for (segment, size, newest) in sizes {
            let age = newest.and_then(|time| SystemTime::now().duration_since(time).ok());
            let old = self.options.keep_age.zip(age).is_some_and(|(most, age)| age > most);
            if segment.len.is_none() || !(old || total > self.options.keep) {
                break;
            }
            // From the list first: a reader then sees a gap, never a missing file.
            self.store.lock().retain(|kept| kept.start != segment.start);
            self.store.remove(segment.start);
            total -= size;
        }
    }
}

fn create(path: &Path) -> io::Result<File> {
    private().write(true).create(true).truncate(true).open(path)
}

fn compress_file(from: &Path, to: &Path) -> io::Result<()> {
    let mut input = File::open(from)?;
    let frames = FrameSizePolicy::Uncompressed(FRAME);
    let options = EncodeOptions::new().frame_size_policy(frames).checksum_flag(true);
    let output = create(to)?;
    let mut encoder = options.into_encoder(output.try_clone()?).map_err(io::Error::other)?;
    let mut buffer = vec![0; FRAME as usize];
    loop {
        match input.read(&mut buffer)? {
            0 => break,
            read => encoder.write_all(&buffer[..read])?,
        }
    }
    encoder.finish().map_err(io::Error::other)?;
    output.sync_all()
}
