//! An outlet that does as it is told, or not. Time is virtual.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::time::Instant;

use crate::config::power::{OutletConfig, PowerConfig};
use crate::model::State;
use crate::outlet::{Answer, Outlet, OutletError, Switch};
use crate::power::pdu::{Pdu, Seat};
use crate::power::tally::Tally;

pub(in crate::power) const TIMEOUT: Duration = Duration::from_secs(3);
pub(in crate::power) const VERIFY: Duration = Duration::from_secs(10);

/// What the outlet does with one request to switch. Without any it does as it is told.
#[derive(Debug, Clone, Copy)]
pub(in crate::power) enum Does {
    SwitchesAfter(Duration),
    SwitchesButTheAnswerIsLost,
    NeverHearsOfIt,
    AnswersAndDoesNothing,
    /// The answer is lost, and it is carried out so much later all the same.
    SwitchesLate(Duration),
    Refuses,
    Panics,
}

#[derive(Debug, Clone, Copy)]
pub(in crate::power) enum Reads {
    Well,
    Never,
    /// Not between these two.
    Gap(Instant, Instant),
    /// The profile has no status.
    NotPossible,
}

#[derive(Debug)]
pub(in crate::power) struct Fake {
    pub(in crate::power) reads: Reads,
    pub(in crate::power) does: Mutex<VecDeque<Does>>,
    pub(in crate::power) asked: Mutex<Vec<Switch>>,
    /// When what comes true.
    pub(in crate::power) history: Mutex<Vec<(Instant, State)>>,
    pub(in crate::power) native_cycle: bool,
}

impl Fake {
    pub(in crate::power) fn new(does: impl IntoIterator<Item = Does>) -> Self {
        Self {
            reads: Reads::Well,
            does: Mutex::new(does.into_iter().collect()),
            asked: Mutex::default(),
            history: Mutex::new(vec![(Instant::now(), State::Off)]),
            native_cycle: false,
        }
    }

    pub(in crate::power) fn starts(self, state: State) -> Self {
        self.becomes(state, Duration::ZERO);
        self
    }

    pub(in crate::power) fn becomes(&self, state: State, after: Duration) {
        self.history.lock().unwrap().push((Instant::now() + after, state));
    }

    pub(in crate::power) fn state(&self) -> State {
        let history = self.history.lock().unwrap();
        let so_far = history.iter().filter(|(when, _)| *when <= Instant::now());
        so_far.max_by_key(|(when, _)| *when).unwrap().1
    }

    pub(in crate::power) fn asked(&self) -> Vec<Switch> {
        self.asked.lock().unwrap().clone()
    }

    /// When the outlet went to this state for the last time.
    pub(in crate::power) fn since(&self, state: State) -> Instant {
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
                Does::SwitchesLate(time) => {
                    self.becomes(to.into(), time);
                    std::future::pending::<()>().await;
                }
                Does::Panics => panic!("as it is to"),
                Does::Refuses => return Err(OutletError::Refused("wrongValue".into())),
            }
            Ok(())
        }
        .boxed()
    }

    fn status(&self) -> Option<Answer<'_, State>> {
        match self.reads {
            Reads::Well => Some(async { Ok(self.state()) }.boxed()),
            Reads::Gap(from, to) if !(from..to).contains(&Instant::now()) => {
                Some(async { Ok(self.state()) }.boxed())
            }
            Reads::Never | Reads::Gap(..) => Some(std::future::pending().boxed()),
            Reads::NotPossible => None,
        }
    }

    fn cycle(&self) -> Option<Answer<'_, ()>> {
        self.native_cycle.then(|| self.switch(Switch::On))
    }
}

impl Outlet for Arc<Fake> {
    fn switch(&self, to: Switch) -> Answer<'_, ()> {
        self.as_ref().switch(to)
    }

    fn status(&self) -> Option<Answer<'_, State>> {
        self.as_ref().status()
    }

    fn cycle(&self) -> Option<Answer<'_, ()>> {
        self.as_ref().cycle()
    }
}

/// The outlet on a PDU of its own.
pub(in crate::power) fn seat(outlet: &Arc<Fake>) -> Seat {
    let text = "[[pdu]]\nname = \"rack\"\ndriver = \"sim\"\ntimeout = \"3s\"\nverify = \"10s\"\n\
                [[outlet]]\nname = \"panda01\"\npdu = \"rack\"\nport = 1\n";
    let config = PowerConfig::parse("power.toml", text).unwrap();
    let pdu = Pdu::new(&config.pdus[0], Arc::<Tally>::default());
    let socket: &OutletConfig = &config.pdus[0].outlets[0];
    Seat::new(Arc::new(pdu), socket, Box::new(outlet.clone()))
}
