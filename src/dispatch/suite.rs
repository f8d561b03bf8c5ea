//! LAVA's names for what tests report: whoever reads results goes by them.

/// The run of a definition: its number among all of its namespace, and its name.
pub(super) fn run(number: usize, name: &str) -> String {
    format!("{number}_{name}")
}

/// An interactive script: the number of its block, which LAVA counts only by those with definitions.
pub(super) fn script(stage: usize, name: &str) -> String {
    format!("{stage}_{name}")
}

/// A monitor.
pub(super) fn monitor(name: &str) -> String {
    name.replace(' ', "-").to_lowercase()
}

/// A case that a monitor has found: what is no letter, digit or `_` becomes one `_`.
pub(super) fn monitors_case(found: &str) -> String {
    let mut case = String::new();
    for letter in found.trim().to_lowercase().chars() {
        match letter.is_alphanumeric() || letter == '_' {
            true => case.push(letter),
            // The one that stands for those before it, too.
            false if case.ends_with(STAND_IN) => {}
            false => case.push(STAND_IN),
        }
    }
    case.replace(STAND_IN, "_")
}

/// Nothing that a case's name could have.
const STAND_IN: char = '\0';

/// A case that a definition's own pattern has found; `None` for one with white space in its name, which
/// LAVA does not report: it is most often the shell's trace of the step.
pub(super) fn patterns_case(found: &str) -> Option<String> {
    let case = found.trim().replace('/', "_");
    (!case.is_empty() && !case.contains(char::is_whitespace)).then_some(case)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_lava() {
        assert_eq!(run(2, "fio"), "2_fio");
        assert_eq!(script(0, "network"), "0_network");
        assert_eq!(monitor("Zephyr Bench Run"), "zephyr-bench-run");
        for (found, case) in [
            (" Kernel.Sched/Init ", "kernel_sched_init"),
            ("a -- b", "a_b"),
            ("a__b_-_c", "a__b___c"),
            ("test: 5 µs", "test_5_µs"),
        ] {
            assert_eq!(monitors_case(found), case, "{found:?}");
        }
        assert_eq!(patterns_case(" net/ping "), Some("net_ping".into()));
        assert_eq!(patterns_case("+ echo net"), None);
    }
}
