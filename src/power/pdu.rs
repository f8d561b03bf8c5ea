//! A PDU, which is asked one thing at a time, and its outlets.

use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex, Notify, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::meter::Metered;
use super::tally::Tally;
use crate::config::power::{Driver, OutletConfig, PduConfig};
use crate::model::{Name, Reading, State};
use crate::outlet::{self, Answer, Outlet, OutletError, Switch};

/// How many may look at the outlets of one PDU at a time, beside one for each outlet: each waits for the
/// PDU's turn. Those who switch are counted at their boards.
pub(super) const LOOKS: usize = 32;

/// So many rounds may pass without a meter's being read, before what it said is of the past.
const METER_ROUNDS: u32 = 3;

/// How long what is kept at a PDU, such as a session, is kept after the last request, for the next one.
const REST: Duration = Duration::from_secs(5);

/// A power unit. Many of them take one session at a time, so it has one *turn*, which is for one
/// request and its answer.
#[derive(Debug)]
pub(super) struct Pdu {
    pub(super) name: Name,
    /// The PDU's name and where it is, for messages.
    pub(super) label: Arc<str>,
    /// What to consider when it does not answer.
    pub(super) when_silent: Option<&'static str>,
    /// … and when it answers who reads, and not who writes.
    pub(super) when_deaf: Option<&'static str>,
    /// How long it may take to answer one request.
    pub(super) timeout: Duration,
    /// How long an outlet may take to read as asked for.
    pub(super) verify: Duration,
    /// What a meter said is past after so long.
    meter_age: Duration,
    turn: Mutex<()>,
    /// Something was asked of it.
    asked: Notify,
    /// Told whenever somebody wants its turn.
    wanted: Notify,
    room: Arc<Semaphore>,
    tally: Arc<Tally>,
}

/// One of its outlets.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) pdu: Arc<Pdu>,
    pub(super) port: String,
    outlet: Box<dyn Outlet>,
    /// What its meter said last, and when.
    read: StdMutex<Option<(Instant, Metered)>>,
    /// Whoever switches has it, from the first request to the last: through all of a cycle.
    held: Arc<Mutex<()>>,
}

/// What came of a look at a meter.
#[derive(Debug)]
pub(super) enum Look {
    /// Somebody wants something more urgent of the PDU.
    PutOff,
    /// There is no meter.
    Nothing,
    Read(Result<Reading, OutletError>),
}

impl Pdu {
    pub(super) fn new(config: &PduConfig, tally: Arc<Tally>) -> Self {
        Self {
            name: config.name.clone(),
            label: label(config),
            when_silent: when_silent(config),
            when_deaf: when_deaf(config),
            timeout: config.timeout,
            verify: config.verify,
            meter_age: METER_ROUNDS * config.meter_every + config.timeout,
            turn: Mutex::default(),
            asked: Notify::new(),
            wanted: Notify::new(),
            room: Arc::new(Semaphore::new(LOOKS + config.outlets.len())),
            tally,
        }
    }

    /// A place among those who look; `None` when there are too many.
    pub(super) fn room(&self) -> Option<OwnedSemaphorePermit> {
        self.room.clone().try_acquire_owned().ok()
    }

    /// Waits for an answer as long as it may take, and counts it.
    async fn answer<T>(&self, answer: Answer<'_, T>) -> Result<T, OutletError> {
        let began = Instant::now();
        let answered = outlet::within(self.timeout, answer).await;
        let error = answered.as_ref().err();
        let result = match error {
            None => "ok",
            Some(OutletError::Refused(_) | OutletError::Denied(_)) => "refused",
            Some(OutletError::Unreachable(_)) => "unreachable",
            Some(OutletError::Unheard(_) | OutletError::Silent(_)) => "unanswered",
            Some(OutletError::Unclear(_)) => "unclear",
        };
        self.tally.request(&self.name, result, began.elapsed());
        self.tally.reachable(&self.name, error.is_none_or(OutletError::is_answer));
        answered
    }

    /// Waits until it is free. Cancel safe.
    pub(super) async fn is_free(&self) {
        drop(self.turn.lock().await);
    }
}

impl Seat {
    /// All outlets of a PDU, in the order of its configuration.
    pub(super) fn of(config: &PduConfig, tally: &Arc<Tally>) -> Vec<Arc<Self>> {
        let pdu = Arc::new(Pdu::new(config, tally.clone()));
        let outlets = config.outlets.iter().zip(outlet::open_all(config));
        let seat = |(config, outlet)| Arc::new(Self::new(pdu.clone(), config, outlet));
        outlets.map(seat).collect()
    }

    pub(super) fn new(pdu: Arc<Pdu>, config: &OutletConfig, outlet: Box<dyn Outlet>) -> Self {
        let (read, held) = (StdMutex::default(), Arc::default());
        Self { pdu, port: config.port.clone(), outlet, read, held }
    }

    /// What its meter says, if that is not too long ago.
    pub(super) fn metered(&self) -> Option<Metered> {
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, metered) = read.as_ref()?;
        (at.elapsed() <= self.pdu.meter_age).then(|| metered.clone())
    }

    /// Takes down what its meter says now; nothing any more, perhaps.
    pub(super) fn has_read(&self, reading: Option<Reading>) {
        let now = reading.map(|reading| (Instant::now(), Metered::now(reading)));
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// Has the outlet for oneself. Who waits is served in turn. Cancel safe.
    pub(super) async fn hold(&self) -> OwnedMutexGuard<()> {
        self.held.clone().lock_owned().await
    }

    pub(super) async fn ask_to(&self, to: Switch) -> Result<(), OutletError> {
        self.ask(|outlet| Some(outlet.switch(to))).await.unwrap_or(Ok(()))
    }

    /// `None` when there is no way to ask.
    pub(super) async fn ask_status(&self) -> Option<Result<State, OutletError>> {
        self.ask(|outlet| outlet.status()).await
    }

    /// A cycle of the PDU's own; `None` when it has none.
    pub(super) async fn ask_to_cycle(&self) -> Option<Result<(), OutletError>> {
        self.ask(|outlet| outlet.cycle()).await
    }

    /// Waits for the PDU's turn, and asks it something. `None` when there is no way to ask.
    pub(super) async fn ask<'a, T>(
        &'a self,
        what: impl FnOnce(&'a dyn Outlet) -> Option<Answer<'a, T>>,
    ) -> Option<Result<T, OutletError>> {
        let Pdu { turn, wanted, .. } = &*self.pdu;
        wanted.notify_waiters();
        let _turn = turn.lock().await;
        // Not before: drivers may begin at once.
        let answered = self.pdu.answer(what(self.outlet.as_ref())?).await;
        self.pdu.asked.notify_one();
        Some(answered)
    }

    /// Asks the PDU what flows through the outlet, unless somebody wants something else of it.
    pub(super) async fn look_at_meter(&self) -> Look {
        let Pdu { turn, wanted, .. } = &*self.pdu;
        let mut wanted = std::pin::pin!(wanted.notified());
        wanted.as_mut().enable();
        let Ok(_turn) = turn.try_lock() else {
            self.pdu.is_free().await;
            return Look::PutOff;
        };
        let Some(answer) = self.outlet.meter() else { return Look::Nothing };
        let look = tokio::select! {
            biased;
            () = wanted => Look::PutOff,
            answered = self.pdu.answer(answer) => Look::Read(answered),
        };
        self.pdu.asked.notify_one();
        look
    }
}

impl Seat {
    /// Whether anything is kept at the PDU between requests.
    pub(super) fn rests(&self) -> bool {
        self.outlet.rest().is_some()
    }

    /// Gives back what is kept at the PDU whenever nothing was asked of it for [`REST`], and at the end.
    pub(super) async fn rest_in_between(self: Arc<Self>, ending: CancellationToken) {
        let asked = &self.pdu.asked;
        while ending.run_until_cancelled(asked.notified()).await.is_some() {
            while let Some(Ok(())) =
                ending.run_until_cancelled(timeout(REST, asked.notified())).await
            {}
            self.rest().await;
        }
        self.rest().await;
    }

    async fn rest(&self) {
        let _turn = self.pdu.turn.lock().await;
        if let Some(rest) = self.outlet.rest() {
            let _ = rest.await;
        }
    }
}

fn label(pdu: &PduConfig) -> Arc<str> {
    match pdu.driver.place() {
        Some(place) => format!("{} ({place})", pdu.name).into(),
        None => pdu.name.as_str().into(),
    }
}

fn when_deaf(pdu: &PduConfig) -> Option<&'static str> {
    use crate::config::power::Access;
    match &pdu.driver {
        Driver::Snmp(snmp) => match &snmp.access {
            Access::V1(_) | Access::V2c(_) => Some(
                "may this community write? Some SNMP agents are silent to one that may only read",
            ),
            Access::V3(_) => Some("may this user write?"),
        },
        _ => None,
    }
}

fn when_silent(pdu: &PduConfig) -> Option<&'static str> {
    use crate::config::power::Access;
    match &pdu.driver {
        Driver::Snmp(snmp) => Some(match &snmp.access {
            Access::V1(_) | Access::V2c(_) => {
                "is it on the network? An SNMP agent is silent to a wrong community, too"
            }
            Access::V3(user) if user.auth.as_ref().is_some_and(|auth| auth.privacy.is_some()) => {
                "is it on the network, and does it speak SNMP version 3? An agent is silent to a \
                 wrong privacy passphrase or protocol, too"
            }
            Access::V3(_) => "is it on the network, and does it speak SNMP version 3?",
        }),
        Driver::Dialogue(_) => Some("is it the right profile?"),
        Driver::Mqtt(_) => Some("is the device on, and its topic right? The broker was reached"),
        Driver::Qmp(_) => {
            Some("QEMU's monitor talks to one client at a time; has somebody else it?")
        }
        _ => None,
    }
}
