//! Searching what a console said.

use std::io;
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::{Console, PastError};
use crate::capture::{self, Found};
use crate::model::Point;
use crate::wire::pattern::Pattern;

/// So many searches of a process are at work at a time, each for a moment; the others wait for their
/// turn. One more core than that is left for the consoles.
static SEARCHING: Semaphore = Semaphore::const_new(2);

/// A search through a range of a console's past. It works only while its next lines are waited for.
#[derive(Debug)]
pub struct Search {
    /// `None` when all is searched.
    search: Option<capture::Search>,
    /// How many bytes the range has that are held.
    held: u64,
    read: u64,
}

impl Console {
    /// A search for lines between two points; without them, from the oldest byte that is held to the
    /// head.
    ///
    /// # Errors
    /// When a mark is not on the timeline, or the capture cannot be read.
    pub async fn search(
        &self,
        pattern: Arc<Pattern>,
        from: Option<Point>,
        to: Option<Point>,
    ) -> Result<Search, PastError> {
        let head = self.head();
        let from = match from {
            Some(from) => self.offset_of(from).await?,
            None => 0,
        };
        let to = match to {
            Some(to) => self.offset_of(to).await?.min(head),
            None => head,
        };
        let from = from.max(self.store.first().unwrap_or(head)).min(to);
        let search = capture::Search::new(self.store.clone(), pattern, from, to);
        Ok(Search { search: Some(search), held: to - from, read: 0 })
    }
}

impl Search {
    /// The next lines, perhaps none yet; `None` when all is searched. Takes a moment at most once it
    /// is its turn.
    ///
    /// # Errors
    /// When searching was interrupted by a panic.
    pub async fn next(&mut self) -> io::Result<Option<Vec<Found>>> {
        let Some(mut search) = self.search.take() else { return Ok(None) };
        let turn = SEARCHING.acquire().await.map_err(io::Error::other)?;
        let step = tokio::task::spawn_blocking(move || {
            let found = search.step();
            drop(turn);
            (search, found)
        });
        let (search, found) = step.await.map_err(io::Error::other)?;
        self.read = search.read();
        self.search = Some(search).filter(|_| found.is_some());
        Ok(found)
    }

    /// How many bytes were read so far, to be compared with [`Self::held`].
    pub fn read(&self) -> u64 {
        self.read
    }

    /// How many bytes the range has, holes included.
    pub fn held(&self) -> u64 {
        self.held
    }
}
