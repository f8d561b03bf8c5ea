//! A console's events, from the oldest on, a part at a time: daemons tell only the newest of a range.

use std::ops::Range;

use serde_json::Value;

use crate::client::ConsoleRef;
use crate::model::Failure;
use crate::model::event::MAX_EVENTS;

/// Ranges of offsets whose events are still to be told, the last one first.
pub(super) struct Events(Vec<Range<u64>>);

impl Events {
    /// Those up to an offset, which itself is one of them.
    pub(super) fn until(head: u64) -> Self {
        let all = 0..head.saturating_add(1);
        Self(vec![all])
    }

    /// The next ones; `None` when these were all. Of more than 10,000 without a byte in between only the
    /// newest are told.
    ///
    /// # Errors
    /// The daemon's own failure.
    pub(super) async fn next(
        &mut self,
        console: &ConsoleRef,
    ) -> Result<Option<Vec<Value>>, Failure> {
        while let Some(range) = self.0.pop() {
            let path = format!("{}/events?to={}", console.path, range.end);
            let mut events: Vec<Value> = console.http().get(&path).await?;
            let before = parts(&range, &events);
            if before.is_empty() {
                events.retain(|event| offset(event) >= range.start);
                return Ok(Some(events));
            }
            self.0.extend(before);
        }
        Ok(None)
    }
}

/// The parts in which a range is to be asked for, the last one first, when its newest events were told and
/// there may be others; none when these are all.
fn parts(range: &Range<u64>, newest: &[Value]) -> Vec<Range<u64>> {
    let Some(oldest) = newest.first().map(offset) else { return Vec::new() };
    if newest.len() < MAX_EVENTS || oldest < range.start || range.end - range.start <= 1 {
        return Vec::new();
    }
    // Others may have the oldest one's offset.
    let at = if oldest + 1 < range.end { oldest + 1 } else { oldest };
    [at..range.end, range.start..at].into_iter().filter(|part| !part.is_empty()).collect()
}

fn offset(event: &Value) -> u64 {
    event["offset"].as_u64().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told of a console with these offsets of events.
    fn told(offsets: &[u64]) -> Vec<u64> {
        let mut ranges = Events::until(*offsets.last().unwrap()).0;
        let mut told = Vec::new();
        while let Some(range) = ranges.pop() {
            let wanted: Vec<u64> = offsets.iter().copied().filter(|at| *at < range.end).collect();
            let newest = &wanted[wanted.len().saturating_sub(MAX_EVENTS)..];
            let events: Vec<Value> =
                newest.iter().map(|at| serde_json::json!({"offset": at})).collect();
            let before = parts(&range, &events);
            if before.is_empty() {
                told.extend(newest.iter().filter(|at| **at >= range.start));
            }
            ranges.extend(before);
        }
        told
    }

    #[test]
    fn all_events_are_told_once_and_in_their_order() {
        let spread: Vec<u64> = (0..35_000).map(|at| at / 3).collect();
        assert!(told(&spread) == spread);
        let few = [0, 0, 7];
        assert_eq!(told(&few), few);
        // Those of one offset stay together, and if they are too many, the newest are there.
        let silent: Vec<u64> = [vec![1; 50], vec![5; 12_000], vec![9; 50]].concat();
        let found = told(&silent);
        assert_eq!(found.len(), 50 + MAX_EVENTS + 50);
        assert!(found.is_sorted());
    }
}
