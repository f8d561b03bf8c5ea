//! The drivers of power units: one file each, behind one small trait.
//!
//! A driver sends one request and waits for its answer, nothing else. Time-outs, reading back, cycles,
//! queueing and the audit are common code in [`crate::power`]. A new driver is a file here, a file of
//! its keys in [`crate::config::power`], and a line in each registry.

mod answer;
mod blocking;
mod dialogue;
mod egpms_lan;
mod exec;
mod gpio;
mod hid;
mod http;
mod ipmi;
mod libvirt;
mod mqtt;
pub mod probe;
mod program;
mod qmp;
mod sim;
mod snmp;
mod tls;
mod usb_hub;
mod way;

use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::config::power::{Driver, OutletConfig, PduConfig};
use crate::model::{Kind, Reading, State};
pub use way::{AsItWas, within};

/// One outlet of a PDU, as its driver sees it.
///
/// The answers have no time limit of their own: whoever waits for one drops it. A dropped request may
/// still be carried out by the PDU, but nothing of ours (a program, a socket) is left behind.
pub trait Outlet: Send + Sync + fmt::Debug {
    /// Asks the PDU to switch the outlet. Idempotent: on is on, however often it is asked for.
    fn switch(&self, to: Switch) -> Answer<'_, ()>;

    /// Asks the PDU for the outlet's state. `None` when there is no way to ask.
    fn status(&self) -> Option<Answer<'_, State>>;

    /// Asks the PDU what flows through the outlet. `None` when it does not measure.
    fn meter(&self) -> Option<Answer<'_, Reading>> {
        None
    }

    /// Asks the PDU for a cycle of its own, where that is possible and configured. Not idempotent.
    fn cycle(&self) -> Option<Answer<'_, ()>> {
        None
    }

    /// Gives back what is kept at the PDU between requests, such as its only session. `None` when
    /// nothing is. Whoever asks again later finds it a little slower.
    fn rest(&self) -> Option<Answer<'_, ()>> {
        None
    }
}

/// What a driver's request will come to.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, OutletError>>;

/// What an outlet can be switched to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    On,
    Off,
}

/// Why a request came to nothing, as far as one request can tell. Never holds a secret.
///
/// The first three cannot be made of any text: [`way`] has what may be said when.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutletError {
    /// The PDU understood and will not, or cannot: the outlet is as it was.
    #[error("{0}")]
    Refused(AsItWas),
    /// The PDU takes us for nobody: the outlet is as it was.
    #[error("{0}")]
    Denied(AsItWas),
    /// The PDU cannot be reached, so the outlet is as it was.
    #[error("{0}")]
    Unreachable(AsItWas),
    /// There was no way to the PDU in time, so the outlet is as it was.
    #[error("no answer within {0:?}; nothing was asked of it yet")]
    Unheard(Duration),
    /// Nothing came back in time: the request may have been carried out or not.
    #[error("no answer within {0:?}")]
    Silent(Duration),
    /// The answer makes no sense: the request may have been carried out or not.
    #[error("{0}")]
    Unclear(String),
}

impl OutletError {
    /// Whether the outlet may have been switched all the same.
    pub fn is_unclear(&self) -> bool {
        matches!(self, Self::Silent(_) | Self::Unclear(_))
    }

    /// Whether nothing came back.
    pub fn is_silence(&self) -> bool {
        matches!(self, Self::Silent(_) | Self::Unheard(_))
    }

    /// Whether this shows that the PDU is there.
    pub fn is_answer(&self) -> bool {
        !matches!(self, Self::Unreachable(_)) && !self.is_silence()
    }

    /// Whose matter it is: a refusal is the answer to what was asked for, all else is the lab's.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Refused(_) => Kind::Failed,
            _ => Kind::Lab,
        }
    }
}

impl From<Switch> for State {
    fn from(switch: Switch) -> Self {
        match switch {
            Switch::On => Self::On,
            Switch::Off => Self::Off,
        }
    }
}

impl fmt::Display for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        State::from(*self).fmt(f)
    }
}

/// The outlets that a configuration describes, in its order. Nothing is asked of the PDU yet.
pub fn open_all(pdu: &PduConfig) -> Vec<Box<dyn Outlet>> {
    let limit = to_get_there(pdu.timeout);
    match &pdu.driver {
        Driver::Dialogue(config) => dialogue::open(config, &pdu.outlets, pdu.timeout),
        Driver::EgPmsLan(config) => {
            each(pdu, |outlet| egpms_lan::EgPmsLanOutlet::new(config, outlet, limit))
        }
        Driver::Exec(config) => each(pdu, |outlet| exec::ExecOutlet::new(config, outlet)),
        Driver::Gpio(config) => each(pdu, |outlet| gpio::GpioOutlet::new(config, &outlet.port)),
        Driver::Hid(config) => hid::open(config, &pdu.outlets),
        Driver::Http(config) => each(pdu, |outlet| http::HttpOutlet::new(config, outlet, limit)),
        Driver::Ipmi(config) => each(pdu, |_| ipmi::IpmiOutlet::new(config)),
        Driver::Libvirt(config) => {
            each(pdu, |outlet| libvirt::LibvirtOutlet::new(config, &outlet.port))
        }
        Driver::Mqtt(config) => each(pdu, |outlet| mqtt::MqttOutlet::new(config, outlet, limit)),
        Driver::Qmp(config) => each(pdu, |outlet| qmp::QmpOutlet::new(config, outlet)),
        Driver::Sim => pdu.outlets.iter().map(sim::open).collect(),
        Driver::Snmp(config) => each(pdu, |outlet| snmp::SnmpOutlet::new(config, &outlet.port)),
        Driver::UsbHub(config) => usb_hub::open(config, &pdu.outlets),
    }
}

/// Outlets that share nothing with each other.
fn each<O: Outlet + 'static>(
    pdu: &PduConfig,
    open: impl Fn(&OutletConfig) -> O,
) -> Vec<Box<dyn Outlet>> {
    pdu.outlets.iter().map(|outlet| Box::new(open(outlet)) as Box<dyn Outlet>).collect()
}

/// How long the way to a PDU may take that has this time for its answer: whoever does not get there
/// has time left to say so.
fn to_get_there(timeout: Duration) -> Duration {
    timeout * 3 / 4
}
