//! PDUs that one talks to: every way to them, and whose session it is.

mod console;
mod faults;
mod real;

use super::Power;
use super::talking::{TalkingPdu, outlet, pdu};
use crate::common::{LIMIT, TestLab, wait_until};

const APC: &str = "user = \"apc\"\npassword = \"s3cret\"";

/// Each outlet is switched by its port; the second number is what the PDU itself calls it.
#[test]
fn every_kind_is_switched_and_read_back() {
    let lab = TestLab::new();
    let kinds = [
        ("apc-menu", "apc", "tcp", "telnet", APC, "3", 3),
        // On the second page of its list.
        ("apc-menu", "apc", "tcp", "tcp", APC, "20", 20),
        ("apc-cli", "apccli", "tcp", "telnet", APC, "24", 24),
        ("devantech-eth", "devantech", "tcp", "tcp", "password = \"s3cret\"", "8", 8),
        ("devantech-usb", "relayboard", "tty", "9600n8", "", "1", 1),
        ("numato-usb", "numato", "tty", "19200n8", "", "16", 16),
        ("conrad-197720", "cards", "tty", "19200n8", "", "17", 18),
        ("modbus-tcp", "modbus", "tcp", "tcp", "", "7.23", 24),
        ("tplink-strip", "strip", "tcp", "tcp", "", "6", 6),
        ("netio-kshell", "netio", "tcp", "tcp", "user = \"admin\"\npassword = \"s3cret\"", "4", 4),
    ];
    let mut config = String::new();
    let mut pdus = Vec::new();
    for (number, (profile, kind, on, connect, keys, port, called)) in kinds.into_iter().enumerate()
    {
        let name = format!("{kind}{number}");
        let unit = TalkingPdu::start(&lab, &name, kind, on);
        config += &pdu(&name, &unit.connect(connect), profile, keys, port);
        pdus.push((name, unit, called));
    }
    let power = Power::start(&lab, &config);
    for (name, unit, called) in &pdus {
        assert_eq!(power.done(name, "status"), "off verified", "{name}");
        assert_eq!(power.done(name, "on"), "on verified", "{name}");
        assert_eq!(power.done(name, "status"), "on verified", "{name}");
        assert_eq!(power.done(name, "cycle"), "on verified", "{name}");
        assert_eq!(power.done(name, "off"), "off verified", "{name}");
        // Nothing is asked for twice, and nobody else's outlet is touched.
        let expected = [1, 0, 1, 0].map(|on| format!("{called} {on}"));
        assert_eq!(unit.switched(), expected, "{name}");
    }
    assert!(!power.daemon.log().text().contains("s3cret"));
}

#[test]
fn the_outlets_of_a_pdu_share_a_session_that_is_given_back() {
    let lab = TestLab::new();
    let unit = TalkingPdu::start(&lab, "rack", "apc", "tcp");
    let config = pdu("rack", &unit.connect("telnet"), "apc-menu", APC, "1");
    let mut power = Power::start(&lab, &(config + &outlet("panda02", "rack", "2")));
    for _ in 0..2 {
        assert_eq!(power.done("rack", "on"), "on verified");
        assert_eq!(power.done("panda02", "cycle"), "on verified");
    }
    assert_eq!(unit.logins(), 1);
    wait_until(LIMIT, "it logs out", || unit.log().iter().any(|line| line == "logout"));
    assert_eq!(power.done("rack", "status"), "on verified");
    assert_eq!(unit.logins(), 2);
    // And when the daemon ends.
    assert!(power.daemon.terminate().success());
    assert_eq!(unit.log().last().unwrap(), "logout");
}

#[test]
fn menus_are_found_by_their_names() {
    let lab = TestLab::new();
    let unit = TalkingPdu::start(&lab, "rack", "apc", "tcp");
    unit.fault("renumber");
    let config = pdu("rack", &unit.connect("telnet"), "apc-menu", APC, "5");
    let power = Power::start(&lab, &config);
    // Its name is "The lamp is ON".
    assert_eq!(power.done("rack", "status"), "off verified");
    assert_eq!(power.done("rack", "on"), "on verified");
    // A menu that changes within a session is read anew each time.
    unit.fault("");
    assert_eq!(power.done("rack", "off"), "off verified");
    assert_eq!(unit.switched(), ["5 1", "5 0"]);
}

#[test]
fn a_relay_may_be_wired_the_other_way_round() {
    let lab = TestLab::new();
    let unit = TalkingPdu::start(&lab, "relays", "relayboard", "tty");
    let config = pdu("relays", &unit.connect("9600n8"), "devantech-usb", "inverted = true", "2");
    let power = Power::start(&lab, &config);
    assert_eq!(power.done("relays", "status"), "on verified");
    assert_eq!(power.done("relays", "off"), "off verified");
    assert_eq!(power.done("relays", "on"), "on verified");
    assert_eq!(unit.switched(), ["2 1", "2 0"]);
}

#[test]
fn a_port_is_nothing_but_a_port() {
    let lab = TestLab::new();
    let mut config = String::new();
    let ports = ["1\\r2", "1;reboot", "$(reboot)", "`reboot`", "1 2", "0x1", "-1", "9", "", "*"];
    for (number, port) in ports.iter().enumerate() {
        let name = format!("pdu{number}");
        let keys = "password = \"s3cret\"";
        config += &pdu(&name, "tcp:127.0.0.1:1", "devantech-eth", keys, port);
    }
    let said = lab.run("lava-power", ["--config", &lab.write("power.toml", &config)], "");
    assert_eq!(said.status.code(), Some(2));
    let told = String::from_utf8_lossy(&said.stderr).into_owned();
    assert_eq!(
        told.matches("is no port of this PDU; those are [1-8]").count(),
        ports.len(),
        "{told}"
    );
    let wrong = [
        (
            pdu("a", "telnet:pdu1", "apc-menu", "user = \"apc\"", "1"),
            "\"password\" (or \"password_file\"",
        ),
        (
            pdu("a", "ssh:pdu1", "apc-menu", APC, "1"),
            "\"ssh:pdu1\" leads nowhere; write telnet:HOST",
        ),
        (pdu("a", "tcp:pdu1", "devantech-eth", "user = \"x\"", "1"), "has no use for it"),
        (pdu("a", "tcp:pdu1", "modbus-tcp", "", "256.1"), "is no port of this PDU"),
        (pdu("a", "tcp:pdu1", "modbus-tcp", "", "70000"), "which has no place there"),
        (pdu("a", "tcp:pdu1", "devantec-eth", "", "1"), "did you mean \"devantech-eth\"?"),
    ];
    for (config, expected) in wrong {
        let said = lab.run("lava-power", ["--config", &lab.write("power.toml", &config)], "");
        let told = String::from_utf8_lossy(&said.stderr).into_owned();
        assert!(
            said.status.code() == Some(2) && told.contains(expected),
            "{expected}\nnot in\n{told}"
        );
        assert!(!told.contains("s3cret"));
    }
}
