//! A made-up `/sys` and `/dev`, as a Debian 12 guest with QEMU's USB adapters had them (kernel 6.1),
//! whose serial lines are ptys.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use lavamux::adapter::Roots;

use super::lab::TestLab;
use super::terminal::Terminal;

/// The controller that everything is plugged into.
const CONTROLLER: &str = "devices/pci0000:00/0000:00:01.0";

/// A host's devices, in folders of a lab.
pub(crate) struct Tree {
    roots: Roots,
}

/// A USB adapter as it describes itself.
#[derive(Clone)]
pub(crate) struct UsbAdapter {
    pub(crate) vendor_id: &'static str,
    pub(crate) product_id: &'static str,
    pub(crate) vendor: &'static str,
    pub(crate) product: &'static str,
    /// Nothing when empty.
    pub(crate) serial: &'static str,
    /// The numbers of the interfaces that are serial lines.
    pub(crate) interfaces: &'static [u8],
}

/// An adapter's line with the board behind it, while it is plugged in.
pub(crate) struct Plugged {
    /// What the board prints and hears.
    pub(crate) board: Terminal,
    tty: String,
    device: PathBuf,
}

impl UsbAdapter {
    pub(crate) fn ftdi(serial: &'static str) -> Self {
        Self {
            vendor_id: "0403",
            product_id: "6001",
            vendor: "FTDI",
            product: "FT232R USB UART",
            serial,
            interfaces: &[0],
        }
    }

    /// Without a serial number, as cheap ones are.
    pub(crate) fn ch340() -> Self {
        let (vendor_id, product_id) = ("1a86", "7523");
        Self { vendor_id, product_id, vendor: "", product: "USB Serial", ..Self::ftdi("") }
    }
}

impl Tree {
    /// With the lines that every PC has: virtual consoles, a UART with the kernel's console, another
    /// one, and two that are not there.
    pub(crate) fn new(lab: &TestLab) -> Self {
        let roots = Roots { sys: lab.path("sys"), dev: lab.path("dev") };
        let tree = Self { roots };
        for dir in ["class/tty", "devices/virtual/tty/console", "devices/virtual/tty/tty1"] {
            std::fs::create_dir_all(tree.sys(dir)).unwrap();
        }
        std::fs::create_dir(&tree.roots.dev).unwrap();
        tree.write("devices/virtual/tty/console/active", "tty0 ttyS0\n");
        tree.link("class/tty/console", "../../devices/virtual/tty/console");
        tree.link("class/tty/tty1", "../../devices/virtual/tty/tty1");
        for (tty, device, bus, kind) in [
            ("ttyS0", "devices/pnp0/00:03", "pnp", "4"),
            ("ttyS1", "devices/pnp0/00:02", "pnp", "4"),
            ("ttyS2", "devices/platform/serial8250", "platform", "0"),
            ("ttyS3", "devices/platform/serial8250", "platform", "0"),
        ] {
            tree.line(device, tty);
            tree.write(&format!("{device}/tty/{tty}/type"), &format!("{kind}\n"));
            tree.replace_link(&format!("{device}/subsystem"), &format!("/sys/bus/{bus}"));
            tree.replace_link(&format!("{device}/driver"), "/sys/bus/x/drivers/serial");
        }
        tree
    }

    pub(crate) fn roots(&self) -> &Roots {
        &self.roots
    }

    /// Lets a program see these devices as the host's.
    pub(crate) fn show<'a>(&self, program: &'a mut Command) -> &'a mut Command {
        program.env("LAVA_SYS", &self.roots.sys).env("LAVA_DEV", &self.roots.dev)
    }

    /// Plugs an adapter into a socket such as `1.4`. Its lines are `tty`, in the order of its
    /// interfaces.
    pub(crate) fn plug(&self, socket: &str, adapter: &UsbAdapter, ttys: &[&str]) -> Vec<Plugged> {
        let device = format!("{CONTROLLER}/usb1/1-{socket}");
        self.write_device(&device, adapter);
        let interfaces = adapter.interfaces.iter().zip(ttys);
        interfaces
            .map(|(number, tty)| {
                let interface = format!("{device}/1-{socket}:1.{number}");
                let line = format!("{interface}/{tty}");
                std::fs::create_dir_all(self.sys(&line)).unwrap();
                self.write(&format!("{interface}/bInterfaceNumber"), &format!("{number:02x}\n"));
                self.link(&format!("{interface}/subsystem"), "/sys/bus/usb");
                self.link(&format!("{interface}/driver"), "/sys/bus/usb/drivers/ftdi_sio");
                self.write(&format!("{line}/port_number"), "0\n");
                self.link(&format!("{line}/subsystem"), "/sys/bus/usb-serial");
                self.line(&line, tty);
                let board = Terminal::wire();
                // The node comes last, as with the kernel.
                symlink(board.path(), self.node(tty)).unwrap();
                Plugged { board, tty: (*tty).into(), device: self.sys(&device) }
            })
            .collect()
    }

    /// The same for an adapter with one line.
    pub(crate) fn plug_one(&self, socket: &str, adapter: &UsbAdapter, tty: &str) -> Plugged {
        self.plug(socket, adapter, &[tty]).pop().unwrap()
    }

    /// Unplugs an adapter, whose other lines are gone with it.
    pub(crate) fn unplug(&self, line: Plugged) {
        let Plugged { board, tty, device } = line;
        let _ = std::fs::remove_file(self.sys(&format!("class/tty/{tty}")));
        let _ = std::fs::remove_dir_all(device);
        std::fs::remove_file(self.node(&tty)).unwrap();
        // This hangs up the line.
        drop(board);
    }

    /// Where a device is, as `ttyUSB0`.
    pub(crate) fn node(&self, tty: &str) -> PathBuf {
        self.roots.dev.join(tty)
    }

    fn write_device(&self, device: &str, adapter: &UsbAdapter) {
        std::fs::create_dir_all(self.sys(device)).unwrap();
        let interfaces = format!("{:2}", adapter.interfaces.len());
        for (name, text) in [
            ("idVendor", adapter.vendor_id),
            ("idProduct", adapter.product_id),
            ("manufacturer", adapter.vendor),
            ("product", adapter.product),
            ("serial", adapter.serial),
            ("bNumInterfaces", &interfaces),
        ] {
            if !text.is_empty() {
                self.write(&format!("{device}/{name}"), &format!("{text}\n"));
            }
        }
        self.link(&format!("{device}/subsystem"), "/sys/bus/usb");
        self.replace_link(&format!("{CONTROLLER}/usb1/subsystem"), "/sys/bus/usb");
        self.replace_link(&format!("{CONTROLLER}/subsystem"), "/sys/bus/pci");
    }

    /// The line `tty` of a device, with the link to it in the class.
    fn line(&self, device: &str, tty: &str) {
        std::fs::create_dir_all(self.sys(&format!("{device}/tty/{tty}"))).unwrap();
        self.link(&format!("{device}/tty/{tty}/device"), "../..");
        self.link(&format!("class/tty/{tty}"), &format!("../../{device}/tty/{tty}"));
    }

    fn sys(&self, path: &str) -> PathBuf {
        self.roots.sys.join(path)
    }

    fn write(&self, path: &str, text: &str) {
        std::fs::write(self.sys(path), text).unwrap();
    }

    fn link(&self, path: &str, target: &str) {
        symlink(target, self.sys(path)).unwrap();
    }

    fn replace_link(&self, path: &str, target: &str) {
        let _ = std::fs::remove_file(self.sys(path));
        self.link(path, target);
    }
}

/// Makes the links that udev makes for an adapter: `by-id/NAME` to `../../ttyUSB0`.
pub(crate) fn udev_link(roots: &Roots, name: &str, tty: &str) {
    let link = roots.dev.join("serial").join(name);
    std::fs::create_dir_all(link.parent().unwrap()).unwrap();
    let _ = std::fs::remove_file(&link);
    symlink(Path::new("../..").join(tty), link).unwrap();
}
