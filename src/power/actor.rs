//! One task per PDU, which does one operation after the other.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::interlock::Leave;
use super::measured::Measured;
use super::meter::{Metered, Rounds, differs};
use super::operation::{Operation, Outcome};
use super::tally::{Counted, Tally};
use super::{Asked, Consoles, Note, OperationError};
use crate::config::power::{OutletConfig, PduConfig};
use crate::model::event::Phase;
use crate::model::{Name, Reading, Report, Verb, What};
use crate::outlet::{self, Outlet, OutletError, Switch};

/// How many operations may wait for one PDU.
pub(super) const QUEUE: usize = 32;
/// How long an operation may go on after the daemon was told to end.
pub(super) const GRACE: Duration = Duration::from_secs(4);

/// Who tells consoles what flows.
const METER: &str = "lava-power";

/// A request that waits for its PDU.
#[derive(Debug)]
pub(super) struct Order {
    pub seat: usize,
    pub verb: Verb,
    pub asked: Asked,
    pub answer: oneshot::Sender<Result<Report, OperationError>>,
}

/// A PDU's task. It alone talks to the PDU, since many PDUs take one session at a time.
#[derive(Debug)]
pub(super) struct Actor {
    name: Name,
    seats: Vec<Seat>,
    timeout: Duration,
    verify: Duration,
    meter_every: Duration,
    consoles: Arc<dyn Consoles>,
    tally: Arc<Tally>,
    ending: CancellationToken,
}

/// One outlet.
#[derive(Debug)]
struct Seat {
    config: OutletConfig,
    outlet: Box<dyn Outlet>,
    /// What its console was told last.
    told: Mutex<Option<Reading>>,
}

impl Actor {
    pub(super) fn new(
        pdu: PduConfig,
        consoles: Arc<dyn Consoles>,
        tally: Arc<Tally>,
        ending: CancellationToken,
    ) -> Self {
        let seat = |config: &OutletConfig| Seat {
            config: config.clone(),
            outlet: Box::new(Measured::new(outlet::open(&pdu, config), &pdu.name, &tally)),
            told: Mutex::default(),
        };
        let seats = pdu.outlets.iter().map(seat).collect();
        let PduConfig { name, timeout, verify, meter_every, .. } = pdu;
        Self { name, seats, timeout, verify, meter_every, consoles, tally, ending }
    }

    /// Carries out what comes, until told to end, and reads the meters between. Orders that still wait
    /// then are not carried out.
    pub(super) async fn run(self, mut orders: mpsc::Receiver<Order>) {
        let mut rounds = Rounds::new(self.meter_every, self.seats.len());
        loop {
            let order = tokio::select! {
                biased;
                order = self.ending.run_until_cancelled(orders.recv()) => order.flatten(),
                // An order does not wait for a reading: it is put off.
                answers = self.meter(&rounds) => {
                    if answers { rounds.read() } else { rounds.give_up() }
                    continue;
                }
            };
            let Some(order) = order else { return };
            // Whoever asked has gone, so nobody expects the board to lose its power now.
            if !order.answer.is_closed() {
                self.carry_out(order).await;
            }
        }
    }

    /// Waits until an outlet's meter is to be read, and reads it. Whether the PDU answers. Cancel safe.
    async fn meter(&self, rounds: &Rounds) -> bool {
        let seat = &self.seats[rounds.outlet().await];
        let Some(answer) = seat.outlet.meter() else { return true };
        let answer = tokio::time::timeout(self.timeout, answer).await;
        let reading = match answer.unwrap_or(Err(OutletError::Silent(self.timeout))) {
            Ok(reading) => reading,
            Err(error) => {
                tracing::debug!(outlet = seat.config.name.as_str(), %error, "it is not measured");
                let answers = error.is_answer();
                self.tally.reachable(&self.name, answers);
                return answers;
            }
        };
        if reading == Reading::default() {
            return true;
        }
        self.tally.reachable(&self.name, true);
        self.tally.metered(&seat.config.name, Metered::now(reading));
        let told = *seat.told.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(console) = &seat.config.console
            && differs(told, reading)
        {
            let what = What::Meter { outlet: seat.config.name.clone(), reading };
            self.consoles.record(console, &Note { who: METER.to_owned(), what }).await;
            *seat.told.lock().unwrap_or_else(PoisonError::into_inner) = Some(reading);
        }
        true
    }

    async fn carry_out(&self, order: Order) {
        let Order { seat, verb, asked, answer } = order;
        let seat = &self.seats[seat];
        let mut started = Instant::now();
        let mut leave = Leave::default();
        let operation = async {
            if verb != Verb::Status {
                let console = seat.config.console.as_deref();
                let board = &seat.config.name;
                leave = Leave::get(self.consoles.as_ref(), console, board, &asked).await?;
            }
            // Everybody is told first, and then it is switched.
            self.note(seat, &asked.who, verb, Phase::Begin, leave.detail(&asked)).await;
            started = Instant::now();
            self.operate(seat, verb).await
        };
        let result = tokio::select! {
            result = operation => result,
            () = self.out_of_time() => Err(OperationError::GivenUp),
        };
        let took_ms = started.elapsed().as_millis() as u64;
        let result = result.map(|Outcome { state, verified }| {
            let outlet = seat.config.name.clone();
            Report { outlet, verb, state, verified, took_ms }
        });
        self.audit(seat, verb, &asked, &leave, took_ms, &result);
        let ended = match &result {
            Ok(report) => Some((Phase::Done, format!("{}, {}", report.state, report.verified))),
            // Nothing has begun.
            Err(OperationError::Held { .. }) => None,
            Err(error) => Some((Phase::Failed, error.to_string())),
        };
        // The one who asked may be gone by now; everybody else still sees it.
        let _ = answer.send(result);
        if let Some((phase, detail)) = ended {
            self.note(seat, &asked.who, verb, phase, Some(detail)).await;
        }
    }

    async fn operate(&self, seat: &Seat, verb: Verb) -> Result<Outcome, OperationError> {
        let operation = Operation {
            name: &seat.config.name,
            outlet: seat.outlet.as_ref(),
            timeout: self.timeout,
            verify: self.verify,
            off_time: seat.config.off_time,
            ending: &self.ending,
        };
        match verb {
            Verb::On => operation.switch(Switch::On).await,
            Verb::Off => operation.switch(Switch::Off).await,
            Verb::Cycle => operation.cycle().await,
            Verb::Status => operation.status().await,
        }
    }

    async fn out_of_time(&self) {
        self.ending.cancelled().await;
        tokio::time::sleep(GRACE).await;
    }

    /// Tells everybody on the board's console. To look at an outlet is no event.
    async fn note(&self, seat: &Seat, who: &str, verb: Verb, phase: Phase, detail: Option<String>) {
        let Some(console) = &seat.config.console else { return };
        if verb == Verb::Status {
            return;
        }
        let outlet = seat.config.name.clone();
        let what = What::Power { outlet, verb: verb.to_string(), phase, detail };
        self.consoles.record(console, &Note { who: who.to_owned(), what }).await;
    }

    /// One line for every operation, under the target `audit`. Looks at an outlet are only logged when
    /// they fail: programs look every second.
    fn audit(
        &self,
        seat: &Seat,
        verb: Verb,
        asked: &Asked,
        leave: &Leave,
        ms: u64,
        result: &Result<Report, OperationError>,
    ) {
        let (outlet, pdu) = (seat.config.name.as_str(), self.name.as_str());
        let Asked { who, reason, force } = asked;
        let reason = reason.as_deref();
        let Leave { overrides, unasked } = leave;
        let (force, overrides) = (force.then_some(true), overrides.as_deref());
        let unasked = unasked.as_deref();
        let word = match result {
            Ok(report) => report.verified.as_str(),
            Err(OperationError::Held { .. }) => "refused",
            Err(_) => "failed",
        };
        let answers = result.as_ref().map_or_else(OperationError::pdu_answers, |_| Some(true));
        let counted = Counted { outlet: seat.config.name.clone(), verb, result: word };
        self.tally.count(&self.name, answers, counted);
        match result {
            Ok(Report { state, .. }) if verb == Verb::Status => {
                tracing::debug!(target: "audit", who, outlet, pdu, %verb, result = word, %state, ms, "power");
            }
            Ok(Report { state, .. }) => {
                tracing::info!(target: "audit", who, outlet, pdu, %verb, result = word, %state, ms, reason, force, overrides, unasked, "power");
            }
            Err(error) => {
                let error = error.to_string();
                tracing::info!(target: "audit", who, outlet, pdu, %verb, result = word, error, ms, reason, force, overrides, unasked, "power");
            }
        }
    }
}
