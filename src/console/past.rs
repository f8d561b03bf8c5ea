//! What a console said before: ranges of its stream, events, and offsets of times.

use std::io;
use std::num::NonZeroU16;
use std::sync::Arc;

use super::Console;
use super::screen::MAX_SCREEN;
use crate::capture::{Piece, Read, Reader};
use crate::model::Event;

/// At most this many bytes are read at a time.
const BATCH: usize = 256 * 1024;
/// The most events that are given at a time: the newest.
const MAX_EVENTS: usize = 10_000;

/// Why a part of the past cannot be given.
#[derive(Debug, thiserror::Error)]
pub enum PastError {
    #[error("offset {from} is not held any more; the capture holds {first} to {head}")]
    Gone { from: u64, first: u64, head: u64 },
    #[error("offset {from} is beyond the head, which is {head}")]
    Future { from: u64, head: u64 },
    #[error("a screen of {rows} by {cols} is too large; {MAX_SCREEN} each way will do")]
    Screen { rows: NonZeroU16, cols: NonZeroU16 },
    #[error("the capture cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// A range of the past that is being read.
#[derive(Debug)]
pub struct Past {
    at: u64,
    to: u64,
    reader: Option<Reader>,
}

impl Past {
    /// The offset of the next byte.
    pub fn offset(&self) -> u64 {
        self.at
    }

    /// The offset behind the last byte: where the range ends, or the first hole in it.
    pub fn end(&self) -> u64 {
        self.to
    }

    /// The next pieces; `None` at the end.
    ///
    /// # Errors
    /// When reading was interrupted by a panic.
    pub async fn next(&mut self) -> io::Result<Option<Vec<Piece>>> {
        let Some(mut reader) = self.reader.take().filter(|_| self.at < self.to) else {
            return Ok(None);
        };
        let (from, to) = (self.at, self.to);
        let read = tokio::task::spawn_blocking(move || {
            let read = reader.read(from, to, BATCH);
            (reader, read)
        });
        let (reader, read) = read.await.map_err(io::Error::other)?;
        match read {
            Read::Pieces(pieces) => {
                self.reader = Some(reader);
                self.at = pieces.last().map_or(self.to, Piece::end);
                Ok(Some(pieces))
            }
            Read::Gap { .. } => Ok(None),
        }
    }
}

impl Console {
    /// The stream from `from` up to `to`, or up to the head, but not over a hole: from the first
    /// offset on that is held, up to the next one that is not.
    ///
    /// # Errors
    /// With every number when the range is not held.
    pub fn past(&self, from: u64, to: Option<u64>) -> Result<Past, PastError> {
        let head = self.head();
        let first = self.store.first().unwrap_or(head);
        if from < first {
            return Err(PastError::Gone { from, first, head });
        }
        if from > head {
            return Err(PastError::Future { from, head });
        }
        let to = to.unwrap_or(head).min(head);
        let (at, end) = self.store.run(from, head).unwrap_or((to, to));
        let (at, to) = (at.min(to), end.min(to));
        Ok(Past { at, to, reader: Some(Reader::new(self.store.clone())) })
    }

    /// The offset of the first byte that came at or after a time; the head if none did.
    ///
    /// # Errors
    /// When the capture cannot be read.
    pub async fn offset_at(&self, time_us: u64) -> Result<u64, PastError> {
        let reader = Reader::new(self.store.clone());
        let found = blocking(move || reader.offset_at(time_us)).await?;
        Ok(found.unwrap_or_else(|| self.head()))
    }

    /// The newest events from an offset on, oldest first.
    ///
    /// # Errors
    /// When the capture cannot be read.
    pub async fn events_since(&self, from: u64) -> Result<Vec<Event>, PastError> {
        let store = Arc::clone(&self.store);
        Ok(blocking(move || store.events(from, MAX_EVENTS)).await?)
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
