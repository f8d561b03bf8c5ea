//! Who types at a board's console uses the board, and every way to its power asks about that.

use serde_json::json;

use super::relays::{Relays, outlet};
use super::{Power, text};
use crate::common::{Client, LIMIT, TestLab, WebSocket, http, wait_until};

/// A board with a console that takes what is typed, and its power.
fn board(
    lab: &TestLab,
    more: &str,
) -> (crate::common::Daemon, std::net::SocketAddr, Power, Relays) {
    let relays = Relays::new(lab, "relays");
    let (serial, console) = super::console::serial(lab, "sim:uart");
    let address = serial.address("http");
    let keys = format!("off_time = \"10ms\"\nconsole = \"{console}\"\n");
    let config = relays.pdu("rack", "5s") + &outlet("panda01", "rack", 1, &keys) + more;
    let power = Power::start(lab, &config);
    (serial, address, power, relays)
}

/// Somebody who is attached and has typed.
fn typing(serial: std::net::SocketAddr, user: &str) -> WebSocket {
    let session = WebSocket::attach(serial, "panda01", &format!("mode=rw&user={user}"));
    session.expect_message("the hello", |message| message["mode"] == "rw");
    wait_until(LIMIT, "it has typed", || {
        session.type_text("x");
        let status = http(serial, "GET", "/consoles/panda01", "").json();
        let sessions = status["sessions"].as_array().unwrap().clone();
        sessions.iter().any(|s| s["user"] == user && s["typed_us"].is_u64())
    });
    session
}

#[test]
fn whoever_has_typed_a_moment_ago_uses_the_board_and_who_has_left_does_not() {
    let lab = TestLab::new();
    let (_serial, serial, power, relays) = board(&lab, "");
    // Who only looks disturbs nobody.
    let _spy = WebSocket::attach(serial, "panda01", "mode=rw&user=carol");
    let bob = typing(serial, "bob");
    let refused = power.ask("panda01", "cycle");
    assert_eq!(refused.status, 409, "{}", refused.text());
    let message = text(&refused.json()["error"]["message"]);
    assert!(message.starts_with("panda01 is used by bob, who typed there "), "{message}");
    assert!(message.ends_with("; nothing was switched"), "{message}");
    assert!(text(&refused.json()["error"]["hint"]).starts_with("ask them;"));
    // What he does himself is his, and so it is with whoever takes the console.
    let own = json!({"user": "bob"}).to_string();
    assert_eq!(http(power.address, "POST", "/outlets/panda01/on", &own).status, 200);
    let alice = WebSocket::attach(serial, "panda01", "mode=exclusive&user=alice");
    alice.expect_message("the hello", |message| message["mode"] == "exclusive");
    assert_eq!(power.done("panda01", "cycle"), "on verified");
    drop(alice);
    wait_until(LIMIT, "bob has it again", || power.ask("panda01", "cycle").status == 409);
    drop(bob);
    wait_until(LIMIT, "bob has left", || power.ask("panda01", "off").status == 200);
    assert!(!relays.is_on(1));
}

#[test]
fn the_console_the_command_line_and_http_pass_the_same_check() {
    let lab = TestLab::new();
    let (_serial, serial, power, relays) = board(&lab, "");
    let _bob = typing(serial, "bob");
    let used = "panda01 is used by bob, who typed there ";
    let by_http = power.ask("panda01", "on");
    assert!(by_http.status == 409 && by_http.text().contains(used), "{}", by_http.text());
    let by_command = lab.run("lava", ["power", "on", "panda01"], "");
    let told = String::from_utf8_lossy(&by_command.stderr).into_owned();
    assert!(by_command.status.code() == Some(4) && told.contains(used), "{told}");
    let by_console = lab.run("lava-console", ["panda01"], "~$hardreset\n");
    let told = String::from_utf8_lossy(&by_console.stdout).into_owned()
        + &String::from_utf8_lossy(&by_console.stderr);
    assert!(told.contains(used), "{told}");
    // A job asks as everybody does.
    let by_job = http(power.address, "POST", "/outlets/panda01/cycle", r#"{"user":"job:7"}"#);
    assert!(by_job.status == 409 && by_job.text().contains(used), "{}", by_job.text());
    assert!(relays.log().is_empty(), "{:?}", relays.log());
    let metrics = power.get("/metrics").text();
    assert!(metrics.contains("verb=\"cycle\",result=\"refused\"} 2"), "{metrics}");
}

#[test]
fn who_comes_by_a_raw_port_counts_only_where_that_is_configured() {
    for (keys, refused) in [("", false), ("[interlock]\nnameless = true\n", true)] {
        let lab = TestLab::new();
        let (daemon, serial, power, _relays) = board(&lab, keys);
        let mut raw = Client::raw(daemon.address("raw"));
        raw.type_text("x");
        wait_until(LIMIT, "it has typed", || {
            let status = http(serial, "GET", "/consoles/panda01", "").json();
            status["sessions"][0]["typed_us"].is_u64()
        });
        assert_eq!(power.ask("panda01", "on").status == 409, refused);
    }
}

#[test]
fn how_long_ago_typing_counts_is_configured() {
    let lab = TestLab::new();
    let (_serial, serial, power, _relays) = board(&lab, "[interlock]\ntyping = \"0s\"\n");
    let _bob = typing(serial, "bob");
    assert_eq!(power.done("panda01", "on"), "on verified");
}
