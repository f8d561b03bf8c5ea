//! Back to a point in the past, and on from there.

use super::{Board, ECHO};
use crate::common::{Client, LIMIT, WebSocket, http, run, wait_until};

/// A board that said `before`, was reset, and then said `after`.
fn reset_board() -> Board {
    let board = Board::start(ECHO);
    board.wait_for_ready_board();
    board.script(&[], "before\n");
    let (code, _, stderr) = board.script(&[], "~$hardreset\n");
    assert_eq!(code, 0, "{stderr}");
    board.script(&[], "after\n");
    board
}

#[test]
fn a_person_sees_what_came_since_the_last_reset_and_goes_on_live() {
    let board = reset_board();
    for (point, sees_before) in [("reset", false), ("boot", false), ("10m", true), ("0", true)] {
        let mut alice = Client::in_terminal(&mut board.console("alice", &["--since", point]));
        alice.expect("Connected to panda01");
        alice.expect("echo:after\r\n=> ");
        alice.type_text("live\n");
        alice.expect("echo:live\r\n");
        let before = alice.heard().text().contains("echo:before");
        assert_eq!(before, sees_before, "since {point}: {}", alice.heard().text());
        alice.type_text("~$quit\r");
        alice.expect("Connection Closed");
    }
}

#[test]
fn a_point_that_is_none_is_told_and_so_is_a_mark_that_is_not_there() {
    let board = Board::start(ECHO);
    board.wait_for_ready_board();
    let (code, _, stderr) = board.script(&["--since", "yesterday"], "");
    assert_eq!(code, 2);
    assert!(stderr.contains("\"yesterday\" is no point in time; write an offset"), "{stderr}");
    let (code, _, stderr) = board.script(&["--since", "reset"], "");
    assert_eq!(code, 2);
    assert_eq!(stderr, "nothing on the timeline tells of a reset; it goes back to offset 0\n");
}

#[test]
fn a_time_without_a_zone_is_one_of_this_host() {
    let board = reset_board();
    // What came in the last ten minutes, said in the local time of somebody far east of here.
    let since = jiff::Timestamp::now() - jiff::SignedDuration::from_mins(10);
    let zone = jiff::tz::TimeZone::get("Asia/Tokyo").unwrap();
    let local = since.to_zoned(zone).strftime("%Y-%m-%d %H:%M").to_string();
    let said = |zone: &str| {
        let mut log = board.lab.program("lava-console");
        log.args(["--since", &local, "panda01"]).env("TZ", zone);
        run(&mut log, "~$who\n~$status\n", LIMIT).stdout
    };
    // In UTC the same words are nine hours ahead: nothing came since then.
    wait_until(LIMIT, "it is replayed", || {
        String::from_utf8_lossy(&said("Asia/Tokyo")).contains("echo:after")
    });
    assert_eq!(String::from_utf8_lossy(&said("UTC")), "");
}

#[test]
fn every_interface_takes_the_same_points() {
    let board = reset_board();
    let address = board.serial.address("http");
    let get = |path: &str| http(address, "GET", &format!("/consoles/panda01/{path}"), "");
    let all = get("history").text();
    let reset = get("history?from=reset");
    assert_eq!(reset.status, 200, "{}", reset.text());
    let at: usize = reset.header("x-lava-offset").unwrap().parse().unwrap();
    assert_eq!(reset.text(), all[at..]);
    assert!(all[..at].contains("echo:before") && !reset.text().contains("before"), "{at}");
    // The two halves, with the mark and with its time as their border.
    assert_eq!(get("history?to=reset").text(), all[..at]);
    let events = get("events?from=reset&to=7").json();
    assert_eq!(events.as_array().unwrap().len(), 0, "the reset came after offset 7: {events}");
    let events = get("events?from=reset").json();
    let begin = events.as_array().unwrap().iter().find(|e| e["phase"] == "begin").unwrap().clone();
    let time = lavamux::model::units::time_text(begin["time_us"].as_u64().unwrap());
    let since = get(&format!("events?from={time}&to=2999-01-01T00:00:00Z")).json();
    assert!(since.as_array().unwrap().contains(&begin), "{since}");
    let until = get(&format!("events?to={time}")).json();
    assert!(!until.as_array().unwrap().contains(&begin), "{until}");
    assert!(until.as_array().unwrap().iter().any(|e| e["kind"] == "input"), "{until}");

    let session = WebSocket::attach(address, "panda01", "mode=spy&from=reset");
    let hello = session.expect_message("the hello", |m| m["type"] == "hello");
    assert_eq!(hello["from"], at);
    session.heard().find(LIMIT, 0, b"echo:after").unwrap();
    assert_eq!(session.frames()[0].0, at as u64);
    for path in ["history?from=yesterday", "history?to=10:30", "events?from=-5m"] {
        let answer = get(path);
        assert_eq!(answer.status, 400, "{path}: {}", answer.text());
        assert!(answer.text().contains("is no point in time"), "{}", answer.text());
    }
}
