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
    let counting = ledger.vouched(number, &signals::check(number, &case(number)), true);
    counting.into_iter().map(|signal| signal.text).collect()
}

#[test]
fn without_numbers_signals_count_as_they_come() {
    let mut ledger = Ledger::default();
    assert_eq!(ledger.heard(heard(&case(1))).len(), 1);
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
        ledger.vouched(number, &signals::check(number, text), true).len()
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
    ledger.vouched(4, &signals::check(4, &case(4)), true);
    assert_eq!((ledger.give_up().len(), ledger.lost()), (1, 3));
}

#[test]
fn the_end_of_the_job_is_not_held_back() {
    let mut ledger = Ledger::default();
    ledger.total(0, &signals::check(0, "TOTAL"));
    let raise = "<LAVA_SIGNAL_TESTRAISE no more>";
    ledger.heard(heard(raise));
    assert_eq!(ledger.vouched(5, &signals::check(5, raise), true).len(), 1);
}

/// A signal that a test prints itself.
fn own(name: &str) -> String {
    format!("<LAVA_SIGNAL_TESTCASE TEST_CASE_ID={name} RESULT=pass>")
}

fn texts(signals: Vec<Heard<()>>) -> Vec<String> {
    signals.into_iter().map(|signal| signal.text).collect()
}

fn numbered() -> Ledger<()> {
    let mut ledger = Ledger::default();
    ledger.total(0, &signals::check(0, "TOTAL"));
    ledger
}

fn says(ledger: &mut Ledger<()>, text: &str) -> Vec<String> {
    texts(ledger.heard(heard(text)))
}

#[test]
fn what_a_test_prints_itself_counts_in_its_place() {
    let mut ledger = numbered();
    let mut counted = says(&mut ledger, &case(1));
    counted.extend(vouch(&mut ledger, 1));
    for name in ["a", "b"] {
        counted.extend(says(&mut ledger, &own(name)));
    }
    counted.extend(says(&mut ledger, &case(2)));
    counted.extend(vouch(&mut ledger, 2));
    assert_eq!(counted, [case(1), own("a"), own("b"), case(2)]);
    counted.extend(says(&mut ledger, &own("c")));
    ledger.total(2, &signals::check(2, "TOTAL"));
    assert_eq!((ledger.missing(), ledger.damaged()), (None, 0));
    assert_eq!(texts(ledger.give_up()), [own("c")]);
}

#[test]
fn a_signal_whose_second_line_is_lost_counts_once() {
    let mut ledger = numbered();
    says(&mut ledger, &own("a"));
    says(&mut ledger, &case(1));
    says(&mut ledger, &own("b"));
    says(&mut ledger, &case(2));
    assert_eq!(vouch(&mut ledger, 2), [""; 0]);
    ledger.total(2, &signals::check(2, "TOTAL"));
    ledger.asks_again();
    assert_eq!(ledger.missing(), Some(vec![1]));
    says(&mut ledger, &case(1));
    assert_eq!(vouch(&mut ledger, 1), [case(1), own("a"), own("b"), case(2)]);
    assert_eq!(ledger.give_up().len(), 0);
}

#[test]
fn what_came_damaged_does_not_count_beside_what_is_said_again() {
    let mut ledger = numbered();
    let damaged = case(1).replace("c1", "cl");
    says(&mut ledger, &own("a-long-name"));
    // Its second line came as well, behind a message of the kernel's, or not at all.
    says(&mut ledger, &damaged);
    ledger.vouched(1, &signals::check(1, &case(1)), false);
    says(&mut ledger, &damaged.replace("cl", "cZ"));
    ledger.total(2, &signals::check(2, "TOTAL"));
    ledger.asks_again();
    let mut counted = Vec::new();
    for number in [1, 2] {
        says(&mut ledger, &case(number));
        counted.extend(vouch(&mut ledger, number));
    }
    counted.extend(texts(ledger.give_up()));
    assert_eq!(counted, [case(1), case(2), own("a-long-name")]);
}

#[test]
fn a_tests_own_signal_counts_also_where_the_next_one_came_damaged() {
    let mut ledger = numbered();
    ledger.heard(heard(&case(1)));
    assert_eq!(vouch(&mut ledger, 1), [case(1)]);
    ledger.heard(heard(&own("x")));
    ledger.heard(heard(&case(2).replace("pass", "pas")));
    assert_eq!(vouch(&mut ledger, 2), [""; 0]);
    ledger.heard(heard(&case(3)));
    assert_eq!(vouch(&mut ledger, 3), [""; 0]);
    ledger.asks_again();
    ledger.heard(heard(&case(2)));
    assert_eq!(vouch(&mut ledger, 2), [case(2), own("x"), case(3)]);
}

#[test]
fn a_run_has_what_it_printed_also_when_its_end_is_said_again() {
    let mut ledger = numbered();
    let end = "<LAVA_SIGNAL_ENDRUN 0_t u>";
    says(&mut ledger, &case(1));
    vouch(&mut ledger, 1);
    says(&mut ledger, &own("a"));
    ledger.total(2, &signals::check(2, "TOTAL"));
    ledger.asks_again();
    says(&mut ledger, end);
    // Nobody knows whether the one before was not that end, so only one of the two counts.
    assert_eq!(texts(ledger.vouched(2, &signals::check(2, end), true)), [end]);
    let mut ledger = numbered();
    says(&mut ledger, &own("a"));
    says(&mut ledger, &end.replace("0_t", "0_T"));
    ledger.total(1, &signals::check(1, "TOTAL"));
    ledger.asks_again();
    says(&mut ledger, end);
    assert_eq!(texts(ledger.vouched(1, &signals::check(1, end), true)), [own("a"), end.into()]);
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
        ledger.asks_again();
        while let Some(missing) = ledger.missing() {
            for number in missing {
                ledger.heard(heard(&case(number)));
                counted.extend(vouch(&mut ledger, number));
            }
        }
        prop_assert_eq!(counted, (1..=total).map(case).collect::<Vec<_>>());
    }

    #[test]
    fn whatever_is_lost_no_signal_counts_twice_and_few_of_the_tests_own_are_lost(
        lines in proptest::collection::vec((0_u8..4, 0_u8..3), 1..60),
    ) {
        let total = lines.len() as u64;
        let mut ledger = numbered();
        let (mut counted, mut owns) = (Vec::new(), Vec::new());
        for (number, (lost, more)) in (1..).zip(&lines) {
            for i in 0..*more {
                owns.push(own(&format!("own{number}-{i}")));
                counted.extend(says(&mut ledger, owns.last().unwrap()));
            }
                if lost & 1 == 0 {
                counted.extend(says(&mut ledger, &case(number)));
            }
            if lost & 2 == 0 {
                let sum = signals::check(number, &case(number));
                counted.extend(texts(ledger.vouched(number, &sum, lost & 1 == 0)));
            }
        }
        ledger.total(total, &signals::check(total, "TOTAL"));
        ledger.asks_again();
        while let Some(missing) = ledger.missing() {
            for number in missing {
                says(&mut ledger, &case(number));
                counted.extend(vouch(&mut ledger, number));
            }
        }
        counted.extend(texts(ledger.give_up()));
        let cases: Vec<_> = (1..=total).map(case).collect();
        let (ours, theirs): (Vec<_>, Vec<_>) =
            counted.into_iter().partition(|text| cases.contains(text));
        prop_assert_eq!(ours, cases);
        prop_assert!(theirs.iter().all(|text| owns.contains(text)));
        let mut once = theirs.clone();
        once.dedup();
        prop_assert_eq!(&once, &theirs);
        let lost = lines.iter().filter(|(lost, _)| lost & 1 == 1).count();
        prop_assert!(owns.len() - theirs.len() <= lost);
    }
}
