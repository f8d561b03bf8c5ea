//! The keys of `driver = "hid"`: outlets and relays that are USB devices of this host.

use super::common::one_of;
use super::ports::Ports;
use crate::config::Table;

/// A USB device that switches.
#[derive(Debug, Clone)]
pub struct Hid {
    pub family: HidFamily,
    /// Its serial number, where there may be more of its kind: as `lsusb -v` shows it, and for those that
    /// have it elsewhere (`egpms`, `vusbhid`) as they tell it.
    pub serial: Option<String>,
}

/// What the device understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HidFamily {
    Ykush,
    Ykush3,
    YkushXs,
    ClewareSwitch4,
    ClewareSwitch8,
    VusbHid,
    EgPms,
}

/// As they are written in the configuration.
const FAMILIES: &[(&str, HidFamily)] = &[
    ("ykush", HidFamily::Ykush),
    ("ykush3", HidFamily::Ykush3),
    ("ykush-xs", HidFamily::YkushXs),
    ("cleware-switch4", HidFamily::ClewareSwitch4),
    ("cleware-switch8", HidFamily::ClewareSwitch8),
    ("vusbhid", HidFamily::VusbHid),
    ("egpms", HidFamily::EgPms),
];

impl Hid {
    pub(super) fn read(table: &Table<'_>) -> Option<Self> {
        table.required::<String>("device");
        let family = table.parsed("device", |text| one_of(text, FAMILIES));
        let serial = table.optional::<String>("serial");
        Some(Self { family: family?, serial })
    }

    /// Whether the device has such an outlet.
    pub(super) fn check(&self, port: &str) -> Result<(), String> {
        Ports::up_to(self.family.ports()).check(port)
    }
}

impl HidFamily {
    /// How many outlets it has at most.
    pub fn ports(self) -> u8 {
        match self {
            Self::YkushXs => 1,
            Self::Ykush | Self::Ykush3 => 3,
            Self::ClewareSwitch4 | Self::EgPms => 4,
            Self::ClewareSwitch8 | Self::VusbHid => 8,
        }
    }
}
