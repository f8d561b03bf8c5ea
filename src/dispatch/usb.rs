//! Which USB devices this host has, as the kernel shows them in sysfs.

use std::path::Path;
use std::time::Duration;

/// Where they are.
const DEVICES: &str = "/sys/bus/usb/devices";
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

    /// Waits until this host has it. Cancel safe.
    pub async fn there(&self) {
        while !self.is_in(Path::new(DEVICES)) {
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn is_in(&self, devices: &Path) -> bool {
        std::fs::read_dir(devices).into_iter().flatten().flatten().any(|entry| {
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
        })
    }
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
        assert!(of("05C6", "QUSB_BULK_CID:0420_SN:ABCD0123").is_in(dir.path()));
        assert!(!of("05c6", "QUSB_BULK_CID:0420_SN:0").is_in(dir.path()));
        assert!(!of("0403", "QUSB_BULK_CID:0420_SN:ABCD0123").is_in(dir.path()));
        assert!(UsbDevice { id: None, ..of("05c6", "") }.is_in(dir.path()));
        assert_eq!(of("05c6", "x").to_string(), "the USB device 05c6:9008 (x)");
    }
}
