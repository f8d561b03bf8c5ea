//! `lava serial`.

use std::process::Output;

use serde_json::Value;

use crate::common::{Daemon, LIMIT, TestLab, Tree, UsbAdapter, WebSocket, http, run, wait_until};

/// A host with a daemon that serves the adapter in the socket 1 as panda01, and that of the socket
/// 2 as what it is; the others it leaves alone.
struct Host {
    serial: Daemon,
    tree: Tree,
    lab: TestLab,
}

impl Host {
    fn start() -> Self {
        let lab = TestLab::new();
        let tree = Tree::new(&lab);
        let captures = lab.path("captures");
        let file = lab.write(
            "serial.toml",
            &format!(
                "[http]\nlisten = \"127.0.0.1:0\"\n[capture]\ndir = {captures:?}\n[discover]\n\
                 [[match]]\nserial = \"A50285BI\"\nname = \"panda01\"\n\
                 [[match]]\nvendor = \"Arduino\"\nignore = true\n"
            ),
        );
        let mut program = lab.program("lava-serial");
        let serial = Daemon::start("lava-serial", tree.show(program.args(["--config", &file])));
        Self { serial, tree, lab }
    }

    fn lava(&self, args: &str) -> Output {
        let mut program = self.lab.program("lava");
        let program = program.arg("serial").args(args.split_whitespace());
        run(self.tree.show(program), "", LIMIT)
    }

    fn printed(&self, args: &str) -> String {
        let output = self.lava(args);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn open(&self) -> usize {
        let consoles = http(self.serial.address("http"), "GET", "/consoles", "").json();
        consoles.as_array().unwrap().iter().filter(|console| console["state"] == "open").count()
    }
}

/// What a line of a table says in its columns.
fn columns(table: &str, device: &str) -> Vec<String> {
    let line = table.lines().find(|line| line.starts_with(&format!("{device} ")));
    let line = line.unwrap_or_else(|| panic!("no {device} in:\n{table}"));
    line.split("  ").map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

#[test]
fn adapters_are_listed_with_what_they_are_and_who_has_them() {
    let host = Host::start();
    let quad =
        UsbAdapter { serial: "FT4ABCDE", interfaces: &[0, 1], ..UsbAdapter::ftdi("FT4ABCDE") };
    let hostile = UsbAdapter { vendor: "Arduino", product: "\x1b[2J", ..UsbAdapter::ftdi("0001") };
    let _lines = (
        host.tree.plug("1", &UsbAdapter::ftdi("A50285BI"), &["ttyUSB0"]),
        host.tree.plug("2", &quad, &["ttyUSB1", "ttyUSB2"]),
        host.tree.plug("3", &hostile, &["ttyUSB3"]),
    );
    wait_until(LIMIT, "three of them are open", || host.open() == 3);
    let alice = WebSocket::attach(host.serial.address("http"), "panda01", "user=alice");
    alice.expect_message("alice is attached", |message| message["type"] == "hello");
    // Somebody who has an adapter that we leave alone: this test.
    let _own = std::fs::File::open(host.tree.node("ttyUSB3")).unwrap();

    let table = host.printed("list");
    let line = |device| columns(&table, device);
    assert_eq!(line("ttyS0")[2..4], ["-", "the kernel's console"]);
    assert_eq!(line("ttyS1")[1..], ["ttyS1", "-", "free", "line of this host (serial)"]);
    assert_eq!(
        line("ttyUSB0")[1..],
        [
            "usb-A50285BI",
            "panda01",
            "open, alice attached",
            "FTDI FT232R USB UART, serial number A50285BI"
        ]
    );
    let second = "FTDI FT232R USB UART, serial number FT4ABCDE, interface 1";
    assert_eq!(line("ttyUSB2")[1..], ["usb-FT4ABCDE-if01", "usb-FT4ABCDE-if01", "open", second]);
    let busy = line("ttyUSB3");
    assert!(busy[3].starts_with("busy: ") && busy[3].contains(&std::process::id().to_string()));
    assert_eq!(busy[4], "Arduino ?[2J, serial number 0001");

    let list: Value = serde_json::from_str(&host.printed("list --json")).unwrap();
    let rows = list.as_array().unwrap();
    let row = rows.iter().find(|row| row["tty"] == "ttyUSB0").unwrap();
    assert_eq!((&row["console"], &row["usb"]["serial"]), (&"panda01".into(), &"A50285BI".into()));
    let owners = row["owners"].as_array().unwrap();
    assert!(owners.iter().any(|owner| owner["pid"] == host.serial.pid()), "{owners:?}");
    assert_eq!(row["by_path"], "pci-0000:00:01.0-usb-0:1:1.0-port0");
}

#[test]
fn what_is_suggested_can_be_pasted() {
    let host = Host::start();
    let quad =
        UsbAdapter { serial: "FT4ABCDE", interfaces: &[0, 1], ..UsbAdapter::ftdi("FT4ABCDE") };
    let _lines = (
        host.tree.plug("1", &UsbAdapter::ftdi("A50285BI"), &["ttyUSB0"]),
        host.tree.plug("2", &quad, &["ttyUSB1", "ttyUSB2"]),
        host.tree.plug("4", &UsbAdapter::ch340(), &["ttyUSB3"]),
    );
    wait_until(LIMIT, "all of them are open", || host.open() == 4);
    let rules = host.printed("suggest");
    let second = "# ttyUSB2: FTDI FT232R USB UART, serial number FT4ABCDE, interface 1\n[[match]]\n\
                  name = \"usb-FT4ABCDE-if01\"\nvendor = \"0403\"\nproduct = \"6001\"\n\
                  serial = \"FT4ABCDE\"\ninterface = 1\n";
    let third = "# ttyUSB3: 1a86 USB Serial\n[[match]]\nname = \"pci-0000-00-01.0-usb-0-4-1.0\"\n\
                 path = \"pci-0000:00:01.0-usb-0:4:1.0-port0\"\n";
    assert!(rules.contains(second) && rules.contains(third), "{rules}");
    assert!(!rules.contains("A50285BI") && host.printed("suggest --all").contains("A50285BI"));

    // As a person would do it.
    let captures = host.lab.path("captures2");
    let named = rules.replace("name = \"pci-0000-00-01.0-usb-0-4-1.0\"", "name = \"beagle07\"");
    let rules = format!("[discover]\n[capture]\ndir = {captures:?}\n{named}");
    let consoles = host.printed("suggest --console");
    assert!(consoles.contains("\nport = \"tty:"), "{consoles}");
    for (file, text) in [("rules.toml", &rules), ("consoles.toml", &consoles)] {
        let file = host.lab.write(file, text);
        let checked = host.lab.run("lava-serial", ["--check", "--config", &file], "");
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    }
    drop(host.serial);
    let mut program = host.lab.program("lava-serial");
    let file = host.lab.path("rules.toml").display().to_string();
    let _serial = Daemon::start("lava-serial", host.tree.show(program.args(["--config", &file])));
    let boards = String::from_utf8(host.lab.run("lava", ["boards"], "").stdout).unwrap();
    assert!(boards.lines().any(|line| line.starts_with("beagle07 ")), "{boards}");
}

#[test]
fn a_device_is_told_its_consoles_name() {
    let host = Host::start();
    let _line = host.tree.plug("1", &UsbAdapter::ftdi("A50285BI"), &["ttyUSB0"]);
    assert_eq!(host.printed("name ttyUSB0"), "usb-A50285BI\n");
    assert_eq!(host.printed("name /dev/ttyUSB0"), "usb-A50285BI\n");
    let unknown = host.lava("name ttyUSB9");
    assert_eq!(unknown.status.code(), Some(2));
    let said = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(said.starts_with("ttyUSB9 is no serial adapter of this host"), "{said}");
}
