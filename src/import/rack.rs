//! PDUs and outlets that were found, as lava-power is to have them.

use std::collections::BTreeSet;

use super::found::{Imported, Listen, Origin, fit};
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
        self.pdus.iter().all(|pdu| pdu.outlets.is_empty())
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
    pub(super) fn add_pdu(&mut self, origin: &Origin, name: &str, settings: Settings) -> usize {
        let used = self.rack.pdus.iter().map(|pdu| pdu.name.to_string()).collect();
        let fitted = unique(name, "pdu", &used);
        if fitted != name {
            let told = format!("it is {fitted} here, also for those who ask for it by this name");
            self.lost(origin, &format!("PDU {name}"), told);
        }
        if let Ok(name) = fitted.parse() {
            let origin = origin.clone();
            self.rack.pdus.push(Pdu { origin, name, settings, outlets: Vec::new() });
        }
        self.rack.pdus.len() - 1
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
        self.rack.outlets.insert(fitted.clone());
        if let Ok(board) = fitted.parse() {
            let (origin, port) = (origin.clone(), port.to_owned());
            self.rack.pdus[pdu].outlets.push(Socket { origin, board, port });
        }
    }

    /// Clients expect a listener at other addresses than loopback's, perhaps.
    pub(super) fn listens(&mut self, origin: &Origin, what: &str, listen: Listen) {
        if !listen.is_loopback() {
            self.rack.exposed.push((origin.clone(), what.to_owned()));
        }
    }
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
