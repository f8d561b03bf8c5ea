//! Operations on an outlet that does as it is told, or not. Time is virtual.

use std::collections::VecDeque;
use std::sync::Mutex;

use futures_util::FutureExt as _;

use super::*;

/// What the outlet does with one request to switch. Without any it does as it is told.
#[derive(Debug, Clone, Copy)]
enum Does {
    SwitchesAfter(Duration),
    SwitchesButTheAnswerIsLost,
    NeverHearsOfIt,
    AnswersAndDoesNothing,
    Refuses,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Reads {
    Well,
    Never,
    /// The profile has no status.
    NotPossible,
}

#[derive(Debug)]
struct Fake {
    reads: Reads,
    does: Mutex<VecDeque<Does>>,
    asked: Mutex<Vec<Switch>>,
    /// When what comes true.
    history: Mutex<Vec<(Instant, State)>>,
    native_cycle: bool,
}

impl Fake {
    fn new(does: impl IntoIterator<Item = Does>) -> Self {
        Self {
            reads: Reads::Well,
            does: Mutex::new(does.into_iter().collect()),
            asked: Mutex::default(),
            history: Mutex::new(vec![(Instant::now(), State::Off)]),
            native_cycle: false,
        }
    }

    fn starts(self, state: State) -> Self {
        self.becomes(state, Duration::ZERO);
        self
    }

    fn becomes(&self, state: State, after: Duration) {
        self.history.lock().unwrap().push((Instant::now() + after, state));
    }

    fn state(&self) -> State {
        let history = self.history.lock().unwrap();
        history.iter().rev().find(|(when, _)| *when <= Instant::now()).unwrap().1
    }

    fn asked(&self) -> Vec<Switch> {
        self.asked.lock().unwrap().clone()
    }

    /// When the outlet went to this state for the last time.
    fn since(&self, state: State) -> Instant {
        let history = self.history.lock().unwrap();
        history.iter().rev().find(|(_, s)| *s == state).unwrap().0
    }
}

impl Outlet for Fake {
    fn switch(&self, to: Switch) -> Answer<'_, ()> {
        self.asked.lock().unwrap().push(to);
        let does = self.does.lock().unwrap().pop_front();
        async move {
            match does.unwrap_or(Does::SwitchesAfter(Duration::ZERO)) {
                Does::SwitchesAfter(time) => self.becomes(to.into(), time),
                Does::SwitchesButTheAnswerIsLost => {
                    self.becomes(to.into(), Duration::ZERO);
                    std::future::pending::<()>().await;
                }
                Does::NeverHearsOfIt => std::future::pending().await,
                Does::AnswersAndDoesNothing => {}
                Does::Refuses => return Err(OutletError::Refused("wrongValue".into())),
            }
            Ok(())
        }
        .boxed()
    }

    fn status(&self) -> Option<Answer<'_, State>> {
        match self.reads {
            Reads::Well => Some(async { Ok(self.state()) }.boxed()),
            Reads::Never => Some(std::future::pending().boxed()),
            Reads::NotPossible => None,
        }
    }

    fn cycle(&self) -> Option<Answer<'_, ()>> {
        self.native_cycle.then(|| self.switch(Switch::On))
    }
}

const TIMEOUT: Duration = Duration::from_secs(3);
const VERIFY: Duration = Duration::from_secs(10);
const OFF_TIME: Duration = Duration::from_secs(2);

const ON: Outcome = Outcome { state: State::On, verified: Verified::Verified };

async fn switch(outlet: &Fake, to: Switch) -> Result<Outcome, OperationError> {
    operate(outlet, async |operation| operation.switch(to).await).await
}

async fn cycle(outlet: &Fake) -> Result<Outcome, OperationError> {
    operate(outlet, async |operation| operation.cycle().await).await
}

async fn operate<T>(outlet: &Fake, act: impl AsyncFnOnce(Operation<'_>) -> T) -> T {
    let ending = CancellationToken::new();
    let name = "panda01".parse().unwrap();
    let (timeout, verify, off_time) = (TIMEOUT, VERIFY, OFF_TIME);
    act(Operation { name: &name, outlet, timeout, verify, off_time, ending: &ending }).await
}

#[tokio::test(start_paused = true)]
async fn an_outlet_is_on_when_it_reads_so() {
    let slow_relay = Fake::new([Does::SwitchesAfter(Duration::from_secs(4))]);
    assert_eq!(switch(&slow_relay, Switch::On).await, Ok(ON));
    assert!(Instant::now() >= slow_relay.since(State::On));
    assert_eq!(slow_relay.asked(), [Switch::On]);
}

#[tokio::test(start_paused = true)]
async fn an_outlet_that_does_not_switch_is_no_success() {
    let stuck = Fake::new([Does::AnswersAndDoesNothing]);
    let error = switch(&stuck, Switch::On).await.unwrap_err();
    let expected =
        OperationError::NotSwitched { to: Switch::On, state: State::Off, within: VERIFY };
    assert_eq!(error, expected);
    assert_eq!(error.kind(), Kind::Failed);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_found_out_by_reading() {
    let lossy = Fake::new([Does::SwitchesButTheAnswerIsLost]);
    assert_eq!(switch(&lossy, Switch::On).await, Ok(ON));
    assert_eq!(lossy.asked(), [Switch::On]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_request_is_put_again_once_the_state_shows_that_it_was_lost() {
    let lossy = Fake::new([Does::NeverHearsOfIt]);
    assert_eq!(switch(&lossy, Switch::On).await, Ok(ON));
    assert_eq!(lossy.asked(), [Switch::On, Switch::On]);

    let deaf = Fake::new([Does::NeverHearsOfIt; 9]);
    let error = switch(&deaf, Switch::On).await.unwrap_err();
    assert_eq!(error, OperationError::Outlet(OutletError::Silent(TIMEOUT)));
    assert_eq!(deaf.asked().len(), SWITCH_ATTEMPTS);
}

#[tokio::test(start_paused = true)]
async fn a_dead_pdu_is_not_asked_twice() {
    let dead = Fake { reads: Reads::Never, ..Fake::new([Does::NeverHearsOfIt]) };
    let error = switch(&dead, Switch::On).await.unwrap_err();
    assert!(matches!(error, OperationError::Unclear { .. }), "{error}");
    assert!(error.is_silence());
    assert_eq!(error.pdu_answers(), Some(false));
    assert_eq!(dead.asked(), [Switch::On]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_never_called_verified() {
    let unreadable = Fake { reads: Reads::NotPossible, ..Fake::new([]) };
    let accepted = Outcome { state: State::On, verified: Verified::Accepted };
    assert_eq!(switch(&unreadable, Switch::On).await, Ok(accepted));
    assert_eq!(cycle(&unreadable).await, Ok(accepted));
    let unknown = Outcome { state: State::Unknown, verified: Verified::Unknown };
    assert_eq!(operate(&unreadable, async |op| op.status().await).await, Ok(unknown));

    let mute = Fake { reads: Reads::Never, ..Fake::new([]) };
    let error = switch(&mute, Switch::On).await.unwrap_err();
    assert!(matches!(error, OperationError::NotReadBack { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_cycle_is_off_then_the_wait_then_on() {
    let board = Fake::new([Does::SwitchesAfter(Duration::from_secs(1))]).starts(State::On);
    assert_eq!(cycle(&board).await, Ok(ON));
    assert_eq!(board.asked(), [Switch::Off, Switch::On]);
    let off_for = board.since(State::On) - board.since(State::Off);
    assert!(off_for >= OFF_TIME && off_for < OFF_TIME + Duration::from_secs(1), "{off_for:?}");
}

#[tokio::test(start_paused = true)]
async fn a_cycle_that_cannot_switch_off_switches_nothing_on() {
    let refusing = Fake::new([Does::Refuses]).starts(State::On);
    let error = cycle(&refusing).await.unwrap_err();
    assert_eq!(error, OperationError::Outlet(OutletError::Refused("wrongValue".into())));
    assert_eq!(refusing.asked(), [Switch::Off]);
}

#[tokio::test(start_paused = true)]
async fn a_board_that_was_switched_off_is_brought_back() {
    let off = Does::SwitchesAfter(Duration::ZERO);
    let moody = Fake::new([off, Does::Refuses, Does::Refuses]).starts(State::On);
    assert_eq!(cycle(&moody).await, Ok(ON));
    assert_eq!(moody.asked(), [Switch::Off, Switch::On, Switch::On, Switch::On]);

    let broken = Fake::new([off].into_iter().chain([Does::Refuses; 99])).starts(State::On);
    let begun = Instant::now();
    let error = cycle(&broken).await.unwrap_err();
    assert!(error.to_string().starts_with("SWITCHED OFF AND NOT ON AGAIN"), "{error}");
    let took = begun.elapsed();
    assert!(took > BRING_BACK / 2 && took < BRING_BACK + OFF_TIME + VERIFY, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_daemon_leaves_no_board_off() {
    let board = Fake::new([]).starts(State::On);
    let done = operate(&board, async |operation| {
        let operation = Operation { off_time: Duration::from_secs(600), ..operation };
        let end = async {
            sleep(Duration::from_secs(5)).await;
            operation.ending.cancel();
        };
        tokio::join!(operation.cycle(), end).0
    });
    let begun = Instant::now();
    assert_eq!(done.await, Ok(ON));
    assert!(begun.elapsed() < Duration::from_secs(7));
}

#[tokio::test(start_paused = true)]
async fn a_cycle_of_the_pdus_own_is_asked_for_once_and_not_called_verified() {
    let native = Fake { native_cycle: true, ..Fake::new([]) };
    let accepted = Outcome { state: State::On, verified: Verified::Accepted };
    assert_eq!(cycle(&native).await, Ok(accepted));
    assert_eq!(native.asked().len(), 1);

    let lost = Fake { native_cycle: true, ..Fake::new([Does::NeverHearsOfIt]) };
    assert_eq!(cycle(&lost).await, Err(OutletError::Silent(TIMEOUT).into()));
    assert_eq!(lost.asked().len(), 1);
}
