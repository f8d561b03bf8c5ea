//! Quiet sessions and quiet boards, and boards that have just been connected.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;

use serde_json::json;

use super::{attach, events, one, post, status, typed_by, wait_for_events};
use crate::common::{Client, LIMIT, TestLab, wait_until};

#[test]
fn who_types_nothing_becomes_a_spy_is_told_before_and_gives_the_lock_back() {
    let lab = TestLab::new();
    let serial = one(&lab, "exec:cat", "idle = \"1s\"");
    let alice = attach(&serial, "user=alice&mode=exclusive");
    let spy = attach(&serial, "user=spy&mode=spy");
    let job = attach(&serial, "user=job:7&mode=exclusive&stay=true");
    let notice = alice.expect_message("she is told before", |m| m["type"] == "notice");
    assert!(notice["text"].as_str().unwrap().contains("you become a spy in 1 s"), "{notice}");
    alice.expect_message("she is a spy", |m| m["type"] == "mode" && m["mode"] == "spy");
    // What was hers goes to who waited for it; a job may wait as long as it wants.
    job.expect_message("the job has it", |m| m["type"] == "mode" && m["mode"] == "exclusive");
    let idle = wait_for_events(&serial, "idle", 1);
    let expected = (&json!("alice"), &json!(1), &json!(false));
    assert_eq!((&idle[0]["who"], &idle[0]["seconds"], &idle[0]["leaves"]), expected);
    wait_until(LIMIT, "all have been idle for long", || {
        let sessions = status(&serial)["sessions"].clone();
        sessions.as_array().unwrap().iter().all(|row| row["idle_s"].as_u64().unwrap() >= 2)
    });
    assert_eq!(status(&serial)["holder"]["user"], "job:7");
    assert_eq!(events(&serial, "idle").len(), 1);
    assert!(!spy.messages().iter().any(|m| m["type"] == "notice"), "a spy disturbs nobody");
}

#[test]
fn whoever_types_is_not_idle() {
    let lab = TestLab::new();
    let serial = one(&lab, "exec:cat", "idle = \"2s\"");
    let alice = attach(&serial, "user=alice");
    let bob = attach(&serial, "user=bob");
    wait_until(LIMIT, "alice is a spy, bob is not", || {
        bob.type_text("x");
        bob.heard().bytes();
        events(&serial, "idle").iter().any(|event| event["who"] == "alice")
    });
    assert!(events(&serial, "idle").iter().all(|event| event["who"] == "alice"));
    drop(alice);
}

#[test]
fn an_idle_client_can_be_let_go_instead() {
    let lab = TestLab::new();
    let serial = one(&lab, "exec:cat", "idle = \"1s\"\nidle_then = \"leave\"");
    let mut telnet = Client::telnet(serial.address("telnet"));
    let raw = Client::raw(serial.address("raw"));
    let alice = attach(&serial, "user=alice");
    telnet.expect("[you have typed nothing for a while: you are let go in 1 s]");
    telnet.expect("[nothing typed for 1 s]");
    telnet.expect("Connection closed");
    let ended = alice.expect_message("she is told", |m| m["type"] == "ended");
    assert_eq!(ended["reason"], "nothing typed for 1 s");
    wait_until(LIMIT, "the raw client is gone", || raw.heard().ended());
}

#[test]
fn a_changed_configuration_counts_for_those_who_are_there() {
    let lab = TestLab::new();
    let serial = one(&lab, "exec:cat", "idle = \"10h\"");
    let alice = attach(&serial, "user=alice");
    let file = lab.path("serial.toml");
    let config = std::fs::read_to_string(&file).unwrap().replace("10h", "1s");
    std::fs::write(&file, config).unwrap();
    let changed = crate::common::http(serial.address("http"), "POST", "/reload", "").json();
    assert_eq!(changed["changed"], json!(["panda01"]));
    alice.expect_message("she is a spy", |m| m["type"] == "mode" && m["mode"] == "spy");
}

#[test]
fn a_board_gets_its_string_whenever_its_port_is_opened() {
    let lab = TestLab::new();
    let socket = lab.path("board");
    let board = UnixListener::bind(&socket).unwrap();
    let port = format!("unix:{}", socket.display());
    let serial = one(&lab, &port, "on_open = '\\d(10)hello\\r'");
    for _ in 0..2 {
        let (mut line, _) = board.accept().unwrap();
        let mut typed = [0; 6];
        line.read_exact(&mut typed).unwrap();
        assert_eq!(&typed, b"hello\r");
    }
    wait_until(LIMIT, "it is recorded as ours", || {
        typed_by(&serial, "lava-serial") == "hello\rhello\r"
    });
}

#[test]
fn a_quiet_board_is_woken_unless_somebody_has_it() {
    let lab = TestLab::new();
    let socket = lab.path("board");
    let board = UnixListener::bind(&socket).unwrap();
    let port = format!("unix:{}", socket.display());
    let keys = "idle_send = 'x'\nidle_send_after = \"1s\"";
    let serial = one(&lab, &port, keys);
    let (mut line, _) = board.accept().unwrap();
    let mut typed = [0; 2];
    line.read_exact(&mut typed).unwrap();
    assert_eq!(&typed, b"xx", "again and again");
    let job = attach(&serial, "user=job:7&mode=exclusive&stay=true");
    // Whatever was under way has arrived when this has.
    job.type_text("mark");
    let mut heard = Vec::new();
    while !heard.ends_with(b"mark") {
        let mut byte = [0];
        line.read_exact(&mut byte).unwrap();
        heard.extend(byte);
    }
    wait_until(LIMIT, "the line is quiet for long", || {
        status(&serial)["sessions"][0]["idle_s"].as_u64().unwrap() >= 3
    });
    assert_eq!(post(&serial, "release", "").status, 200);
    line.read_exact(&mut typed).unwrap();
    assert_eq!(&typed, b"xx");
    let woken = typed_by(&serial, "lava-serial");
    assert!(woken.bytes().all(|byte| byte == b'x'), "{woken}");
    line.write_all(b"bye").unwrap();
}
