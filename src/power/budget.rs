//! Budgets: how often boards may lose their power, for their sake and against scripts that run wild.
//!
//! What is counted are cuts: cycles, and what switches off a board that was not off. A cut that failed
//! counts, too: it was tried.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::config::power::{BudgetConfig, MOST_CYCLES};
use crate::model::{Name, units};

const HOUR: Duration = Duration::from_secs(3600);
/// So many users and outlets have a count of their own; more push out the oldest.
const MOST_ACCOUNTS: usize = 4096;

/// All budgets, and what of them is spent.
#[derive(Debug)]
pub(super) struct Ledger {
    budgets: Vec<BudgetConfig>,
    spent: Mutex<Spent>,
}

#[derive(Debug, Default)]
struct Spent {
    /// When each account had its cuts, the oldest first, in microseconds since the Unix epoch.
    cuts: BTreeMap<Account, VecDeque<u64>>,
    /// When each outlet was switched off by somebody.
    off: BTreeMap<Name, u64>,
}

/// Which budget it is, and whose: of an outlet, of a user, or of a user on an outlet.
type Account = (usize, Option<Name>, Option<String>);

/// Why a board is not to lose its power now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}; nothing was switched")]
pub struct Overdrawn {
    what: String,
    /// How long it is until it may.
    pub wait: Duration,
}

impl Ledger {
    pub(super) fn new(budgets: Vec<BudgetConfig>) -> Self {
        Self { budgets, spent: Mutex::default() }
    }

    /// Books a cut of power by somebody, of a board and of those that share an outlet with it.
    ///
    /// # Errors
    /// When a budget is spent, unless it is by force. Nothing is booked then.
    pub(super) fn book(
        &self,
        boards: &[&Name],
        who: &str,
        force: bool,
        now_us: u64,
    ) -> Result<(), Overdrawn> {
        let mut spent = self.lock();
        let accounts = self.accounts(boards, who);
        if !force {
            for account in &accounts {
                self.check(&spent, account, now_us)?;
            }
        }
        spent.book(accounts, now_us);
        Ok(())
    }

    /// Books what a journal tells of the past.
    pub(super) fn restore(&self, boards: &[&Name], who: &str, at_us: u64) {
        let accounts = self.accounts(boards, who);
        self.lock().book(accounts, at_us);
    }

    /// Notes that a board was switched off.
    pub(super) fn went_off(&self, board: &Name, at_us: u64) {
        if self.budgets.iter().any(|budget| budget.min_off.is_some()) {
            self.lock().off.insert(board.clone(), at_us);
        }
    }

    /// How long a board has to be off at least, before somebody may switch it on again.
    pub(super) fn off_time(&self, board: &Name, who: &str) -> Duration {
        let who = payer(who);
        let mine = self.budgets.iter().filter(|budget| budget.is_for(board.as_str(), who));
        mine.filter_map(|budget| budget.min_off).max().unwrap_or_default()
    }

    /// How long somebody has to wait until a board that was switched off may be on again.
    pub(super) fn off_for(&self, board: &Name, who: &str, now_us: u64) -> Duration {
        let least = self.off_time(board, who);
        let spent = self.lock();
        spent.off.get(board).map_or(Duration::ZERO, |at| left(*at, least, now_us))
    }

    /// Every account that a cut concerns.
    fn accounts(&self, boards: &[&Name], who: &str) -> Vec<Account> {
        let who = payer(who);
        let mut accounts = Vec::new();
        for (at, budget) in self.budgets.iter().enumerate() {
            for board in boards.iter().filter(|board| budget.is_for(board.as_str(), who)) {
                let outlet = budget.outlets.is_some().then(|| (*board).clone());
                let account = (at, outlet, budget.users.is_some().then(|| who.to_owned()));
                if !accounts.contains(&account) {
                    accounts.push(account);
                }
            }
        }
        accounts
    }

    fn check(&self, spent: &Spent, account: &Account, now_us: u64) -> Result<(), Overdrawn> {
        let (budget, outlet, user) = account;
        let budget = &self.budgets[*budget];
        let Some(cuts) = spent.cuts.get(account) else { return Ok(()) };
        let of = match (outlet, user) {
            (Some(outlet), Some(user)) => format!("{user} has cut the power of {outlet}"),
            (Some(outlet), None) => format!("the power of {outlet} was cut"),
            (None, Some(user)) => format!("{user} has cut power"),
            (None, None) => "power was cut".to_owned(),
        };
        if let (Some(between), Some(last)) = (budget.between, cuts.back()) {
            let wait = left(*last, between, now_us);
            if !wait.is_zero() {
                let ago = units::time_span(now_us.saturating_sub(*last) / 1_000_000);
                let what = format!("{of} {ago} ago, and the budget allows it every {between:?}");
                return Err(Overdrawn { what, wait });
            }
        }
        if let Some(most) = budget.cycles {
            // When the oldest of as many as are allowed is an hour old, one more is.
            let oldest = cuts.len().checked_sub(most as usize).and_then(|at| cuts.get(at));
            let wait = oldest.map_or(Duration::ZERO, |oldest| left(*oldest, HOUR, now_us));
            if !wait.is_zero() {
                let what = format!("{of} {most} times in the last hour, which is the budget");
                return Err(Overdrawn { what, wait });
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Spent> {
        // Each number is written in one step.
        self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spent {
    fn book(&mut self, accounts: Vec<Account>, at_us: u64) {
        for account in accounts {
            if self.cuts.len() >= MOST_ACCOUNTS && !self.cuts.contains_key(&account) {
                let oldest = self.cuts.iter().min_by_key(|(_, cuts)| cuts.back().copied());
                if let Some(oldest) = oldest.map(|(account, _)| account.clone()) {
                    self.cuts.remove(&oldest);
                }
            }
            let cuts = self.cuts.entry(account).or_default();
            if cuts.len() >= MOST_CYCLES as usize {
                cuts.pop_front();
            }
            // Journals are read one after the other.
            let at = cuts.partition_point(|cut| *cut <= at_us);
            cuts.insert(at, at_us);
        }
    }
}

/// What is left of a time that began then. A clock that was set back makes it no longer than it is.
fn left(since_us: u64, time: Duration, now_us: u64) -> Duration {
    let gone = Duration::from_micros(now_us.saturating_sub(since_us));
    time.saturating_sub(gone)
}

/// Whose budget it is: who has proved to be `ci` and calls themselves `job:7` pays as `ci`.
fn payer(who: &str) -> &str {
    who.split_once(" (").map_or(who, |(proved, _)| proved)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    fn ledger(keys: &str) -> Ledger {
        let text = format!(
            "[[pdu]]\nname = \"r\"\ndriver = \"sim\"\n\
             [[outlet]]\nname = \"a\"\npdu = \"r\"\nport = 1\n[[budget]]\n{keys}"
        );
        Ledger::new(crate::config::power::PowerConfig::parse("p", &text).unwrap().budgets)
    }

    fn name(name: &str) -> Name {
        name.parse().unwrap()
    }

    fn book(ledger: &Ledger, board: &str, who: &str, second: u64) -> Result<(), u64> {
        let booked = ledger.book(&[&name(board)], who, false, second * SECOND);
        booked.map_err(|over| over.wait.as_secs())
    }

    #[test]
    fn an_outlet_loses_its_power_so_often_in_an_hour_and_no_more() {
        let ledger = ledger("outlets = [\"*\"]\ncycles = 2\n");
        assert_eq!(book(&ledger, "a", "alice", 0), Ok(()));
        assert_eq!(book(&ledger, "a", "bob", 100), Ok(()));
        assert_eq!(book(&ledger, "a", "carol", 200), Err(3400));
        assert_eq!(book(&ledger, "b", "carol", 200), Ok(()));
        // What was refused was not counted.
        assert_eq!(book(&ledger, "a", "carol", 3600), Ok(()));
        assert_eq!(book(&ledger, "a", "carol", 3601), Err(99));
        assert!(ledger.book(&[&name("a")], "carol", true, 3601 * SECOND).is_ok());
    }

    #[test]
    fn a_user_has_a_budget_for_all_boards_whatever_they_call_themselves() {
        let ledger = ledger("users = [\"ci\"]\ncycles = 2\n");
        assert_eq!(book(&ledger, "a", "ci", 0), Ok(()));
        assert_eq!(book(&ledger, "b", "ci (job:7)", 0), Ok(()));
        assert_eq!(book(&ledger, "c", "ci (job:8)", 0), Err(3600));
        assert_eq!(book(&ledger, "c", "alice", 0), Ok(()));
        let over = ledger.book(&[&name("c")], "ci", false, 0).unwrap_err();
        let said =
            "ci has cut power 2 times in the last hour, which is the budget; nothing was switched";
        assert_eq!(over.to_string(), said);
    }

    #[test]
    fn two_cuts_are_some_time_apart_and_boards_on_one_outlet_count_together() {
        let ledger = ledger("outlets = [\"a\"]\nbetween = \"30s\"\nmin_off = \"5s\"\n");
        ledger.book(&[&name("b"), &name("a")], "x", false, 0).unwrap();
        assert_eq!(book(&ledger, "a", "x", 12), Err(18));
        assert_eq!(book(&ledger, "b", "x", 12), Ok(()));
        assert_eq!(book(&ledger, "a", "x", 30), Ok(()));
        ledger.went_off(&name("a"), 31 * SECOND);
        assert_eq!(ledger.off_for(&name("a"), "x", 33 * SECOND), Duration::from_secs(3));
        assert_eq!(ledger.off_for(&name("b"), "x", 33 * SECOND), Duration::ZERO);
        // The clock was set back.
        assert_eq!(ledger.off_for(&name("a"), "x", 0), Duration::from_secs(5));
    }

    #[test]
    fn users_without_end_cost_no_memory_without_end() {
        let ledger = ledger("users = [\"*\"]\ncycles = 1\n");
        for user in 0..(MOST_ACCOUNTS as u64 + 10) {
            assert_eq!(book(&ledger, "a", &format!("u{user}"), user), Ok(()));
        }
        assert_eq!(ledger.lock().cuts.len(), MOST_ACCOUNTS);
    }
}
