//! What is on its way to the port: typed bytes and sequences, each at its pace.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::input::Typed;
use super::receipt::Receipt;
use crate::model::{Keys, Pace, Step, latin1};

/// Below this pace several bytes go at once: timers are no finer.
const TICK: Duration = Duration::from_millis(1);

/// Typed bytes on their way to the port, and sequences, which go before them.
#[derive(Debug, Default)]
pub(super) struct Pending {
    sequences: VecDeque<Part>,
    typed: VecDeque<Part>,
    /// Of `typed`.
    bytes: usize,
    /// When the port last took something, or could first have taken what is there.
    since: Option<Instant>,
    /// Nothing is given to the port before.
    not_before: Option<Instant>,
}

/// One of the things that are on their way. Another process can go on with it; who waits for it, does
/// so here.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Part {
    who: String,
    what: What,
    #[serde(skip)]
    receipt: Option<Receipt>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum What {
    Type(#[serde(with = "latin1")] Bytes, Pace),
    /// In milliseconds; so below.
    Break(u64),
    Pause(u64),
}

/// What the port has taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) who: String,
    pub(super) bytes: Bytes,
    /// It goes byte by byte.
    pub(super) paced: bool,
}

/// A break that is to be sent now.
#[derive(Debug)]
pub(super) struct DueBreak {
    pub(super) who: String,
    pub(super) ms: u64,
    pub(super) receipt: Option<Receipt>,
}

impl Pending {
    /// The bytes that were typed and wait here.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes typed bytes; `pace` is for those that have none of their own.
    pub(super) fn push(&mut self, typed: Typed, pace: Pace) {
        self.bytes += typed.bytes.len();
        let what = What::Type(typed.bytes, typed.pace.unwrap_or(pace));
        self.typed.push_back(Part { who: typed.who, what, receipt: typed.receipt });
    }

    /// Takes a sequence, which goes before everything that was typed.
    pub(super) fn push_keys(
        &mut self,
        who: &str,
        keys: &Keys,
        pace: Pace,
        receipt: Option<&Receipt>,
    ) {
        for step in keys.steps() {
            let what = match step {
                Step::Type(bytes) => What::Type(Bytes::copy_from_slice(bytes), pace),
                Step::Break(ms) => What::Break(*ms),
                Step::Pause(ms) => What::Pause(*ms),
            };
            self.sequences.push_back(Part { who: who.to_owned(), what, receipt: receipt.cloned() });
        }
    }

    /// How many steps of sequences wait.
    pub(super) fn steps(&self) -> usize {
        self.sequences.len()
    }

    /// Lets time pass: pauses begin, and what was called back goes. Gives a break that is due; it has to
    /// begin now.
    pub(super) fn advance(&mut self, now: Instant) -> Option<DueBreak> {
        loop {
            if self.not_before.is_some_and(|time| time <= now) {
                self.not_before = None;
            }
            let Some(part) = self.sequences.front().or(self.typed.front()) else {
                self.since = None;
                return None;
            };
            if part.is_called_back() {
                self.drop_called_back();
                continue;
            }
            if self.not_before.is_some() {
                return None;
            }
            match part.what {
                What::Type(..) => {
                    self.since.get_or_insert(now);
                    return None;
                }
                What::Pause(ms) => {
                    self.wait(now, Duration::from_millis(ms));
                    if let Some(Part { receipt: Some(receipt), .. }) = self.pop() {
                        receipt.done(1);
                    }
                }
                What::Break(ms) => {
                    self.wait(now, Duration::from_millis(ms));
                    let Part { who, receipt, .. } = self.pop()?;
                    return Some(DueBreak { who, ms, receipt });
                }
            }
        }
    }

    /// Gives the port nothing before this time.
    pub(super) fn hold(&mut self, until: Instant) {
        self.not_before = self.not_before.max(Some(until));
    }

    /// When [`Self::advance`] has something to do again.
    pub(super) fn due(&self) -> Option<Instant> {
        self.not_before
    }

    /// When what waits is to be given up, if the port takes nothing until then.
    pub(super) fn give_up_at(&self, limit: Duration) -> Option<Instant> {
        self.since.filter(|_| self.not_before.is_none()).map(|since| since + limit)
    }

    /// What the port may take now.
    pub(super) fn front(&self) -> &[u8] {
        if self.not_before.is_some() {
            return &[];
        }
        match self.sequences.front().or(self.typed.front()) {
            Some(Part { what: What::Type(bytes, pace), .. }) => &bytes[..piece(bytes, *pace)],
            _ => &[],
        }
    }

    /// Notes that the port took bytes, and gives who typed them.
    pub(super) fn took(&mut self, count: usize, now: Instant) -> Option<Taken> {
        let sequence = !self.sequences.is_empty();
        let part = self.sequences.front_mut().or(self.typed.front_mut()).filter(|_| count > 0)?;
        let What::Type(bytes, pace) = &mut part.what else { return None };
        let (taken, pace) = (bytes.slice(..count), *pace);
        bytes.advance(count);
        let (is_empty, time) = (bytes.is_empty(), after(&taken, bytes, pace));
        let who = part.who.clone();
        if let Some(receipt) = &part.receipt {
            receipt.done(count);
        }
        if !sequence {
            self.bytes -= count;
        }
        if is_empty {
            self.pop();
        }
        self.since = Some(now);
        self.wait(now, time);
        Some(Taken { who, bytes: taken, paced: !pace.is_none() })
    }

    /// Forgets what somebody typed, and tells how many bytes that were.
    pub(super) fn forget(&mut self, who: &str) -> usize {
        let before = self.bytes;
        let theirs = drain_if(&mut self.typed, |part| part.who == who);
        self.bytes -= theirs.into_iter().map(Part::drop).sum::<usize>();
        before - self.bytes
    }

    /// Drops what was called back, wherever it is; its receipts tell how much that was.
    pub(super) fn drop_called_back(&mut self) {
        let front = self.sequences.front().or(self.typed.front());
        let front = front.is_some_and(Part::is_called_back);
        for part in drain_if(&mut self.sequences, Part::is_called_back) {
            part.drop();
        }
        let typed = drain_if(&mut self.typed, Part::is_called_back);
        self.bytes -= typed.into_iter().map(Part::drop).sum::<usize>();
        if front {
            self.since = None;
        }
    }

    /// Gives up everything: who typed how many bytes that did not reach the port.
    pub(super) fn drop_all(&mut self) -> Vec<(String, usize)> {
        let all = std::mem::take(self);
        let parts = all.sequences.into_iter().chain(all.typed);
        parts.map(|part| (part.who.clone(), part.drop())).filter(|(_, bytes)| *bytes > 0).collect()
    }

    /// All of it, for another process to go on with.
    pub(super) fn into_parts(self) -> Vec<Part> {
        self.sequences.into_iter().chain(self.typed).collect()
    }

    fn pop(&mut self) -> Option<Part> {
        self.sequences.pop_front().or_else(|| self.typed.pop_front())
    }

    fn wait(&mut self, now: Instant, time: Duration) {
        if !time.is_zero() {
            self.not_before = Some(now + time);
            self.since = self.since.map(|_| now + time);
        }
    }
}

impl FromIterator<Part> for Pending {
    fn from_iter<T: IntoIterator<Item = Part>>(parts: T) -> Self {
        let typed: VecDeque<Part> = parts.into_iter().collect();
        let bytes = typed.iter().map(Part::bytes).sum();
        Self { typed, bytes, ..Self::default() }
    }
}

impl Part {
    /// How many bytes it has.
    fn bytes(&self) -> usize {
        match &self.what {
            What::Type(bytes, _) => bytes.len(),
            What::Break(_) | What::Pause(_) => 0,
        }
    }

    /// Nobody wants it any more.
    fn is_called_back(&self) -> bool {
        self.receipt.as_ref().is_some_and(Receipt::is_called_back)
    }

    /// Tells whoever waits for it that it will not come, and how many bytes it has.
    fn drop(self) -> usize {
        let bytes = self.bytes();
        if let Some(receipt) = &self.receipt {
            receipt.dropped(bytes.max(1));
        }
        bytes
    }
}

/// Takes those parts out that are meant.
fn drain_if(parts: &mut VecDeque<Part>, meant: impl Fn(&Part) -> bool) -> VecDeque<Part> {
    let (drained, rest) = parts.drain(..).partition(meant);
    *parts = rest;
    drained
}

/// How many bytes go at once: at most a line where lines are paced, and what a tick has room for where
/// bytes are.
fn piece(bytes: &[u8], pace: Pace) -> usize {
    let mut length = bytes.len();
    if !pace.byte.time().is_zero() {
        let ticks = TICK.as_nanos() / pace.byte.time().as_nanos();
        length = length.min(usize::try_from(ticks).unwrap_or(length).max(1));
    }
    if !pace.line.time().is_zero() {
        let end = (1..length).find(|end| ends_line(&bytes[..*end], &bytes[*end..]));
        length = end.unwrap_or(length);
    }
    length
}

/// How long the port is given nothing after it took these bytes; `rest` follows them.
fn after(taken: &[u8], rest: &[u8], pace: Pace) -> Duration {
    let bytes = pace.byte.time() * u32::try_from(taken.len()).unwrap_or(u32::MAX);
    if ends_line(taken, rest) { bytes.max(pace.line.time()) } else { bytes }
}

/// A line ends with CR, LF or both.
fn ends_line(bytes: &[u8], rest: &[u8]) -> bool {
    match bytes.last() {
        Some(b'\n') => true,
        Some(b'\r') => rest.first() != Some(&b'\n'),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
