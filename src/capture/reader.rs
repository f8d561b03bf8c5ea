//! Reads a capture from any offset, while it is being written.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::Store;
use super::index::{IndexReader, Known, Mark};
use super::segment::Segment;
use super::source::Source;
use crate::wire::frame::Frame;

/// A piece of the stream with its offset and time.
pub type Piece = Frame;

/// So many bytes' times are looked up at a time, if there are not too many of them.
const TIMES: u64 = 64 * 1024;

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
    /// The marks that were looked at last for [`Reader::time_at`], and the end of what they tell.
    times: (Vec<Mark>, u64),
}

/// Bytes of the stream without their times.
pub(super) enum Run {
    /// At least one.
    Bytes(Bytes),
    /// The bytes up to this offset are not held.
    Gap(u64),
}

impl Reader {
    pub fn new(store: Arc<Store>) -> Self {
        Self { store, open: None }
    }

    /// Reads at most `most` bytes from `from` on, but none from `to` on. `to` must not be beyond
    /// the head.
    ///
    /// What cannot be read is a gap as well; its bytes may be had again later.
    pub fn read(&mut self, from: u64, to: u64, most: usize) -> Read {
        match (self.bytes(from, to, most), &self.open) {
            (Run::Bytes(bytes), Some(open)) => Read::Pieces(open.pieces(from, bytes)),
            (Run::Bytes(_), None) => Read::Gap { to },
            (Run::Gap(to), _) => Read::Gap { to },
        }
    }

    /// The same without the bytes' times.
    pub(super) fn bytes(&mut self, from: u64, to: u64, most: usize) -> Run {
        let segment = match self.store.find(from) {
            Ok(segment) => segment,
            Err(next) => {
                self.open = None;
                return Run::Gap(next.unwrap_or(to).min(to));
            }
        };
        let end = segment.end().unwrap_or(to).min(to);
        let wanted = end.saturating_sub(from).min(most as u64) as usize;
        match self.open(segment).and_then(|open| open.bytes.read(from - segment.start, wanted)) {
            // Shorter than it was said to be: damaged from outside.
            Ok(bytes) if bytes.is_empty() => Run::Gap(end),
            Ok(bytes) => Run::Bytes(bytes),
            Err(error) => {
                let dir = self.store.dir().display();
                tracing::warn!(%dir, from, %error, "a segment cannot be read");
                let open = self.open.take();
                let damage = open.and_then(|open| open.bytes.damage_end(from - segment.start));
                Run::Gap(damage.map_or(end, |damage| (segment.start + damage).min(end)))
            }
        }
    }

    /// When the byte at an offset came, in microseconds since the Unix epoch; 0 where that is not
    /// known.
    pub(super) fn time_at(&mut self, offset: u64) -> u64 {
        let Ok(segment) = self.store.find(offset) else { return 0 };
        let Ok(open) = self.open(segment) else { return 0 };
        let known = |(marks, to): &(Vec<Mark>, u64)| {
            marks.first().is_some_and(|first| first.offset <= offset) && offset < *to
        };
        if !known(&open.times) {
            let marks = open.index.as_ref().map(|index| index.marks(offset, offset + TIMES));
            open.times = marks.and_then(io::Result::ok).unwrap_or_default();
        }
        let (marks, _) = &open.times;
        let at = marks.partition_point(|mark| mark.offset <= offset).saturating_sub(1);
        marks.get(at).map_or(0, |mark| mark.time_us)
    }

    /// The offset of the first held byte that came at or after a time; `None` if all came before.
    /// Where the clock was set back, what came before that counts as of no later than then.
    ///
    /// # Errors
    /// When an index cannot be read.
    pub fn offset_at(&self, time_us: u64) -> io::Result<Option<u64>> {
        let segments: Vec<Segment> = self.store.lock().clone();
        let mut first = None;
        for segment in segments.into_iter().rev() {
            let index = match IndexReader::open(&self.store.path(segment.start, "idx")) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                index => index?,
            };
            match index.at_time(time_us)? {
                Known::Nothing => {}
                Known::Before => break,
                Known::From { offset, all } => {
                    // What a damaged index says is kept within its segment.
                    let end = segment.end().unwrap_or(u64::MAX);
                    first = Some(offset.clamp(segment.start, end));
                    if !all {
                        break;
                    }
                }
            }
        }
        Ok(first)
    }

    fn open(&mut self, segment: Segment) -> io::Result<&mut OpenSegment> {
        let open = match self.open.take() {
            Some(open) if open.segment.start == segment.start => OpenSegment { segment, ..open },
            _ => {
                let path = |suffix| self.store.path(segment.start, suffix);
                let bytes = Source::open(&path("raw"), &path("raw.zst"))?;
                let index = IndexReader::open(&path("idx")).ok();
                OpenSegment { segment, bytes, index, times: (Vec::new(), 0) }
            }
        };
        Ok(self.open.insert(open))
    }
}

impl OpenSegment {
    /// Cuts bytes where their times change. There may be more marks than are looked at: then these
    /// are not all of the bytes.
    fn pieces(&self, from: u64, mut bytes: Bytes) -> Vec<Piece> {
        let end = from + bytes.len() as u64;
        let marks = self.index.as_ref().and_then(|index| index.marks(from, end).ok());
        let (marks, to) = marks.unwrap_or((Vec::new(), end));
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
        pieces
    }
}

impl std::fmt::Debug for OpenSegment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenSegment").field("segment", &self.segment).finish_non_exhaustive()
    }
}
