//! The names that udev gives to serial adapters, computed as its `60-serial.rules` and the programs
//! behind them (`usb_id`, `path_id`) do.

use super::Usb;

/// The most bytes of a maker's and a product's text that udev takes.
const MAX_TEXT: usize = 63;

/// The name in `/dev/serial/by-id`. `port` is the line's number at an adapter of the kind
/// "usb-serial"; other drivers have none.
pub(super) fn by_id(usb: &Usb, port: Option<u8>) -> String {
    let text = |text: &Option<String>, id: &str| {
        plain(text.as_deref().map_or(id, |text| cut(text, MAX_TEXT)))
    };
    let mut name = format!(
        "usb-{}_{}",
        text(&usb.vendor, &usb.vendor_id),
        text(&usb.product, &usb.product_id)
    );
    if let Some(serial) = usb.serial.as_deref().filter(|serial| is_usable(serial)) {
        name.push('_');
        name.push_str(&plain(serial));
    }
    name.push_str(&format!("-if{:02x}", usb.interface));
    with_port(name, port)
}

/// The name in `/dev/serial/by-path`, of the pieces of the way from the line up to the root, each
/// with its subsystem and name: `("usb", "1-1:1.0")`, `("pci", "0000:00:14.0")`.
pub(super) fn by_path(way: &[(String, String)], port: Option<u8>) -> Option<String> {
    let mut pieces = Vec::new();
    let mut way = way.iter().peekable();
    while let Some((subsystem, name)) = way.next() {
        let piece = match subsystem.as_str() {
            // A root hub has no place.
            "usb" => match name.split_once('-') {
                Some((_, place)) => format!("usb-0:{place}"),
                None => continue,
            },
            "pci" | "platform" | "acpi" => format!("{subsystem}-{name}"),
            _ => continue,
        };
        pieces.push(piece);
        // Bridges and hubs behind it say nothing that is not in its name already.
        while way.next_if(|(next, _)| next == subsystem).is_some() {}
    }
    pieces.reverse();
    (!pieces.is_empty()).then(|| with_port(pieces.join("-"), port))
}

fn with_port(name: String, port: Option<u8>) -> String {
    match port {
        Some(port) => format!("{name}-port{port}"),
        None => name,
    }
}

/// Whether udev takes a serial number for one: printable ASCII, and no comma.
pub(super) fn is_usable(serial: &str) -> bool {
    serial.bytes().all(|byte| (0x20..0x80).contains(&byte) && byte != b',')
}

/// A text without what is no part of a file name: runs of blanks become `_`, and so does each
/// character that is neither a letter nor a digit, nor one of those that udev allows.
fn plain(text: &str) -> String {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let allowed = |c: char| c.is_ascii_alphanumeric() || !c.is_ascii() || "#+-.:=@_".contains(c);
    words.join("_").chars().map(|c| if allowed(c) { c } else { '_' }).collect()
}

fn cut(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn usb(vendor: &str, product: &str, serial: &str, interface: u8) -> Usb {
        Usb {
            vendor_id: "1d6b".into(),
            product_id: "0104".into(),
            vendor: Some(vendor.into()),
            product: Some(product.into()),
            serial: Some(serial.into()),
            interface,
            interfaces: 1,
            port: 0,
        }
    }

    fn way(pieces: &[(&str, &str)]) -> Vec<(String, String)> {
        pieces.iter().map(|(subsystem, name)| ((*subsystem).into(), (*name).into())).collect()
    }

    /// As udev 252 named these.
    #[test]
    fn names_are_udevs() {
        let qemu = usb("QEMU", "QEMU USB SERIAL", "1-0000:00:01.0-2", 0);
        assert_eq!(by_id(&qemu, Some(0)), "usb-QEMU_QEMU_USB_SERIAL_1-0000:00:01.0-2-if00-port0");
        let odd = usb("ACME Corp.", "Quad, 4x: \"UART\" ß", "AC 0815/7", 2);
        assert_eq!(by_id(&odd, None), "usb-ACME_Corp._Quad__4x:__UART__ß_AC_0815_7-if02");
        let path = way(&[
            ("usb-serial", "ttyUSB1"),
            ("usb", "1-1.4:1.0"),
            ("usb", "1-1.4"),
            ("usb", "1-1"),
            ("usb", "usb1"),
            ("pci", "0000:01:00.0"),
            ("pci", "0000:00:1c.0"),
            ("platform", "fd500000.pcie"),
        ]);
        let name = "platform-fd500000.pcie-pci-0000:01:00.0-usb-0:1.4:1.0-port0";
        assert_eq!(by_path(&path, Some(0)).unwrap(), name);
        assert_eq!(by_path(&way(&[("pnp", "00:03")]), None), None);
    }

    #[test]
    fn without_texts_the_ids_stand_in_and_a_bad_serial_number_is_none() {
        let silent = Usb { vendor: None, product: None, ..usb("", "", "a,b", 0) };
        assert_eq!(by_id(&silent, Some(0)), "usb-1d6b_0104-if00-port0");
    }

    proptest! {
        #[test]
        fn a_name_is_always_a_file_name(vendor in ".{0,80}", product in ".*", serial in ".*") {
            let name = by_id(&usb(&vendor, &product, &serial, 255), Some(7));
            prop_assert!(!name.contains(['/', '\0', ',', '\n', ' ']), "{}", name);
        }
    }
}
