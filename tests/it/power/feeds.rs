//! Boards with several outlets, and outlets with several boards.

use serde_json::json;

use super::relays::{Relays, outlet};
use super::{Power, text};
use crate::common::{LIMIT, TestLab, http, http_as, wait_until};
use crate::rights::{token, user};

fn fed_twice(more: &str) -> String {
    format!(
        "[[outlet]]\nname = \"server01\"\noff_time = \"100ms\"\nfeeds = [{{ pdu = \"left\", port = 1 }}, \
         {{ pdu = \"right\", port = 2, delay = \"300ms\" }}]\n{more}"
    )
}

#[test]
fn a_board_on_two_pdus_is_switched_as_one() {
    let lab = TestLab::new();
    let (left, right) = (Relays::new(&lab, "l"), Relays::new(&lab, "r"));
    let config = left.pdu("left", "5s") + &right.pdu("right", "5s") + &fed_twice("");
    let power = Power::start(&lab, &config);
    let list = power.get("/outlets").json();
    let feeds = json!([{"pdu": "left", "port": "1"}, {"pdu": "right", "port": "2"}]);
    assert_eq!(list[0]["feeds"], feeds);
    assert_eq!(list[0]["pdu"], "left");

    assert_eq!(power.done("server01", "on"), "on verified");
    assert!(left.is_on(1) && right.is_on(2));
    assert_eq!(power.done("server01", "cycle"), "on verified");
    assert_eq!(power.done("server01", "off"), "off verified");
    assert_eq!(left.log(), ["on 1", "off 1", "on 1", "off 1"]);
    assert_eq!(right.log(), ["on 2", "off 2", "on 2", "off 2"]);

    // Half of it has power: which half is said.
    right.set(2, true);
    assert_eq!(power.done("server01", "status"), "partly verified");
    let report = power.ask("server01", "status").json();
    let states: Vec<String> =
        report["feeds"].as_array().unwrap().iter().map(|f| text(&f["state"])).collect();
    assert_eq!(states, ["off", "on"]);
    let told = lab.run("lava", ["power", "status", "server01"], "");
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.starts_with("server01 is partly: left 1 off, right 2 on ("), "{told}");

    // What cannot be switched is named, and the rest is switched off all the same.
    left.set(1, true);
    right.is("stuck", true);
    let (kind, message) = power.fails("server01", "off");
    assert_eq!(kind, "failed");
    assert!(message.starts_with("server01 on right port 2: the PDU took the request"), "{message}");
    assert!(!left.is_on(1) && right.is_on(2));
}

#[test]
fn a_cycle_that_cannot_cut_both_feeds_leaves_both_on() {
    let lab = TestLab::new();
    let (left, right) = (Relays::new(&lab, "l"), Relays::new(&lab, "r"));
    let config = left.pdu("left", "5s") + &right.pdu("right", "5s") + &fed_twice("");
    let power = Power::start(&lab, &config);
    power.done("server01", "on");
    left.is("stuck", true);
    let (_, message) = power.fails("server01", "cycle");
    assert!(message.contains("left port 1: the PDU took the request to switch off"), "{message}");
    assert!(left.is_on(1) && right.is_on(2));
    assert_eq!(right.log(), ["on 2", "off 2", "on 2"]);
}

#[test]
fn a_dead_pdu_does_not_keep_the_other_feed_off() {
    let lab = TestLab::new();
    let (left, right) = (Relays::new(&lab, "l"), Relays::new(&lab, "r"));
    let config = left.pdu("left", "500ms") + &right.pdu("right", "5s") + &fed_twice("");
    let power = Power::start(&lab, &config);
    power.done("server01", "on");
    left.is("dead", true);
    power.fails("server01", "cycle");
    assert_eq!(right.log()[..3], ["on 2", "off 2", "on 2"]);
    assert!(right.is_on(2));
    left.is("dead", false);
    wait_until(LIMIT * 2, "both are on", || left.is_on(1) && right.is_on(2));
}

#[test]
fn boards_that_share_an_outlet_are_asked_for_together() {
    let lab = TestLab::new();
    let relays = Relays::new(&lab, "relays");
    let (_serial, console) = super::console::serial(&lab, "unix:no-board");
    let shared = "shared = true\noff_time = \"10ms\"\n";
    let config = relays.pdu("rack", "5s")
        + &outlet("panda01", "rack", 1, &format!("{shared}console = \"{console}\"\n"))
        + &outlet("panda02", "rack", 1, shared);
    let power = Power::start(&lab, &config);
    let list = power.get("/outlets").json();
    assert_eq!(list[0]["shared_with"], json!(["panda02"]));
    assert_eq!(list[1]["shared_with"], json!(["panda01"]));
    assert_eq!(power.done("panda02", "on"), "on verified");
    assert_eq!(power.done("panda01", "status"), "on verified");
    // The people of panda01 see what is done to it by its neighbour.
    wait_until(LIMIT, "both events", || super::console::timeline(&console).len() == 2);

    let leased = http(power.address, "POST", "/leases/panda01", r#"{"user":"bob","for":"1h"}"#);
    assert_eq!(leased.status, 200, "{}", leased.text());
    let refused = power.ask("panda02", "cycle");
    assert_eq!(refused.status, 409);
    assert!(refused.text().contains("panda01 is leased by bob since "), "{}", refused.text());
    assert_eq!(relays.log(), ["on 1"]);

    let alone = config.replacen("shared = true\n", "", 1);
    let told = lab.run("lava-power", ["--config", &lab.write("alone.toml", &alone)], "");
    assert_eq!(told.status.code(), Some(2));
    let told = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(told.contains("outlet \"panda01\" is on rack port 1 already"), "{told}");
}

#[test]
fn boards_that_share_pdus_and_outlets_never_hang() {
    let lab = TestLab::new();
    let (left, right) = (Relays::new(&lab, "l"), Relays::new(&lab, "r"));
    let board = |name: &str, first: (&str, u32), second: (&str, u32)| {
        let feed = |(pdu, port): (&str, u32)| format!("{{ pdu = \"{pdu}\", port = {port} }}");
        format!(
            "[[outlet]]\nname = \"{name}\"\nshared = true\noff_time = \"10ms\"\nfeeds = [{}, {}]\n",
            feed(first),
            feed(second)
        )
    };
    let config = left.pdu("left", "10s")
        + &right.pdu("right", "10s")
        + &board("a", ("left", 1), ("right", 1))
        + &board("b", ("right", 1), ("left", 1))
        + &board("c", ("right", 2), ("left", 1));
    let power = Power::start(&lab, &config);
    std::thread::scope(|scope| {
        for board in ["a", "b", "c", "a", "b", "c"] {
            let power = &power;
            scope.spawn(move || {
                for _ in 0..3 {
                    assert_eq!(power.done(board, "cycle"), "on verified");
                }
            });
        }
    });
    // Off and on of one outlet take turns: nobody has slipped in between.
    for (relays, port) in [(&left, 1), (&right, 1), (&right, 2)] {
        let (off, on) = (format!("off {port}"), format!("on {port}"));
        let log: Vec<String> = relays.log().into_iter().filter(|l| *l == off || *l == on).collect();
        assert!(log.chunks(2).all(|pair| pair == [off.as_str(), on.as_str()]), "{log:?}");
    }
}

#[test]
fn nobody_cuts_a_board_by_way_of_its_neighbour_without_a_right_on_it() {
    let lab = TestLab::new();
    let relays = Relays::new(&lab, "relays");
    let shared = "shared = true\noff_time = \"10ms\"\n";
    let config = relays.pdu("rack", "5s")
        + &outlet("panda01", "rack", 1, shared)
        + &outlet("panda02", "rack", 1, shared)
        + &user("alice", "write = \"*\"")
        + &user("bob", "control = \"panda01\"\nsee = \"panda02\"")
        + &user("eve", "control = \"panda01\"");
    let power = Power::start(&lab, &config);
    let ask = |name: &str, method: &str, path: &str, body: &str| {
        http_as(power.address, Some(&token(name)), method, path, body)
    };
    assert_eq!(ask("alice", "POST", "/outlets/panda01/on", "").status, 200);
    for (method, path, body) in [
        ("POST", "/outlets/panda01/off", ""),
        ("POST", "/outlets/panda01/cycle", r#"{"force":true,"reason":"mine"}"#),
        ("PUT", "/labgrid/outlets/panda01", "0"),
        ("GET", "/labgrid/outlets/panda01/0", ""),
        ("PUT", "/labgrid/pdus/rack/1", "0"),
    ] {
        let bob = ask("bob", method, path, body);
        assert_eq!(bob.status, 403, "{path}: {}", bob.text());
        assert!(bob.text().contains("bob may see on panda02, and this needs"), "{}", bob.text());
        let eve = ask("eve", method, path, body);
        assert_eq!(eve.status, 403, "{path}: {}", eve.text());
        assert!(eve.text().contains("on another board on the same outlet"), "{}", eve.text());
        assert!(!eve.text().contains("panda02"), "{}", eve.text());
    }
    assert_eq!(relays.log(), ["on 1"]);
    assert_eq!(ask("eve", "GET", "/outlets/panda01", "").status, 200);
}
