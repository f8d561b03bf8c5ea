//! What a console said before: ranges of its stream, events, and offsets of times.

use std::io;
use std::num::NonZeroU16;
use std::sync::Arc;

use super::Console;
use crate::capture::{Piece, Read, Reader};
use crate::model::event::MAX_EVENTS;
use crate::model::{Event, Mark, Point, units};

/// At most this many bytes are read at a time.
const BATCH: usize = 256 * 1024;

/// Why a part of the past cannot be given.
#[derive(Debug, thiserror::Error)]
pub enum PastError {
    #[error("offset {from} is not held any more; the capture holds {first} to {head}")]
    Gone { from: u64, first: u64, head: u64 },
    #[error("offset {from} is beyond the head, which is {head}")]
    Future { from: u64, head: u64 },
    #[error("nothing on the timeline tells of a {mark}; it goes back to offset {first}")]
    NoMark { mark: Mark, first: u64 },
    #[error("a screen of {rows} by {cols} is too large; {} by {} will do", most.0, most.1)]
    Screen { rows: NonZeroU16, cols: NonZeroU16, most: (u16, u16) },
    #[error("the capture cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// A range of the past that is being read.
#[derive(Debug)]
pub struct Past {
    at: u64,
    to: u64,
    reader: Option<Reader>,
    /// Whether it goes on behind a hole.
    over_holes: bool,
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
        while let Some(mut reader) = self.reader.take().filter(|_| self.at < self.to) {
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
                    return Ok(Some(pieces));
                }
                Read::Gap { to } => {
                    self.at = to;
                    self.reader = Some(reader).filter(|_| self.over_holes);
                }
            }
        }
        Ok(None)
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
        let reader = Some(Reader::new(self.store.clone()));
        Ok(Past { at, to, reader, over_holes: false })
    }

    /// All that is held of the stream from `from` up to `to`, or up to the head, whatever holes
    /// there are.
    pub fn held(&self, from: u64, to: Option<u64>) -> Past {
        let head = self.head();
        let to = to.unwrap_or(head).min(head);
        let at = from.max(self.store.first().unwrap_or(head)).min(to);
        Past { at, to, reader: Some(Reader::new(self.store.clone())), over_holes: true }
    }

    /// The offset of a point: of the first byte that came at or after a time, the head if none did.
    ///
    /// # Errors
    /// When a mark is not on the timeline, or the capture cannot be read.
    pub async fn offset_of(&self, point: Point) -> Result<u64, PastError> {
        match point {
            Point::Offset(offset) => Ok(offset),
            Point::Time(time_us) => self.offset_at(time_us).await,
            Point::Ago(_) => self.offset_at(point.time_us(units::now_us()).unwrap_or(0)).await,
            Point::Mark(mark) => {
                let store = Arc::clone(&self.store);
                let found = blocking(move || store.mark(mark)).await?;
                let first = self.store.first().unwrap_or_else(|| self.head());
                found.ok_or(PastError::NoMark { mark, first })
            }
        }
    }

    async fn offset_at(&self, time_us: u64) -> Result<u64, PastError> {
        let reader = Reader::new(self.store.clone());
        let found = blocking(move || reader.offset_at(time_us)).await?;
        Ok(found.unwrap_or_else(|| self.head()))
    }

    /// The newest events between two points that are `wanted`, oldest first. Where a point is a time
    /// it is the events' own time that counts.
    ///
    /// # Errors
    /// When a mark is not on the timeline, or the capture cannot be read.
    pub async fn events(
        &self,
        from: Option<Point>,
        to: Option<Point>,
        wanted: impl Fn(&Event) -> bool + Send + 'static,
    ) -> Result<Vec<Event>, PastError> {
        let now_us = units::now_us();
        let offset = match from {
            Some(from) => self.offset_of(from).await?,
            None => 0,
        };
        let end = match to {
            Some(to) if to.time_us(now_us).is_none() => self.offset_of(to).await?,
            _ => u64::MAX,
        };
        let time_of = |point: Option<Point>| point.and_then(|point| point.time_us(now_us));
        let (since_us, until_us) = (time_of(from).unwrap_or(0), time_of(to).unwrap_or(u64::MAX));
        let store = Arc::clone(&self.store);
        let within = move |event: &Event| {
            event.offset < end && (since_us..until_us).contains(&event.time_us) && wanted(event)
        };
        Ok(blocking(move || store.events(offset, MAX_EVENTS, within)).await?)
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
