//! Which signals of a test shell have come whole, and in which order they count.
//!
//! On a serial line characters get lost, and the kernel writes between them. A board whose helpers
//! have `sha256sum` numbers its signals and vouches for each with a checksum. One that did not come
//! whole holds back those after it: they may belong to what it began. At the end it is asked for
//! again. From a board that vouches for nothing, signals count as they come.

use std::collections::BTreeMap;

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

/// The account of one run of a test shell.
#[derive(Debug)]
pub struct Ledger<T> {
    /// The board numbers its signals.
    numbered: bool,
    /// The number that counts next.
    next: u64,
    /// Heard, and not vouched for yet.
    pending: Option<Heard<T>>,
    /// The last one that counted before the board was known to number them.
    unnumbered: Option<String>,
    held: BTreeMap<u64, Heard<T>>,
    /// How many there are by the board's own account.
    total: Option<u64>,
    damaged: u64,
}

impl<T> Default for Ledger<T> {
    fn default() -> Self {
        Self {
            numbered: false,
            next: 1,
            pending: None,
            unnumbered: None,
            held: BTreeMap::new(),
            total: None,
            damaged: 0,
        }
    }
}

impl<T> Ledger<T> {
    /// A signal was heard. Gives it back when it counts at once.
    pub fn heard(&mut self, signal: Heard<T>) -> Option<Heard<T>> {
        if !self.numbered {
            self.unnumbered = Some(signal.text.clone());
            return Some(signal);
        }
        // The line that vouched for the last one did not come: it will be asked for.
        self.damaged += u64::from(self.pending.is_some());
        self.pending = Some(signal);
        None
    }

    /// The board vouches for its signal `number`. Gives those that count now, in their order.
    pub fn vouched(&mut self, number: u64, sum: &str) -> Vec<Heard<T>> {
        self.numbered = true;
        self.total = self.total.filter(|total| *total >= number);
        if let Some(text) = self.unnumbered.take()
            && signals::check(number, &text) == sum
        {
            self.next = number + 1;
            return Vec::new();
        }
        let Some(signal) = self.pending.take() else { return Vec::new() };
        if signals::check(number, &signal.text) != sum {
            self.damaged += 1;
            return Vec::new();
        }
        let known = number < self.next || self.held.contains_key(&number);
        if known || number > self.next + MAX_HELD as u64 {
            return Vec::new();
        }
        // The end of the job is not held back by what is missing before it.
        let ends_all = signal.name == signals::RAISE;
        self.held.insert(number, signal);
        if ends_all || self.held.len() >= MAX_HELD { self.give_up() } else { self.counting() }
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

    /// How many did not come whole until now.
    pub fn damaged(&self) -> u64 {
        self.damaged
    }

    /// Gives all that are held back, as if nothing were missing between them.
    pub fn give_up(&mut self) -> Vec<Heard<T>> {
        if let Some(last) = self.held.keys().next_back() {
            self.next = self.next.max(last + 1);
        }
        std::mem::take(&mut self.held).into_values().collect()
    }

    fn counting(&mut self) -> Vec<Heard<T>> {
        let mut counting = Vec::new();
        while let Some(signal) = self.held.remove(&self.next) {
            counting.push(signal);
            self.next += 1;
        }
        counting
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn heard(text: &str) -> Heard<()> {
        let (name, arguments) = text[13..text.len() - 1].split_once(' ').unwrap();
        let (name, arguments) = (name.to_owned(), arguments.to_owned());
        Heard { text: text.to_owned(), name, arguments, with: () }
    }

    fn case(number: u64) -> String {
        format!("<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=c{number} RESULT=pass>")
    }

    fn vouch(ledger: &mut Ledger<()>, number: u64) -> Vec<String> {
        let counting = ledger.vouched(number, &signals::check(number, &case(number)));
        counting.into_iter().map(|signal| signal.text).collect()
    }

    #[test]
    fn without_numbers_signals_count_as_they_come() {
        let mut ledger = Ledger::default();
        assert!(ledger.heard(heard(&case(1))).is_some());
        assert_eq!(ledger.missing(), None);
    }

    #[test]
    fn a_damaged_signal_holds_back_the_next_ones_until_it_is_said_again() {
        let mut ledger = Ledger::default();
        ledger.total(0, &signals::check(0, "TOTAL"));
        ledger.heard(heard(&case(1).replace("pass", "pas")));
        assert_eq!(vouch(&mut ledger, 1), [""; 0]);
        ledger.heard(heard(&case(2)));
        assert_eq!(vouch(&mut ledger, 2), [""; 0]);
        assert_eq!((ledger.missing(), ledger.damaged()), (Some(vec![1]), 1));
        ledger.total(3, &signals::check(3, "TOTAL"));
        assert_eq!(ledger.missing(), Some(vec![1, 3]));
        ledger.heard(heard(&case(1)));
        assert_eq!(vouch(&mut ledger, 1), [case(1), case(2)]);
        ledger.heard(heard(&case(3)));
        assert_eq!(vouch(&mut ledger, 3), [case(3)]);
        assert_eq!(ledger.missing(), None);
    }

    #[test]
    fn the_end_of_the_job_is_not_held_back() {
        let mut ledger = Ledger::default();
        ledger.total(0, &signals::check(0, "TOTAL"));
        let raise = "<LAVA_SIGNAL_TESTRAISE no more>";
        ledger.heard(heard(raise));
        assert_eq!(ledger.vouched(5, &signals::check(5, raise)).len(), 1);
    }

    proptest! {
        #[test]
        fn whatever_is_lost_each_signal_counts_once_and_in_order(
            lost in proptest::collection::vec(0_u8..4, 1..60),
        ) {
            let total = lost.len() as u64;
            let mut ledger = Ledger::default();
            ledger.total(0, &signals::check(0, "TOTAL"));
            let mut counted = Vec::new();
            for (number, lost) in (1..).zip(&lost) {
                if lost & 1 == 0 {
                    ledger.heard(heard(&case(number)));
                }
                if lost & 2 == 0 {
                    counted.extend(vouch(&mut ledger, number));
                }
            }
            ledger.total(total, &signals::check(total, "TOTAL"));
            while let Some(missing) = ledger.missing() {
                for number in missing {
                    ledger.heard(heard(&case(number)));
                    counted.extend(vouch(&mut ledger, number));
                }
            }
            prop_assert_eq!(counted, (1..=total).map(case).collect::<Vec<_>>());
        }
    }
}
