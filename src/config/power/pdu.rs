//! `[[pdu]]`: a power unit and how to talk to it.

use std::time::Duration;

use super::common::duration;
use super::{Exec, OutletConfig, Snmp};
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

/// The name of a driver, the reader of its keys, and how long its PDUs may take to answer.
type Entry = (&'static str, fn(&Table<'_>) -> Option<Driver>, Duration);

/// The registry of drivers. The program's own time is in it where a driver starts programs.
const DRIVERS: &[Entry] = &[
    ("exec", |table| Exec::read(table).map(Driver::Exec), Duration::from_secs(20)),
    ("sim", |_| Some(Driver::Sim), Duration::from_secs(3)),
    ("snmp", |table| Snmp::read(table).map(Box::new).map(Driver::Snmp), Duration::from_secs(5)),
];

const VERIFY: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(600);
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
    let Some((_, read, timeout)) = DRIVERS.iter().find(|(known, ..)| *known == word) else {
        table.problem("driver", unknown("driver", &word, DRIVERS.iter().map(|(name, ..)| *name)));
        return None;
    };
    let driver = read(&table);
    let timeout = duration(&table, "timeout", *timeout, SHORTEST_TIMEOUT..=LONGEST);
    let verify = duration(&table, "verify", VERIFY, Duration::ZERO..=LONGEST);
    table.finish();
    Some(PduConfig { name: name?, driver: driver?, timeout, verify, outlets: Vec::new() })
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
