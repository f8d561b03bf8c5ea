//! Everybody at a board's console sees what happens to its power.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::service::virtual_board;
use super::{Power, timed};
use crate::common::{Daemon, LIMIT, TestLab, http, wait_until};

fn config(console: &str, more: &str) -> String {
    format!(
        "[[pdu]]\nname = \"rack\"\ndriver = \"sim\"\n\
         [[outlet]]\nname = \"panda01\"\npdu = \"rack\"\nport = 1\noff_time = \"10ms\"\n\
         console = \"{console}\"\n{more}"
    )
}

/// A lava-serial with a console `panda01` on this port, and the console's URL.
pub(super) fn serial(lab: &TestLab, port: &str) -> (Daemon, String) {
    let text = format!(
        "[http]\nlisten = \"127.0.0.1:0\"\n[capture]\ndir = \"{}\"\n\
         [[console]]\nname = \"panda01\"\nport = \"{port}\"\nraw = \"127.0.0.1:0\"\n",
        lab.path("capture").display(),
    );
    let serial = lab.start("lava-serial", ["--config", &lab.write("serial.toml", &text)]);
    let url = format!("http://{}/consoles/panda01", serial.address("http"));
    (serial, url)
}

/// Who, verb, phase and detail of the power events on a console's timeline.
pub(super) fn timeline(console: &str) -> Vec<String> {
    let address = console.split('/').nth(2).unwrap().parse().unwrap();
    let events = http(address, "GET", "/consoles/panda01/events", "").json();
    let power = events.as_array().unwrap().iter().filter(|event| event["kind"] == "power");
    let words = ["who", "verb", "phase", "detail"];
    power.map(|e| words.map(|key| e[key].as_str().unwrap_or("-")).join(" ")).collect()
}

#[test]
fn lava_serial_shows_who_cycled_the_board() {
    let lab = TestLab::new();
    let (_serial, console) = serial(&lab, "unix:no-board");
    let power = Power::start(&lab, &config(&console, ""));
    assert_eq!(power.done("panda01", "cycle"), "on verified");
    assert_eq!(power.done("panda01", "status"), "on verified");

    let shown = || timeline(&console);
    wait_until(LIMIT, "both events", || shown().len() == 2);
    assert_eq!(shown(), ["alice cycle begin a test", "alice cycle done on, verified"]);
}

#[test]
fn a_console_is_told_before_the_board_loses_its_power() {
    let lab = TestLab::new();
    let notes = Arc::new(Mutex::new(Vec::new()));
    let board = lab.path("panda01.power");
    virtual_board(&board, &notes);
    let console = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/consoles/panda01", console.local_addr().unwrap());
    let told = Arc::clone(&notes);
    std::thread::spawn(move || {
        for stream in console.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut length = 0;
            let mut line = String::new();
            while reader.read_line(&mut line).unwrap() > 2 {
                if let Some(value) = line.to_lowercase().strip_prefix("content-length: ") {
                    length = value.trim().parse().unwrap();
                }
                line.clear();
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            // Whether somebody holds it is asked without a body.
            let what = match serde_json::from_slice::<serde_json::Value>(&body) {
                Ok(note) => super::text(&note["phase"]),
                Err(_) => "asked".to_owned(),
            };
            told.lock().unwrap().push(format!("console {what}"));
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").unwrap();
        }
    });
    let power =
        Power::start(&lab, &config(&url, &format!("board = \"unix:{}\"\n", board.display())));
    power.done("panda01", "cycle");
    let expected = ["console asked", "console begin", "board off", "board on", "console done"];
    wait_until(LIMIT, "all notes", || notes.lock().unwrap().len() == expected.len());
    assert_eq!(*notes.lock().unwrap(), expected);
}

#[test]
fn a_dead_console_never_stops_power() {
    let lab = TestLab::new();
    // Takes connections and never answers.
    let hung = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/consoles/panda01", hung.local_addr().unwrap());
    let power = Power::start(&lab, &config(&url, ""));
    let (done, took) = timed(|| power.done("panda01", "on"));
    assert_eq!(done, "on verified");
    assert!(took < Duration::from_secs(3), "{took:?}");
    power.daemon.wait_for_log(LIMIT, "the console was not told");
    power.daemon.wait_for_log(LIMIT, "unasked=\"");
}
