//! What people see of the queue.

use super::super::score;
use super::*;

#[test]
fn a_board_is_had_by_description_and_the_plain_one_first() {
    let mut shelf = Shelf::new(&[
        "panda01 panda ram=1GB hdmi",
        "panda02 panda ram=1GB",
        "beagle01 beagle ram=512MB",
    ]);
    let any = shelf.ask("alice", HOUR, &["panda"], 0);
    let hdmi = shelf.ask("bob", HOUR, &["panda tag=hdmi ram>=1GB"], 0);
    let large = shelf.ask("carol", HOUR, &["ram>=2GB"], 0);
    shelf.pass(0);
    assert_eq!((shelf.has(any), shelf.has(hdmi)), (vec!["panda02"], vec!["panda01"]));
    let why = shelf.lab.why(large, 0).unwrap();
    assert_eq!(why.because, Because::NoBoard { wish: 0, unheard: vec!["ram>=2GB".to_owned()] });
}

#[test]
fn several_boards_come_all_at_once_or_not_at_all() {
    let mut shelf = Shelf::new(&["panda01 panda", "panda02 panda", "beagle01 beagle"]);
    let first = shelf.ask("alice", HOUR, &["panda"], 0);
    shelf.pass(0);
    let both = shelf.ask("bob", HOUR, &["panda", "panda", "beagle"], 1);
    // Carol comes later and wants what would keep bob waiting.
    let long = shelf.ask("carol", 2 * HOUR, &["beagle"], 2);
    let pass = shelf.pass(2);
    assert_eq!((shelf.has(both).len(), shelf.has(long).len()), (0, 0));
    assert_eq!(pass.planned[0].at, HOUR);
    // Dave's is over before bob's begins: that delays nobody.
    let short = shelf.ask("dave", HOUR - 3, &["beagle"], 3);
    shelf.pass(3);
    assert_eq!(shelf.has(short), ["beagle01"]);
    shelf.lab.end(first, 60).unwrap();
    shelf.pass(HOUR);
    assert_eq!(shelf.has(both).len(), 3);
}

#[test]
fn wishes_that_overlap_each_get_a_board_of_their_own() {
    let mut shelf = Shelf::new(&["panda01 panda", "panda02 panda hdmi"]);
    // The first wish could sit on either board; only one leaves room for the second.
    let both = shelf.ask("alice", HOUR, &["tag!=wifi", "tag!=hdmi"], 0);
    let too_many = shelf.ask("bob", HOUR, &["panda", "panda", "panda"], 0);
    shelf.pass(0);
    assert_eq!(shelf.has(both), ["panda02", "panda01"]);
    let why = shelf.lab.why(too_many, 0).unwrap().because;
    assert!(matches!(&why, Because::TooFew { wanted: 3, boards } if boards.len() == 2), "{why:?}");
}

#[test]
fn priority_then_use_then_age_and_waiting_overtakes_all() {
    let mut shelf = Shelf::new(&["panda01 panda"]);
    shelf.ask("heavy", 8 * HOUR, &["panda"], 0);
    shelf.pass(0);
    let heavy = shelf.ask("heavy", HOUR, &["panda"], 10);
    let light = shelf.ask("light", HOUR, &["panda"], 20);
    let urgent = shelf.ask_as("heavy", 100, HOUR, &["panda"], 30, None);
    let planned = |shelf: &Shelf, now| {
        shelf.lab.order(now).iter().map(|(_, request)| request.id).collect::<Vec<_>>()
    };
    assert_eq!(planned(&shelf, 30), [urgent, light, heavy]);
    // Two days later even what was asked with no priority comes before what arrives with the most.
    let late = shelf.ask_as("other", 100, HOUR, &["panda"], 2 * DAY, None);
    assert_eq!(planned(&shelf, 2 * DAY).last(), Some(&late));
    let why = shelf.lab.why(late, 2 * DAY).unwrap();
    // One of the three gets the board now.
    assert_eq!((why.ahead, why.score.priority, why.score.waited), (2, 100.0, 0.0));
}

#[test]
fn use_is_forgotten_and_what_is_given_back_was_not_used() {
    let mut usage = score::Usage::default();
    usage.charge("heavy", Some("kernel"), 8.0 * HOUR as f64, 0);
    usage.charge("light", None, HOUR as f64, 0);
    let at = |usage: &score::Usage, now| {
        let used = usage.at(now);
        (used.points("heavy", Some("kernel")), used.points("light", None), used.points("new", None))
    };
    let (heavy, light, new) = at(&usage, 0);
    assert!(heavy > light && light > new && new == 0.0 && heavy <= score::MOST_USED);
    usage.charge("heavy", Some("kernel"), -8.0 * HOUR as f64, 0);
    assert_eq!(at(&usage, 0).0, 0.0);
    usage.forget(60 * DAY);
    assert_eq!(at(&usage, 60 * DAY), (0.0, 0.0, 0.0));
}

#[test]
fn a_slot_is_booked_in_advance_and_nobody_runs_into_it() {
    let mut shelf = Shelf::new(&["panda01 panda"]);
    let booked = shelf.ask_as("alice", 0, HOUR, &["panda"], 0, Some(DAY));
    shelf.pass(0);
    assert_eq!(
        shelf.lab.why(booked, 0).unwrap().because,
        Because::Later { start: DAY, booked: true }
    );
    let long = shelf.ask("bob", DAY, &["panda"], HOUR);
    let fits = shelf.ask("carol", HOUR, &["panda"], 2 * HOUR);
    let pass = shelf.pass(2 * HOUR);
    assert_eq!((shelf.has(fits).len(), shelf.has(long).len()), (1, 0));
    assert_eq!((pass.planned[0].request, pass.planned[0].at), (long, DAY + HOUR));
    let told = shelf.lab.extend(fits, DAY + 1, 2 * HOUR).unwrap_err().to_string();
    assert_eq!(told, "panda01 is not free then: request 1");
    shelf.pass(DAY);
    assert_eq!(shelf.has(booked), ["panda01"]);
}

#[test]
fn a_booked_board_that_is_away_is_replaced() {
    let mut shelf = Shelf::new(&["panda01 panda", "panda02 panda"]);
    let booked = shelf.ask_as("alice", 0, HOUR, &["panda"], 0, Some(DAY));
    shelf.pass(0);
    let first = shelf.lab.booking(booked).unwrap().boards[0];
    shelf.lab.set_usable(first, false);
    shelf.pass(DAY);
    assert_eq!(shelf.has(booked), ["panda02"]);
}

#[test]
fn a_lease_is_extended_unless_somebody_waits_for_the_board() {
    let mut shelf = Shelf::new(&["panda01 panda", "beagle01 beagle"]);
    let panda = shelf.ask("alice", HOUR, &["panda"], 0);
    let beagle = shelf.ask("alice", HOUR, &["beagle"], 0);
    shelf.pass(0);
    let waits = shelf.ask("bob", HOUR, &["panda"], 60);
    shelf.lab.extend(beagle, 3 * HOUR, 60).unwrap();
    assert_eq!(shelf.lab.lease(beagle).unwrap().until, 3 * HOUR);
    let refused = shelf.lab.extend(panda, 3 * HOUR, 60).unwrap_err();
    assert_eq!(
        refused,
        LabError::Taken { board: "panda01".parse().unwrap(), by: Some(waits), from: HOUR }
    );
    let why = shelf.lab.why(waits, 60).unwrap();
    let board = shelf.lab.find("panda01").unwrap();
    assert_eq!(
        why.because,
        Because::Planned { at: HOUR, boards: vec![(board, Some((panda, HOUR)))] }
    );
    // It may end sooner, and bob has it then.
    shelf.lab.extend(panda, 120, 60).unwrap();
    shelf.pass(120);
    assert_eq!(shelf.has(waits), ["panda01"]);
}

#[test]
fn maintenance_and_groups_are_respected() {
    let mut shelf = Shelf::new(&["panda01 panda"]);
    shelf.board("panda02 panda", &["kernel"]);
    let board = shelf.lab.find("panda01").unwrap();
    shelf.lab.set_windows(board, &[(HOUR, 2 * HOUR)], 0).unwrap();
    let alice = shelf.ask("alice", 2 * HOUR, &["panda"], 0);
    let bob = shelf.ask("bob/kernel", 2 * HOUR, &["panda"], 0);
    let pass = shelf.pass(0);
    assert_eq!((shelf.has(alice).len(), shelf.has(bob)), (0, vec!["panda02"]));
    assert_eq!(pass.planned, [Planned { request: alice, boards: vec![board], at: 2 * HOUR }]);
    let short = shelf.ask("carol", HOUR, &["panda"], 0);
    shelf.pass(0);
    assert_eq!(shelf.has(short), ["panda01"]);
    let refused = shelf.lab.set_windows(board, &[(60, 120)], 0).unwrap_err();
    assert_eq!(
        refused,
        LabError::Taken { board: "panda01".parse().unwrap(), by: Some(short), from: 0 }
    );
}

#[test]
fn who_waits_behind_others_is_told_roughly_when() {
    let mut shelf = Shelf::new(&["panda01 panda"]);
    for _ in 0..3 {
        shelf.ask("alice", HOUR, &["panda"], 0);
    }
    shelf.pass(0);
    let last = shelf.ask("bob", HOUR, &["panda"], 1);
    shelf.lab.set_usable(shelf.lab.find("panda01").unwrap(), true);
    // Bob has used nothing, and so goes before alice's others.
    assert!(matches!(shelf.lab.why(last, 1).unwrap().because, Because::Planned { at: HOUR, .. }));
    let behind = shelf.ask("alice", HOUR, &["panda"], 2);
    assert_eq!(shelf.lab.why(behind, 2).unwrap().because, Because::Behind { about: 4 * HOUR });
    shelf.lab.set_usable(shelf.lab.find("panda01").unwrap(), false);
    assert!(matches!(shelf.lab.why(behind, 2).unwrap().because, Because::Away { .. }));
}

#[test]
fn a_board_that_is_left_to_a_group_is_given_to_nobody_else_also_who_has_booked_it() {
    let mut shelf = Shelf::default();
    shelf.board("panda01 panda", &["lab", "checks"]);
    let board = shelf.lab.find("panda01").unwrap();
    let booked = shelf.ask_as("bob/lab", 0, HOUR, &["panda"], 0, Some(10 * MINUTE));
    shelf.pass(0);
    shelf.lab.leave_to(board, Some("checks".into()));
    let alice = shelf.ask("alice/lab", MINUTE, &["panda"], 0);
    let check = shelf.ask("health/checks", MINUTE, &["panda"], 1);
    shelf.pass(1);
    assert_eq!(shelf.has(check), ["panda01"]);
    assert!(matches!(shelf.lab.why(alice, 1).unwrap().because, Because::Away { .. }));
    shelf.lab.end(check, MINUTE).unwrap();
    shelf.pass(10 * MINUTE);
    assert!(shelf.has(alice).is_empty() && shelf.has(booked).is_empty());
    shelf.lab.leave_to(board, None);
    shelf.pass(11 * MINUTE);
    assert_eq!(shelf.has(booked), ["panda01"]);
}

#[test]
fn what_cannot_be_done_any_more_changes_nothing() {
    let mut shelf = Shelf::new(&["panda01 panda"]);
    let alice = shelf.ask("alice", HOUR, &["panda"], 0);
    let pass = shelf.lab.pass(0);
    shelf.pass(0);
    assert_eq!(shelf.lab.apply(&pass.decisions[0], 0), Err(LabError::Unknown(alice)));
    let bob = shelf.ask("bob", HOUR, &["panda"], 0);
    let board = shelf.lab.find("panda01").unwrap();
    let stale = Decision::Lease { request: bob, boards: vec![board], until: HOUR };
    assert!(matches!(shelf.lab.apply(&stale, 0), Err(LabError::Taken { by: Some(1), .. })));
    assert_eq!(shelf.lab.waiting().len(), 1);
    assert_eq!(shelf.lab.end(99, 0), Err(LabError::Unknown(99)));
}

#[test]
fn a_clock_that_is_set_back_gives_nobody_the_board_of_somebody_else() {
    let mut shelf = Shelf::new(&["panda01 panda"]);
    let hers = shelf.ask("alice", 2 * HOUR, &["panda"], 12 * HOUR);
    shelf.pass(12 * HOUR);
    let his = shelf.ask("bob", HOUR, &["panda"], 10 * HOUR);
    shelf.pass(10 * HOUR);
    assert_eq!((shelf.has(hers), shelf.has(his).len()), (vec!["panda01"], 0));
    // It can still be made shorter, and is his when it is over by the clock as it is.
    shelf.lab.extend(hers, 11 * HOUR, 10 * HOUR).unwrap();
    shelf.pass(11 * HOUR);
    assert_eq!(shelf.has(his), ["panda01"]);
}

#[test]
fn a_clock_that_is_set_takes_nobodys_time_and_nobodys_place() {
    for by in [86_400_i64, -3600] {
        let mut shelf = Shelf::new(&["panda01 panda", "panda02 panda"]);
        let later = |at: Seconds| at.saturating_add_signed(by);
        let hers = shelf.ask("alice", 2 * HOUR, &["panda"], 3 * DAY);
        let booked = shelf.ask_as("dave", 50, HOUR, &["panda"], 3 * DAY, Some(9 * DAY));
        shelf.pass(3 * DAY);
        let both = shelf.ask("bob", HOUR, &["panda", "panda"], 3 * DAY + 10);
        let late = shelf.ask("carol", 3 * HOUR, &["panda"], 3 * DAY + 20);
        shelf.lab.clock_set(by, |_| true, |_| true);
        let now = later(3 * DAY + 30);
        shelf.pass(now);
        assert_eq!(shelf.has(hers), ["panda01"], "by {by}");
        assert_eq!(shelf.lab.lease(hers).unwrap().until, later(3 * DAY + 2 * HOUR));
        assert_eq!(shelf.lab.booking(booked).unwrap().from, 9 * DAY, "by the clock");
        let order: Vec<_> = shelf.lab.queue(now).iter().map(|(id, _)| *id).collect();
        assert_eq!(order, [both, late]);
        // Carol would take longer than bob is to wait.
        let others = shelf.pass(later(3 * DAY + 2 * HOUR));
        assert_eq!((shelf.has(both).len(), shelf.has(late).len()), (2, 0), "{others:?}");
    }
}

#[test]
fn who_has_booked_a_board_that_is_not_given_back_in_time_gets_it_then_or_another() {
    let mut shelf = Shelf::new(&["panda01 panda"]);
    let job = shelf.ask("alice", HOUR, &["panda"], 0);
    let booked = shelf.ask_as("bob", 50, 2 * HOUR, &["panda"], 0, Some(HOUR));
    shelf.pass(0);
    let board = BoardIx(0);
    assert!(matches!(shelf.lab.prolong(job, 2 * HOUR, HOUR), Err(LabError::Taken { .. })));
    shelf.lab.overrun(job, HOUR + 10 * MINUTE, HOUR).unwrap();
    shelf.pass(HOUR);
    assert_eq!((shelf.has(job), shelf.has(booked).len()), (vec!["panda01"], 0));
    assert!(shelf.lab.booking(booked).is_some());
    shelf.lab.end(job, HOUR + MINUTE).unwrap();
    shelf.pass(HOUR + MINUTE);
    assert_eq!(shelf.lab.lease(booked).unwrap().boards, [board]);

    let next = shelf.ask_as("carol", 50, HOUR, &["panda"], 2 * HOUR, Some(3 * HOUR));
    shelf.pass(2 * HOUR);
    shelf.lab.overrun(booked, 4 * HOUR, 3 * HOUR).unwrap();
    shelf.board("panda02 panda", &[]);
    shelf.pass(3 * HOUR);
    assert_eq!(shelf.has(next), ["panda02"]);
}

#[test]
fn a_job_has_its_whole_time_whoever_waits_for_its_board() {
    let mut shelf = Shelf::new(&["panda01 panda"]);
    let job = shelf.ask("alice", HOUR, &["panda"], 0);
    shelf.pass(0);
    let waits = shelf.ask("bob", HOUR, &["panda"], 0);
    shelf.pass(0);
    let later = HOUR + 10 * MINUTE;
    assert!(matches!(
        shelf.lab.extend(job, later, 10 * MINUTE),
        Err(LabError::Taken { by: Some(by), .. }) if by == waits
    ));
    shelf.lab.prolong(job, later, 10 * MINUTE).unwrap();
    assert_eq!(shelf.lab.lease(job).unwrap().until, later);
}

#[test]
fn what_is_booked_counts_from_its_booking_and_not_any_more_when_it_is_cancelled() {
    let mut shelf = Shelf::new(&["panda01 panda", "panda02 panda", "other other"]);
    let booked = shelf.ask_as("alice", 50, 10 * HOUR, &["other"], 0, Some(2 * DAY));
    shelf.pass(0);
    assert!(shelf.lab.booking(booked).is_some());
    let hers = shelf.ask("alice", HOUR, &["panda tag=none"], 0);
    let his = shelf.ask("bob", HOUR, &["panda tag=none"], 0);
    let order =
        |shelf: &Shelf, now| shelf.lab.queue(now).into_iter().map(|(id, _)| id).collect::<Vec<_>>();
    assert_eq!(order(&shelf, MINUTE), [his, hers]);
    // What she has had besides stays hers, however late it is cancelled.
    let lease = shelf.ask("alice", 2 * HOUR, &["panda"], HOUR);
    shelf.pass(HOUR);
    let used = |shelf: &Shelf| shelf.lab.queue(DAY).iter().find(|it| it.0 == hers).unwrap().1.used;
    let with = used(&shelf);
    shelf.lab.end(booked, DAY).unwrap();
    assert!(shelf.lab.lease(lease).is_some() && used(&shelf) > 0.0 && used(&shelf) <= with);
    let mut without = Shelf::new(&["panda01 panda"]);
    without.ask("alice", 2 * HOUR, &["panda"], HOUR);
    without.pass(HOUR);
    let hers = without.ask("alice", HOUR, &["panda tag=none"], HOUR);
    let same = without.lab.queue(DAY).iter().find(|it| it.0 == hers).unwrap().1.used;
    assert!((used(&shelf) - same).abs() < 0.01, "{} and {same}", used(&shelf));
}

#[test]
fn what_a_lease_reached_into_before_a_restart_is_still_booked_and_in_maintenance_after_it() {
    let mut shelf = Shelf::new(&["panda01 panda"]);
    let board = BoardIx(0);
    let hers = shelf.ask("alice", 4 * HOUR, &["panda"], 0);
    let his = shelf.ask_as("bob", 50, HOUR, &["panda"], 0, Some(2 * HOUR));
    let taken = Decision::Lease { request: hers, boards: vec![board], until: 4 * HOUR };
    let booked =
        Decision::Book { request: his, boards: vec![board], from: 2 * HOUR, until: 3 * HOUR };
    shelf.lab.restore(&taken, 0).unwrap();
    shelf.lab.restore(&booked, 0).unwrap();
    shelf.lab.restore_windows(board, &[(3 * HOUR, 5 * HOUR)], 0);
    assert!(shelf.lab.booking(his).is_some());
    let other = shelf.ask("carol", HOUR, &["panda"], 0);
    let second = Decision::Lease { request: other, boards: vec![board], until: HOUR };
    assert!(
        matches!(shelf.lab.restore(&second, 0), Err(LabError::Taken { by: Some(by), .. }) if by == hers)
    );
    // Given back in time it is his, and then in maintenance.
    shelf.lab.end(hers, 2 * HOUR).unwrap();
    shelf.pass(2 * HOUR);
    assert_eq!(shelf.has(his), ["panda01"]);
    shelf.pass(4 * HOUR);
    assert_eq!((shelf.has(his).len(), shelf.has(other).len()), (0, 0));
    shelf.pass(5 * HOUR);
    assert_eq!(shelf.has(other), ["panda01"]);
}
