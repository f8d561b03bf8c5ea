//! The serial adapters of this host: what they are, what they are called for good, when they come
//! and go, and which consoles they become.
//!
//! Everything is read from `/sys`, as udev does, so that nothing depends on udev being there, or
//! being done: a device node that has just appeared is known by its stable name at once.

mod finder;
mod identity;
mod names;
mod naming;
mod owner;
mod resolve;
mod sysfs;
mod watch;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::model::{Name, shown};

pub use finder::{Finder, Found};
pub use identity::Identity;
pub use owner::{Owner, owners};
pub use resolve::{Devices, device_of};
pub use sysfs::list;
pub use watch::Watch;

/// Where the kernel shows its devices. They are elsewhere in containers that were given the host's,
/// and in tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roots {
    pub sys: PathBuf,
    pub dev: PathBuf,
}

/// One serial line of the host: a USB adapter's, or a UART's on its own board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adapter {
    /// Its name in `/dev` at the moment, as `ttyUSB0`. Another one may have it later.
    pub tty: Name,
    /// `None` for a UART of the host's own board.
    pub usb: Option<Usb>,
    /// Its name in `/dev/serial/by-id`: maker, product, serial number and interface.
    pub by_id: Option<String>,
    /// Its name in `/dev/serial/by-path`: where it is plugged in.
    pub by_path: Option<String>,
    pub driver: Option<String>,
    /// The kernel's own console: nobody's adapter.
    pub kernel_console: bool,
}

/// What a USB adapter says of itself. The texts are as it gave them: show them with care.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usb {
    /// Four hexadecimal digits.
    pub vendor_id: String,
    pub product_id: String,
    pub vendor: Option<String>,
    pub product: Option<String>,
    pub serial: Option<String>,
    /// Which of the device's interfaces it is.
    pub interface: u8,
    /// How many interfaces the device has. A CDC adapter has two for each line.
    pub interfaces: u8,
    /// Which line of its interface it is, where the driver has several.
    pub port: u8,
}

impl Roots {
    /// `/sys` and `/dev`, or what `$LAVA_SYS` and `$LAVA_DEV` say.
    pub fn of_host() -> Self {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let root = |name, usual: &str| set(name).map_or_else(|| usual.into(), PathBuf::from);
        Self { sys: root("LAVA_SYS", "/sys"), dev: root("LAVA_DEV", "/dev") }
    }
}

impl Adapter {
    /// What it is, for a person: `FTDI FT232R USB UART, serial number A50285BI, interface 1`.
    pub fn description(&self) -> String {
        let Some(usb) = &self.usb else {
            let driver = self.driver.as_deref().unwrap_or("unknown driver");
            return format!("line of this host ({})", shown(driver));
        };
        let vendor = usb.vendor.as_deref().unwrap_or(&usb.vendor_id);
        let product = usb.product.as_deref().unwrap_or(&usb.product_id);
        let mut text = format!("{} {}", shown(vendor), shown(product));
        if let Some(serial) = &usb.serial {
            text.push_str(&format!(", serial number {}", shown(serial)));
        }
        if usb.interfaces > 1 {
            text.push_str(&format!(", interface {}", usb.interface));
        }
        if usb.port > 0 {
            text.push_str(&format!(", port {}", usb.port));
        }
        text
    }

    /// Its names below `/dev`: those in `/dev/serial`, which stay, and that of the moment.
    pub fn paths(&self) -> impl Iterator<Item = PathBuf> {
        let stable = [("by-id", &self.by_id), ("by-path", &self.by_path)];
        let stable = stable.into_iter().filter_map(|(folder, name)| {
            Some(Path::new("serial").join(folder).join(name.as_ref()?))
        });
        stable.chain([PathBuf::from(self.tty.as_str())])
    }
}
