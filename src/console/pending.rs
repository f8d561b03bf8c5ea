//! Typed bytes between the sessions and the port.

use std::collections::VecDeque;

use bytes::{Buf as _, Bytes};
use tokio::time::Instant;

/// Typed bytes on their way to the port.
#[derive(Default)]
pub(super) struct Pending {
    parts: VecDeque<(String, Bytes)>,
    pub(super) bytes: usize,
    /// When the port last took something, or the first part came.
    pub(super) since: Option<Instant>,
}

impl Pending {
    pub(super) fn push(&mut self, who: String, bytes: Bytes) {
        self.since.get_or_insert_with(Instant::now);
        self.bytes += bytes.len();
        self.parts.push_back((who, bytes));
    }

    pub(super) fn front(&self) -> &[u8] {
        self.parts.front().map_or(&[], |(_, bytes)| bytes)
    }

    /// Notes that the port took bytes, and gives who typed them.
    pub(super) fn took(&mut self, count: usize) -> Option<(String, Bytes)> {
        let (who, bytes) = self.parts.front_mut().filter(|_| count > 0)?;
        let taken = bytes.slice(..count);
        let who = who.clone();
        bytes.advance(count);
        if bytes.is_empty() {
            self.parts.pop_front();
        }
        self.bytes -= count;
        self.since = (!self.parts.is_empty()).then(Instant::now);
        Some((who, taken))
    }

    /// Forgets what somebody typed, and tells how many bytes that were.
    pub(super) fn forget(&mut self, who: &str) -> usize {
        let before = self.bytes;
        self.parts.retain(|(typist, _)| typist != who);
        self.bytes = self.parts.iter().map(|(_, bytes)| bytes.len()).sum();
        if self.parts.is_empty() {
            self.since = None;
        }
        before - self.bytes
    }

    pub(super) fn take_all(&mut self) -> VecDeque<(String, Bytes)> {
        std::mem::take(self).parts
    }
}
