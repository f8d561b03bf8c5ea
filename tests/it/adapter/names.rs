//! What is read from /sys.

use lavamux::adapter::{Adapter, Identity, device_of, list};

use crate::common::{TestLab, Tree, UsbAdapter, udev_link};

const QUAD: UsbAdapter = UsbAdapter {
    vendor_id: "0403",
    product_id: "6011",
    vendor: "FTDI",
    product: "Quad RS232-HS",
    serial: "FT4ABCDE",
    interfaces: &[0, 1, 2, 3],
};

fn listed(tree: &Tree) -> Vec<Adapter> {
    list(tree.roots()).unwrap()
}

/// The consoles that they would be, as `ttyUSB0 usb-A50285BI`.
fn consoles(tree: &Tree) -> Vec<String> {
    let adapters = listed(tree);
    let usb = adapters.iter().filter(|adapter| adapter.usb.is_some());
    usb.map(|it| format!("{} {}", it.tty, Identity::of(it, &adapters).name)).collect()
}

#[test]
fn only_lines_with_hardware_behind_them_are_adapters() {
    let lab = TestLab::new();
    let tree = Tree::new(&lab);
    let _line = tree.plug("2", &UsbAdapter::ftdi("A50285BI"), &["ttyUSB0"]);
    let adapters = listed(&tree);
    let ttys: Vec<&str> = adapters.iter().map(|adapter| adapter.tty.as_str()).collect();
    assert_eq!(ttys, ["ttyS0", "ttyS1", "ttyUSB0"]);
    assert_eq!((adapters[0].kernel_console, adapters[1].kernel_console), (true, false));
    let ftdi = &adapters[2];
    let usb = ftdi.usb.as_ref().unwrap();
    assert_eq!((usb.vendor_id.as_str(), usb.product_id.as_str()), ("0403", "6001"));
    assert_eq!(ftdi.driver.as_deref(), Some("ftdi_sio"));
    assert_eq!(ftdi.description(), "FTDI FT232R USB UART, serial number A50285BI");
    let by_id = "usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0";
    assert_eq!(ftdi.by_id.as_deref(), Some(by_id));
    assert_eq!(ftdi.by_path.as_deref(), Some("pci-0000:00:01.0-usb-0:2:1.0-port0"));
}

#[test]
fn a_serial_number_names_a_console_where_it_tells_which_adapter_it_is() {
    let lab = TestLab::new();
    let tree = Tree::new(&lab);
    let _lines = [
        tree.plug("1", &UsbAdapter::ftdi("A50285BI"), &["ttyUSB0"]),
        tree.plug("2", &UsbAdapter::ftdi("0001"), &["ttyUSB1"]),
        tree.plug("3", &UsbAdapter::ftdi("0123456789ABCDEF"), &["ttyUSB2"]),
        tree.plug("4", &UsbAdapter::ch340(), &["ttyUSB3"]),
        tree.plug("1.1", &QUAD, &["ttyUSB4", "ttyUSB5", "ttyUSB6", "ttyUSB10"]),
        tree.plug("1.2", &UsbAdapter::ftdi("TWIN0815"), &["ttyUSB11"]),
        tree.plug("1.3", &UsbAdapter::ftdi("TWIN0815"), &["ttyUSB12"]),
    ];
    assert_eq!(
        consoles(&tree),
        [
            "ttyUSB0 usb-A50285BI",
            "ttyUSB1 pci-0000-00-01.0-usb-0-2-1.0",
            "ttyUSB2 pci-0000-00-01.0-usb-0-3-1.0",
            "ttyUSB3 pci-0000-00-01.0-usb-0-4-1.0",
            "ttyUSB4 usb-FT4ABCDE-if00",
            "ttyUSB5 usb-FT4ABCDE-if01",
            "ttyUSB6 usb-FT4ABCDE-if02",
            "ttyUSB10 usb-FT4ABCDE-if03",
            "ttyUSB11 pci-0000-00-01.0-usb-0-1.2-1.0",
            "ttyUSB12 pci-0000-00-01.0-usb-0-1.3-1.0",
        ]
    );
}

#[test]
fn a_stable_name_means_its_adapter_whatever_the_links_say() {
    let lab = TestLab::new();
    let tree = Tree::new(&lab);
    let by_id = |name: &str| tree.roots().dev.join("serial/by-id").join(name);
    let ours = by_id("usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0");
    let device = |path| device_of(tree.roots(), path);

    // Without udev there is no link at all.
    let line = tree.plug_one("1", &UsbAdapter::ftdi("A50285BI"), "ttyUSB0");
    assert_eq!(device(&ours).unwrap(), tree.node("ttyUSB0"));

    // A link that udev has not come to remove.
    udev_link(tree.roots(), "by-id/usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0", "ttyUSB0");
    tree.unplug(line);
    let _other = tree.plug_one("2", &UsbAdapter::ftdi("B61396CJ"), "ttyUSB0");
    let _ours = tree.plug_one("1", &UsbAdapter::ftdi("A50285BI"), "ttyUSB1");
    assert_eq!(device(&ours).unwrap(), tree.node("ttyUSB1"));

    // Somebody's own names are what they are.
    let own = by_id("panda01");
    assert_eq!(device(&own).unwrap(), own);

    let _twin = tree.plug_one("3", &UsbAdapter::ftdi("A50285BI"), "ttyUSB2");
    let told = device(&ours).unwrap_err().to_string();
    assert_eq!(
        told,
        "2 adapters have this name (ttyUSB1, ttyUSB2): use theirs in /dev/serial/by-path"
    );
}
