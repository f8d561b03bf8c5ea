//! A relay board on one of our own consoles.

use super::super::talking::{TalkingPdu, pdu};
use crate::common::{Daemon, LIMIT, TestLab, WebSocket, http, wait_until};
use crate::power::Power;

fn serial(lab: &TestLab, unit: &TalkingPdu) -> Daemon {
    let config = format!(
        "[http]\nlisten = \"127.0.0.1:0\"\n[capture]\ndir = \"{}\"\n\
         [[console]]\nname = \"relays\"\nport = \"tty:{},9600n8\"\n",
        lab.path("capture").display(),
        unit.tty()
    );
    lab.start("lava-serial", ["--config", &lab.write("serial.toml", &config)])
}

#[test]
fn relays_on_a_console_are_switched_on_the_record_and_with_its_write_lock() {
    let lab = TestLab::new();
    let unit = TalkingPdu::start(&lab, "board", "relayboard", "tty");
    let daemon = serial(&lab, &unit);
    let address = daemon.address("http");
    let connect = format!("console:http://{address}/consoles/relays");
    let power = Power::start(&lab, &pdu("relays", &connect, "devantech-usb", "", "3"));
    assert_eq!(power.done("relays", "on"), "on verified");
    assert_eq!(power.done("relays", "cycle"), "on verified");
    assert_eq!(unit.switched(), ["3 1", "3 0", "3 1"]);

    // It is given back after a while, and what was done is on its timeline.
    let who = || {
        let events = http(address, "GET", "/consoles/relays/events", "").json();
        let of = |kind: &str| {
            let is =
                |event: &&serde_json::Value| event["kind"] == kind && event["who"] == "lava-power";
            events.as_array().unwrap().iter().filter(is).count()
        };
        (of("attach"), of("detach"))
    };
    wait_until(LIMIT, "it has gone again", || who() == (1, 1));

    // Who holds it has it.
    let alice = WebSocket::attach(address, "relays", "mode=exclusive&user=alice");
    alice.expect_message("the hello", |message| message["mode"] == "exclusive");
    let (kind, told) = power.fails("relays", "off");
    assert_eq!(kind, "lab");
    assert!(told.ends_with("alice holds the console relays"), "{told}");
    assert_eq!(unit.switched().len(), 3);
    drop(alice);
    wait_until(LIMIT, "alice has gone", || power.ask("relays", "status").status == 200);
    assert_eq!(power.done("relays", "off"), "off verified");
}

#[test]
fn a_console_without_its_relays_is_no_way_to_them() {
    let lab = TestLab::new();
    let config = format!(
        "[http]\nlisten = \"127.0.0.1:0\"\n[capture]\ndir = \"{}\"\n\
         [[console]]\nname = \"relays\"\nport = \"unix:{}\"\n",
        lab.path("capture").display(),
        lab.path("nothing").display()
    );
    let daemon = lab.start("lava-serial", ["--config", &lab.write("serial.toml", &config)]);
    let at = format!("console:http://{}/consoles", daemon.address("http"));
    let config = pdu("relays", &format!("{at}/relays"), "devantech-usb", "", "1")
        + &pdu("others", &format!("{at}/others"), "devantech-usb", "", "1");
    let power = Power::start(&lab, &config);
    let (kind, told) = power.fails("relays", "on");
    assert!(kind == "lab" && told.contains("the port of the console relays: "), "{told}");
    let (kind, told) = power.fails("others", "on");
    assert!(kind == "lab" && told.contains("there is no console \"others\""), "{told}");
}
