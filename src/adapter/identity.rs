//! What an adapter is known by for good: its serial number where that says which one it is, else the
//! place where it is plugged in.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Adapter, names};
use crate::model::Name;
use crate::model::name::MAX_NAME;

/// The longest serial number that becomes a part of a name, in bytes, so that there is room for the
/// rest.
const MAX_SERIAL: usize = 40;
/// A serial number has at least so many characters behind its leading zeros.
const MIN_SERIAL: usize = 3;

/// The name of an adapter's console, and the path below `/dev` that always means this adapter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub name: Name,
    pub path: PathBuf,
}

impl Identity {
    /// `others` are the adapters that are plugged in; whether this is among them does not matter.
    pub fn of(adapter: &Adapter, others: &[Adapter]) -> Self {
        let same = |other: &&Adapter| serial_name(other) == serial_name(adapter);
        let mut same = others.iter().filter(|other| other.tty != adapter.tty).filter(same);
        // A path is shown to people.
        let by_id = adapter.by_id.as_ref().filter(|by_id| !by_id.contains(char::is_control));
        match (serial_name(adapter), by_id) {
            (Some(name), Some(by_id)) if same.next().is_none() => {
                Self { name, path: ["serial", "by-id", by_id].iter().collect() }
            }
            _ => Self::by_place(adapter),
        }
    }

    pub(super) fn by_place(adapter: &Adapter) -> Self {
        let name = place_name(adapter);
        let path = match &adapter.by_path {
            Some(by_path) => ["serial", "by-path", by_path].iter().collect(),
            None => PathBuf::from(adapter.tty.as_str()),
        };
        Self { name, path }
    }
}

/// `usb-A50285BI`; of a device with several lines `usb-A50285BI-if01`. `None` without a serial number
/// that says which one it is.
fn serial_name(adapter: &Adapter) -> Option<Name> {
    let usb = adapter.usb.as_ref()?;
    let serial = usb.serial.as_deref().map(str::trim).filter(|serial| says_which(serial))?;
    let mut name = format!("usb-{}", plain(serial, '_'));
    if usb.interfaces > 1 {
        name.push_str(&format!("-if{:02x}", usb.interface));
    }
    if usb.port > 0 {
        name.push_str(&format!("-port{}", usb.port));
    }
    name.parse().ok()
}

/// `pci-0000-00-14.0-usb-0-1.4-1.0`, or `ttyS1`.
fn place_name(adapter: &Adapter) -> Name {
    let place = adapter.by_path.as_deref().map(|path| {
        let path = path.strip_suffix("-port0").unwrap_or(path);
        // What is before the bus is left out where there is no room for it.
        let bus = path.find("usb-").filter(|_| path.len() > MAX_NAME).unwrap_or(0);
        plain(&path[bus..], '-')
    });
    place.and_then(|name| name.parse().ok()).unwrap_or_else(|| adapter.tty.clone())
}

/// Whether a serial number is one: cheap adapters all have `0001`, `00000000` or `0123456789ABCDEF`.
fn says_which(serial: &str) -> bool {
    let digits: Vec<char> = serial.trim_start_matches('0').chars().collect();
    let value = |c: char| c.to_digit(16);
    let follows = |a: char, b: char| match (value(a), value(b)) {
        (Some(a), Some(b)) => b == a + 1 || (a, b) == (9, 0),
        _ => false,
    };
    let alike = digits.windows(2).all(|pair| pair[0] == pair[1]);
    let counted = digits.windows(2).all(|pair| follows(pair[0], pair[1]));
    let fits = digits.len() >= MIN_SERIAL && serial.len() <= MAX_SERIAL;
    names::is_usable(serial) && fits && !alike && !counted
}

/// A text of the characters that a name may have.
fn plain(text: &str, other: char) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    text.chars().map(|c| if allowed(c) { c } else { other }).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Usb;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// What a device says of itself is shown to people, and becomes names of files.
        #[test]
        fn no_device_gets_through_to_a_terminal(
            text in proptest::collection::vec("\\PC{0,12}|.{0,12}|[\u{80}-\u{9f}]{1,3}", 4),
            place in "[a-z0-9:.-]{1,90}",
        ) {
            let some = |at: usize| Some(text[at].clone());
            let usb = Usb {
                vendor_id: "0403".into(),
                product_id: "6001".into(),
                vendor: some(0),
                product: some(1),
                serial: some(2),
                interface: 1,
                interfaces: 2,
                port: 0,
            };
            let adapter = Adapter {
                tty: "ttyUSB0".parse().unwrap(),
                by_id: Some(names::by_id(&usb, Some(0))),
                usb: Some(usb),
                by_path: Some(place),
                driver: some(3),
                kernel_console: false,
            };
            let shown = [
                adapter.description(),
                Identity::of(&adapter, &[]).path.display().to_string(),
                Identity::by_place(&adapter).path.display().to_string(),
            ];
            prop_assert!(!shown.concat().contains(char::is_control), "{:?}", shown);
        }
    }
}
