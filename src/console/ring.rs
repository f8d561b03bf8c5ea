//! The newest bytes of a console, addressed by offset.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use crate::capture::Piece;

/// What an idle console may keep, in bytes.
const LEAST: usize = 4 * 1024;
/// What the fastest console keeps, in bytes.
const MOST: usize = 4 * 1024 * 1024;
/// How far back the ring reaches between these two. Whoever is further behind reads the capture.
const REACH: Duration = Duration::from_millis(250);
/// What a piece costs beside its bytes, about.
const OVERHEAD: usize = 96;

/// Pieces of the stream without a hole between them, up to the head.
///
/// It keeps what came within the last [`REACH`], so that it is small while a console is slow and
/// grows with its speed; the capture holds the rest.
#[derive(Debug, Default)]
pub(super) struct Ring {
    pieces: VecDeque<Piece>,
    /// Bytes in `pieces`, with their overhead.
    size: usize,
}

/// Where an offset lies.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// In the ring: pieces from the offset on.
    Pieces(Vec<Piece>),
    /// Before the ring: the capture may have it. The ring begins at this offset.
    Before(u64),
}

impl Ring {
    /// Appends bytes that came at `time_us` with the offset `offset`.
    pub(super) fn push(&mut self, offset: u64, time_us: u64, bytes: Bytes) {
        self.size += bytes.len() + OVERHEAD;
        self.pieces.push_back(Piece { offset, time_us, bytes });
        self.trim(time_us);
    }

    /// Drops what is older than the ring reaches at `now_us`.
    pub(super) fn trim(&mut self, now_us: u64) {
        while let Some(oldest) = self.pieces.front() {
            // A clock that was set back is no reason to keep more.
            let age = now_us.abs_diff(oldest.time_us);
            let outdated = age > REACH.as_micros() as u64 && self.size > LEAST;
            if !outdated && self.size <= MOST {
                break;
            }
            self.size -= oldest.bytes.len() + OVERHEAD;
            self.pieces.pop_front();
        }
        if self.pieces.capacity() > 64 && self.pieces.len() < self.pieces.capacity() / 8 {
            self.pieces.shrink_to(self.pieces.len() * 2);
        }
    }

    /// The newest bytes, at most `most` of them.
    pub(super) fn tail(&self, most: usize) -> Vec<u8> {
        let mut begin = self.pieces.len();
        let mut size = 0;
        while begin > 0 && size < most {
            begin -= 1;
            size += self.pieces[begin].bytes.len();
        }
        let bytes = self.pieces.range(begin..).flat_map(|piece| piece.bytes.iter().copied());
        bytes.skip(size.saturating_sub(most)).collect()
    }

    /// The pieces from `from` to `to`, at most `most` bytes of them (but one piece at least).
    /// `from` must be before `to`, and `to` not beyond the head.
    pub(super) fn read(&self, from: u64, to: u64, most: usize) -> Held {
        let first = match self.pieces.front() {
            Some(piece) => piece.offset,
            None => return Held::Before(to),
        };
        if from < first {
            return Held::Before(first);
        }
        let begin = self.pieces.partition_point(|piece| piece.end() <= from);
        let mut found = Vec::new();
        let mut size = 0;
        for piece in self.pieces.range(begin..) {
            if piece.offset >= to || (size >= most && !found.is_empty()) {
                break;
            }
            let skip = from.saturating_sub(piece.offset) as usize;
            let end = (to - piece.offset).min(piece.bytes.len() as u64) as usize;
            let bytes = piece.bytes.slice(skip..end);
            size += bytes.len();
            found.push(Piece { offset: piece.offset + skip as u64, time_us: piece.time_us, bytes });
        }
        Held::Pieces(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn joined(held: Held) -> Vec<u8> {
        match held {
            Held::Pieces(pieces) => pieces.iter().flat_map(|piece| piece.bytes.to_vec()).collect(),
            Held::Before(first) => panic!("before {first}"),
        }
    }

    proptest! {
        #[test]
        fn any_cut_of_the_stream_reads_as_it_was_written(
            chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..50), 1..20),
            a: prop::sample::Index, b: prop::sample::Index,
        ) {
            let mut ring = Ring::default();
            let mut stream = Vec::new();
            for chunk in chunks {
                ring.push(stream.len() as u64, 0, Bytes::from(chunk.clone()));
                stream.extend(chunk);
            }
            let from = a.index(stream.len());
            let to = from + 1 + b.index(stream.len() - from);
            prop_assert_eq!(joined(ring.read(from as u64, to as u64, usize::MAX)), &stream[from..to]);
        }
    }

    #[test]
    fn a_slow_console_keeps_little_and_a_fast_one_much() {
        let mut ring = Ring::default();
        let mut offset = 0;
        let mut push = |ring: &mut Ring, time_us, len: usize| {
            ring.push(offset, time_us, vec![0; len].into());
            offset += len as u64;
        };
        for second in 0..1000 {
            push(&mut ring, second * 1_000_000, 10);
        }
        assert!(ring.size <= LEAST + 10 + OVERHEAD, "{}", ring.size);
        for chunk in 0..1000 {
            push(&mut ring, 1_000_000_000 + chunk, 64 * 1024);
        }
        assert!(ring.size > MOST / 2 && ring.size <= MOST, "{}", ring.size);
        ring.trim(2_000_000_000);
        assert!(ring.size <= LEAST, "{}", ring.size);
    }

    #[test]
    fn a_clock_that_is_set_back_keeps_no_more() {
        let mut ring = Ring::default();
        for second in (0..1000).rev() {
            ring.push(1000 - second, second * 1_000_000, Bytes::from_static(b"x"));
        }
        assert!(ring.size <= LEAST + 1 + OVERHEAD, "{}", ring.size);
    }

    #[test]
    fn what_was_dropped_is_said_to_be_before_the_ring() {
        let mut ring = Ring::default();
        ring.push(100, 0, Bytes::from_static(b"abc"));
        assert_eq!(ring.read(99, 103, 10), Held::Before(100));
        assert_eq!(joined(ring.read(101, 102, 10)), b"b");
        ring.push(103, 0, Bytes::from_static(b"de"));
        assert_eq!(ring.tail(4), b"bcde");
        assert_eq!(ring.tail(9), b"abcde");
        assert_eq!(Ring::default().read(5, 9, 10), Held::Before(9));
    }
}
