//! The configuration of lava-power: PDUs, and the outlets on them.
//!
//! `conf/power.toml` is the complete example, with every key. A PDU's keys beside the common ones are
//! read by its driver's file here; what they do is in [`crate::outlet`].

mod abilities;
mod answer;
mod budget;
mod common;
mod dialogue;
mod egpms_lan;
mod exec;
mod fronts;
mod gpio;
mod hid;
mod http;
mod interlock;
mod ipmi;
mod libvirt;
mod mqtt;
mod outlet;
mod pdu;
mod place;
mod ports;
mod profile;
mod qmp;
mod snmp;
mod template;
mod tls;
mod usb_hub;

pub use abilities::{Abilities, Driver as DriverInfo, drivers};
pub use answer::{Check, Finder, Meaning, Quantity};
pub use budget::{BudgetConfig, MOST_CYCLES};
pub use dialogue::{Coding, Connect, Dialogue, Heard, Reading, Script, Step, Words};
pub use egpms_lan::EgPmsLan;
pub use exec::Exec;
pub use fronts::{PdudaemonListen, PowermanListen};
pub use gpio::Gpio;
pub use hid::{Hid, HidFamily};
pub use http::{
    Auth as HttpAuth, Body, Http, HttpProfile, HttpRequest, Login as HttpLogin, Meter as HttpMeter,
    Method,
};
pub use interlock::{Folders, InterlockConfig};
pub use ipmi::Ipmi;
pub use libvirt::Libvirt;
pub use mqtt::{Alive, Message, Mqtt, MqttProfile, Wait};
pub use outlet::{BoardConfig, FeedConfig, OffOrder, OutletConfig};
pub use pdu::{DRIVERS, Driver, DriverEntry, PduConfig};
pub use ports::Ports;
pub use profile::BuiltIn;
pub use qmp::Qmp;
pub use snmp::{
    Access, Auth, AuthProtocol, Cipher, Family, Gauge, Get, List, Meter, Numbering, OidTemplate,
    Port, Privacy, Profile, Set, Snmp, User,
};
pub use template::{Escape, Template, Values};
pub use tls::TlsKeys;
pub use usb_hub::{SwitchedBy, UsbHub};

use std::path::PathBuf;

use super::lab::LoginFiles;
use super::{AccessConfig, AnnounceConfig, At, HttpListen, Node, Problems, Table, read_all, toml};
use crate::model::Failure;

/// What a `lava-power` process serves. Names of PDUs and of outlets are unique in it.
#[derive(Debug, Clone)]
pub struct PowerConfig {
    pub http: Option<HttpListen>,
    /// Where pdudaemon's clients find us.
    pub pdudaemon: Option<PdudaemonListen>,
    /// Where powerman's clients find us.
    pub powerman: Option<PowermanListen>,
    pub access: AccessConfig,
    /// Where it announces itself.
    pub server: Option<AnnounceConfig>,
    /// How the consoles' daemons let us in: `[consoles]`.
    pub consoles: LoginFiles,
    pub interlock: InterlockConfig,
    pub folders: Folders,
    pub budgets: Vec<BudgetConfig>,
    pub pdus: Vec<PduConfig>,
    /// What is on their outlets.
    pub boards: Vec<BoardConfig>,
}

impl PowerConfig {
    /// Reads all files that `paths` name, folders with all of their `*.toml`.
    ///
    /// # Errors
    /// Everything that is wrong in any of them, each with its place.
    pub fn read(paths: &[PathBuf]) -> Result<Self, Failure> {
        let problems = Problems::default();
        let documents = read_all(paths, &problems);
        let config = from_documents(&documents, &problems);
        problems.check(Some(config))
    }

    /// Reads one text; `file` is its name in messages.
    ///
    /// # Errors
    /// Everything that is wrong in it, each with its place.
    pub fn parse(file: &str, text: &str) -> Result<Self, Failure> {
        let problems = Problems::default();
        let document = toml::parse(text, &At::top(file, &problems));
        let documents: Vec<_> = document.map(|node| (file.to_owned(), node)).into_iter().collect();
        let config = from_documents(&documents, &problems);
        problems.check(Some(config))
    }
}

fn from_documents(documents: &[(String, Node)], problems: &Problems) -> PowerConfig {
    let tops: Vec<Table<'_>> = documents
        .iter()
        .filter_map(|(file, node)| Table::new(node, At::top(file, problems)))
        .collect();
    let http = one(&tops, "http", HttpListen::from_table).flatten();
    let pdudaemon = one(&tops, "pdudaemon", PdudaemonListen::from_table).flatten();
    let powerman = one(&tops, "powerman", PowermanListen::from_table).flatten();
    let names = http.iter().flat_map(|http| http.names.clone()).collect();
    let mut access = AccessConfig { names, ..AccessConfig::default() };
    let server = one(&tops, "server", AnnounceConfig::from_table).flatten();
    let consoles = one(&tops, "consoles", LoginFiles::from_table).unwrap_or_default();
    let folders = Folders::read(&tops);
    let mut budgets = Vec::new();
    for top in &tops {
        access.read(top);
        AccessConfig::check(top, http.as_ref());
        for table in top.tables("budget") {
            budgets.extend(BudgetConfig::read(&table));
            table.finish();
        }
    }
    let interlock = one(&tops, "interlock", InterlockConfig::read).unwrap_or_default();
    let mut pdus = pdu::read(&tops);
    for pdu in pdus.iter_mut().filter_map(|(_, pdu)| pdu.as_mut()) {
        if let Driver::Dialogue(dialogue) = &mut pdu.driver {
            dialogue.log_in_with(&consoles);
        }
    }
    let boards = outlet::read_into(&mut pdus, &tops);
    let outlets = tops.iter().flat_map(|top| top.tables("outlet")).count();
    for top in tops {
        top.finish();
    }
    if outlets == 0
        && problems.is_empty()
        && let Some((file, node)) = documents.first()
    {
        At::top(file, problems).problem(node.place, "there is no [[outlet]] in any file");
    }
    PowerConfig {
        http,
        pdudaemon,
        powerman,
        access,
        server,
        consoles,
        interlock,
        folders,
        budgets,
        pdus: pdus.into_iter().filter_map(|(_, pdu)| pdu).collect(),
        boards,
    }
}

/// A table that may be in one of the files.
fn one<T>(tops: &[Table<'_>], key: &str, read: impl Fn(&Table<'_>) -> T) -> Option<T> {
    let mut tables = tops.iter().filter_map(|top| top.table(key));
    let table = tables.next()?;
    let value = read(&table);
    table.finish();
    for table in tables {
        let what = format!("another file has an [{key}] table too; one is enough");
        table.at().problem(table.place(), what);
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems_of(text: &str) -> String {
        PowerConfig::parse("power.toml", text).unwrap_err().to_string()
    }

    #[test]
    fn the_least_that_is_needed() {
        let text = "[[pdu]]\nname = \"rack1\"\ndriver = \"sim\"\n\
                    [[outlet]]\nname = \"panda01\"\npdu = \"rack1\"\nport = 1\n";
        let config = PowerConfig::parse("power.toml", text).unwrap();
        assert_eq!(config.http, None);
        assert_eq!(config.pdus[0].outlets[0].name.as_str(), "panda01");
        assert_eq!(config.pdus[0].outlets[0].port, "1");
    }

    #[test]
    fn the_example_shows_defaults() {
        let example = include_str!("../../../conf/power.toml");
        let config = PowerConfig::parse("conf/power.toml", example).unwrap();
        assert_eq!(config.pdus.len(), 14);
        assert!(config.http.is_some());

        // The keys that have a default are shown with it: without them nothing is different.
        let defaults = [
            "insecure",
            "timeout",
            "verify",
            "meter_every",
            "native_cycle",
            "context",
            "off_time",
            "off_order",
            "shared",
            "typing",
            "nameless",
            "insecure_tls",
            "inverted",
            "privilege",
            "ipmitool",
            "virsh",
            "active_low",
            "by",
            "uhubctl",
        ];
        let given = |line: &&str| {
            *line == "profile = \"auto\""
                || defaults.iter().any(|key| line.starts_with(&format!("{key} = ")))
        };
        let lines: Vec<&str> = example.lines().filter(|line| !given(line)).collect();
        let least = PowerConfig::parse("conf/power.toml", &lines.join("\n")).unwrap();
        assert_eq!(format!("{config:?}"), format!("{least:?}"));
    }

    #[test]
    fn what_is_said_once_is_in_one_file_and_its_paths_are_seen_from_there() {
        let dir = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| {
            let path = dir.path().join(file);
            std::fs::write(&path, text).unwrap();
            path
        };
        let rack = "[[pdu]]\nname = \"r\"\ndriver = \"sim\"\n\
                    [[outlet]]\nname = \"a\"\npdu = \"r\"\nport = 1\n";
        let one = write("a.toml", &format!("[state]\ndir = \"journals\"\n{rack}"));
        let config = PowerConfig::read(std::slice::from_ref(&one)).unwrap();
        assert_eq!(config.folders.state, dir.path().join("journals"));
        for table in ["state", "leases", "consoles"] {
            let key = if table == "consoles" { "token_file" } else { "dir" };
            let text = format!("[{table}]\n{key} = \"/x\"\n");
            let (first, second) = (write("b.toml", &text), write("c.toml", &text));
            let rack = write("d.toml", rack);
            let told = PowerConfig::read(&[first, second, rack]).unwrap_err().to_string();
            let what = format!("another file has an [{table}] table too; one is enough");
            assert!(told.contains("c.toml:1:1: ") && told.contains(&what), "{told}");
        }
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let told = problems_of(
            r#"
[[pdu]]
name = "rack1"
driver = "snpm"

[[pdu]]
name = "rack2"
driver = "snmp"
address = "10.0.0.1"
version = "3"
user = "lava"
auth = "sha1"
auth_passphrase = "short"
profile = "apc-rpud"
timeuot = "1s"

[[outlet]]
name = "panda01"
pdu = "rack3"
port = 1

[[outlet]]
name = "panda02"
pdu = "rack2"
port = "one"
console = "panda02"

[[outlet]]
name = "panda02"
pdu = "rack1"
port = 1
"#,
        );
        let expected = [
            "power.toml:4:10: pdu[0].driver: unknown driver \"snpm\"; did you mean \"snmp\"?",
            "power.toml:12:8: pdu[1].auth: \"sha1\" is none of md5, sha, sha224, sha256, sha384, sha512",
            "power.toml:13:19: pdu[1].auth_passphrase: SNMP wants at least 8 characters",
            "power.toml:14:11: pdu[1].profile: unknown profile \"apc-rpud\"; did you mean \"apc-rpdu\"?",
            "power.toml:15:1: pdu[1]: unknown key \"timeuot\"; did you mean \"timeout\"?",
            "power.toml:19:7: outlet[0].pdu: there is no PDU \"rack3\"; did you mean \"rack1\"?",
            "power.toml:26:11: outlet[1].console: \"panda02\" is no console's URL; write it like \
             http://127.0.0.1:7100/consoles/panda01 or unix:SOCKET:/consoles/panda01",
            "power.toml:29:8: outlet[2].name: there is another outlet \"panda02\"",
        ];
        for line in expected {
            assert!(told.lines().any(|told| told == line), "{line}\nis not in\n{told}");
        }
        assert_eq!(told.lines().count(), expected.len(), "{told}");
    }

    #[test]
    fn a_lab_without_outlets_is_a_mistake() {
        let said = "power.toml:1:1: there is no [[outlet]] in any file";
        assert_eq!(problems_of(""), said);
        assert_eq!(problems_of("[[pdu]]\nname = \"rack1\"\ndriver = \"sim\"\n"), said);
    }

    #[test]
    fn two_outlets_cannot_be_one_socket() {
        let told = problems_of(
            "[[pdu]]\nname = \"r\"\ndriver = \"sim\"\n\
             [[outlet]]\nname = \"a\"\npdu = \"r\"\nport = 1\n\
             [[outlet]]\nname = \"b\"\npdu = \"r\"\nport = \"1\"\n",
        );
        let begin = "power.toml:11:8: outlet[1].port: outlet \"a\" is on r port 1 already";
        assert!(told.starts_with(begin), "{told}");
    }
}
