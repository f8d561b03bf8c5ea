//! What must not break when the system does: disks that take nothing or a part, clocks that are set,
//! lines that hang up, and processes that are killed at any moment.

mod capture;
mod clock;
mod kill;
mod line;
mod load;
mod soak;

use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;
use std::process::Command;

use crate::common::{Answer, Heard, LIMIT, TestLab, http, wait_until};

/// Length of a record, in bytes.
const RECORD: u64 = 16;

/// What a board prints: numbered records, so that each byte tells where it belongs.
fn printed(board: usize, range: Range<u64>) -> Vec<u8> {
    let records = range.start / RECORD..range.end.div_ceil(RECORD);
    let skip = (range.start % RECORD) as usize;
    let text = records.flat_map(|number| format!("{board:04} {number:09}\r\n").into_bytes());
    text.skip(skip).take((range.end - range.start) as usize).collect()
}

/// A console's past from an offset on, up to the next hole: its offset, its bytes, and where it ends.
fn run_from(address: SocketAddr, console: &str, from: u64) -> (u64, Vec<u8>, u64) {
    let path = format!("/consoles/{console}/history?from={from}");
    let answer = http(address, "GET", &path, "");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let number = |answer: &Answer, name| answer.header(name).unwrap().parse().unwrap();
    let (begin, end) = (number(&answer, "x-lava-offset"), number(&answer, "x-lava-end"));
    assert_eq!(answer.body.len() as u64, end - begin, "it is as long as it says");
    (begin, answer.body, end)
}

/// The whole past of a console: what is held of it, by offset.
fn captured(address: SocketAddr, console: &str, head: u64) -> Vec<(u64, Vec<u8>)> {
    let (mut runs, mut at) = (Vec::new(), 0);
    while at < head {
        let (begin, bytes, end) = run_from(address, console, at);
        assert!(end > at, "nothing is held from {at} to {head}");
        if !bytes.is_empty() {
            runs.push((begin, bytes));
        }
        at = end;
    }
    runs
}

fn status(address: SocketAddr, console: &str) -> serde_json::Value {
    http(address, "GET", &format!("/consoles/{console}"), "").json()
}

/// The gaps on a console's timeline.
fn gaps(address: SocketAddr, console: &str) -> Vec<Range<u64>> {
    let events = http(address, "GET", &format!("/consoles/{console}/events"), "").json();
    let gaps = events.as_array().unwrap().iter().filter(|event| event["kind"] == "gap");
    gaps.map(|gap| gap["offset"].as_u64().unwrap()..gap["to"].as_u64().unwrap()).collect()
}

fn wait_for_length(heard: &Heard, length: usize) {
    wait_until(LIMIT * 2, &format!("{length} bytes are heard"), || heard.len() >= length);
}

/// Builds the library that stands between a daemon and the system; see `shim.c`.
fn shim(lab: &TestLab) -> PathBuf {
    let library = lab.path("shim.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/faults/shim.c");
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
        .arg(&library)
        .args([source, "-ldl"])
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    library
}
