//! Lines that are unplugged and come back.

use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;
use std::time::Instant;

use serde_json::Value;

use crate::common::{
    Client, Daemon, LIMIT, Terminal, TestLab, Tree, UsbAdapter, WebSocket, http, wait_until,
};

const BY_ID: &str = "serial/by-id/usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0";

/// A daemon with one console on a device.
fn serve(lab: &TestLab, tree: &Tree, device: &str) -> Daemon {
    let mut program = lab.program("lava-serial");
    program.args(["--name", "panda01", "--device", device, "--http", "127.0.0.1:0"]);
    program.args(["--raw", "127.0.0.1:0", "--capture", lab.path("capture").to_str().unwrap()]);
    Daemon::start("lava-serial", tree.show(&mut program).env("LAVA_LOG", "debug"))
}

fn events(serial: &Daemon) -> Vec<Value> {
    let events = http(serial.address("http"), "GET", "/consoles/panda01/events", "").json();
    events.as_array().unwrap().clone()
}

fn state(serial: &Daemon) -> String {
    let console = http(serial.address("http"), "GET", "/consoles/panda01", "").json();
    console["state"].as_str().unwrap().to_owned()
}

/// How often the port was opened so far.
fn opened(serial: &Daemon) -> usize {
    events(serial).iter().filter(|event| event["kind"] == "port-open").count()
}

#[test]
fn an_adapter_that_comes_back_as_another_device_is_the_same_console() {
    let lab = TestLab::new();
    let tree = Tree::new(&lab);
    let line = tree.plug_one("1", &UsbAdapter::ftdi("A50285BI"), "ttyUSB0");
    let device = tree.roots().dev.join(BY_ID);
    let serial = serve(&lab, &tree, device.to_str().unwrap());
    let mut client = Client::raw(serial.address("raw"));
    let alice = WebSocket::attach(serial.address("http"), "panda01", "user=alice");
    alice.expect_message("it is attached", |message| message["type"] == "hello");
    line.board.near().write_all(b"before\r\n").unwrap();
    client.expect("before");

    tree.unplug(line);
    alice.expect_message("alice is told", |message| message["kind"] == "port-lost");
    wait_until(LIMIT, "it is closed", || state(&serial) == "closed");
    // Somebody else gets the device that it was.
    let _other = tree.plug_one("2", &UsbAdapter::ftdi("B61396CJ"), "ttyUSB0");
    let line = tree.plug_one("1", &UsbAdapter::ftdi("A50285BI"), "ttyUSB1");
    wait_until(LIMIT, "it is open again", || opened(&serial) == 2);
    line.board.near().write_all(b"after\r\n").unwrap();
    client.expect("after");
    client.type_text("typed");
    let mut typed = [0; 5];
    std::io::Read::read_exact(&mut line.board.near(), &mut typed).unwrap();
    assert_eq!(&typed, b"typed");
}

#[test]
fn a_line_is_tried_when_its_device_appears_wherever_that_is() {
    let lab = TestLab::new();
    let tree = Tree::new(&lab);
    // A link of somebody's own, in a folder that is not there yet.
    let device = lab.path("by-us/board/tty");
    let serial = serve(&lab, &tree, device.to_str().unwrap());
    wait_until(LIMIT, "it is not there", || state(&serial) == "closed");
    std::fs::create_dir_all(device.parent().unwrap()).unwrap();
    let (mut waits, mut at_once) = (Vec::new(), 0);
    for n in 1..=20 {
        let tried = serial.log().len();
        let board = Terminal::wire();
        let begin = Instant::now();
        symlink(board.path(), &device).unwrap();
        wait_until(LIMIT, "it is open", || opened(&serial) == n);
        waits.push(begin.elapsed());
        // Now and then its turn to be tried again has come anyway.
        let log = serial.log().bytes();
        at_once +=
            usize::from(String::from_utf8_lossy(&log[tried..]).contains("its device may be back"));
        std::fs::remove_file(&device).unwrap();
        drop(board);
        wait_until(LIMIT, "it is closed", || state(&serial) == "closed");
    }
    assert!(at_once > 10, "{at_once} of 20");
    waits.sort();
    eprintln!("from the link to the open port: median {:?}, worst {:?}", waits[10], waits[19]);
}

#[test]
fn a_device_that_may_not_be_opened_yet_is_tried_when_it_may() {
    let lab = TestLab::new();
    let tree = Tree::new(&lab);
    let board = Terminal::wire();
    let shut = std::fs::Permissions::from_mode(0o000);
    let open = std::fs::Permissions::from_mode(0o666);
    std::fs::set_permissions(board.path(), shut).unwrap();
    let mut program = lab.program("lava-serial");
    program.args(["--name", "panda01", "--device", board.path().to_str().unwrap()]);
    program.args(["--http", "127.0.0.1:0", "--capture", lab.path("capture").to_str().unwrap()]);
    let mut program = unprivileged(&lab, tree.show(&mut program));
    let serial = Daemon::start("lava-serial", program.env("LAVA_LOG", "debug"));
    wait_until(LIMIT, "it is refused", || {
        let reasons = events(&serial).into_iter().map(|event| event["reason"].to_string());
        reasons.into_iter().any(|reason| reason.contains("Permission denied"))
    });
    let tried = serial.log().len();
    std::fs::set_permissions(board.path(), open).unwrap();
    wait_until(LIMIT, "it is open", || opened(&serial) == 1);
    serial.log().find(LIMIT, tried, b"its device may be back").unwrap();
}

/// The same program without root's right to open everything.
fn unprivileged(lab: &TestLab, program: &Command) -> Command {
    let mut command = lab.tool("setpriv");
    if rustix::process::getuid().is_root() {
        command.arg("--bounding-set=-dac_override,-dac_read_search");
    }
    command.arg("--").arg(program.get_program()).args(program.get_args());
    command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command
}
