//! The keys of `driver = "egpms-lan"`: Energenie's power strips on the network.

use super::common::host_port;
use super::ports::Ports;
use crate::config::{Secret, Table};

/// An EG-PMS-LAN, EG-PMS2-LAN, EG-PM2-LAN or EG-PMS2-WLAN, with four outlets.
#[derive(Debug, Clone)]
pub struct EgPmsLan {
    pub host: String,
    pub port: u16,
    pub password: Secret,
}

const DEFAULT_PORT: u16 = 5000;
/// As many as the strip looks at.
const MAX_PASSWORD: usize = 8;
const OUTLETS: u8 = 4;

impl EgPmsLan {
    pub(super) fn read(table: &Table<'_>) -> Option<Self> {
        table.required::<String>("address");
        let address = table.parsed("address", |text| {
            host_port(text, DEFAULT_PORT).ok_or_else(|| {
                format!("{text:?} is no address; write it like strip1.lab or 10.0.0.7:5000")
            })
        });
        let password = Secret::required(table, "password");
        if password.as_ref().is_some_and(|password| password.expose().len() > MAX_PASSWORD) {
            let inline = table.node("password").is_some();
            let key = if inline { "password" } else { "password_file" };
            table.problem(key, format!("it has at most {MAX_PASSWORD} characters"));
        }
        let (host, port) = address?;
        Some(Self { host, port, password: password? })
    }

    /// Whether the strip has such an outlet.
    pub(super) fn check(port: &str) -> Result<(), String> {
        Ports::up_to(OUTLETS).check(port)
    }
}
