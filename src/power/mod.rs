//! Power: the outlets of a lab, switched by name.
//!
//! [`Power`] knows the outlets. Each PDU has an actor of its own ([`actor`]), which does one operation
//! after the other, so a PDU that is dead stops nobody but itself. Whether a board may be switched is
//! decided in [`interlock`]; what an operation consists of, whatever the driver, is in [`operation`].

mod actor;
mod consoles;
mod error;
mod interlock;
mod measured;
mod meter;
mod operation;
mod tally;

pub use consoles::{Consoles, Holder, Note};
pub use error::PowerError;
pub use meter::Metered;
pub use operation::OperationError;
pub use tally::{CLASSES, Figures, Requests};

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::power::{Driver, PduConfig};
use crate::model::{Name, OutletInfo, Report, Verb};
use actor::{Actor, Order};
use tally::Tally;

/// Every outlet of the process by name, and the way to its PDU.
#[derive(Debug)]
pub struct Power {
    outlets: BTreeMap<Name, Entry>,
    tally: Arc<Tally>,
}

/// Who asks for an operation, and why.
#[derive(Debug, Clone)]
pub struct Asked {
    pub who: String,
    pub reason: Option<String>,
    /// Also when somebody else holds the board.
    pub force: bool,
}

#[derive(Debug)]
struct Entry {
    info: OutletInfo,
    pdu: Pdu,
    /// The outlet's place in its PDU's actor.
    seat: usize,
}

/// The way to a PDU's actor.
#[derive(Debug, Clone)]
struct Pdu {
    /// The PDU's name and where it is, for messages.
    label: Arc<str>,
    orders: mpsc::Sender<Order>,
    /// What to consider when it does not answer.
    when_silent: Option<&'static str>,
}

impl Power {
    /// Starts an actor for every PDU. They run on `tracker` until `ending`, and finish what they
    /// are doing in [`actor::GRACE`].
    pub fn start(
        pdus: Vec<PduConfig>,
        consoles: &Arc<dyn Consoles>,
        tracker: &TaskTracker,
        ending: &CancellationToken,
    ) -> Self {
        let tally = Arc::new(Tally::default());
        let mut outlets = BTreeMap::new();
        for config in pdus {
            let (orders, queue) = mpsc::channel(actor::QUEUE);
            let pdu = Pdu { label: label(&config), orders, when_silent: when_silent(&config) };
            for (seat, outlet) in config.outlets.iter().enumerate() {
                let info = OutletInfo {
                    name: outlet.name.clone(),
                    pdu: config.name.clone(),
                    port: outlet.port.clone(),
                    console: outlet.console.clone(),
                };
                outlets.insert(info.name.clone(), Entry { info, pdu: pdu.clone(), seat });
            }
            let actor = Actor::new(config, consoles.clone(), tally.clone(), ending.clone());
            tracker.spawn(actor.run(queue));
        }
        Self { outlets, tally }
    }

    /// All outlets in the order of their names.
    pub fn outlets(&self) -> impl Iterator<Item = &OutletInfo> {
        self.outlets.values().map(|entry| &entry.info)
    }

    /// What to say of an outlet that is not there.
    pub fn unknown(&self, outlet: &str) -> PowerError {
        let near = Name::nearest(outlet, self.outlets.keys().map(Name::as_str));
        PowerError::UnknownOutlet { name: outlet.to_owned(), near: near.map(str::to_owned) }
    }

    /// Waits for the PDU's turn and carries out one operation, if nobody else holds the board.
    ///
    /// # Errors
    /// When there is no such outlet, too many operations wait, somebody else holds the board, or the
    /// operation failed. Dropped before the operation's turn it is not carried out; dropped later it
    /// goes on to its end.
    pub async fn request(
        &self,
        outlet: &str,
        verb: Verb,
        asked: Asked,
    ) -> Result<Report, PowerError> {
        let Some(Entry { info, pdu, seat }) = self.outlets.get(outlet) else {
            return Err(self.unknown(outlet));
        };
        let (answer, answered) = oneshot::channel();
        let order = Order { seat: *seat, verb, asked, answer };
        pdu.orders.try_send(order).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => PowerError::Busy { pdu: pdu.label.clone() },
            mpsc::error::TrySendError::Closed(_) => PowerError::Ending,
        })?;
        let result = answered.await.map_err(|_| PowerError::Ending)?;
        result.map_err(|error| match error {
            OperationError::Held { .. } => PowerError::Held(error),
            error => PowerError::Operation {
                outlet: info.name.clone(),
                pdu: pdu.label.clone(),
                hint: error.is_silence().then_some(pdu.when_silent).flatten(),
                error,
            },
        })
    }

    /// What was read last at an outlet. `None` until it was, and of one that is not measured.
    pub fn metered(&self, outlet: &str) -> Option<Metered> {
        self.tally.last_metered(outlet)
    }

    /// What happened so far.
    pub fn tally(&self) -> Figures {
        self.tally.figures()
    }
}

fn label(pdu: &PduConfig) -> Arc<str> {
    match &pdu.driver {
        Driver::Snmp(snmp) => format!("{} ({})", pdu.name, snmp.address).into(),
        Driver::Exec(_) | Driver::Sim => pdu.name.as_str().into(),
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
        Driver::Exec(_) | Driver::Sim => None,
    }
}
