//! Adapters that become consoles by themselves.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::symlink;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::common::{
    Daemon, LIMIT, TestLab, Tree, UsbAdapter, WebSocket, http, signal, udev_link, wait_until,
};

/// A host with adapters, and a daemon that serves what it finds.
struct Host {
    serial: Daemon,
    tree: Tree,
    lab: TestLab,
}

impl Host {
    /// With nothing plugged in so far.
    fn start(config: &str) -> Self {
        let lab = TestLab::new();
        let tree = Tree::new(&lab);
        Self::start_on(lab, tree, config)
    }

    fn start_on(lab: TestLab, tree: Tree, config: &str) -> Self {
        let file = lab.write("serial.toml", &Self::file(&lab, config));
        let mut program = lab.program("lava-serial");
        let serial =
            Daemon::start("lava-serial", tree.show(program.args(["--config", file.as_str()])));
        Self { serial, tree, lab }
    }

    fn file(lab: &TestLab, config: &str) -> String {
        let captures = lab.path("captures");
        format!("[http]\nlisten = \"127.0.0.1:0\"\n[capture]\ndir = {captures:?}\n{config}")
    }

    /// Has a changed configuration read.
    fn configure(&self, config: &str) -> Value {
        self.lab.write("serial.toml", &Self::file(&self.lab, config));
        let answer = http(self.http(), "POST", "/reload", "");
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    fn http(&self) -> SocketAddr {
        self.serial.address("http")
    }

    fn consoles(&self) -> Vec<Value> {
        http(self.http(), "GET", "/consoles", "").json().as_array().unwrap().clone()
    }

    fn names(&self) -> Vec<String> {
        let text = |console: &Value| console["name"].as_str().unwrap().to_owned();
        self.consoles().iter().map(text).collect()
    }

    #[track_caller]
    fn wait_for(&self, names: &[&str]) {
        wait_until(LIMIT, &format!("the consoles are {names:?}"), || self.names() == names);
    }

    #[track_caller]
    fn wait_for_state(&self, name: &str, state: &str) {
        wait_until(LIMIT, &format!("{name} is {state}"), || {
            self.consoles().iter().any(|it| it["name"] == name && it["state"] == state)
        });
    }

    /// The device that a console's port names, without the folder of the lab.
    fn port(&self, name: &str) -> String {
        let console = self.consoles().into_iter().find(|it| it["name"] == name).unwrap();
        let dev = format!("{}/", self.tree.roots().dev.display());
        console["port"].as_str().unwrap().replace(&dev, "")
    }
}

#[test]
fn an_adapter_becomes_a_console_and_stays_it_wherever_it_is_plugged_in() {
    let host = Host::start("[discover]\n");
    assert_eq!(host.names(), [""; 0]);
    let line = host.tree.plug_one("1", &UsbAdapter::ftdi("A50285BI"), "ttyUSB0");
    host.wait_for(&["usb-A50285BI"]);
    host.wait_for_state("usb-A50285BI", "open");
    let by_id = "serial/by-id/usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0";
    assert_eq!(host.port("usb-A50285BI"), format!("tty:{by_id},115200n8"));

    let alice = WebSocket::attach(host.http(), "usb-A50285BI", "user=alice");
    line.board.near().write_all(b"=> ").unwrap();
    alice.heard().find(LIMIT, 0, b"=> ").unwrap();
    host.tree.unplug(line);
    alice.expect_message("alice is told", |message| message["kind"] == "port-lost");
    assert_eq!(host.names(), ["usb-A50285BI"]);

    let other = host.tree.plug_one("1", &UsbAdapter::ftdi("B61396CJ"), "ttyUSB0");
    let line = host.tree.plug_one("4", &UsbAdapter::ftdi("A50285BI"), "ttyUSB1");
    host.wait_for(&["usb-A50285BI", "usb-B61396CJ"]);
    alice.expect_message("it is back", |message| message["kind"] == "port-open");
    alice.type_text("boot");
    let mut typed = [0; 4];
    line.board.near().read_exact(&mut typed).unwrap();
    assert_eq!(&typed, b"boot");
    host.wait_for_state("usb-B61396CJ", "open");
    drop(other);
}

#[test]
fn an_unplugged_adapter_keeps_its_clients_while_the_program_is_replaced() {
    let host = Host::start("[discover]\nraw = \"127.0.0.1:0\"\n");
    let line = host.tree.plug_one("1", &UsbAdapter::ftdi("A50285BI"), "ttyUSB0");
    host.wait_for_state("usb-A50285BI", "open");
    let alice = WebSocket::attach(host.http(), "usb-A50285BI", "user=alice");
    alice.expect_message("alice is attached", |message| message["type"] == "hello");
    host.tree.unplug(line);
    host.wait_for_state("usb-A50285BI", "closed");

    signal(host.serial.pid(), Signal::USR2);
    wait_until(LIMIT, "the next program is ready", || {
        host.serial.output().text().matches("ready: ").count() == 2
    });
    let line = host.tree.plug_one("2", &UsbAdapter::ftdi("A50285BI"), "ttyUSB1");
    host.wait_for_state("usb-A50285BI", "open");
    line.board.near().write_all(b"still here").unwrap();
    alice.heard().find(LIMIT, 0, b"still here").unwrap();
}

#[test]
fn rules_say_what_adapters_become() {
    let host = Host::start(
        "[discover]\nline = \"9600e7\"\n\
         [[match]]\nserial = \"A50285BI\"\nname = \"panda01\"\nline = \"1500000n8\"\n\
         raw = \"127.0.0.1:0\"\n\
         [[match]]\nproduct = \"quad*\"\ninterface = 1\nname = \"beagle07\"\n\
         [[match]]\nproduct = \"quad*\"\nignore = true\n\
         [[match]]\nvendor = \"1A86\"\npath = \"*-usb-0:4:*\"\nname = \"left\"\n",
    );
    let quad = UsbAdapter {
        product: "Quad RS232-HS",
        interfaces: &[0, 1],
        ..UsbAdapter::ftdi("FT4ABCDE")
    };
    let tree = &host.tree;
    let _lines = (
        tree.plug("1", &UsbAdapter::ftdi("A50285BI"), &["ttyUSB0"]),
        tree.plug("2", &quad, &["ttyUSB1", "ttyUSB2"]),
        tree.plug("4", &UsbAdapter::ch340(), &["ttyUSB3"]),
        tree.plug("5", &UsbAdapter::ch340(), &["ttyUSB4"]),
    );
    let by_place = "pci-0000-00-01.0-usb-0-5-1.0";
    host.wait_for(&["beagle07", "left", "panda01", by_place]);
    for name in ["beagle07", "left", "panda01", by_place] {
        host.wait_for_state(name, "open");
    }
    assert!(host.port("panda01").ends_with("A50285BI-if00-port0,1500000n8"));
    assert!(host.port("beagle07").ends_with("FT4ABCDE-if01-port0,9600e7"));
    let by_path = "tty:serial/by-path/pci-0000:00:01.0-usb-0:5:1.0-port0,9600e7";
    assert_eq!(host.port(by_place), by_path);
}

#[test]
fn a_found_console_is_like_any_other() {
    let host = Host::start(
        "[conmux]\nregistry = \"127.0.0.1:0\"\nentries = \"registry\"\n[break]\nreboot = \"x\"\n\
         [discover]\n[[match]]\nserial = \"A50285BI\"\nname = \"panda01\"\non_open = \"hello\\\\r\"\n",
    );
    let line = host.tree.plug_one("1", &UsbAdapter::ftdi("A50285BI"), "ttyUSB0");
    let mut typed = [0; 6];
    line.board.near().read_exact(&mut typed).unwrap();
    assert_eq!(&typed, b"hello\r", "what is sent whenever it is opened");
    let mut conmux = TcpStream::connect(host.serial.address("conmux-registry")).unwrap();
    conmux.write_all(b"LOOKUP service=panda01\n").unwrap();
    let mut answer = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(conmux), &mut answer).unwrap();
    assert!(answer.contains(" status=OK "), "{answer}");
    let alice = WebSocket::attach(host.http(), "panda01", "user=alice");
    alice.ask(r#"{"id":1,"request":"break","sequence":"reboot"}"#);
    let mut typed = [0; 1];
    line.board.near().read_exact(&mut typed).unwrap();
    assert_eq!(&typed, b"x");
}

#[test]
fn a_console_that_is_configured_has_its_adapter_by_any_name() {
    let lab = TestLab::new();
    let tree = Tree::new(&lab);
    let own = lab.path("panda03");
    let dev = tree.roots().dev.display().to_string();
    let console = |name: &str, device: &str| {
        format!("[[console]]\nname = \"{name}\"\nport = \"tty:{device}\"\n")
    };
    let config = [
        "[discover]\n".to_owned(),
        console("panda01", &format!("{dev}/ttyUSB0")),
        console("panda02", &format!("{dev}/serial/by-path/pci-0000:00:01.0-usb-0:2:1.0-port0")),
        console("panda03", own.to_str().unwrap()),
    ];
    let host = Host::start_on(lab, tree, &config.concat());
    symlink(host.tree.node("ttyUSB2"), &own).unwrap();
    let _lines = (
        host.tree.plug("1", &UsbAdapter::ftdi("A50285BI"), &["ttyUSB0"]),
        host.tree.plug("2", &UsbAdapter::ftdi("B61396CJ"), &["ttyUSB1"]),
        host.tree.plug("3", &UsbAdapter::ftdi("C72407DK"), &["ttyUSB2"]),
        host.tree.plug("4", &UsbAdapter::ftdi("D83518EL"), &["ttyUSB3"]),
    );
    host.wait_for(&["panda01", "panda02", "panda03", "usb-D83518EL"]);
    for name in ["panda01", "panda02", "panda03", "usb-D83518EL"] {
        host.wait_for_state(name, "open");
    }
}

#[test]
fn an_adapter_is_the_configured_consoles_once_its_link_has_come() {
    let lab = TestLab::new();
    let tree = Tree::new(&lab);
    let own = lab.path("panda01");
    let console =
        format!("[discover]\n[[console]]\nname = \"panda01\"\nport = \"tty:{}\"\n", own.display());
    let host = Host::start_on(lab, tree, &console);
    let _line = host.tree.plug("1", &UsbAdapter::ftdi("A50285BI"), &["ttyUSB0"]);
    host.wait_for(&["panda01", "usb-A50285BI"]);
    symlink(host.tree.node("ttyUSB0"), &own).unwrap();
    host.wait_for(&["panda01"]);
    host.wait_for_state("panda01", "open");
}

#[test]
fn two_adapters_with_one_serial_number_are_not_mixed_up() {
    let host = Host::start("[discover]\n");
    let first = host.tree.plug_one("1", &UsbAdapter::ftdi("TWIN0815"), "ttyUSB0");
    host.wait_for_state("usb-TWIN0815", "open");
    let alice = WebSocket::attach(host.http(), "usb-TWIN0815", "user=alice");
    alice.expect_message("alice is attached", |message| message["type"] == "hello");

    let second = host.tree.plug_one("2", &UsbAdapter::ftdi("TWIN0815"), "ttyUSB1");
    let by_place = "pci-0000-00-01.0-usb-0-2-1.0";
    host.wait_for(&[by_place, "usb-TWIN0815"]);
    host.wait_for_state(by_place, "open");
    let by_path = "tty:serial/by-path/pci-0000:00:01.0-usb-0:1:1.0-port0,115200n8";
    assert_eq!(host.port("usb-TWIN0815"), by_path, "its place tells now which one is meant");

    // The second one does not become the first when that goes.
    host.tree.unplug(first);
    host.wait_for_state("usb-TWIN0815", "closed");
    let first = host.tree.plug_one("1", &UsbAdapter::ftdi("TWIN0815"), "ttyUSB2");
    host.wait_for_state("usb-TWIN0815", "open");
    let lines = [(&first, "the first"), (&second, "the second")];
    for (line, text) in lines {
        line.board.near().write_all(text.as_bytes()).unwrap();
    }
    alice.heard().find(LIMIT, 0, b"the first").unwrap();
    assert_eq!(alice.heard().text(), "the first");
    assert_eq!(host.names(), [by_place, "usb-TWIN0815"]);
}

#[test]
fn addresses_are_given_out_of_a_range_and_never_twice() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let first = taken.local_addr().unwrap().port();
    let last = first.saturating_add(9);
    let host = Host::start(&format!(
        "[discover]\nraw = \"127.0.0.1:{first}-{last}\"\n\
         [[match]]\nserial = \"C72407DK\"\nname = \"c\"\nraw = \"127.0.0.1:{first}\"\n"
    ));
    let plug = |socket, serial, tty| host.tree.plug_one(socket, &UsbAdapter::ftdi(serial), tty);
    let _lines = [
        plug("1", "A50285BI", "ttyUSB0"),
        plug("2", "B61396CJ", "ttyUSB1"),
        plug("3", "C72407DK", "ttyUSB2"),
    ];
    host.wait_for(&["c", "usb-A50285BI", "usb-B61396CJ"]);
    let told = format!("c gets no address: none of 127.0.0.1:{first} is free");
    host.serial.wait_for_log(LIMIT, &told);
    let mut clients = Vec::new();
    for port in first + 1..=last {
        clients.extend(TcpStream::connect(("127.0.0.1", port)));
    }
    let reached = || {
        let attached = |it: &Value| it["sessions"].as_array().unwrap().len() == 1;
        let names = host.consoles().into_iter().filter(attached);
        names.map(|console| console["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    wait_until(LIMIT, "both can be reached", || reached() == ["usb-A50285BI", "usb-B61396CJ"]);
    assert_eq!(clients.len(), 2);
}

#[test]
fn a_rule_that_comes_later_names_an_adapter_that_is_there() {
    let host = Host::start("[discover]\n");
    let _line = host.tree.plug_one("1", &UsbAdapter::ftdi("A50285BI"), "ttyUSB0");
    host.wait_for_state("usb-A50285BI", "open");
    let rule = "[discover]\n[[match]]\nserial = \"A5*\"\nname = \"panda01\"\n";
    let changes = host.configure(rule);
    assert_eq!(
        (&changes["added"], &changes["removed"]),
        (&json!(["panda01"]), &json!(["usb-A50285BI"]))
    );
    host.wait_for_state("panda01", "open");

    // What is not discovered any more is not served any more.
    host.configure("[[console]]\nname = \"other\"\nport = \"sim:uart\"\n");
    host.wait_for(&["other"]);
}

#[test]
fn names_that_two_adapters_could_have_are_told() {
    let host = Host::start("[discover]\n[[match]]\nvendor = \"FTDI\"\nname = \"panda01\"\n");
    let _first = host.tree.plug_one("1", &UsbAdapter::ftdi("A50285BI"), "ttyUSB0");
    host.wait_for_state("panda01", "open");
    let _second = host.tree.plug_one("2", &UsbAdapter::ftdi("B61396CJ"), "ttyUSB1");
    host.wait_for(&["panda01", "usb-B61396CJ"]);
    host.serial.wait_for_log(
        LIMIT,
        "ttyUSB1 (FTDI FT232R USB UART, serial number B61396CJ) is not panda01, since ttyUSB0 has \
         it; it is usb-B61396CJ",
    );
}

#[test]
fn the_kernels_console_is_nobodys_adapter() {
    let lab = TestLab::new();
    let tree = Tree::new(&lab);
    let boards = [crate::common::Terminal::wire(), crate::common::Terminal::wire()];
    for (board, tty) in boards.iter().zip(["ttyS0", "ttyS1"]) {
        symlink(board.path(), tree.node(tty)).unwrap();
    }
    let host = Host::start_on(lab, tree, "[discover]\nonboard = true\n");
    host.wait_for(&["ttyS1"]);
    host.wait_for_state("ttyS1", "open");
}

#[test]
fn a_process_can_serve_one_adapter_only() {
    let lab = TestLab::new();
    let tree = Tree::new(&lab);
    let _lines = [
        tree.plug("1", &UsbAdapter::ftdi("A50285BI"), &["ttyUSB0"]),
        tree.plug("2", &UsbAdapter::ftdi("B61396CJ"), &["ttyUSB1"]),
    ];
    let capture = lab.path("captures").display().to_string();
    let any = "127.0.0.1:0";
    // By its console's name, and by that which it has at the moment.
    for (adapter, name) in [("usb-A50285BI", "usb-A50285BI"), ("ttyUSB1", "usb-B61396CJ")] {
        let mut program = lab.program("lava-serial");
        program.args(["--adapter", adapter, "--http", any, "--capture", &capture]);
        let serial = Daemon::start("lava-serial", tree.show(&mut program));
        let consoles = http(serial.address("http"), "GET", "/consoles", "").json();
        let names: Vec<&Value> =
            consoles.as_array().unwrap().iter().map(|console| &console["name"]).collect();
        assert_eq!(names, [name]);
    }
}

#[test]
fn without_a_file_every_adapter_is_served() {
    let lab = TestLab::new();
    let tree = Tree::new(&lab);
    let _line = tree.plug_one("1", &UsbAdapter::ftdi("A50285BI"), "ttyUSB0");
    udev_link(tree.roots(), "by-id/usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0", "ttyUSB0");
    let capture = lab.path("captures").display().to_string();
    let mut program = lab.program("lava-serial");
    program.args(["--discover", "--capture", &capture]);
    let _serial = Daemon::start("lava-serial", tree.show(&mut program));
    let boards = lab.run("lava", ["boards"], "");
    let boards = String::from_utf8(boards.stdout).unwrap();
    assert!(boards.lines().any(|line| line.starts_with("usb-A50285BI ")), "{boards}");
}

#[test]
fn addresses_that_are_open_to_the_network_are_refused() {
    let lab = TestLab::new();
    let file = lab.write("serial.toml", "[discover]\ntelnet = \"0.0.0.0:7300-7399\"\n");
    let refused = lab.run("lava-serial", ["--config", &file], "");
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.starts_with("telnet of adapters: 0.0.0.0:7300 is open to the network"), "{said}");
}
