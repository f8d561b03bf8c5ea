//! Which signals of a test shell have come whole, and in which order they count.
//!
//! On a serial line characters get lost, and the kernel writes between them. A board whose helpers
//! have `sha256sum` numbers its signals and vouches for each with a checksum. One that did not come
//! whole holds back those after it: they may belong to what it began. At the end it is asked for
//! again. From a board that vouches for nothing, signals count as they come.
//!
//! Tests print signals of their own, too, past the helpers: nobody vouches for them. Such a one counts
//! in its place once it is known to be none of the numbered ones, whose second line may be what is
//! missing. Each number that has to be said again accounts for one of them, if one came in its place.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::signals;

/// So many signals are held back at most; then they count as if nothing were missing before them.
pub const MAX_HELD: usize = 10_000;
/// So many are asked for in one line: shells have short lines.
pub const MAX_ASKED: usize = 16;

/// A signal as it was heard, and what came with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard<T> {
    /// The whole signal, from `<` to `>`.
    pub text: String,
    pub name: String,
    pub arguments: String,
    pub with: T,
}

/// A signal that nobody vouched for: the test's own, or a numbered one whose other line did not come.
#[derive(Debug)]
struct Loose<T> {
    signal: Heard<T>,
    /// The numbers between which it came; the second when it is known.
    after: u64,
    until: Option<u64>,
    /// The number of a line that came after it, and does not vouch for it.
    doubted: Option<u64>,
}

/// The account of one run of a test shell.
#[derive(Debug)]
pub struct Ledger<T> {
    /// The board numbers its signals.
    numbered: bool,
    /// The number that counts next.
    next: u64,
    /// Heard, and not vouched for yet.
    pending: Option<Heard<T>>,
    /// Those that nobody vouched for, as they came.
    loose: VecDeque<Loose<T>>,
    /// The highest number that was vouched for.
    last: u64,
    /// The board has ended, and says again what it is asked for.
    asking: bool,
    /// The last one that counted before the board was known to number them.
    unnumbered: Option<String>,
    held: BTreeMap<u64, Heard<T>>,
    /// The checksums of those that counted last, by their numbers.
    known: BTreeMap<u64, String>,
    /// How many there are by the board's own account.
    total: Option<u64>,
    damaged: u64,
    /// The numbers of those that came damaged, and of which nothing is kept.
    dropped: BTreeSet<u64>,
    /// Others that the board gave a number of before.
    renumbered: u64,
    /// Those that were given up.
    lost: u64,
}

impl<T> Default for Ledger<T> {
    fn default() -> Self {
        Self {
            numbered: false,
            next: 1,
            pending: None,
            loose: VecDeque::new(),
            last: 0,
            asking: false,
            unnumbered: None,
            held: BTreeMap::new(),
            known: BTreeMap::new(),
            total: None,
            damaged: 0,
            dropped: BTreeSet::new(),
            renumbered: 0,
            lost: 0,
        }
    }
}

impl<T> Ledger<T> {
    /// A signal was heard. Gives those that count now.
    pub fn heard(&mut self, signal: Heard<T>) -> Vec<Heard<T>> {
        if !self.numbered {
            self.unnumbered = Some(signal.text.clone());
            return vec![signal];
        }
        if let Some(before) = self.pending.replace(signal) {
            self.loosen(before, None);
        }
        if self.loose.len() >= MAX_HELD { self.give_up() } else { Vec::new() }
    }

    /// The board vouches for its signal `number`; 0 is one that it could not keep. `at_once` says that
    /// nothing came between the two. Gives those that count now, in their order.
    pub fn vouched(&mut self, number: u64, sum: &str, at_once: bool) -> Vec<Heard<T>> {
        self.numbered = true;
        self.total = self.total.filter(|total| *total >= number);
        if let Some(text) = self.unnumbered.take()
            && signals::check(number, &text) == sum
        {
            self.next = self.next.max(number + 1);
            self.last = self.last.max(number);
            return Vec::new();
        }
        let Some(signal) = self.pending.take() else { return Vec::new() };
        if signals::check(number, &signal.text) != sum {
            self.damaged += 1;
            // The two lines of a signal are one write, so what stands right before is the damaged one.
            if !at_once && number > 0 {
                self.loosen(signal, Some(number));
            } else if number < self.next + MAX_HELD as u64 {
                self.dropped.insert(number);
            }
            return Vec::new();
        }
        if number == 0 {
            // A board whose disk is full: it will not say this again.
            return self.after_loose(signal);
        }
        if number > self.next + MAX_HELD as u64 {
            return Vec::new();
        }
        if let Some(before) = self.known.get(&number) {
            // A board that can not write gives each signal the same number.
            let other = before != sum;
            self.renumbered += u64::from(other);
            return if other { self.after_loose(signal) } else { Vec::new() };
        }
        if number < self.next {
            return Vec::new();
        }
        self.known.insert(number, sum.to_owned());
        if self.known.len() > MAX_HELD {
            self.known.pop_first();
        }
        if self.asking {
            self.account_for(number, &signal.text);
        } else {
            self.bound(number);
        }
        // The end of the job is not held back by what is missing before it.
        let ends_all = signal.name == signals::RAISE;
        self.held.insert(number, signal);
        if ends_all || self.held.len() >= MAX_HELD { self.give_up() } else { self.counting() }
    }

    /// The board has ended: what comes from now on is what it is asked for.
    pub fn asks_again(&mut self) {
        if let Some(signal) = self.pending.take() {
            self.loosen(signal, None);
        }
        self.asking = true;
    }

    /// The board says how many signals it has given: none when it begins, all of them at its end. Tells
    /// whether that came whole.
    pub fn total(&mut self, total: u64, sum: &str) -> bool {
        let whole = signals::check(total, "TOTAL") == sum;
        if whole {
            self.numbered = true;
            self.total = Some(total);
        }
        whole
    }

    /// The numbers to ask for: `None` when all is here, and none of them when only their number is
    /// not known.
    pub fn missing(&self) -> Option<Vec<u64>> {
        if !self.numbered {
            return None;
        }
        let last = self.held.keys().next_back().copied().unwrap_or(0);
        let end = self.total.unwrap_or(last).max(last);
        let missing = (self.next..=end).filter(|number| !self.held.contains_key(number));
        let missing: Vec<u64> = missing.take(MAX_ASKED).collect();
        (!missing.is_empty() || self.total.is_none()).then_some(missing)
    }

    /// How many came with a number that another one had.
    pub fn renumbered(&self) -> u64 {
        self.renumbered
    }

    /// How many are missing and will not be asked for any more.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// How many did not come whole until now.
    pub fn damaged(&self) -> u64 {
        self.damaged
    }

    /// Gives all that are held back, as if nothing were missing between them.
    pub fn give_up(&mut self) -> Vec<Heard<T>> {
        if let Some(last) = self.held.keys().next_back() {
            let span = (last + 1).saturating_sub(self.next);
            self.lost += span.saturating_sub(self.held.len() as u64);
            self.next = self.next.max(last + 1);
        }
        if let Some(signal) = self.pending.take() {
            self.loosen(signal, None);
        }
        let mut loose = std::mem::take(&mut self.loose).into_iter().peekable();
        let mut counting = Vec::new();
        let mut until = |number: u64, counting: &mut Vec<Heard<T>>| {
            while let Some(next) = loose.next_if(|loose| loose.after < number) {
                // What is known to have come damaged does not count.
                counting.extend(next.doubted.is_none().then_some(next.signal));
            }
        };
        for (number, signal) in std::mem::take(&mut self.held) {
            until(number, &mut counting);
            counting.push(signal);
        }
        until(u64::MAX, &mut counting);
        counting
    }

    /// Those of the test's own that have come by now, and this one behind them: the board will say none
    /// of them again.
    fn after_loose(&mut self, signal: Heard<T>) -> Vec<Heard<T>> {
        let (next, all) = (self.next, std::mem::take(&mut self.loose));
        let (now, later): (VecDeque<_>, VecDeque<_>) =
            all.into_iter().partition(|loose| loose.after < next && loose.doubted.is_none());
        self.loose = later;
        now.into_iter().map(|loose| loose.signal).chain([signal]).collect()
    }

    /// Keeps a signal that nobody has vouched for.
    fn loosen(&mut self, signal: Heard<T>, doubted: Option<u64>) {
        if self.asking {
            self.damaged += 1;
        } else {
            self.loose.push_back(Loose { signal, after: self.last, until: None, doubted });
        }
    }

    /// Whoever came before `number` and was not vouched for has its place before it.
    fn bound(&mut self, number: u64) {
        for loose in self.loose.iter_mut().rev().take_while(|loose| loose.until.is_none()) {
            if loose.after < number {
                loose.until = Some(number);
                // One of the numbers between may be its own.
                self.damaged += u64::from(loose.doubted.is_none() && loose.after + 1 < number);
            }
        }
        self.last = self.last.max(number);
    }

    /// A signal was said again. What came of it at first does not count.
    fn account_for(&mut self, number: u64, text: &str) {
        if self.dropped.contains(&number) {
            return;
        }
        let near = |loose: &Loose<T>| {
            loose.after < number && loose.until.is_none_or(|until| number < until)
        };
        let likeness = |loose: &Loose<T>| {
            let exact = loose.signal.text == text;
            (exact, loose.doubted == Some(number), alike(&loose.signal.text, text))
        };
        let places = self.loose.iter().enumerate().filter(|(_, loose)| near(loose));
        let most = places.max_by_key(|(_, loose)| likeness(loose)).map(|(place, _)| place);
        if let Some(place) = most {
            self.loose.remove(place);
        }
    }

    fn counting(&mut self) -> Vec<Heard<T>> {
        let mut counting = Vec::new();
        loop {
            let next = self.next;
            let ends_run =
                self.held.get(&next).is_some_and(|signal| signal.name == signals::END_RUN);
            // What a run has printed belongs to it, also when its end came late.
            let all = ends_run && !self.is_missing_behind(next);
            let settled = |loose: &Loose<T>| match loose.until {
                Some(until) if until <= next => true,
                _ => all && loose.after < next,
            };
            while let Some(loose) = self.loose.pop_front_if(|loose| settled(loose)) {
                counting.push(loose.signal);
            }
            let Some(signal) = self.held.remove(&next) else { return counting };
            counting.push(signal);
            self.next += 1;
        }
    }

    /// Whether a number is not here that what came before `number` may be behind it.
    fn is_missing_behind(&self, number: u64) -> bool {
        let until = self.loose.iter().take_while(|loose| loose.after < number).last();
        let known = until.and_then(|loose| loose.until).or(self.total.map(|total| total + 1));
        known.is_none_or(|known| (number + 1..known).any(|number| !self.held.contains_key(&number)))
    }
}

/// How many bytes two texts have in common at their beginnings and their ends.
fn alike(one: &str, other: &str) -> usize {
    let same =
        |pairs: &mut dyn Iterator<Item = (u8, u8)>| pairs.take_while(|(a, b)| a == b).count();
    let beginning = same(&mut one.bytes().zip(other.bytes()));
    let end = same(&mut one.bytes().rev().zip(other.bytes().rev()));
    (beginning + end).min(one.len()).min(other.len())
}

#[cfg(test)]
mod tests;
