//! `[[pdu]]`: a power unit and how to talk to it.

use std::time::Duration;

use super::common::duration;
use super::profile::BuiltIn;
use super::{
    Dialogue, EgPmsLan, Exec, Gpio, Hid, Http, Ipmi, Libvirt, Mqtt, OutletConfig, Qmp, Snmp,
    UsbHub, dialogue, http, mqtt, snmp,
};
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
    Dialogue(Box<Dialogue>),
    EgPmsLan(EgPmsLan),
    Exec(Exec),
    Gpio(Gpio),
    Hid(Hid),
    Http(Box<Http>),
    Ipmi(Box<Ipmi>),
    Libvirt(Libvirt),
    Mqtt(Box<Mqtt>),
    Qmp(Qmp),
    Sim,
    Snmp(Box<Snmp>),
    UsbHub(UsbHub),
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
        name: "dialogue",
        about: "what one talks to: telnet, SSH, TCP, serial lines, consoles",
        read: |table| Dialogue::read(table).map(Box::new).map(Driver::Dialogue),
        timeout: Duration::from_secs(20),
        profiles: dialogue::BUILT_IN,
    },
    DriverEntry {
        name: "egpms-lan",
        about: "Energenie's power strips on the network: EG-PMS-LAN, EG-PM2-LAN",
        read: |table| EgPmsLan::read(table).map(Driver::EgPmsLan),
        timeout: Duration::from_secs(10),
        profiles: &[],
    },
    DriverEntry {
        name: "exec",
        about: "programs of your own",
        read: |table| Exec::read(table).map(Driver::Exec),
        timeout: Duration::from_secs(20),
        profiles: &[],
    },
    DriverEntry {
        name: "gpio",
        about: "relays on GPIO lines of this host",
        read: |table| Gpio::read(table).map(Driver::Gpio),
        timeout: Duration::from_secs(3),
        profiles: &[],
    },
    DriverEntry {
        name: "hid",
        about: "USB relays and outlets: YKUSH, Cleware, V-USB relays, EG-PMS",
        read: |table| Hid::read(table).map(Driver::Hid),
        timeout: Duration::from_secs(5),
        profiles: &[],
    },
    DriverEntry {
        name: "http",
        about: "PDUs with a web interface or an HTTP API, Redfish, Home Assistant",
        read: |table| Http::read(table).map(Box::new).map(Driver::Http),
        timeout: Duration::from_secs(10),
        profiles: http::BUILT_IN,
    },
    DriverEntry {
        name: "ipmi",
        about: "boards with a BMC, by ipmitool",
        read: |table| Ipmi::read(table).map(Box::new).map(Driver::Ipmi),
        // By itself ipmitool gives up after 20 s.
        timeout: Duration::from_secs(30),
        profiles: &[],
    },
    DriverEntry {
        name: "libvirt",
        about: "virtual boards that libvirt runs, by virsh",
        read: |table| Libvirt::read(table).map(Driver::Libvirt),
        timeout: Duration::from_secs(20),
        profiles: &[],
    },
    DriverEntry {
        name: "mqtt",
        about: "plugs behind an MQTT broker: Tasmota, Shelly, Zigbee2MQTT, ESPHome",
        read: |table| Mqtt::read(table).map(Box::new).map(Driver::Mqtt),
        timeout: Duration::from_secs(5),
        profiles: mqtt::BUILT_IN,
    },
    DriverEntry {
        name: "qmp",
        about: "virtual boards in QEMU, by its monitor",
        read: |table| Qmp::read(table).map(Driver::Qmp),
        timeout: Duration::from_secs(5),
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
    DriverEntry {
        name: "usb-hub",
        about: "ports of USB hubs that switch their power",
        read: |table| UsbHub::read(table).map(Driver::UsbHub),
        timeout: Duration::from_secs(10),
        profiles: &[],
    },
];

impl Driver {
    /// Whether an outlet of such a PDU can have this port.
    ///
    /// # Errors
    /// Why not, and how to write one.
    pub(super) fn check_port(&self, port: &str) -> Result<(), String> {
        match self {
            Self::Dialogue(dialogue) => dialogue.script(port).map(drop),
            Self::EgPmsLan(_) => EgPmsLan::check(port),
            Self::Exec(_) | Self::Gpio(_) | Self::Ipmi(_) | Self::Sim => Ok(()),
            Self::Hid(hid) => hid.check(port),
            Self::Http(http) => http.profile.ports.check(port),
            Self::Libvirt(_) => Libvirt::check(port),
            Self::Mqtt(mqtt) => {
                mqtt.profile.ports.check(port).and_then(|()| mqtt::topic(port).map(drop))
            }
            Self::Qmp(qmp) => qmp.check(port),
            Self::Snmp(snmp) => snmp.check_port(port),
            Self::UsbHub(_) => UsbHub::check(port),
        }
    }

    /// Where the PDU is, for messages; `None` when its name says it all.
    pub fn place(&self) -> Option<String> {
        Some(match self {
            Self::Dialogue(dialogue) => dialogue.connect.place(),
            Self::EgPmsLan(strip) => format!("{}:{}", strip.host, strip.port),
            Self::Exec(_) | Self::Sim => return None,
            Self::Gpio(gpio) => gpio.chip.display().to_string(),
            Self::Hid(hid) => format!("{:?}", hid.family),
            Self::Http(http) => http.url.clone(),
            Self::Ipmi(ipmi) => format!("{}:{}", ipmi.host, ipmi.port),
            Self::Libvirt(libvirt) => libvirt.uri.clone(),
            Self::Mqtt(mqtt) => format!("{} at {}:{}", mqtt.topic, mqtt.host, mqtt.port),
            // Every machine has a socket of its own, which errors tell.
            Self::Qmp(_) => return None,
            Self::Snmp(snmp) => snmp.address.clone(),
            Self::UsbHub(hub) => format!("hub {}", hub.hubs.join(" and ")),
        })
    }
}

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
