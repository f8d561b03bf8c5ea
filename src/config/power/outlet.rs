//! `[[outlet]]`: one socket of a PDU, and the board on it.

use std::path::PathBuf;
use std::time::Duration;

use super::common::{Word, duration};
use super::{Driver, PduConfig};
use crate::config::Table;
use crate::config::url::resource_url;
use crate::model::Name;

#[derive(Debug, Clone)]
pub struct OutletConfig {
    /// The name of the board that it feeds.
    pub name: Name,
    /// Which outlet of the PDU, in the PDU's own words; for SNMP the end of an OID.
    pub port: String,
    /// The URL of the board's console, which is told what happens.
    pub console: Option<String>,
    /// How long a cycle keeps the board without power.
    pub off_time: Duration,
    /// The control socket of a virtual board, for the sim driver.
    pub board: Option<PathBuf>,
}

const OFF_TIME: Duration = Duration::from_secs(2);
const LONGEST_OFF_TIME: Duration = Duration::from_secs(600);

/// Reads the outlets of all files and gives each to its PDU.
pub(super) fn read_into(pdus: &mut [(Name, Option<PduConfig>)], tops: &[Table<'_>]) {
    let mut names: Vec<Name> = Vec::new();
    for table in tops.iter().flat_map(|top| top.tables("outlet")) {
        let name = table.required::<Name>("name");
        if let Some(name) = name.as_ref().filter(|name| names.contains(name)) {
            table.problem("name", format!("there is another outlet {name:?}"));
        }
        names.extend(name.clone());
        let on = table.required::<Name>("pdu");
        let outlet = read_one(&table, name);
        let pdu = on.and_then(|on| find(&table, pdus, &on));
        if let (Some(outlet), Some(pdu)) = (outlet, pdu) {
            check_driver(&table, &outlet, &pdu.driver);
            match pdu.outlets.iter().find(|other| other.port == outlet.port) {
                Some(other) => {
                    let (name, pdu, port) = (&other.name, &pdu.name, &other.port);
                    table.problem(
                        "port",
                        format!("outlet {name:?} is on {pdu} port {port} already"),
                    );
                }
                None => pdu.outlets.push(outlet),
            }
        }
        table.finish();
    }
}

fn read_one(table: &Table<'_>, name: Option<Name>) -> Option<OutletConfig> {
    let port = table.required::<Word>("port");
    let console = table.parsed("console", |url| resource_url(url, "console"));
    let off_time = duration(table, "off_time", OFF_TIME, Duration::ZERO..=LONGEST_OFF_TIME);
    let board = table.parsed("board", |text| match text.strip_prefix("unix:") {
        Some(path) if !path.is_empty() => Ok(PathBuf::from(path)),
        _ => Err(format!(
            "{text:?} is no board's socket; write it like unix:/run/lava/panda01.power"
        )),
    });
    Some(OutletConfig { name: name?, port: port?.0, console, off_time, board })
}

fn find<'a>(
    table: &Table<'_>,
    pdus: &'a mut [(Name, Option<PduConfig>)],
    name: &Name,
) -> Option<&'a mut PduConfig> {
    let near = Name::nearest(name.as_str(), pdus.iter().map(|(known, _)| known.as_str()));
    let near = near.map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
    match pdus.iter_mut().find(|(known, _)| known == name) {
        Some((_, pdu)) => pdu.as_mut(),
        None => {
            table.problem("pdu", format!("there is no PDU {name:?}{near}"));
            None
        }
    }
}

fn check_driver(table: &Table<'_>, outlet: &OutletConfig, driver: &Driver) {
    if let Driver::Snmp(snmp) = driver
        && let Err(problem) = snmp.check_port(&outlet.port)
    {
        table.problem("port", problem);
    }
    if outlet.board.is_some() && !matches!(driver, Driver::Sim) {
        table.problem("board", "only outlets of a PDU with driver \"sim\" have virtual boards");
    }
}
