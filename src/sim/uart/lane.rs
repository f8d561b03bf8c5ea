//! One direction of a line: characters wait, and leave one after the other.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::line::{Framing, Parity, StopBits};

/// Characters that may wait to be sent; the writer waits then. Linux has as many for a tty.
pub(super) const WAITING: usize = 4 * 1024;

#[derive(Debug)]
pub(super) struct Lane {
    waiting: VecDeque<u8>,
    /// Whether a character takes the time that it takes on a real line.
    timed: bool,
    /// When the first one that waits will have left; or the last one has, when none does.
    due: Instant,
}

impl Lane {
    pub(super) fn new(timed: bool) -> Self {
        Self { waiting: VecDeque::new(), timed, due: Instant::now() }
    }

    /// Takes characters to send, and tells how many.
    pub(super) fn push(&mut self, bytes: &[u8], framing: Framing, now: Instant) -> usize {
        let count = bytes.len().min(WAITING - self.waiting.len());
        if self.waiting.is_empty() && count > 0 {
            self.due = self.due.max(now) + character(framing);
        }
        self.waiting.extend(&bytes[..count]);
        count
    }

    /// Those that have left by now.
    pub(super) fn take(&mut self, framing: Framing, now: Instant) -> Vec<u8> {
        if !self.timed {
            return self.waiting.drain(..).collect();
        }
        let mut left = Vec::new();
        while self.due <= now
            && let Some(byte) = self.waiting.pop_front()
        {
            left.push(byte);
            if !self.waiting.is_empty() {
                self.due += character(framing);
            }
        }
        left
    }

    /// When the next one will have left, if it takes time.
    pub(super) fn due(&self) -> Option<Instant> {
        (self.timed && !self.waiting.is_empty()).then_some(self.due)
    }

    /// Whether they wait until there is room for them.
    pub(super) fn is_patient(&self) -> bool {
        !self.timed
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }

    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() == WAITING
    }
}

/// What one character takes: its start bit, data, parity and stop bits.
fn character(framing: Framing) -> Duration {
    let stop_halves = match framing.stop_bits {
        StopBits::One => 2,
        StopBits::OneAndHalf => 3,
        StopBits::Two => 4,
    };
    let parity = u64::from(framing.parity != Parity::None);
    let halves = 2 * (1 + u64::from(framing.data_bits) + parity) + stop_halves;
    Duration::from_nanos(halves * 500_000_000 / u64::from(framing.baud))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_leave_at_the_pace_of_the_line() {
        let framing: Framing = "1000n8".parse().unwrap();
        let mut lane = Lane::new(true);
        let begin = Instant::now();
        assert_eq!(lane.push(&[b'x'; WAITING + 7], framing, begin), WAITING);
        assert!(lane.is_full());
        // Ten bits of a millisecond.
        assert_eq!(lane.due(), Some(begin + Duration::from_millis(10)));
        assert_eq!(lane.take(framing, begin + Duration::from_millis(9)).len(), 0);
        assert_eq!(lane.take(framing, begin + Duration::from_millis(1_019)).len(), 101);
        lane.clear();
        assert_eq!(lane.due(), None);
        assert_eq!(character("9600e72".parse().unwrap()), Duration::from_nanos(1_145_833));
    }

    #[test]
    fn without_time_everything_leaves_at_once() {
        let framing = Framing::default();
        let mut lane = Lane::new(false);
        lane.push(b"all of it", framing, Instant::now());
        assert_eq!(lane.take(framing, Instant::now()), b"all of it");
    }
}
