//! PDUs that do late what they have not answered, or cannot be read.

use super::*;

#[tokio::test(start_paused = true)]
async fn what_comes_true_late_is_seen_and_the_board_brought_back() {
    let dir = tempfile::tempdir().unwrap();
    let outlet = is_on([Does::SwitchesLate(TIMEOUT * 5); 3]);
    let lab = Lab::start(dir.path(), &[&outlet], ONE);
    let error = lab.fails("a", Verb::Cycle).await;
    assert!(error.contains("asked 3 times to switch off: no answer within 3s"), "{error}");
    assert_eq!(lab.last("a"), (Verb::Cycle, PowerResult::Failed, Some(State::On)));
    sleep(MINUTE).await;
    assert_eq!(outlet.state(), State::On, "the last request came true and was seen");
    assert!(!lab.is_over("a"), "it is watched");
    sleep(MINUTE * 5).await;
    assert_eq!((outlet.state(), lab.left_off("a"), lab.is_over("a")), (State::On, None, true));
}

#[tokio::test(start_paused = true)]
async fn a_cycle_that_went_well_is_watched_when_a_request_was_lost_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let outlet = is_on([Does::SwitchesLate(MINUTE)]);
    let lab = Lab::start(dir.path(), &[&outlet], ONE);
    assert_eq!(lab.ask("a", Verb::Cycle).await.unwrap(), (State::On, Verified::Verified));
    assert_eq!(lab.last("a"), (Verb::Cycle, PowerResult::Verified, Some(State::On)));
    // Nor is it forgotten when it is switched on meanwhile.
    lab.ask("a", Verb::On).await.unwrap();
    let results: Vec<_> = lab.power.history("a").unwrap().iter().map(|r| r.result).collect();
    assert_eq!(results, [PowerResult::Verified, PowerResult::Verified]);
    sleep(MINUTE * 6).await;
    assert_eq!((outlet.state(), lab.is_over("a")), (State::On, true));
}

#[tokio::test(start_paused = true)]
async fn what_nobody_knows_of_switching_off_is_found_out() {
    let dir = tempfile::tempdir().unwrap();
    let reads = Reads::Gap(Instant::now(), Instant::now() + MINUTE * 3);
    let mute = Fake { reads, ..Fake::new([Does::SwitchesButTheAnswerIsLost]) };
    let outlet = Arc::new(mute.starts(State::On));
    let lab = Lab::start(dir.path(), &[&outlet], ONE);
    let error = lab.fails("a", Verb::Off).await;
    assert!(error.contains("so it may be off or not"), "{error}");
    assert_eq!(lab.last("a"), (Verb::Off, PowerResult::Unknown, None));
    sleep(MINUTE * 5).await;
    assert_eq!(lab.last("a"), (Verb::Off, PowerResult::Failed, Some(State::Off)));
    assert!(lab.is_over("a"));
    // It is only looked at.
    assert_eq!(outlet.asked().len(), 1);

    // What was read not to be is looked at once more.
    let outlet = is_on([Does::SwitchesLate(TIMEOUT * 4); 3]);
    let dir = tempfile::tempdir().unwrap();
    let lab = Lab::start(dir.path(), &[&outlet], ONE);
    lab.fails("a", Verb::Off).await;
    assert_eq!(lab.last("a"), (Verb::Off, PowerResult::Failed, Some(State::On)));
    sleep(MINUTE).await;
    assert!(lab.is_over("a"));
}

#[tokio::test(start_paused = true)]
async fn a_board_that_cannot_be_read_is_not_said_to_be_off_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let mute = Fake { reads: Reads::Never, ..Fake::new([]) };
    let outlet = Arc::new(mute.starts(State::On));
    let lab = Lab::start(dir.path(), &[&outlet], ONE);
    let error = lab.fails("a", Verb::Cycle).await;
    assert!(error.contains("AND IT CANNOT BE READ WHETHER IT IS ON AGAIN"), "{error}");
    assert!(lab.left_off("a").is_some());
    sleep(MINUTE * 15).await;
    assert_eq!((lab.left_off("a"), lab.is_over("a")), (None, true));
    assert_eq!(lab.last("a"), (Verb::Cycle, PowerResult::Unknown, Some(State::Unknown)));
    assert_eq!(outlet.state(), State::On);
}

#[tokio::test(start_paused = true)]
async fn one_look_that_was_not_answered_is_no_news() {
    let dir = tempfile::tempdir().unwrap();
    let reads = Reads::Gap(Instant::now() + MINUTE / 4, Instant::now() + MINUTE);
    let fake = Fake { reads, ..Fake::new([Does::NeverHearsOfIt]) };
    let outlet = Arc::new(fake.starts(State::On));
    let lab = Lab::start(dir.path(), &[&outlet], ONE);
    lab.ask("a", Verb::Cycle).await.unwrap();
    let asked = outlet.asked();
    for _ in 0..300 {
        assert_eq!(lab.left_off("a"), None);
        sleep(Duration::from_secs(1)).await;
    }
    assert!(lab.is_over("a"));
    assert_eq!(outlet.asked(), asked);
}
