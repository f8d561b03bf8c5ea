//! Journals that were torn, damaged, or written for ever.

use proptest::prelude::*;

use super::*;

fn asked(who: &str) -> Asked {
    Asked { reason: Some("a test".into()), ..Asked::by(who) }
}

fn journal(folder: &Path) -> Journal {
    Journal::open(folder, &"panda01".parse().unwrap(), Arc::default())
}

#[test]
fn what_was_under_way_is_known_afterwards() {
    let dir = tempfile::tempdir().unwrap();
    let begun = journal(dir.path()).begin(Verb::Cycle, &asked("alice"), true);
    let next = journal(dir.path());
    assert!(next.adopt().unwrap());
    let pending = next.pending().unwrap();
    assert_eq!(
        (pending.verb, pending.who.as_str(), pending.begin_us),
        (Verb::Cycle, "alice", begun)
    );
    next.so_far(begun, PowerResult::LeftOff, None, Some("the fuse"));
    let third = journal(dir.path());
    assert_eq!(third.pending().unwrap().result, PowerResult::LeftOff);
    assert_eq!(third.pending().unwrap().error.as_deref(), Some("the fuse"));
    third.end(begun, PowerResult::Verified, Some(State::On), None);
    let last = journal(dir.path());
    assert_eq!(last.pending(), None);
    assert_eq!(last.records(), third.records());
    let mode = std::fs::metadata(dir.path().join("panda01.journal")).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o777, 0o600);
}

#[test]
fn a_cycle_of_a_process_that_still_runs_is_not_taken_over() {
    let dir = tempfile::tempdir().unwrap();
    let first = journal(dir.path());
    let begun = first.begin(Verb::Cycle, &asked("alice"), true);
    let second = journal(dir.path());
    assert!(second.is_pending(begun));
    assert!(!second.adopt().unwrap());
    first.end(begun, PowerResult::Verified, Some(State::On), None);
    assert!(second.adopt().unwrap());
    assert_eq!(second.pending(), None);
}

#[test]
fn who_begins_something_else_ends_what_was_not_over() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path());
    let cycle = journal.begin(Verb::Cycle, &asked("alice"), false);
    let off = journal.begin(Verb::Off, &asked("bob"), false);
    assert!(!journal.is_pending(cycle) && journal.is_pending(off));
    journal.end(cycle, PowerResult::Verified, Some(State::On), None);
    journal.end(off, PowerResult::Verified, Some(State::Off), None);
    let results: Vec<_> = journal.records().iter().map(|record| record.result).collect();
    assert_eq!(results, [PowerResult::Interrupted, PowerResult::Verified]);
    assert!(journal.last().is_some_and(|last| crate::power::order::is_off_by(&last)));
}

#[test]
fn what_is_owed_is_carried_on_until_the_board_is_on_or_wanted_off() {
    let dir = tempfile::tempdir().unwrap();
    let first = journal(dir.path());
    let cycle = first.begin(Verb::Cycle, &asked("alice"), true);
    assert!(first.owes() && !first.was_owed());
    first.so_far(cycle, PowerResult::LeftOff, None, Some("the fuse"));
    first.begin(Verb::On, &asked("bob"), false);
    // Killed now, the next process knows.
    let next = journal(dir.path());
    assert!(next.adopt().is_ok_and(|ours| !ours), "it still runs");
    drop(first);
    assert!(next.adopt().unwrap() && next.owes() && next.was_owed());
    let on = next.begin(Verb::On, &asked("bob"), false);
    next.end(on, PowerResult::Verified, Some(State::On), None);
    assert!(!next.owes());

    let cycle = next.begin(Verb::Cycle, &asked("alice"), true);
    next.so_far(cycle, PowerResult::Verified, Some(State::On), None);
    next.begin(Verb::Off, &asked("bob"), false);
    assert!(!next.owes() && !next.was_owed());
    next.begin(Verb::On, &asked("bob"), false);
    assert!(!next.owes());
    let results: Vec<_> = next.records().iter().map(|record| record.result).collect();
    let expected = [PowerResult::Verified, PowerResult::Interrupted, PowerResult::UnderWay];
    assert_eq!(results[3..], expected);
    let booked: Vec<_> = journal(dir.path()).booked().iter().map(|r| r.verb).collect();
    assert_eq!(booked, [Verb::Cycle, Verb::Cycle]);
}

#[test]
fn a_torn_line_costs_itself_only() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("panda01.journal");
    journal(dir.path()).begin(Verb::Cycle, &asked("alice"), false);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, [&whole[..], br#"{"begin_us":9,"line":"en"#].concat()).unwrap();
    let torn = journal(dir.path());
    let begun = torn.pending().unwrap().begin_us;
    torn.end(begun, PowerResult::Verified, Some(State::On), None);
    assert_eq!(journal(dir.path()).pending(), None);
}

#[test]
fn a_journal_that_is_written_for_ever_stays_small() {
    let dir = tempfile::tempdir().unwrap();
    let long = journal(dir.path());
    let long_reason = Asked { reason: Some("x".repeat(400)), ..asked("alice") };
    for _ in 0..2000 {
        let begun = long.begin(Verb::On, &long_reason, false);
        long.end(begun, PowerResult::Failed, None, Some(&"ä".repeat(1000)));
    }
    let size = std::fs::metadata(dir.path().join("panda01.journal")).unwrap().len();
    assert!(size < 2_000_000, "{size}");
    let read = journal(dir.path());
    // All of the last hour, and at most so many.
    assert_eq!(long.records().len(), 512);
    let (kept, known) = (read.records(), long.records());
    assert_eq!(known[known.len() - 64..], kept[kept.len() - 64..]);
}

#[test]
fn a_folder_that_is_not_there_is_told_and_stops_nobody() {
    let tally = Arc::new(Tally::default());
    let journal = Journal::open(Path::new("/no/such"), &"panda01".parse().unwrap(), tally.clone());
    let begun = journal.begin(Verb::Cycle, &asked("alice"), true);
    assert!(journal.is_pending(begun));
    assert_eq!(tally.figures().unjournaled, 1);
}

/// What was done, as bytes of a journal.
fn written(steps: &[(u8, u64)]) -> (Vec<u8>, Chronicle) {
    let (mut chronicle, mut bytes) = (Chronicle::default(), Vec::new());
    let mut begun = 0;
    for (kind, time) in steps {
        let what = match kind % 4 {
            0 | 1 => {
                begun = chronicle.next(*time);
                let verb = [Verb::On, Verb::Off, Verb::Cycle][usize::from(kind / 4 % 3)];
                What::Begin {
                    verb,
                    who: "alice\n\"".into(),
                    reason: None,
                    force: false,
                    booked: false,
                }
            }
            2 => {
                let (result, error) = (PowerResult::LeftOff, Some("the fuse".into()));
                What::SoFar { result, state: None, error }
            }
            _ => {
                let (end_us, result) = (*time, PowerResult::Verified);
                What::End { end_us, result, state: Some(State::On), error: None }
            }
        };
        let line = Line { begin_us: begun, what };
        bytes.extend(serde_json::to_vec(&line).unwrap());
        bytes.push(b'\n');
        chronicle.push(line);
    }
    (bytes, chronicle)
}

proptest! {
    #[test]
    fn a_journal_says_what_was_written(steps: Vec<(u8, u64)>) {
        let steps: Vec<_> = steps.into_iter().map(|(kind, time)| (kind, time >> 8)).collect();
        let (bytes, chronicle) = written(&steps);
        prop_assert_eq!(Chronicle::read(&bytes), chronicle.clone());
        // Written anew it says the same.
        let mut anew = Chronicle::default();
        chronicle.lines().for_each(|line| anew.push(line));
        prop_assert_eq!(anew.pending(), chronicle.pending());
        prop_assert!(anew.records().map(|r| r.begin_us).eq(chronicle.records().map(|r| r.begin_us)));
    }

    #[test]
    fn a_journal_that_was_cut_says_what_was_written_before(
        steps in proptest::collection::vec((any::<u8>(), 0..1_000_000_u64), 0..20),
        cut: prop::sample::Index,
    ) {
        let (bytes, _) = written(&steps);
        let cut = cut.index(bytes.len() + 1);
        let lines = bytes[..cut].iter().filter(|byte| **byte == b'\n').count();
        // The last line may be whole but for its end.
        let read = Chronicle::read(&bytes[..cut]);
        let before = [lines, lines + 1].map(|lines| written(&steps[..lines.min(steps.len())]).1);
        prop_assert!(before.contains(&read));
    }

    #[test]
    fn no_bytes_are_too_bad_to_be_read(bytes: Vec<u8>) {
        let _ = Chronicle::read(&bytes);
    }
}
