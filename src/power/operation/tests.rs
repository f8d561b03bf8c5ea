//! Switching one outlet that does as it is told, or not. Time is virtual.

use std::sync::Arc;

use super::fake::{Does, Fake, Reads, TIMEOUT, VERIFY, seat};
use super::*;

const ON: Outcome = Outcome { state: State::On, verified: Verified::Verified, late: false };

async fn switch(outlet: &Arc<Fake>, to: Switch) -> Result<Outcome, OperationError> {
    seat(outlet).switch(to).await
}

#[tokio::test(start_paused = true)]
async fn an_outlet_is_on_when_it_reads_so() {
    let slow_relay = Arc::new(Fake::new([Does::SwitchesAfter(Duration::from_secs(4))]));
    assert_eq!(switch(&slow_relay, Switch::On).await, Ok(ON));
    assert!(Instant::now() >= slow_relay.since(State::On));
    assert_eq!(slow_relay.asked(), [Switch::On]);
}

#[tokio::test(start_paused = true)]
async fn an_outlet_that_does_not_switch_is_no_success() {
    let stuck = Arc::new(Fake::new([Does::AnswersAndDoesNothing]));
    let error = switch(&stuck, Switch::On).await.unwrap_err();
    let expected =
        OperationError::NotSwitched { to: Switch::On, state: State::Off, within: VERIFY };
    assert_eq!(error, expected);
    assert_eq!(error.kind(), Kind::Failed);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_found_out_by_reading() {
    let lossy = Arc::new(Fake::new([Does::SwitchesButTheAnswerIsLost]));
    assert_eq!(switch(&lossy, Switch::On).await, Ok(ON));
    assert_eq!(lossy.asked(), [Switch::On]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_request_is_put_again_once_the_state_shows_that_it_was_lost() {
    let lossy = Arc::new(Fake::new([Does::NeverHearsOfIt]));
    // Nobody but the PDU knows that the first one was lost.
    assert_eq!(switch(&lossy, Switch::On).await, Ok(Outcome { late: true, ..ON }));
    assert_eq!(lossy.asked(), [Switch::On, Switch::On]);
}

#[tokio::test(start_paused = true)]
async fn who_is_never_heard_is_told_what_was_read() {
    let deaf = Arc::new(Fake::new([Does::NeverHearsOfIt; 9]));
    let error = switch(&deaf, Switch::On).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "asked 3 times to switch on: no answer within 3s; and it still reads off"
    );
    assert!(error.is_unclear() && error.is_deafness() && !error.is_silence());
    assert_eq!(error.state(), Some(State::Off));
    assert_eq!(deaf.asked().len(), SWITCH_ATTEMPTS);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_does_not_answer_what_was_asked_before_it() {
    let busy = Arc::new(Fake::new([Does::SwitchesLate(TIMEOUT * 9), Does::Refuses]));
    let error = switch(&busy, Switch::On).await.unwrap_err();
    assert!(error.is_unclear(), "{error}");
    assert_eq!(busy.asked(), [Switch::On, Switch::On]);
}

#[tokio::test(start_paused = true)]
async fn a_state_that_is_neither_is_not_verified() {
    let odd = Arc::new(Fake::new([]));
    odd.becomes(State::Unknown, Duration::ZERO);
    assert_eq!(seat(&odd).status().await, Ok(Outcome::unknown()));
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_and_a_state_that_is_neither_is_waited_for() {
    let starting = Arc::new(Fake::new([Does::SwitchesLate(Duration::from_secs(6))]));
    starting.becomes(State::Unknown, Duration::ZERO);
    assert_eq!(switch(&starting, Switch::On).await, Ok(ON));
    assert_eq!(starting.asked(), [Switch::On]);
}

#[tokio::test(start_paused = true)]
async fn a_dead_pdu_is_not_asked_twice() {
    let dead = Fake { reads: Reads::Never, ..Fake::new([Does::NeverHearsOfIt]) };
    let dead = Arc::new(dead);
    let error = switch(&dead, Switch::On).await.unwrap_err();
    assert!(matches!(error, OperationError::Unclear { .. }), "{error}");
    assert!(error.is_silence());
    assert_eq!(dead.asked(), [Switch::On]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_never_called_verified() {
    let unreadable = Arc::new(Fake { reads: Reads::NotPossible, ..Fake::new([]) });
    let accepted = Outcome { state: State::On, verified: Verified::Accepted, late: false };
    assert_eq!(switch(&unreadable, Switch::On).await, Ok(accepted));
    assert_eq!(seat(&unreadable).status().await, Ok(Outcome::unknown()));

    let mute = Arc::new(Fake { reads: Reads::Never, ..Fake::new([]) });
    let error = switch(&mute, Switch::On).await.unwrap_err();
    assert!(matches!(error, OperationError::NotReadBack { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_pdu_does_one_thing_at_a_time() {
    let slow = Arc::new(Fake::new([Does::NeverHearsOfIt]));
    let seat = seat(&slow);
    let begun = Instant::now();
    let (asked, read) = tokio::join!(seat.ask_to(Switch::On), seat.ask_status());
    assert_eq!(asked, Err(OutletError::Silent(TIMEOUT)));
    assert_eq!(read, Some(Ok(State::Off)));
    assert_eq!(begun.elapsed(), TIMEOUT);
}
