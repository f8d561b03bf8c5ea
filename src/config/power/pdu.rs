//! `[[pdu]]`: a power unit and how to talk to it.

use std::time::Duration;

use super::common::duration;
use super::profile::BuiltIn;
use super::{Exec, OutletConfig, Snmp, snmp};
use crate::config::Table;
use crate::model::Name;

/// One PDU with its outlets. All requests to it go one after the other.
#[derive(Debug, Clone)]
pub struct PduConfig {
    pub name: Name,
    pub driver: Driver,
    /// How long the PDU may take to answer one request, lost packets included.
    pub timeout: Duration,
    /// How long an outlet may take, after the PDU took the request, to read as asked for.
    pub verify: Duration,
    /// How often it is asked what flows through its outlets; never if zero.
    pub meter_every: Duration,
    /// No two have the same port.
    pub outlets: Vec<OutletConfig>,
}

/// How to talk to a PDU, with the driver's own keys.
#[derive(Debug, Clone)]
pub enum Driver {
    Snmp(Box<Snmp>),
    Exec(Exec),
    Sim,
}

/// A driver: its keys, and what there is to know of it.
#[derive(Debug)]
pub struct DriverEntry {
    pub name: &'static str,
    /// In one line, for people.
    pub about: &'static str,
    read: fn(&Table<'_>) -> Option<Driver>,
    /// How long its PDUs may take to answer; where it starts programs, their own time is in it.
    timeout: Duration,
    /// The profiles of it that come with the program.
    pub profiles: &'static [BuiltIn],
}

/// The registry of drivers, in the order of their names.
pub const DRIVERS: &[DriverEntry] = &[
    DriverEntry {
        name: "exec",
        about: "programs of your own",
        read: |table| Exec::read(table).map(Driver::Exec),
        timeout: Duration::from_secs(20),
        profiles: &[],
    },
    DriverEntry {
        name: "sim",
        about: "outlets in memory, for trying things out",
        read: |_| Some(Driver::Sim),
        timeout: Duration::from_secs(3),
        profiles: &[],
    },
    DriverEntry {
        name: "snmp",
        about: "SNMP versions 1, 2c and 3",
        read: |table| Snmp::read(table).map(Box::new).map(Driver::Snmp),
        timeout: Duration::from_secs(5),
        profiles: snmp::BUILT_IN,
    },
];

const VERIFY: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(600);
const METER_EVERY: Duration = Duration::from_secs(60);
const SELDOM: Duration = Duration::from_secs(24 * 3600);
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(50);

/// All PDUs of all files by name, with `None` for one that has problems: outlets may still name it.
pub(super) fn read(tops: &[Table<'_>]) -> Vec<(Name, Option<PduConfig>)> {
    let mut pdus: Vec<(Name, Option<PduConfig>)> = Vec::new();
    for table in tops.iter().flat_map(|top| top.tables("pdu")) {
        let name = table.required::<Name>("name");
        if let Some(name) = name.as_ref().filter(|name| pdus.iter().any(|(n, _)| n == *name)) {
            table.problem("name", format!("there is another PDU {name:?}"));
        }
        let pdu = read_one(table, name.clone());
        pdus.extend(name.map(|name| (name, pdu)));
    }
    pdus
}

fn read_one(table: Table<'_>, name: Option<Name>) -> Option<PduConfig> {
    // Without a driver nobody knows which of the keys are right.
    let word = table.required::<String>("driver")?;
    let Some(entry) = DRIVERS.iter().find(|entry| entry.name == word) else {
        table.problem("driver", unknown("driver", &word, DRIVERS.iter().map(|entry| entry.name)));
        return None;
    };
    let driver = (entry.read)(&table);
    let timeout = duration(&table, "timeout", entry.timeout, SHORTEST_TIMEOUT..=LONGEST);
    let verify = duration(&table, "verify", VERIFY, Duration::ZERO..=LONGEST);
    let meter_every = duration(&table, "meter_every", METER_EVERY, Duration::ZERO..=SELDOM);
    table.finish();
    let (name, driver, outlets) = (name?, driver?, Vec::new());
    Some(PduConfig { name, driver, timeout, verify, meter_every, outlets })
}

/// What to say of a word that is not known: the nearest known one, or all.
pub(super) fn unknown<'a>(
    what: &str,
    word: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) -> String {
    match Name::nearest(word, known.clone()) {
        Some(near) => format!("unknown {what} {word:?}; did you mean {near:?}?"),
        None => {
            let all: Vec<&str> = known.collect();
            format!("unknown {what} {word:?}; known: {}", all.join(", "))
        }
    }
}
