//! Reads a capture from any offset, while it is being written.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::Bytes;
use zeekstd::Decoder;

use super::Store;
use super::index::IndexReader;
use super::segment::Segment;
use crate::wire::frame::Frame;

/// A piece of the stream with its offset and time.
pub type Piece = Frame;

/// What reading gave.
#[derive(Debug, PartialEq, Eq)]
pub enum Read {
    /// At least one piece, without a hole between them.
    Pieces(Vec<Piece>),
    /// The bytes up to `to` are not held.
    Gap { to: u64 },
}

/// Reads from a capture, mostly forward. Blocks on files.
#[derive(Debug)]
pub struct Reader {
    store: Arc<Store>,
    /// The segment that was read last.
    open: Option<OpenSegment>,
}

struct OpenSegment {
    segment: Segment,
    bytes: Source,
    index: Option<IndexReader>,
}

enum Source {
    Raw(File),
    Compressed(Box<Decoder<'static, File>>),
}

impl Reader {
    pub fn new(store: Arc<Store>) -> Self {
        Self { store, open: None }
    }

    /// Reads at most `most` bytes from `from` on, but none from `to` on. `to` must not be beyond
    /// the head.
    ///
    /// A segment whose files cannot be read is a gap as well; its bytes may be had again later.
    pub fn read(&mut self, from: u64, to: u64, most: usize) -> Read {
        self.try_read(from, to, most).unwrap_or_else(|error| {
            let dir = self.store.dir().display();
            tracing::warn!(%dir, from, %error, "a segment cannot be read");
            self.open = None;
            let end = match self.store.find(from) {
                Ok(segment) => segment.end(),
                Err(next) => next,
            };
            Read::Gap { to: end.unwrap_or(to).min(to) }
        })
    }

    fn try_read(&mut self, from: u64, to: u64, most: usize) -> io::Result<Read> {
        let segment = match self.store.find(from) {
            Ok(segment) => segment,
            Err(next) => {
                self.open = None;
                return Ok(Read::Gap { to: next.unwrap_or(to).min(to) });
            }
        };
        if self.open.as_ref().is_none_or(|open| open.segment.start != segment.start) {
            self.open = Some(self.open_segment(segment)?);
        }
        let Some(open) = &mut self.open else { return Ok(Read::Gap { to }) };
        let end = segment.end().unwrap_or(to).min(to).min(from.saturating_add(most as u64));
        let bytes = open.bytes.read(from - segment.start, (end - from) as usize)?;
        if bytes.is_empty() {
            // Shorter than it was said to be: damaged from outside. The rest of it is a gap.
            return Ok(Read::Gap { to: segment.end().unwrap_or(to).min(to) });
        }
        open.pieces(from, bytes)
    }

    /// The offset of the first held byte that came at or after a time; `None` if all came before.
    ///
    /// # Errors
    /// When an index cannot be read.
    pub fn offset_at(&self, time_us: u64) -> io::Result<Option<u64>> {
        let starts: Vec<u64> = self.store.lock().iter().map(|segment| segment.start).collect();
        for start in starts {
            let index = match IndexReader::open(&self.store.path(start, "idx")) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                index => index?,
            };
            if let Some(offset) = index.offset_at(time_us)? {
                return Ok(Some(offset));
            }
        }
        Ok(None)
    }

    fn open_segment(&self, segment: Segment) -> io::Result<OpenSegment> {
        let index = IndexReader::open(&self.store.path(segment.start, "idx")).ok();
        // It may be compressed at this very moment: whichever of its two files is there will do.
        let bytes = match File::open(self.store.path(segment.start, "raw")) {
            Ok(file) => Source::Raw(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let file = File::open(self.store.path(segment.start, "raw.zst"))?;
                Source::Compressed(Box::new(Decoder::new(file).map_err(io::Error::other)?))
            }
            Err(error) => return Err(error),
        };
        Ok(OpenSegment { segment, bytes, index })
    }
}

impl OpenSegment {
    /// Cuts bytes where their times change.
    fn pieces(&self, from: u64, mut bytes: Bytes) -> io::Result<Read> {
        let end = from + bytes.len() as u64;
        let (marks, to) = match &self.index {
            Some(index) => index.marks(from, end)?,
            None => (Vec::new(), end),
        };
        bytes.truncate((to - from) as usize);
        let mut pieces = Vec::with_capacity(marks.len().max(1));
        let mut offset = from;
        for (at, mark) in marks.iter().enumerate() {
            let end = marks.get(at + 1).map_or(to, |next| next.offset.min(to));
            if end > offset {
                let piece = bytes.split_to((end - offset) as usize);
                pieces.push(Piece { offset, time_us: mark.time_us, bytes: piece });
                offset = end;
            }
        }
        if !bytes.is_empty() {
            // Without an index: the times are lost, the bytes are not.
            pieces.push(Piece { offset, time_us: 0, bytes });
        }
        Ok(Read::Pieces(pieces))
    }
}

impl Source {
    fn read(&mut self, at: u64, len: usize) -> io::Result<Bytes> {
        let mut buffer = vec![0; len];
        let mut filled = 0;
        if let Self::Compressed(decoder) = self {
            decoder.set_offset(at).map_err(io::Error::other)?;
        }
        while filled < len {
            let read = match self {
                Self::Raw(file) => file.read_at(&mut buffer[filled..], at + filled as u64)?,
                Self::Compressed(decoder) => {
                    decoder.decompress(&mut buffer[filled..]).map_err(io::Error::other)?
                }
            };
            if read == 0 {
                break;
            }
            filled += read;
        }
        buffer.truncate(filled);
        Ok(buffer.into())
    }
}

impl std::fmt::Debug for OpenSegment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenSegment").field("segment", &self.segment).finish_non_exhaustive()
    }
}
