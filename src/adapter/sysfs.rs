//! Reading `/sys/class/tty`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::{Adapter, Roots, Usb, names};
use crate::model::Name;

/// The most terminals that are looked at.
const MAX_TTYS: usize = 4096;
/// The most bytes of an attribute that are read; the kernel gives no more.
const MAX_ATTRIBUTE: u64 = 4096;

/// Every serial line with hardware behind it, in the order of their names (ttyUSB2 before ttyUSB10).
///
/// # Errors
/// When there is no `/sys/class/tty` to read.
pub fn list(roots: &Roots) -> io::Result<Vec<Adapter>> {
    let class = roots.sys.join("class/tty");
    let named =
        |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", class.display()));
    let consoles = attribute(&class.join("console"), "active").unwrap_or_default();
    let consoles: Vec<&str> = consoles.split_ascii_whitespace().collect();
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut now = BTreeMap::new();
    for entry in std::fs::read_dir(&class).map_err(named)?.take(MAX_TTYS).flatten() {
        let link = class.join(entry.file_name());
        let Some(tty) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // A device that goes away meanwhile is as good as gone.
        let Some(born) = born(&link) else { continue };
        let read = match known.remove(&link) {
            Some(known) if known.born == born => known,
            _ => Known { born, adapter: read(&link, tty) },
        };
        now.insert(link, read);
    }
    let adapters = now.values().filter_map(|known| known.adapter.clone());
    let mut adapters: Vec<Adapter> = adapters.collect();
    for adapter in &mut adapters {
        adapter.kernel_console = consoles.contains(&adapter.tty.as_str());
    }
    adapters.sort_by_key(|adapter| order(adapter.tty.as_str()));
    *known = now;
    Ok(adapters)
}

/// What was read of the devices that are there, since a device never changes what it says of itself.
/// Looking for one that has come then costs little, however many others there are.
static KNOWN: Mutex<BTreeMap<PathBuf, Known>> = Mutex::new(BTreeMap::new());

/// A device, and what it is if it is hardware.
struct Known {
    born: Born,
    adapter: Option<Adapter>,
}

/// Tells a device from others that had its place before: number and time of its folder.
type Born = (u64, i64, i64);

/// `None` when it is virtual, as most of them are, which is found out without reading more, or gone.
fn born(link: &Path) -> Option<Born> {
    let target = std::fs::read_link(link).ok()?;
    if target.components().any(|part| part.as_os_str() == "virtual") {
        return None;
    }
    let folder = link.metadata().ok()?;
    Some((folder.ino(), folder.ctime(), folder.ctime_nsec()))
}

/// `("ttyUSB", 10)`.
fn order(tty: &str) -> (String, u64) {
    let name = tty.trim_end_matches(|c: char| c.is_ascii_digit());
    (name.to_owned(), tty[name.len()..].parse().unwrap_or(0))
}

/// One line; `None` when it is no hardware.
fn read(link: &Path, tty: Name) -> Option<Adapter> {
    let place = link.canonicalize().ok()?;
    // A UART that was never found has the type 0.
    if !place.join("device").exists() || attribute(&place, "type").as_deref() == Some("0") {
        return None;
    }
    let way: Vec<(String, PathBuf)> = place
        .ancestors()
        .skip(1)
        .take_while(|dir| dir.file_name().is_some_and(|name| name != "devices"))
        .filter_map(|dir| Some((target_name(dir, "subsystem")?, dir.to_owned())))
        .collect();
    let (usb, port) = usb(&way);
    let (by_id, by_path) = match &usb {
        Some(usb) => {
            let pieces: Vec<(String, String)> = way
                .iter()
                .filter_map(|(kind, dir)| Some((kind.clone(), dir.file_name()?.to_str()?.into())))
                .collect();
            (Some(names::by_id(usb, port)), names::by_path(&pieces, port))
        }
        None => (None, None),
    };
    // Newer kernels put a bus of their own between a line and its hardware.
    let hardware = way.iter().filter(|(kind, _)| kind != "serial-base");
    let driver = hardware.map(|(_, dir)| dir).find_map(|dir| target_name(dir, "driver"));
    Some(Adapter { tty, usb, by_id, by_path, driver, kernel_console: false })
}

/// What is said of the USB device on the way, and the line's number where the driver has several.
fn usb(way: &[(String, PathBuf)]) -> (Option<Usb>, Option<u8>) {
    let find = |kind: &str, attribute_name: &str| {
        let dirs = way.iter().filter(|(subsystem, _)| subsystem == kind);
        dirs.map(|(_, dir)| dir).find_map(|dir| Some((dir, attribute(dir, attribute_name)?)))
    };
    let port = find("usb-serial", "port_number").and_then(|(_, port)| port.trim().parse().ok());
    let Some((_, interface)) = find("usb", "bInterfaceNumber") else { return (None, port) };
    let Some((device, vendor_id)) = find("usb", "idVendor") else { return (None, port) };
    let text = |name| attribute(device, name).filter(|text| !text.trim().is_empty());
    let number = |text: Option<String>| text.and_then(|text| text.trim().parse().ok());
    let usb = Usb {
        vendor_id,
        product_id: attribute(device, "idProduct").unwrap_or_default(),
        vendor: text("manufacturer"),
        product: text("product"),
        serial: text("serial"),
        interface: u8::from_str_radix(interface.trim(), 16).unwrap_or(0),
        interfaces: number(attribute(device, "bNumInterfaces")).unwrap_or(1),
        port: port.unwrap_or(0),
    };
    (Some(usb), port)
}

/// An attribute's text without its line end.
fn attribute(dir: &Path, name: &str) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(dir.join(name)).ok()?.take(MAX_ATTRIBUTE).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    Some(text.trim_end_matches(['\n', '\r', '\0']).to_owned())
}

/// The name of what a link in a device's folder points to.
fn target_name(dir: &Path, link: &str) -> Option<String> {
    let target = std::fs::read_link(dir.join(link)).ok()?;
    Some(target.file_name()?.to_str()?.to_owned())
}
