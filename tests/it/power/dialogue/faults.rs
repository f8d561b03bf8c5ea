//! PDUs that are silent, lie, hang up, or are somebody else's.

use super::APC;
use crate::common::{LIMIT, TestLab, wait_until};
use crate::power::Power;
use crate::power::talking::{TalkingPdu, pdu};

/// A PDU with menus, and outlet 3 of it.
struct Rack {
    unit: TalkingPdu,
    power: Power,
    _lab: TestLab,
}

impl Rack {
    fn start(fault: &str, keys: &str) -> Self {
        let lab = TestLab::new();
        let unit = TalkingPdu::start(&lab, "rack", "apc", "tcp");
        unit.fault(fault);
        let keys = format!("{APC}\n{keys}");
        let power =
            Power::start(&lab, &pdu("rack", &unit.connect("telnet"), "apc-menu", &keys, "3"));
        Self { unit, power, _lab: lab }
    }

    /// An operation fails so; what the PDU was asked to switch by then.
    #[track_caller]
    fn fails(&self, verb: &str, kind: &str, message: &str) -> Vec<String> {
        let (as_kind, told) = self.power.fails("rack", verb);
        assert!(told.contains(message), "{message:?} is not in {told:?}");
        assert_eq!(as_kind, kind, "{told}");
        assert!(!told.contains("s3cret") && !self.power.daemon.log().text().contains("s3cret"));
        self.unit.switched()
    }
}

const NOTHING: [&str; 0] = [];

#[test]
fn a_pdu_that_does_not_let_us_in_switches_nothing_and_that_is_said() {
    let rack = Rack::start("deny", "");
    let denied = "the PDU denies us the login";
    assert_eq!(rack.fails("on", "lab", denied), NOTHING);
    assert_eq!(rack.fails("status", "lab", denied), NOTHING);
    let wrong = APC.replace("s3cret", "wr0ng");
    let config = pdu("rack", &rack.unit.connect("telnet"), "apc-menu", &wrong, "3");
    rack.unit.fault("");
    let lab = TestLab::new();
    let power = Power::start(&lab, &config);
    let (_, told) = power.fails("rack", "on");
    assert!(told.contains(denied) && !told.contains("wr0ng"), "{told}");
    assert_eq!(rack.unit.switched(), NOTHING);
    rack.power.done("rack", "on");
}

#[test]
fn a_silent_pdu_is_known_not_to_have_switched() {
    let rack = Rack::start("silent", "");
    let told = "no login: what is expected did not come within 5s";
    assert_eq!(rack.fails("on", "lab", told), NOTHING);
    rack.unit.fault("");
    assert_eq!(rack.power.done("rack", "on"), "on verified");
}

#[test]
fn a_pdu_that_hangs_up_or_says_nothing_is_asked_what_it_did() {
    for fault in ["hangup", "late"] {
        let rack = Rack::start(fault, "");
        assert_eq!(rack.power.done("rack", "on"), "on verified", "{fault}");
        assert_eq!(rack.unit.switched(), ["3 1"], "{fault}");
    }
    let rack = Rack::start("mute", "timeout = \"2s\"");
    assert_eq!(rack.power.done("rack", "on"), "on verified");
    assert_eq!(rack.unit.switched(), ["3 1"]);
}

#[test]
fn a_pdu_that_does_not_do_it_is_not_believed() {
    let rack = Rack::start("stuck", "verify = \"300ms\"");
    rack.fails("on", "failed", "to switch on, but still reads off after 300ms");
    // It reads as off each time, so it is asked again, but not for ever.
    rack.unit.fault("lost");
    assert_eq!(rack.fails("on", "lab", "the PDU is gone: it hung up"), NOTHING);
    rack.unit.fault("denied");
    let told = "the PDU refuses; it says \"YES Command failed.";
    assert_eq!(rack.fails("on", "failed", told), NOTHING);
    rack.unit.fault("babble");
    assert_eq!(rack.fails("on", "lab", "the PDU does not come to an end"), NOTHING);
    rack.unit.fault("");
    assert_eq!(rack.power.done("rack", "on"), "on verified");
}

#[test]
fn nonsense_is_no_answer() {
    let rack = Rack::start("garbage", "timeout = \"2s\"");
    assert_eq!(rack.fails("on", "lab", "no answer within 2s"), NOTHING);
    rack.unit.fault("");
    assert_eq!(rack.power.done("rack", "on"), "on verified");
}

#[test]
fn a_pdu_that_speaks_of_another_outlet_is_told_nothing_more() {
    let rack = Rack::start("stray", "");
    assert_eq!(rack.fails("on", "lab", "the PDU speaks of another outlet"), NOTHING);
    assert_eq!(rack.fails("cycle", "lab", "the PDU speaks of another outlet"), NOTHING);
}

#[test]
fn a_pdu_that_reboots_between_off_and_on_does_not_keep_the_board_off() {
    let rack = Rack::start("", "");
    assert_eq!(rack.power.done("rack", "on"), "on verified");
    rack.unit.fault("reboot");
    let cycled = rack.power.ask("rack", "cycle");
    // Whether it was off for certain can only be said if it was back in time to be asked.
    if cycled.status != 200 {
        wait_until(LIMIT, "the PDU is back", || rack.power.ask("rack", "status").status == 200);
        rack.power.done("rack", "cycle");
    }
    assert_eq!(rack.power.done("rack", "status"), "on verified");
}

#[test]
fn nobody_there_is_said_at_once() {
    let lab = TestLab::new();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = pdu("gone", &format!("telnet:{nobody}"), "apc-menu", APC, "1")
        + &pdu("nowhere", "telnet:no-such-host.invalid", "apc-menu", APC, "1")
        + &pdu("unplugged", "tty:/dev/no-such-relay,9600n8", "devantech-usb", "", "1")
        + &pdu("missing", "exec:no-such-program", "powerman-vpc", "", "1");
    let power = Power::start(&lab, &config);
    for (name, told) in [
        ("gone", "Connection refused"),
        ("nowhere", "no-such-host.invalid:23: "),
        ("unplugged", "there is no such device"),
        ("missing", "no-such-program: "),
    ] {
        for verb in ["status", "on", "off", "cycle"] {
            let (kind, message) = power.fails(name, verb);
            assert!(kind == "lab" && message.contains(told), "{name}: {message}");
            assert!(!message.contains("or not"), "{message}");
        }
    }
}
