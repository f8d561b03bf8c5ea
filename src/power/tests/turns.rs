//! What is asked, checked, counted and written, and in which order.

use super::*;
use crate::model::units;

const BUDGET: &str = "[[budget]]\noutlets = [\"*\"]\nmin_off = \"60s\"\n";

#[tokio::test(start_paused = true)]
async fn who_has_come_while_it_had_to_stay_off_is_asked() {
    let dir = tempfile::tempdir().unwrap();
    let outlet = is_on([]);
    let lab = Lab::start(dir.path(), &[&outlet], &format!("{ONE}{BUDGET}"));
    lab.ask("a", Verb::Off).await.unwrap();
    let (on, ()) = tokio::join!(lab.ask("a", Verb::On), async {
        sleep(MINUTE / 2).await;
        let (since_us, until_us) = (units::now_us(), units::now_us() + 3_600_000_000);
        let (holder, reason) = ("carol".to_owned(), None);
        *lab.leases.0.lock().unwrap() =
            Some(Lease { holder, shared_with: Vec::new(), since_us, until_us, reason });
    });
    assert!(matches!(on, Err(PowerError::Held(_))), "{on:?}");
    assert_eq!(outlet.state(), State::Off);
}

#[tokio::test(start_paused = true)]
async fn who_has_to_wait_when_the_daemon_ends_is_told_that_nothing_was_asked() {
    let dir = tempfile::tempdir().unwrap();
    let outlet = is_on([]);
    let lab = Lab::start(dir.path(), &[&outlet], &format!("{ONE}{BUDGET}"));
    lab.ask("a", Verb::Off).await.unwrap();
    let (on, ()) = tokio::join!(lab.ask("a", Verb::On), async {
        sleep(MINUTE / 2).await;
        lab.ending.cancel();
    });
    assert!(matches!(on, Err(PowerError::Ending)), "{on:?}");
    assert_eq!(outlet.asked().len(), 1);
    assert_eq!(lab.last("a").0, Verb::Off);
}

#[tokio::test(start_paused = true)]
async fn a_restart_changes_no_count() {
    let dir = tempfile::tempdir().unwrap();
    let outlet = is_on([]);
    let boards = format!("{ONE}[[budget]]\noutlets = [\"*\"]\ncycles = 2\n");
    let lab = Lab::start(dir.path(), &[&outlet], &boards);
    // It is off already the second time, and the third.
    for _ in 0..3 {
        lab.ask("a", Verb::Off).await.unwrap();
    }
    let lab = Lab::start(dir.path(), &[&outlet], &boards);
    lab.ask("a", Verb::On).await.unwrap();
    lab.ask("a", Verb::Off).await.unwrap();
    lab.ask("a", Verb::On).await.unwrap();
    let over = lab.ask("a", Verb::Off).await;
    assert!(matches!(over, Err(PowerError::Overdrawn(_))), "{over:?}");
}
