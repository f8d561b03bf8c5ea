//! Boards with one outlet or several, which do as they are told, or not. Time is virtual.

use std::pin::pin;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::cycle::BRING_BACK;
use super::*;
use crate::outlet::OutletError;
use crate::power::operation::fake::{Does, Fake, Reads, TIMEOUT, VERIFY, seat};

const OFF_TIME: Duration = Duration::from_secs(2);
const DELAY: Duration = Duration::from_secs(1);
const OFF: Does = Does::SwitchesAfter(Duration::ZERO);

/// A board on these outlets, each on a PDU of its own.
fn board(outlets: &[&Arc<Fake>]) -> Board {
    let feed = |outlet: &&Arc<Fake>| Feed { seat: Arc::new(seat(outlet)), delay: DELAY };
    let feeds: Vec<Feed> = outlets.iter().map(feed).collect();
    Board {
        name: "panda01".parse().unwrap(),
        console: None,
        off_time: OFF_TIME,
        queue: Arc::new(Semaphore::new(QUEUE)),
        in_lock_order: feeds.iter().map(|feed| feed.seat.clone()).collect(),
        feeds,
        off_order: OffOrder::Reverse,
    }
}

fn is_on(does: impl IntoIterator<Item = Does>) -> Arc<Fake> {
    Arc::new(Fake::new(does).starts(State::On))
}

const OFF_FOR: OffTime = OffTime { wanted: OFF_TIME, least: Duration::ZERO };

async fn cycle(outlets: &[&Arc<Fake>]) -> Result<(State, Verified), OperationError> {
    let done = board(outlets).cycle(OFF_FOR, &CancellationToken::new()).await;
    done.map(|whole| (whole.state, whole.verified)).map_err(|fault| fault.error)
}

const ON: Result<(State, Verified), OperationError> = Ok((State::On, Verified::Verified));
const ACCEPTED: Result<(State, Verified), OperationError> = Ok((State::On, Verified::Accepted));

#[tokio::test(start_paused = true)]
async fn a_cycle_is_off_then_the_wait_then_on() {
    let outlet = is_on([Does::SwitchesAfter(Duration::from_secs(1))]);
    assert_eq!(cycle(&[&outlet]).await, ON);
    assert_eq!(outlet.asked(), [Switch::Off, Switch::On]);
    let off_for = outlet.since(State::On) - outlet.since(State::Off);
    assert!(off_for >= OFF_TIME && off_for < OFF_TIME + Duration::from_secs(1), "{off_for:?}");
}

#[tokio::test(start_paused = true)]
async fn several_outlets_go_off_in_reverse_order_and_come_on_in_order() {
    let (first, second) = (is_on([]), is_on([]));
    assert_eq!(cycle(&[&first, &second]).await, ON);
    let off = first.since(State::Off) - second.since(State::Off);
    assert!(off >= DELAY, "{off:?}");
    let on = second.since(State::On) - first.since(State::On);
    assert!(on >= DELAY, "{on:?}");
    // All of them are off for as long as the board is to be.
    assert!(first.since(State::On) - first.since(State::Off) >= OFF_TIME);
}

#[tokio::test(start_paused = true)]
async fn a_board_is_partly_on_when_its_outlets_are() {
    let (on, off) = (is_on([]), Arc::new(Fake::new([])));
    let whole = board(&[&on, &off]).status().await.unwrap();
    assert_eq!((whole.state, whole.verified), (State::Partly, Verified::Verified));
    let silent = Arc::new(Fake { reads: Reads::Never, ..Fake::new([]) });
    let whole = board(&[&on, &silent]).status().await.unwrap();
    assert_eq!((whole.state, whole.verified), (State::Unknown, Verified::Unknown));
    assert!(board(&[&silent]).status().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn what_can_be_switched_off_is_and_what_could_not_is_told() {
    let (first, second) = (is_on([]), is_on([Does::Refuses]));
    let fault = board(&[&first, &second]).off().await.unwrap_err();
    assert_eq!(fault.error, OperationError::Outlet(OutletError::Refused("wrongValue".into())));
    assert_eq!((first.state(), second.state()), (State::Off, State::On));
}

#[tokio::test(start_paused = true)]
async fn a_cycle_that_cannot_switch_off_switches_nothing_on() {
    let refusing = is_on([Does::Refuses]);
    let error = cycle(&[&refusing]).await.unwrap_err();
    assert_eq!(error, OperationError::Outlet(OutletError::Refused("wrongValue".into())));
    assert_eq!(refusing.asked(), [Switch::Off]);
}

#[tokio::test(start_paused = true)]
async fn a_cycle_that_gets_half_way_off_brings_all_back() {
    let (refusing, off) = (is_on([Does::Refuses]), is_on([]));
    let error = cycle(&[&refusing, &off]).await.unwrap_err();
    assert_eq!(error, OperationError::Outlet(OutletError::Refused("wrongValue".into())));
    assert_eq!(off.asked(), [Switch::Off, Switch::On]);
    assert_eq!((refusing.state(), off.state()), (State::On, State::On));
}

#[tokio::test(start_paused = true)]
async fn who_says_off_and_stays_on_is_asked_to_be_on() {
    let lying = is_on([Does::AnswersAndDoesNothing]);
    let error = cycle(&[&lying]).await.unwrap_err();
    let expected =
        OperationError::NotSwitched { to: Switch::Off, state: State::On, within: VERIFY };
    assert_eq!(error, expected);
    // It may have been on its way.
    assert_eq!(lying.asked(), [Switch::Off, Switch::On]);
}

#[tokio::test(start_paused = true)]
async fn what_may_come_true_late_is_told() {
    // It reads as on when it is asked after the answer was lost, and goes off then.
    let late = is_on([Does::SwitchesLate(TIMEOUT * 4); 3]);
    let ending = CancellationToken::new();
    let fault = board(&[&late]).cycle(OFF_FOR, &ending).await.unwrap_err();
    assert!(fault.error.is_unclear() && fault.late && fault.is_on, "{}", fault.error);
    assert_eq!(late.asked(), [Switch::Off, Switch::Off, Switch::Off, Switch::On]);

    // The second request is answered, and says nothing of the first.
    let once = is_on([Does::NeverHearsOfIt]);
    assert!(board(&[&once]).cycle(OFF_FOR, &ending).await.unwrap().late);
    assert!(!board(&[&is_on([])]).cycle(OFF_FOR, &ending).await.unwrap().late);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_after_a_lost_answer_has_the_board_brought_back() {
    let busy = is_on([Does::SwitchesLate(TIMEOUT + Duration::from_millis(10)), Does::Refuses]);
    let ending = CancellationToken::new();
    let fault = board(&[&busy]).cycle(OFF_FOR, &ending).await.unwrap_err();
    assert!(fault.late && fault.is_on, "{}", fault.error);
    assert_eq!(busy.asked(), [Switch::Off, Switch::Off, Switch::On]);
}

#[tokio::test(start_paused = true)]
async fn a_dead_pdu_keeps_no_other_outlet_off() {
    let dead = Arc::new(Fake { reads: Reads::Never, ..Fake::new([Does::NeverHearsOfIt; 99]) });
    let well = is_on([]);
    let fault = board(&[&dead, &well]).cycle(OFF_FOR, &CancellationToken::new()).await.unwrap_err();
    assert!(fault.error.to_string().starts_with("SWITCHED OFF AND NOT ON AGAIN"), "{fault:?}");
    assert_eq!(well.asked()[..2], [Switch::Off, Switch::On]);
    assert_eq!(well.state(), State::On);
}

#[tokio::test(start_paused = true)]
async fn a_least_time_is_kept_by_every_cycle() {
    let least = Duration::from_secs(20);
    let off_time = OffTime { wanted: least, least };
    let ending = CancellationToken::new();
    // The PDU's own cycle would be as long as it likes.
    let native = Arc::new(Fake { native_cycle: true, ..Fake::new([]) }.starts(State::On));
    board(&[&native]).cycle(off_time, &ending).await.unwrap();
    assert_eq!(native.asked(), [Switch::Off, Switch::On]);
    let off_for = |outlet: &Fake| outlet.since(State::On) - outlet.since(State::Off);
    assert!(off_for(&native) >= least, "{:?}", off_for(&native));
    // Nobody knows that it is off, and nobody knows that it is not.
    let unclear = is_on([OFF]);
    let mute = Arc::new(Fake { reads: Reads::Never, ..Fake::new([OFF, OFF]) });
    board(&[&mute, &unclear]).cycle(off_time, &ending).await.unwrap_err();
    assert!(off_for(&unclear) >= least, "{:?}", off_for(&unclear));
    // Nor is there less of it when the daemon ends.
    let ended = is_on([]);
    ending.cancel();
    board(&[&ended]).cycle(off_time, &ending).await.unwrap();
    assert!(off_for(&ended) >= least, "{:?}", off_for(&ended));
}

#[tokio::test(start_paused = true)]
async fn what_was_brought_back_is_looked_at() {
    let (on, off) = (is_on([]), Arc::new(Fake::new([])));
    let silent = Arc::new(Fake { reads: Reads::Never, ..Fake::new([]) });
    let unreadable = Arc::new(Fake { reads: Reads::NotPossible, ..Fake::new([]) });
    let odd = Arc::new(Fake::new([Does::AnswersAndDoesNothing]));
    odd.becomes(State::Unknown, Duration::ZERO);
    let look = async |outlets: &[&Arc<Fake>]| {
        let board = board(outlets);
        board.look(&board.feeds.iter().collect::<Vec<_>>()).await
    };
    assert_eq!(look(&[&on, &unreadable]).await, Seen::On);
    assert_eq!(unreadable.asked(), [Switch::On]);
    assert_eq!(look(&[&on, &silent, &off]).await, Seen::Off);
    assert_eq!(look(&[&silent, &on]).await, Seen::Silent);
    assert_eq!(look(&[&odd, &on]).await, Seen::Untold);
}

#[tokio::test(start_paused = true)]
async fn a_board_that_was_switched_off_is_brought_back() {
    let moody = is_on([OFF, Does::Refuses, Does::Refuses]);
    assert_eq!(cycle(&[&moody]).await, ON);
    assert_eq!(moody.asked(), [Switch::Off, Switch::On, Switch::On, Switch::On]);

    let broken = is_on([OFF].into_iter().chain([Does::Refuses; 99]));
    let begun = Instant::now();
    let error = cycle(&[&broken]).await.unwrap_err();
    assert!(error.to_string().starts_with("SWITCHED OFF AND NOT ON AGAIN"), "{error}");
    let took = begun.elapsed();
    assert!(took > BRING_BACK / 2 && took < BRING_BACK + OFF_TIME + VERIFY, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_daemon_leaves_no_board_off() {
    let outlet = is_on([]);
    let (board, ending) = (board(&[&outlet]), CancellationToken::new());
    let mut cycle =
        pin!(board.cycle(OffTime { wanted: Duration::from_secs(600), ..OFF_FOR }, &ending));
    tokio::select! {
        _ = &mut cycle => panic!("the board is to be off"),
        () = sleep(Duration::from_secs(5)) => ending.cancel(),
    }
    let begun = Instant::now();
    assert_eq!(cycle.await.unwrap().state, State::On);
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_never_called_verified() {
    let unreadable = Arc::new(Fake { reads: Reads::NotPossible, ..Fake::new([]) });
    assert_eq!(cycle(&[&unreadable]).await, ACCEPTED);
    assert_eq!(cycle(&[&is_on([]), &unreadable]).await, ACCEPTED);
}

#[tokio::test(start_paused = true)]
async fn a_cycle_of_the_pdus_own_is_asked_for_once_and_not_called_verified() {
    let native = Arc::new(Fake { native_cycle: true, ..Fake::new([]) });
    assert_eq!(cycle(&[&native]).await, ACCEPTED);
    assert_eq!(native.asked().len(), 1);

    let lost = Fake { native_cycle: true, ..Fake::new([Does::NeverHearsOfIt]) };
    let lost = Arc::new(lost.starts(State::On));
    let error = OperationError::CycleUnclear(OutletError::Silent(TIMEOUT));
    assert_eq!(cycle(&[&lost]).await, Err(error));
    assert_eq!(lost.asked().len(), 1);

    // What is off after that was cut and is brought back, though never by another cycle.
    let dark = Arc::new(Fake { native_cycle: true, ..Fake::new([Does::AnswersAndDoesNothing]) });
    assert_eq!(cycle(&[&dark]).await, ACCEPTED);
    assert_eq!(dark.state(), State::On);
}

#[tokio::test(start_paused = true)]
async fn boards_that_share_outlets_never_wait_for_each_other() {
    let fakes = [is_on([]), is_on([])];
    let seats: Vec<_> = fakes.iter().map(|fake| Arc::new(seat(fake))).collect();
    let on = |order: [usize; 2]| {
        let feed = |at: usize| Feed { seat: seats[at].clone(), delay: Duration::ZERO };
        let feeds = order.map(feed).into();
        Board { feeds, in_lock_order: seats.clone(), ..board(&[&fakes[0]]) }
    };
    let (left, right) = (on([0, 1]), on([1, 0]));
    let ending = CancellationToken::new();
    let cycle = async |board: &Board| {
        for _ in 0..20 {
            let _held = board.hold().await;
            // Whoever slipped in between would be seen: off would not be asked for twice.
            assert_eq!(board.cycle(OFF_FOR, &ending).await.unwrap().state, State::On);
        }
    };
    tokio::join!(cycle(&left), cycle(&right));
    for fake in &fakes {
        let asked = fake.asked();
        assert!(asked.chunks(2).all(|pair| pair == [Switch::Off, Switch::On]), "{asked:?}");
    }
}
