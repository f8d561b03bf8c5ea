//! The words of the `fastboot` program for a device.

use super::device::Device;

/// `fastboot` for this very board. `tcp:HOST:PORT` is a serial number too.
fn words(device: &Device, rest: &[&str]) -> Vec<String> {
    let mut words = vec!["fastboot".to_owned()];
    if let Some(serial) = device.fastboot_serial.as_ref().filter(|serial| !serial.is_empty()) {
        words.extend(["-s".to_owned(), serial.clone()]);
    }
    words.extend(device.fastboot_options.iter().cloned());
    words.extend(rest.iter().map(|word| (*word).to_owned()));
    words
}

/// Waits until the board is in fastboot: the program does so by itself.
pub(super) fn wait(device: &Device) -> Vec<String> {
    words(device, &["getvar", "version"])
}

/// Writes a file to a partition.
pub(super) fn flash(device: &Device, partition: &str, file: &str) -> Vec<String> {
    words(device, &["flash", partition, file])
}

/// Boots a file without writing it.
pub(super) fn boot(device: &Device, file: &str) -> Vec<String> {
    words(device, &["boot", file])
}

/// Reboots: into the system, or to `bootloader` or `fastboot`.
pub(super) fn reboot(device: &Device, target: Option<&str>) -> Vec<String> {
    words(device, &[&["reboot"], target.as_slice()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_board_is_named_and_the_devices_options_are_given() {
        let device = Device {
            fastboot_serial: Some("1900d00f3b1400a2".into()),
            fastboot_options: vec!["-S".into(), "256M".into()],
            ..Device::default()
        };
        assert_eq!(
            flash(&device, "partition:0", "/srv/gpt.bin").join(" "),
            "fastboot -s 1900d00f3b1400a2 -S 256M flash partition:0 /srv/gpt.bin"
        );
        let bare = Device::default();
        assert_eq!(reboot(&bare, Some("bootloader")).join(" "), "fastboot reboot bootloader");
        assert_eq!(reboot(&bare, None).join(" "), "fastboot reboot");
        assert_eq!(boot(&bare, "b.img").join(" "), "fastboot boot b.img");
    }
}
