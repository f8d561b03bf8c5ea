//! The wall clock is set while a board prints.

use std::io::Write as _;
use std::os::unix::net::UnixListener;
use std::time::{SystemTime, UNIX_EPOCH};

use super::{printed, run_from, shim, status, wait_for_length};
use crate::common::{Daemon, TestLab, WebSocket, http};

const HOUR: i64 = 3600;

/// A time as the API takes it.
fn at(now: u64, later: i64) -> String {
    let seconds = i64::try_from(now).unwrap() + later;
    let output = std::process::Command::new("date")
        .args(["-u", "-d", &format!("@{seconds}"), "+%FT%TZ"])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_clock_that_is_set_back_and_forth_breaks_neither_looks_at_times_nor_the_record() {
    let lab = TestLab::new();
    let (clock, socket) = (lab.write("clock", "0"), lab.path("board"));
    let board = UnixListener::bind(&socket).unwrap();
    let mut command = lab.program("lava-serial");
    command.env("LD_PRELOAD", shim(&lab)).env("FAULT_CLOCK", &clock);
    command.args(["--name", "panda01", "--http", "127.0.0.1:0", "--port"]);
    command.arg(format!("unix:{}", socket.display()));
    command.arg("--capture").arg(lab.path("capture"));
    let serial = Daemon::start("lava-serial", &mut command);
    let address = serial.address("http");
    let (mut line, _) = board.accept().unwrap();
    let alice = WebSocket::attach(address, "panda01", "user=alice");
    alice.expect_message("the hello", |message| message["type"] == "hello");

    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mut head = 0;
    // Right, set back by two hours, going on from there, and set right again.
    for ahead in [0, -2 * HOUR, -2 * HOUR + 5, 0] {
        std::fs::write(&clock, ahead.to_string()).unwrap();
        line.write_all(&printed(0, head..head + 160)).unwrap();
        head += 160;
        wait_for_length(alice.heard(), head as usize);
        http(address, "POST", "/consoles/panda01/message", r#"{"text":"there"}"#);
    }
    assert!(alice.heard().bytes() == printed(0, 0..head));
    let (_, bytes, _) = run_from(address, "panda01", 0);
    assert!(bytes == printed(0, 0..head), "the record is another");

    let begin = |time: &str| {
        let path = format!("/consoles/panda01/history?from={time}");
        let answer = http(address, "GET", &path, "");
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.header("x-lava-offset").unwrap().parse::<u64>().unwrap()
    };
    assert_eq!(status(address, "panda01")["head"], head);
    // Before everything; after the first step; while the clock was back; and now.
    assert_eq!(begin(&at(now, -3 * HOUR)), 0);
    assert_eq!(begin(&at(now, -HOUR)), 480, "what came since it was set right");
    assert_eq!(begin(&at(now, HOUR)), head);
    // Events stay in the order in which things happened.
    let events = http(address, "GET", "/consoles/panda01/events", "").json();
    let offsets: Vec<u64> = events
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["kind"] == "message")
        .map(|event| event["offset"].as_u64().unwrap())
        .collect();
    assert_eq!(offsets, [160, 320, 480, 640]);
}
