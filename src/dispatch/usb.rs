//! Which USB devices this host has, as the kernel shows them in sysfs.

use std::collections::BTreeSet;
use std::fs::DirEntry;
use std::path::Path;
use std::time::Duration;

/// Where sysfs is, and in it the devices.
const SYSFS: &str = "/sys";
const DEVICES: &str = "bus/usb/devices";
/// How often it is looked for one.
const PAUSE: Duration = Duration::from_millis(200);

/// What tells one from the others: all that is said must be so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsbDevice {
    /// In four hexadecimal digits.
    pub vendor: Option<String>,
    pub product: Option<String>,
    /// Its serial number, or, for a board that has none in this mode, its name.
    pub id: Option<String>,
}

impl UsbDevice {
    /// Whether anything is said of it.
    pub fn is_known(&self) -> bool {
        self.vendor.is_some() || self.product.is_some() || self.id.is_some()
    }

    /// Waits until this host, whose sysfs may be elsewhere, has it. Cancel safe.
    pub async fn there(&self, sysfs: Option<&Path>) {
        let devices = sysfs.unwrap_or(Path::new(SYSFS)).join(DEVICES);
        while self.all_in(&devices).is_empty() {
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Waits until one of its interfaces has this driver of the kernel. Cancel safe.
    pub async fn driven_by(&self, driver: &str, sysfs: Option<&Path>) {
        let devices = sysfs.unwrap_or(Path::new(SYSFS)).join(DEVICES);
        while !self.is_driven_in(&devices, driver) {
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// An interface of `1-2` is called `1-2:1.0`, and its `driver` is a link to that.
    fn is_driven_in(&self, devices: &Path, driver: &str) -> bool {
        let own = self.all_in(devices);
        entries(devices).any(|interface| {
            let name = interface.file_name().to_string_lossy().into_owned();
            let is_own = name.split_once(':').is_some_and(|(device, _)| own.contains(device));
            let link = std::fs::read_link(interface.path().join("driver"));
            is_own && link.is_ok_and(|link| link.file_name().is_some_and(|name| name == driver))
        })
    }

    /// The names of all devices that it may be.
    fn all_in(&self, devices: &Path) -> BTreeSet<String> {
        let own = entries(devices).filter(|entry| {
            let text = |name: &str| {
                let text = std::fs::read_to_string(entry.path().join(name)).unwrap_or_default();
                text.trim().to_owned()
            };
            let is = |wanted: &Option<String>, names: &[&str]| {
                wanted.as_ref().is_none_or(|wanted| {
                    names.iter().any(|name| text(name).eq_ignore_ascii_case(wanted))
                })
            };
            is(&self.vendor, &["idVendor"])
                && is(&self.product, &["idProduct"])
                && is(&self.id, &["serial", "product"])
        });
        own.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }
}

fn entries(folder: &Path) -> impl Iterator<Item = DirEntry> {
    std::fs::read_dir(folder).into_iter().flatten().flatten()
}

impl std::fmt::Display for UsbDevice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "any".into());
        write!(f, "the USB device {}:{}", text(&self.vendor), text(&self.product))?;
        self.id.as_ref().map_or(Ok(()), |id| write!(f, " ({id})"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_known_by_all_that_is_said_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let device = dir.path().join("1-2");
        std::fs::create_dir(&device).unwrap();
        for (name, text) in [
            ("idVendor", "05c6\n"),
            ("idProduct", "9008\n"),
            ("product", "QUSB_BULK_CID:0420_SN:ABCD0123\n"),
        ] {
            std::fs::write(device.join(name), text).unwrap();
        }
        let of = |vendor: &str, id: &str| UsbDevice {
            vendor: Some(vendor.into()),
            product: Some("9008".into()),
            id: Some(id.into()),
        };
        let is_in = |device: UsbDevice| !device.all_in(dir.path()).is_empty();
        assert!(is_in(of("05C6", "QUSB_BULK_CID:0420_SN:ABCD0123")));
        assert!(!is_in(of("05c6", "QUSB_BULK_CID:0420_SN:0")));
        assert!(!is_in(of("0403", "QUSB_BULK_CID:0420_SN:ABCD0123")));
        let any = UsbDevice { id: None, ..of("05c6", "") };
        assert!(is_in(any.clone()));
        // Its interfaces come later.
        let interface = dir.path().join("1-2:1.1");
        std::fs::create_dir(&interface).unwrap();
        assert!(!any.is_driven_in(dir.path(), "cdc_acm"));
        std::os::unix::fs::symlink("/sys/bus/usb/drivers/cdc_acm", interface.join("driver"))
            .unwrap();
        assert!(any.is_driven_in(dir.path(), "cdc_acm"));
        assert!(!any.is_driven_in(dir.path(), "ftdi_sio"));
        assert_eq!(of("05c6", "x").to_string(), "the USB device 05c6:9008 (x)");
    }
}
