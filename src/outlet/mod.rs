//! The drivers of power units: one file each, behind one small trait.
//!
//! A driver sends one request and waits for its answer, nothing else. Time-outs, reading back, cycles,
//! queueing and the audit are common code in [`crate::power`]. A new driver is a file here, a file of
//! its keys in [`crate::config::power`], and a line in each registry.

mod answer;
mod dialogue;
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

use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::config::power::{Driver, OutletConfig, PduConfig};
use crate::model::{Kind, Reading, State};

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
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutletError {
    /// The PDU understood and will not, or cannot: the outlet is as it was.
    #[error("{0}")]
    Refused(String),
    /// The PDU takes us for nobody: the outlet is as it was.
    #[error("{0}")]
    Denied(String),
    /// The PDU cannot be reached, so the outlet is as it was.
    #[error("{0}")]
    Unreachable(String),
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

    /// Whether this shows that the PDU is there.
    pub fn is_answer(&self) -> bool {
        !matches!(self, Self::Silent(_) | Self::Unreachable(_))
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
    match &pdu.driver {
        Driver::Dialogue(config) => dialogue::open(config, &pdu.outlets),
        _ => pdu.outlets.iter().map(|outlet| open(pdu, outlet)).collect(),
    }
}

/// One of them, which shares nothing with the others.
fn open(pdu: &PduConfig, outlet: &OutletConfig) -> Box<dyn Outlet> {
    let port = outlet.port.as_str();
    match &pdu.driver {
        Driver::Dialogue(config) => Box::new(dialogue::DialogueOutlet::new(config, outlet)),
        Driver::Exec(config) => Box::new(exec::ExecOutlet::new(config, outlet)),
        Driver::Gpio(config) => Box::new(gpio::GpioOutlet::new(config, port)),
        Driver::Hid(config) => Box::new(hid::HidOutlet::new(config, port)),
        Driver::Http(config) => Box::new(http::HttpOutlet::new(config, outlet)),
        Driver::Ipmi(config) => Box::new(ipmi::IpmiOutlet::new(config)),
        Driver::Libvirt(config) => Box::new(libvirt::LibvirtOutlet::new(config, port)),
        Driver::Mqtt(config) => Box::new(mqtt::MqttOutlet::new(config, outlet)),
        Driver::Qmp(config) => Box::new(qmp::QmpOutlet::new(config, outlet)),
        Driver::Snmp(config) => Box::new(snmp::SnmpOutlet::new(config, port)),
        Driver::UsbHub(config) => Box::new(usb_hub::UsbHubOutlet::new(config, port)),
        Driver::Sim => match &outlet.board {
            Some(socket) => Box::new(sim::BoardOutlet::new(socket)),
            None => Box::new(sim::SimOutlet::default()),
        },
    }
}
