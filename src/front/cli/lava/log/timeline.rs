//! What happened to a console around the bytes that are shown.

use std::ops::Range;

use crate::client::ConsoleRef;
use crate::model::{Event, Failure, What};

/// So many bytes' events are asked for at a time.
const WINDOW: u64 = 64 * 1024;

/// The events of a console, read along with its bytes.
#[derive(Debug)]
pub(super) struct Timeline {
    console: ConsoleRef,
    /// The offsets whose events are known.
    known: Range<u64>,
    events: Vec<Event>,
}

impl Timeline {
    pub(super) fn new(console: &ConsoleRef) -> Self {
        Self { console: console.clone(), known: 0..0, events: Vec::new() }
    }

    /// The events in a range of offsets. None will come any more before `end`.
    pub(super) async fn events(
        &mut self,
        range: Range<u64>,
        end: u64,
    ) -> Result<impl Iterator<Item = &Event>, Failure> {
        if range.start < self.known.start || range.end > self.known.end {
            let to = (range.start + WINDOW).min(end).max(range.end);
            let path = format!("{}/events?from={}&to={to}", self.console.path, range.start);
            self.events = self.console.http().get(&path).await?;
            self.known = range.start..to;
        }
        Ok(self.events.iter().filter(move |event| range.contains(&event.offset)))
    }

    /// Who typed in a range of offsets, each once.
    pub(super) async fn typists(
        &mut self,
        range: Range<u64>,
        end: u64,
    ) -> Result<Vec<String>, Failure> {
        let mut typists: Vec<String> = Vec::new();
        for event in self.events(range, end).await? {
            let typist = event.who.as_ref().filter(|_| matches!(event.what, What::Input { .. }));
            if let Some(who) = typist.filter(|who| !typists.contains(who)) {
                typists.push(who.clone());
            }
        }
        Ok(typists)
    }
}
