//! RFC 2217 on a console's telnet port, as programs use it that want a serial port over a network;
//! and consoles whose port is such a server.

mod clients;
mod line;
mod peers;
mod server;
mod suite;
mod upstream;

use serde_json::Value;

use crate::common::{Cable, Client, Daemon, LIMIT, TestLab, http, wait_until};

/// Commands of the client; the server's have 100 more.
const SIGNATURE: u8 = 0;
const BAUD: u8 = 1;
const DATA_BITS: u8 = 2;
const PARITY: u8 = 3;
const STOP_BITS: u8 = 4;
const CONTROL: u8 = 5;
const LINE_STATE: u8 = 6;
const MODEM_STATE: u8 = 7;
const SUSPEND: u8 = 8;
const RESUME: u8 = 9;
const LINE_STATE_MASK: u8 = 10;
const MODEM_STATE_MASK: u8 = 11;
const PURGE: u8 = 12;

/// Values of [`CONTROL`].
const BREAK_ON: u8 = 5;
const BREAK_OFF: u8 = 6;
const DTR_OFF: u8 = 9;
const RTS_OFF: u8 = 12;

/// A program that has agreed to COM-PORT-OPTION, as its first state of the modem lines tells.
fn program(serial: &Daemon) -> Client {
    let mut program = Client::raw(serial.address("telnet"));
    program.type_bytes(&[255, 251, 44, 255, 251, 0, 255, 253, 0]);
    program.expect_bytes(&[255, 250, 44, 107]);
    program.expect_bytes(&[255, 240]);
    program
}

fn ask(program: &mut Client, command: u8, value: &[u8]) {
    program.type_bytes(&[&[255, 250, 44, command], value, &[255, 240]].concat());
}

fn answer(command: u8, value: &[u8]) -> Vec<u8> {
    [&[255, 250, 44, command + 100], value, &[255, 240]].concat()
}

/// The settings of the line that were told so far, each with who set them.
fn told_settings(serial: &Daemon) -> Vec<(Option<String>, String)> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let set = events(serial).into_iter().filter(|event| event["kind"] == "line-settings");
    set.map(|event| (text(&event["who"]), text(&event["settings"]).unwrap())).collect()
}

fn events(serial: &Daemon) -> Vec<Value> {
    let events = http(serial.address("http"), "GET", "/consoles/panda01/events", "").json();
    events.as_array().unwrap().clone()
}

/// A daemon with one simulated console, and the far end of its cable.
fn cabled(lab: &TestLab, options: &str) -> (Daemon, Cable) {
    let path = lab.path("cable.sock");
    let cable = Cable::at(&path);
    let serial = one(lab, &format!("sim:uart{options},control={}", path.display()));
    opened(&serial);
    (serial, cable)
}

/// Waits until the port is open, since before that nothing can be typed.
fn opened(serial: &Daemon) {
    wait_until(LIMIT, "the port is open", || state(serial)["state"] == "open");
}

fn state(serial: &Daemon) -> Value {
    http(serial.address("http"), "GET", "/consoles/panda01", "").json()
}

/// A daemon with one console, `panda01`.
fn one(lab: &TestLab, port: &str) -> Daemon {
    let capture = lab.path("capture").display().to_string();
    let any = "127.0.0.1:0";
    let console = ["--name", "panda01", "--port", port, "--capture", &capture];
    let listeners = ["--http", any, "--telnet", any, "--raw", any];
    lab.start("lava-serial", console.iter().chain(&listeners))
}
