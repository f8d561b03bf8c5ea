//! The keys of `driver = "usb-hub"`: ports of USB hubs that switch their power.

use std::path::PathBuf;

use super::common::one_of;
use crate::config::Table;

/// A USB hub of this host. An outlet's port is the number of a port of it.
#[derive(Debug, Clone)]
pub struct UsbHub {
    /// Where the hub is plugged in, as the kernel writes it: `1-1.4`, or `usb1` for a root hub. A hub of
    /// USB 3 is two of them, and a port has power as long as one of them gives it.
    pub hubs: Vec<String>,
    pub by: SwitchedBy,
    /// The program, by its name or path.
    pub uhubctl: String,
    /// Where the kernel shows its devices: `/sys`.
    pub sysfs: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SwitchedBy {
    /// The kernel, from Linux 6.0 on.
    Kernel,
    /// uhubctl, past the kernel.
    Uhubctl,
}

const WAYS: &[(&str, SwitchedBy)] =
    &[("kernel", SwitchedBy::Kernel), ("uhubctl", SwitchedBy::Uhubctl)];
/// USB has no hubs with more ports.
const MAX_PORTS: u8 = 127;

impl UsbHub {
    pub(super) fn read(table: &Table<'_>) -> Option<Self> {
        let hubs = table.required::<Vec<String>>("hubs");
        if let Some(hubs) = &hubs {
            if hubs.is_empty() {
                table.problem("hubs", "there is none");
            }
            for hub in hubs.iter().filter(|hub| !is_hub(hub)) {
                let what = format!(
                    "{hub:?} is no hub's place; write it like 1-1.4 or usb1 (see lsusb -t)"
                );
                table.problem("hubs", what);
            }
        }
        let by = table.parsed("by", |text| one_of(text, WAYS)).unwrap_or(SwitchedBy::Kernel);
        let uhubctl = table.optional::<String>("uhubctl").unwrap_or_else(|| "uhubctl".to_owned());
        if uhubctl.is_empty() || uhubctl.contains('\0') {
            table.problem("uhubctl", "the program is missing");
        }
        let sysfs = table.optional::<PathBuf>("sysfs").unwrap_or_else(|| "/sys".into());
        Some(Self { hubs: hubs?, by, uhubctl, sysfs })
    }

    /// Whether a hub has such a port.
    pub(super) fn check(port: &str) -> Result<(), String> {
        match port.parse::<u8>() {
            Ok(1..=MAX_PORTS) if !port.starts_with(['0', '+']) => Ok(()),
            _ => Err(format!("{port:?} is no port of a USB hub; they are numbered from 1")),
        }
    }
}

/// `usb1`, or a bus, a dash, and the ports on the way, with dots between them.
fn is_hub(text: &str) -> bool {
    let number =
        |text: &str| !text.is_empty() && text.len() < 4 && text.chars().all(|c| c.is_ascii_digit());
    match text.strip_prefix("usb") {
        Some(bus) => number(bus),
        None => text
            .split_once('-')
            .is_some_and(|(bus, ports)| number(bus) && ports.split('.').all(number)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hub_is_a_place() {
        for place in ["usb1", "1-1", "2-1.4.2"] {
            assert!(is_hub(place), "{place}");
        }
        for wrong in ["", "usb", "1", "1-", "1-1.", "../1-1", "1-1/..", "1-1:1.0"] {
            assert!(!is_hub(wrong), "{wrong}");
        }
    }
}
