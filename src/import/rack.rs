//! PDUs and outlets that were found, as lava-power is to have them.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::found::{Imported, Listen, Origin, fit};
use super::print::{pdu_toml, socket_toml};
use crate::config::power::PowerConfig;
use crate::model::{MAX_NAME, Name};

/// What is for lava-power. Names of PDUs, and of outlets, are used once in it.
#[derive(Debug, Default)]
pub struct Rack {
    pub pdus: Vec<Pdu>,
    /// Where clients expect pdudaemon's HTTP.
    pub pdudaemon: Option<Listen>,
    /// Where they expect its older protocol.
    pub pdudaemon_tcp: Option<Listen>,
    pub powerman: Option<Listen>,
    /// How long a cycle leaves its outlets off, where that is not lava-power's own time.
    pub off_time: Option<&'static str>,
    /// The statements that put listeners on other addresses than loopback's.
    pub(super) exposed: Vec<(Origin, String)>,
    outlets: BTreeSet<String>,
}

/// A PDU, with the keys of its driver.
#[derive(Debug)]
pub struct Pdu {
    pub origin: Origin,
    pub name: Name,
    pub settings: Settings,
    pub outlets: Vec<Socket>,
}

/// One of a PDU's outlets.
#[derive(Debug)]
pub struct Socket {
    pub origin: Origin,
    pub board: Name,
    pub port: String,
}

/// A driver, and what it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub driver: &'static str,
    pub keys: Vec<(&'static str, Setting)>,
}

/// The value of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    Text(String),
    List(Vec<String>),
    Flag(bool),
}

impl Settings {
    pub(super) fn new(driver: &'static str) -> Self {
        Self { driver, keys: Vec::new() }
    }

    /// A PDU of a driver whose PDUs are data.
    pub(super) fn profile(driver: &'static str, profile: &str) -> Self {
        Self::new(driver).text("profile", profile)
    }

    pub(super) fn text(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.keys.push((key, Setting::Text(value.into())));
        self
    }

    pub(super) fn list(mut self, key: &'static str, value: Vec<String>) -> Self {
        self.keys.push((key, Setting::List(value)));
        self
    }

    pub(super) fn flag(mut self, key: &'static str) -> Self {
        self.keys.push((key, Setting::Flag(true)));
        self
    }
}

impl Rack {
    /// Whether there is nothing for lava-power in it.
    pub fn is_empty(&self) -> bool {
        self.pdus.is_empty()
    }

    /// Whether a password or the like is in it.
    pub fn has_secrets(&self) -> bool {
        const SECRETS: [&str; 5] =
            ["password", "community", "token", "auth_passphrase", "priv_passphrase"];
        let mut keys = self.pdus.iter().flat_map(|pdu| &pdu.settings.keys);
        keys.any(|(key, _)| SECRETS.contains(key))
    }
}

impl Imported {
    /// Adds a PDU, and gives its place.
    ///
    /// # Errors
    /// Why lava-power would refuse it.
    pub(super) fn add_pdu(
        &mut self,
        origin: &Origin,
        name: &str,
        settings: Settings,
    ) -> Result<usize, String> {
        let used = self.rack.pdus.iter().map(|pdu| pdu.name.to_string()).collect();
        let fitted = unique(name, "pdu", &used);
        if fitted != name {
            let told = format!("it is {fitted} here, also for those who ask for it by this name");
            self.lost(origin, &format!("PDU {name}"), told);
        }
        let name = fitted.parse().map_err(|_| "it has no name that it can have here".to_owned())?;
        let pdu = Pdu { origin: origin.clone(), name, settings, outlets: Vec::new() };
        taken(&(pdu_toml(&pdu) + OTHER))?;
        self.rack.pdus.push(pdu);
        Ok(self.rack.pdus.len() - 1)
    }

    /// Adds an outlet of a PDU. A port has one outlet.
    pub(super) fn add_socket(&mut self, origin: &Origin, pdu: usize, board: &str, port: &str) {
        let what = format!("outlet {board}");
        if let Some(first) = self.rack.pdus[pdu].outlets.iter().find(|other| other.port == port) {
            let told = format!("port {port} is {}'s already ({})", first.board, first.origin);
            self.lost(origin, &what, told);
            return;
        }
        let fitted = unique(board, "board", &self.rack.outlets);
        if fitted != board {
            let told = format!("it is {fitted} here, also for those who ask for it by this name");
            self.lost(origin, &what, told);
        }
        let Ok(board) = fitted.parse() else { return };
        let socket = Socket { origin: origin.clone(), board, port: port.to_owned() };
        let of = &self.rack.pdus[pdu];
        match taken(&(pdu_toml(of) + &socket_toml(of, &socket, self.rack.off_time))) {
            Ok(()) => {
                self.rack.outlets.insert(fitted);
                self.rack.pdus[pdu].outlets.push(socket);
            }
            Err(why) => self.lost(origin, &what, format!("it is left out: {why}")),
        }
    }

    /// The address of a listener. One that is told by a name stays on loopback: which addresses are meant
    /// is not known here.
    pub(super) fn listener(&mut self, origin: &Origin, what: &str, host: &str) -> Option<IpAddr> {
        let loopback = IpAddr::from([127, 0, 0, 1]);
        match host.trim_matches(['[', ']']) {
            "localhost" => Some(loopback),
            "" | "*" => None,
            host => match host.parse::<IpAddr>() {
                Ok(address) => Some(address).filter(|address| !address.is_unspecified()),
                Err(_) => {
                    let told =
                        "it is on 127.0.0.1 here: a listener has an address, and this is a name";
                    self.lost(origin, what, told);
                    Some(loopback)
                }
            },
        }
    }

    /// Clients expect a listener at other addresses than loopback's, perhaps.
    pub(super) fn listens(&mut self, origin: &Origin, what: &str, listen: Listen) {
        if !listen.is_loopback() {
            self.rack.exposed.push((origin.clone(), what.to_owned()));
        }
    }
}

/// What makes a configuration of a PDU without outlets: it has to have one.
const OTHER: &str = "\n[[pdu]]\nname = \"import-check\"\ndriver = \"sim\"\n\
                     [[outlet]]\nname = \"import-check\"\npdu = \"import-check\"\nport = \"1\"\n";

/// Whether lava-power takes a configuration; else why not, in a line.
fn taken(text: &str) -> Result<(), String> {
    let Err(failure) = PowerConfig::parse("it", text) else { return Ok(()) };
    let line = failure.message.lines().next().unwrap_or_default();
    // Behind "it:LINE:COLUMN: ", which is a place in nobody's file.
    Err(line.splitn(2, ": ").last().unwrap_or(line).to_owned())
}

/// The nearest name that is none of `used`.
fn unique(wanted: &str, instead: &str, used: &BTreeSet<String>) -> String {
    let base = fit(wanted, instead);
    let mut name = base.clone();
    let mut number = 2;
    while used.contains(&name) {
        let end = format!("-{number}");
        name = format!("{}{end}", &base[..base.len().min(MAX_NAME - end.len())]);
        number += 1;
    }
    name
}
