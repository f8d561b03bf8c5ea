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
    /// The checksums of those that counted last, by their numbers.
    known: BTreeMap<u64, String>,
    /// How many there are by the board's own account.
    total: Option<u64>,
    damaged: u64,
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
            unnumbered: None,
            held: BTreeMap::new(),
            known: BTreeMap::new(),
            total: None,
            damaged: 0,
            renumbered: 0,
            lost: 0,
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

    /// The board vouches for its signal `number`; 0 is one that it could not keep. Gives those that count
    /// now, in their order.
    pub fn vouched(&mut self, number: u64, sum: &str) -> Vec<Heard<T>> {
        self.numbered = true;
        self.total = self.total.filter(|total| *total >= number);
        if let Some(text) = self.unnumbered.take()
            && signals::check(number, &text) == sum
        {
            self.next = self.next.max(number + 1);
            return Vec::new();
        }
        let Some(signal) = self.pending.take() else { return Vec::new() };
        if signals::check(number, &signal.text) != sum {
            self.damaged += 1;
            return Vec::new();
        }
        if number == 0 {
            // A board whose disk is full: it will not say this again.
            return vec![signal];
        }
        if number > self.next + MAX_HELD as u64 {
            return Vec::new();
        }
        if let Some(before) = self.known.get(&number) {
            // A board that can not write gives each signal the same number.
            let other = before != sum;
            self.renumbered += u64::from(other);
            return if other { vec![signal] } else { Vec::new() };
        }
        if number < self.next {
            return Vec::new();
        }
        self.known.insert(number, sum.to_owned());
        if self.known.len() > MAX_HELD {
            self.known.pop_first();
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
    fn a_board_that_cannot_write_loses_no_signal() {
        let mut ledger = Ledger::default();
        ledger.total(0, &signals::check(0, "TOTAL"));
        let mut vouched = |number: u64, text: &str| {
            ledger.heard(heard(text));
            ledger.vouched(number, &signals::check(number, text)).len()
        };
        assert_eq!(vouched(1, &case(1)), 1);
        // Said again it is the same, but another one with its number is another.
        assert_eq!(vouched(1, &case(1)), 0);
        assert_eq!(vouched(1, &case(2)), 1);
        // What could not be kept has no number.
        assert_eq!((vouched(0, &case(3)), vouched(0, &case(4))), (1, 1));
        assert_eq!(ledger.renumbered(), 1);
    }

    #[test]
    fn what_is_given_up_is_counted() {
        let mut ledger = Ledger::default();
        ledger.total(0, &signals::check(0, "TOTAL"));
        ledger.heard(heard(&case(4)));
        ledger.vouched(4, &signals::check(4, &case(4)));
        assert_eq!((ledger.give_up().len(), ledger.lost()), (1, 3));
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
