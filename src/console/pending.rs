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
mod tests {
    use super::super::receipt::receipt;
    use super::*;
    use crate::model::Interval;
    use proptest::prelude::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn pace(byte: &str, line: &str) -> Pace {
        let interval = |text: &str| text.parse::<Interval>().unwrap();
        Pace { byte: interval(byte), line: interval(line) }
    }

    fn typed(who: &str, bytes: &[u8], receipt: Option<Receipt>) -> Typed {
        let bytes = Bytes::copy_from_slice(bytes);
        Typed { receipt, ..Typed::new(who.into(), bytes, 0) }
    }

    /// What a port that takes everything at once gets, with the milliseconds at which it does.
    fn sent(pending: &mut Pending) -> Vec<(u128, String)> {
        let begin = Instant::now();
        let (mut now, mut sent) = (begin, Vec::new());
        loop {
            let at = (now - begin).as_millis();
            while let Some(due) = pending.advance(now) {
                sent.push((at, format!("break {}", due.ms)));
            }
            let front = pending.front().to_vec();
            if !front.is_empty() {
                let taken = pending.took(front.len(), now).unwrap();
                sent.push((at, String::from_utf8(taken.bytes.to_vec()).unwrap()));
            } else if let Some(due) = pending.due() {
                assert!(due > now);
                now = due;
            } else {
                return sent;
            }
        }
    }

    fn times(sent: &[(u128, String)]) -> Vec<(u128, &str)> {
        sent.iter().map(|(at, what)| (*at, what.as_str())).collect()
    }

    #[test]
    fn what_has_no_pace_goes_at_once_and_in_order() {
        let mut pending = Pending::default();
        pending.push(typed("alice", b"one\ntwo\n", None), Pace::default());
        pending.push(typed("bob", b"three\n", None), Pace::default());
        assert_eq!(times(&sent(&mut pending)), [(0, "one\ntwo\n"), (0, "three\n")]);
        assert_eq!(pending.bytes(), 0);
    }

    #[test]
    fn characters_and_lines_have_their_times() {
        let mut pending = Pending::default();
        pending.push(typed("alice", b"ab\r\nc\rd", None), pace("10ms", "100ms"));
        let expected =
            [(0, "a"), (10, "b"), (20, "\r"), (30, "\n"), (130, "c"), (140, "\r"), (240, "d")];
        assert_eq!(times(&sent(&mut pending)), expected);
        pending.push(typed("alice", b"ab\r\nc\rd", None), pace("0", "100ms"));
        assert_eq!(times(&sent(&mut pending)), [(0, "ab\r\n"), (100, "c\r"), (200, "d")]);
    }

    #[test]
    fn a_pace_below_a_tick_is_kept_on_average() {
        let mut pending = Pending::default();
        pending.push(typed("alice", &[b'x'; 1000], None), pace("10000/s", "0"));
        let sent = sent(&mut pending);
        assert_eq!((sent.len(), sent[0].1.len(), sent[99].0), (100, 10, 99));
    }

    #[test]
    fn a_sequence_goes_before_what_was_typed_and_holds_it_up() {
        let mut pending = Pending::default();
        pending.push(typed("alice", b"typed", None), Pace::default());
        let keys = r"\z(500)\d(100)b".parse().unwrap();
        pending.push_keys("bob", &keys, Pace::default(), None);
        assert_eq!(times(&sent(&mut pending)), [(0, "break 500"), (600, "b"), (600, "typed")]);
    }

    #[test]
    fn what_is_called_back_does_not_go_and_is_counted() {
        let mut pending = Pending::default();
        let (receipt, awaited) = receipt();
        pending.push(typed("alice", b"abc", Some(receipt)), pace("10ms", "0"));
        pending.push(typed("bob", b"d", None), Pace::default());
        let now = Instant::now();
        assert!(pending.advance(now).is_none());
        pending.took(1, now);
        awaited.call_back();
        let sent = sent(&mut pending);
        assert_eq!(sent.iter().map(|(_, what)| what.as_str()).collect::<Vec<_>>(), ["d"]);
        let progress = awaited.progress();
        assert_eq!((progress.done, progress.dropped), (1, 2));
    }

    #[test]
    fn what_is_called_back_goes_also_from_behind_others() {
        let mut pending = Pending::default();
        let (receipt, awaited) = receipt();
        pending.push(typed("bob", b"first\n", None), pace("0", "1s"));
        pending.push(typed("alice", b"abc", Some(receipt.clone())), Pace::default());
        pending.push(typed("bob", b"last", None), Pace::default());
        pending.push_keys("alice", &r"\d(10)x".parse().unwrap(), Pace::default(), Some(&receipt));
        awaited.call_back();
        pending.drop_called_back();
        assert_eq!(awaited.progress().dropped, 3 + 2);
        assert_eq!((pending.bytes(), pending.steps()), (10, 0));
        assert_eq!(times(&sent(&mut pending)), [(0, "first\n"), (1000, "last")]);
    }

    #[test]
    fn a_port_that_takes_nothing_is_given_up_but_not_for_a_pace_of_ours() {
        let mut pending = Pending::default();
        let now = Instant::now();
        pending.push(typed("alice", b"a\nb", None), pace("0", "8s"));
        pending.advance(now);
        assert_eq!(pending.give_up_at(ms(5)), Some(now + ms(5)));
        pending.took(2, now);
        assert_eq!(pending.give_up_at(ms(5)), None);
        let later = now + ms(8000);
        pending.advance(later);
        assert_eq!(pending.give_up_at(ms(5)), Some(later + ms(5)));
        assert_eq!(pending.drop_all(), [("alice".into(), 1)]);
    }

    proptest! {
        #[test]
        fn at_whatever_pace_every_byte_goes_once_and_in_order(
            parts in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 1..50), 0..3_usize), 0..8),
            takes in proptest::collection::vec(1..20_usize, 1..8),
        ) {
            let paces = [pace("0", "0"), pace("300us", "5ms"), pace("7ms", "0")];
            let mut pending = Pending::default();
            for (bytes, at) in &parts {
                pending.push(typed("alice", bytes, None), paces[*at]);
            }
            let (mut now, mut got, mut takes) = (Instant::now(), Vec::new(), takes.iter().cycle());
            while pending.bytes() > 0 {
                prop_assert!(pending.advance(now).is_none());
                let count = pending.front().len().min(*takes.next().unwrap());
                match pending.took(count, now) {
                    Some(taken) => got.extend_from_slice(&taken.bytes),
                    None => now = pending.due().unwrap(),
                }
            }
            let all: Vec<u8> = parts.into_iter().flat_map(|(bytes, _)| bytes).collect();
            prop_assert_eq!(got, all);
        }
    }
}
