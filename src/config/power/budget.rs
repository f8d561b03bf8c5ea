//! `[[budget]]`: how often boards may lose their power.

use std::time::Duration;

use crate::config::{Glob, Table};

/// Limits for some outlets, for some users, or for some users on some outlets. At least one of the two
/// lists is there, and at least one limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetConfig {
    /// Each of these outlets has its own count. `None`: it does not matter which outlet it is.
    pub outlets: Option<Vec<Glob>>,
    /// Each of these users has their own count. `None`: it does not matter who asks.
    pub users: Option<Vec<Glob>>,
    /// How often power may be cut in an hour.
    pub cycles: Option<u32>,
    /// How long an outlet stays off at least, before it is switched on again.
    pub min_off: Option<Duration>,
    /// How long after a cut the next may be.
    pub between: Option<Duration>,
}

/// More would not be kept over a restart.
pub const MOST_CYCLES: u32 = 200;
const LONGEST: Duration = Duration::from_secs(3600);
/// Whoever asks waits for it.
const LONGEST_MIN_OFF: Duration = Duration::from_secs(60);

impl BudgetConfig {
    pub(super) fn read(table: &Table<'_>) -> Option<Self> {
        let outlets = table.optional("outlets");
        let users = table.optional("users");
        let cycles = table.optional("cycles");
        let time = |key, longest| {
            let time = table.optional::<Duration>(key)?;
            if time > longest {
                table.problem(key, format!("{longest:?} is the most"));
            }
            Some(time)
        };
        let min_off = time("min_off", LONGEST_MIN_OFF);
        let between = time("between", LONGEST);
        if cycles.is_some_and(|cycles| !(1..=MOST_CYCLES).contains(&cycles)) {
            table.problem("cycles", format!("1 to {MOST_CYCLES} in an hour will do"));
        }
        let missing = |what: &str| table.at().problem(table.place(), what);
        let given = |key| table.node(key).is_some();
        if !given("outlets") && !given("users") {
            missing("it needs \"outlets\", \"users\" or both: each of them has this budget");
        }
        if !given("cycles") && !given("min_off") && !given("between") {
            missing("it needs \"cycles\", \"min_off\" or \"between\"");
        }
        Some(Self { outlets, users, cycles, min_off, between })
    }

    pub fn is_for(&self, outlet: &str, user: &str) -> bool {
        let any = |globs: &Option<Vec<Glob>>, text: &str| {
            globs.as_ref().is_none_or(|globs| globs.iter().any(|glob| glob.matches(text)))
        };
        any(&self.outlets, outlet) && any(&self.users, user)
    }
}

#[cfg(test)]
mod tests {
    use super::super::PowerConfig;

    const LAB: &str = "[[pdu]]\nname = \"r\"\ndriver = \"sim\"\n\
                       [[outlet]]\nname = \"a\"\npdu = \"r\"\nport = 1\n[[budget]]\n";

    #[test]
    fn a_budget_is_for_outlets_users_or_both() {
        let text = format!("{LAB}users = [\"ci\", \"job:*\"]\ncycles = 10\n");
        let config = PowerConfig::parse("p.toml", &text).unwrap();
        let budget = &config.budgets[0];
        assert!(budget.is_for("a", "job:7") && budget.is_for("b", "ci"));
        assert!(!budget.is_for("a", "alice"));
    }

    #[test]
    fn a_budget_without_a_limit_is_none() {
        let told = |keys: &str| {
            PowerConfig::parse("p.toml", &format!("{LAB}{keys}")).unwrap_err().to_string()
        };
        assert!(told("users = [\"ci\"]\n").contains("it needs \"cycles\", \"min_off\""));
        assert!(told("cycles = 3\n").contains("it needs \"outlets\", \"users\" or both"));
        assert!(told("users = [\"ci\"]\ncycles = 0\n").contains("1 to 200 in an hour"));
        assert!(told("users = [\"ci\"]\nbetween = \"2h\"\n").contains("3600s is the most"));
    }
}
