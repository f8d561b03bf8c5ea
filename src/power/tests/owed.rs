//! A board that a cycle has switched off is on in the end, whatever is done meanwhile.

use super::*;

#[tokio::test(start_paused = true)]
async fn no_try_that_fails_ends_what_is_owed() {
    let dir = tempfile::tempdir().unwrap();
    let outlet = is_on([OFF].into_iter().chain([Does::Refuses; 999]));
    let lab = Lab::start(dir.path(), &[&outlet], ONE);
    assert!(lab.fails("a", Verb::Cycle).await.contains("SWITCHED OFF AND NOT ON AGAIN"));
    for verb in [Verb::On, Verb::Cycle, Verb::On] {
        assert_eq!(lab.fails("a", verb).await, "a on p0: wrongValue");
        let left_off = lab.left_off("a").expect("it is off, and everybody may know");
        assert!(left_off.error.contains("wrongValue"), "{left_off:?}");
        assert_eq!(lab.last("a"), (verb, PowerResult::LeftOff, None));
    }
    refuses(&outlet, false);
    sleep(MINUTE * 2).await;
    assert_eq!(outlet.state(), State::On);
    assert_eq!((lab.left_off("a"), lab.is_over("a")), (None, true));
    assert_eq!(lab.last("a"), (Verb::On, PowerResult::Accepted, Some(State::On)));
    assert_eq!(*outlet.asked().last().unwrap(), crate::outlet::Switch::On);
}

#[tokio::test(start_paused = true)]
async fn who_wants_it_off_has_it_off() {
    let dir = tempfile::tempdir().unwrap();
    let outlet = is_on([OFF].into_iter().chain([Does::Refuses; 999]));
    let lab = Lab::start(dir.path(), &[&outlet], ONE);
    lab.fails("a", Verb::Cycle).await;
    refuses(&outlet, false);
    lab.ask("a", Verb::Off).await.unwrap();
    assert_eq!(lab.left_off("a"), None);
    // Not even a request that fails brings it back.
    refuses(&outlet, true);
    lab.fails("a", Verb::On).await;
    refuses(&outlet, false);
    sleep(MINUTE * 10).await;
    assert_eq!(outlet.state(), State::Off);
    assert!(lab.is_over("a"));
}

/// `a` is on both outlets, `b` on the first of them, and `c`, too.
const PARTLY: &str = "[[outlet]]\nname = \"a\"\nshared = true\noff_time = \"2s\"\n\
    feeds = [{ pdu = \"p0\", port = 1 }, { pdu = \"p1\", port = 1 }]\n\
    [[outlet]]\nname = \"b\"\nshared = true\npdu = \"p0\"\nport = 1\n\
    [[outlet]]\nname = \"c\"\nshared = true\npdu = \"p0\"\nport = 1\n";

#[tokio::test(start_paused = true)]
async fn a_neighbour_that_is_switched_on_ends_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (is_on([]), is_on([OFF].into_iter().chain([Does::Refuses; 999])));
    let lab = Lab::start(dir.path(), &[&first, &second], PARTLY);
    lab.fails("a", Verb::Cycle).await;
    lab.ask("b", Verb::On).await.unwrap();
    assert!(lab.left_off("a").is_some());
    refuses(&second, false);
    sleep(MINUTE * 2).await;
    assert_eq!((first.state(), second.state()), (State::On, State::On));
    assert_eq!((lab.left_off("a"), lab.is_over("a")), (None, true));
}

#[tokio::test(start_paused = true)]
async fn an_outlet_that_a_neighbour_has_switched_off_stays_so() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (is_on([]), is_on([OFF].into_iter().chain([Does::Refuses; 999])));
    let lab = Lab::start(dir.path(), &[&first, &second], PARTLY);
    lab.fails("a", Verb::Cycle).await;
    lab.ask("b", Verb::Off).await.unwrap();
    refuses(&second, false);
    sleep(MINUTE * 2).await;
    assert_eq!((first.state(), second.state()), (State::Off, State::On));
    assert!(lab.is_over("a"));

    // Of a board that has lost all of its outlets so, nothing is owed.
    refuses(&first, true);
    first.does.lock().unwrap().push_front(OFF);
    lab.fails("c", Verb::Cycle).await;
    refuses(&first, false);
    lab.ask("b", Verb::Off).await.unwrap();
    sleep(MINUTE * 2).await;
    assert_eq!(first.state(), State::Off);
    assert_eq!((lab.left_off("c"), lab.is_over("c")), (None, true));
    assert_eq!(lab.last("c").1, PowerResult::Interrupted);
}

#[tokio::test(start_paused = true)]
async fn a_bug_in_a_driver_leaves_no_board_off() {
    let dir = tempfile::tempdir().unwrap();
    let outlet = is_on([OFF, Does::Panics, Does::Panics]);
    let lab = Lab::start(dir.path(), &[&outlet], ONE);
    let error = lab.fails("a", Verb::Cycle).await;
    assert!(error.contains("stopped half-way by a bug in lava-power"), "{error}");
    assert!(lab.left_off("a").is_some());
    sleep(MINUTE * 5).await;
    assert_eq!(outlet.state(), State::On);
    assert_eq!((lab.left_off("a"), lab.is_over("a")), (None, true));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_daemon_is_no_end_of_what_is_owed() {
    let dir = tempfile::tempdir().unwrap();
    let outlet = is_on([OFF].into_iter().chain([Does::NeverHearsOfIt; 99]));
    let lab = Lab::start(dir.path(), &[&outlet], ONE);
    let (given_up, ()) = tokio::join!(lab.fails("a", Verb::Cycle), async {
        sleep(Duration::from_secs(5)).await;
        lab.ending.cancel();
    });
    assert!(given_up.contains("given up half-way"), "{given_up}");
    assert!(lab.left_off("a").is_some());
    // The next start finds it in the journal.
    drop(lab);
    outlet.does.lock().unwrap().clear();
    let lab = Lab::start(dir.path(), &[&outlet], ONE);
    sleep(MINUTE).await;
    assert_eq!((outlet.state(), lab.left_off("a")), (State::On, None));
}

#[tokio::test(start_paused = true)]
async fn the_newest_of_what_another_process_leaves_is_seen_to() {
    let dir = tempfile::tempdir().unwrap();
    let outlet = Arc::new(Fake::new([]));
    let other = journal(dir.path());
    let first = other.begin(Verb::Cycle, &Asked::by("bob"), true);
    let lab = Lab::start(dir.path(), &[&outlet], ONE);
    sleep(MINUTE).await;
    // It is another's cycle.
    assert_eq!(outlet.asked(), []);
    other.end(first, PowerResult::Verified, Some(State::On), None);
    other.begin(Verb::Cycle, &Asked::by("bob"), true);
    drop(other);
    sleep(MINUTE).await;
    assert_eq!((outlet.state(), lab.left_off("a")), (State::On, None));
}

#[tokio::test(start_paused = true)]
async fn a_board_that_was_cut_stays_off_as_long_as_it_has_to() {
    let dir = tempfile::tempdir().unwrap();
    killed_in_a_cycle(dir.path());
    let outlet = Arc::new(Fake::new([]));
    let budget = "[[budget]]\noutlets = [\"*\"]\nmin_off = \"30s\"\n";
    let begun = Instant::now();
    let _lab = Lab::start(dir.path(), &[&outlet], &format!("{ONE}{budget}"));
    sleep(MINUTE * 2).await;
    let off_for = outlet.since(State::On) - begun;
    assert!(off_for >= Duration::from_secs(25) && off_for < MINUTE, "{off_for:?}");
}
