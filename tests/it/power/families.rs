//! Every family of SNMP PDUs, found by itself, switched and read back.

use super::simulated::{Simulated, recording};
use super::{Power, failure};
use crate::common::{LIMIT, TestLab, wait_until};

/// The families as their documents have them, beside our profiles: sysObjectID below enterprises; the
/// version of SNMP they are asked with; port; what is written for on and for off (`^` is the object
/// before); what is read, and its values. OIDs are without 1.3.6.1.4.1, or without 1.3.6.1 where they
/// begin with a dot: the last one is a switch of whatever maker.
const FAMILIES: &str = "
apc-masterswitch 318.1.3.4.1 1 3 318.1.1.4.4.2.1.3.3=1 ^=2 ^ 1 2
apc-rpdu 318.1.3.4.5 2c 8 318.1.1.12.3.3.1.1.4.8=1 ^=2 ^ 1 2
apc-masterswitch-plus 318.1.3.4.4 3 2.5 318.1.1.6.5.1.1.5.2.1.5=1 ^=3 318.1.1.6.7.1.1.5.2.1.5 1 2
apc-masterswitch-6 318.1.3.4.6 2c 1 318.1.1.12.3.3.1.1.4.1=1 ^=2 318.1.1.4.4.2.1.3.1 1 2
apc-rpdu2 318.1.3.4.6 3 24 318.1.1.26.9.2.4.1.5.24=1 ^=2 318.1.1.26.9.2.3.1.5.24 2 1
cyberpower 3808.1.1.3 1 2 3808.1.1.3.3.3.1.1.4.2=1 ^=2 3808.1.1.3.3.5.1.1.4.2 1 2
raritan-px2 13742.6 3 7 13742.6.4.1.2.1.2.1.7=1 ^=0 13742.6.4.1.2.1.3.1.7 7 8
raritan-px 13742.4 2c 4 13742.4.1.2.2.1.3.4=1 ^=0 ^ 1 0
eaton-epdu 534.6.6.7 3 6 534.6.6.7.6.6.1.4.0.6=0 534.6.6.7.6.6.1.3.0.6=0 534.6.6.7.6.6.1.2.0.6 1 0
eaton-managed 534.6.6.6 1 1 534.6.6.6.1.2.2.1.3.0=1 ^=0 ^ 1 0
eaton-pulizzi 20677.1 1 3 20677.2.6.2.3.0=1 ^=2 20677.2.6.3.3.0 1 2
sentry3 1718.3 2c 1.2.3 1718.3.2.3.1.11.1.2.3=1 ^=2 1718.3.2.3.1.10.1.2.3 5 4
sentry4 1718.4 3 9 1718.4.1.8.5.1.2.1.1.9=1 ^=2 1718.4.1.8.3.1.1.1.1.9 1 2
geist 21239.5.2 3 5 21239.5.2.3.5.1.6.5=2 ^=4 21239.5.2.3.5.1.4.5 1 2
emerson-mph 476.1.42 2c 1.2.4 476.1.42.3.8.50.20.1.100.1.2.4=1 ^=0 476.1.42.3.8.50.20.1.95.1.2.4 2 1
tripplite 850.1 2c 11 850.10.2.3.5.1.4.1.11=2 ^=1 850.10.2.3.5.1.2.1.11 2 1
tripplite-lx 850.1.1.1 3 12 850.1.1.3.2.3.3.1.1.6.1.12=2 ^=1 850.1.1.3.2.3.3.1.1.4.1.12 2 1
ibm-ipdu 2.6.223 1 10 2.6.223.8.2.2.1.11.10=1 ^=0 ^ 1 0
netio 47952.1 3 4 47952.1.1.1.5.4=1 ^=0 47952.1.1.1.3.4 1 0
poe 9.1.1208 2c 1.17 .2.1.105.1.1.1.3.1.17=1 ^=2 ^ 1 2
";

struct Family {
    name: &'static str,
    object_id: &'static str,
    version: &'static str,
    port: &'static str,
    on: (&'static str, &'static str),
    off: (&'static str, &'static str),
    status: (&'static str, &'static str, &'static str),
}

fn families() -> Vec<Family> {
    let family = |line: &'static str| {
        let columns: Vec<&str> = line.split(' ').collect();
        let [name, object_id, version, port, on, off, status, is_on, is_off] = columns[..] else {
            panic!("{line}");
        };
        let on = on.split_once('=').unwrap();
        let before = |oid| if oid == "^" { on.0 } else { oid };
        let off = off.split_once('=').unwrap();
        let (off, status) = ((before(off.0), off.1), (before(status), is_on, is_off));
        Family { name, object_id, version, port, on, off, status }
    };
    FAMILIES.trim().lines().map(family).collect()
}

pub(super) fn recording_of(name: &str) -> String {
    let families = families();
    let family = families.iter().find(|family| family.name == name).unwrap();
    recording(name, family.object_id, &objects(family))
}

fn full(oid: &str) -> String {
    match oid.strip_prefix('.') {
        Some(oid) => oid.to_owned(),
        None => format!("4.1.{oid}"),
    }
}

pub(super) fn outlet(oid: &str, keys: &str) -> String {
    format!("1.3.6.1.{}|2:outlet|{keys}", full(oid))
}

fn objects(Family { on, off, status, .. }: &Family) -> Vec<String> {
    // An object that takes other numbers than it tells counts only as what is written.
    let command = |oid: &str| {
        let on_value = if oid == on.0 { on.1 } else { "-" };
        let off_value = if oid == off.0 { off.1 } else { "-" };
        outlet(oid, &format!("name=a,on={on_value},off={off_value}"))
    };
    let mut objects = vec![outlet(status.0, &format!("name=a,on={},off={}", status.1, status.2))];
    objects.extend([on.0, off.0].into_iter().filter(|oid| *oid != status.0).map(command));
    objects
}

pub(super) fn config_of(name: &str, port: &str) -> String {
    format!(
        "[[outlet]]\nname = \"{name}\"\npdu = \"{name}\"\nport = \"{port}\"\noff_time = \"10ms\"\n"
    )
}

#[test]
fn every_family_is_found_switched_and_read_back_without_being_named() {
    let lab = TestLab::new();
    let mut pdus: Vec<(&str, String)> =
        families().iter().map(|family| (family.name, recording_of(family.name))).collect();
    let three = "name=a:b:c,on=1,off=0,list=comma";
    let baytech: Vec<String> = (1..=3)
        .map(|n| format!("4779.1.3.5.3.1.3.1.{n}"))
        .zip(["a", "b", "c"])
        .map(|(oid, name)| outlet(&oid, &format!("name={name},on=1,off=0")))
        .chain([outlet("4779.1.3.5.5.1.13.2.1", three)])
        .collect();
    pdus.push(("baytech", recording("RPC", "4779", &baytech)));
    let lindy = outlet("17420.1.2.9.2.13.0", three).replace("|2:", "|4:");
    let first = lindy.replace(".9.2.13", ".9.1.13").replace("a:b:c", "d:e:f");
    pdus.push(("lindy", recording("Lindy", "17420", &[first, lindy])));
    let rack = Simulated::start(&lab, &pdus);
    let mut config = String::new();
    let mut expected = Vec::new();
    for Family { name, version, port, on, off, .. } in families() {
        config += &(rack.pdu(name, version) + &config_of(name, port));
        let set = |(oid, value): (&str, &str)| format!("{} {value}", full(oid));
        expected.push((name, [set(off), set(on)]));
    }
    config += &(rack.pdu("baytech", "2c") + &config_of("baytech", "2"));
    expected.push((
        "baytech",
        ["4.1.4779.1.3.5.3.1.3.1.2 0", "4.1.4779.1.3.5.3.1.3.1.2 1"].map(Into::into),
    ));
    config += &(rack.pdu("lindy", "1") + &config_of("lindy", "2.3"));
    expected.push((
        "lindy",
        ["4.1.17420.1.2.9.2.13.0 1,1,0", "4.1.17420.1.2.9.2.13.0 1,1,1"].map(Into::into),
    ));
    let power = Power::start(&lab, &config);
    for (name, [off, on]) in &expected {
        let before = rack.requests().len();
        assert_eq!(power.done(name, "status"), "on verified", "{name}");
        assert_eq!(power.done(name, "off"), "off verified", "{name}");
        assert_eq!(power.done(name, "status"), "off verified", "{name}");
        assert_eq!(power.done(name, "on"), "on verified", "{name}");
        assert_eq!(power.done(name, "cycle"), "on verified", "{name}");
        wait_until(LIMIT, "all is in the log", || rack.requests().len() >= before + 4);
        assert_eq!(
            rack.requests().split_off(before),
            [off, on, off, on].map(Clone::clone),
            "{name}"
        );
    }
    let log = power.daemon.log().text();
    for (name, _) in &expected {
        assert!(
            log.contains(&format!("profile=\"{name}\"")),
            "{name} was taken for another: {log}"
        );
    }
}

#[test]
fn states_that_are_neither_on_nor_off_are_no_success() {
    let lab = TestLab::new();
    let sentry = |action: &str, state: &str| {
        let objects = [
            format!("1.3.6.1.4.1.1718.4.1.8.5.1.2.1.1.1|{action}"),
            format!("1.3.6.1.4.1.1718.4.1.8.3.1.1.1.1.1|{state}"),
        ];
        recording("Sentry Switched PDU", "1718.4", &objects)
    };
    let master = "1.3.6.1.4.1.318.1.1.4";
    let list = [
        format!("{master}.2.2.0|4:outlet|name=a:b:c,on=On,off=Off,list=space"),
        format!("{master}.4.2.1.3.2|2:outlet|name=b,on=1,off=2"),
    ];
    let pdus = [
        // 0 is what a Sentry4 says when it does not know.
        ("unknown", sentry("2:outlet|name=a,on=1,off=2", "2|0")),
        ("stuck", sentry("2:outlet|name=a,on=1,off=2,stuck=yes", "2:outlet|name=a,on=1,off=2")),
        // The command reads as it was asked for, and the relay tells another story.
        ("lying", sentry("2:outlet|name=a,on=1,off=2", "2:outlet|name=b,on=1,off=2")),
        ("list", recording("MasterSwitch", "318.1.3.4.1", &list)),
    ];
    let rack = Simulated::start(&lab, &pdus);
    let mut config = String::new();
    for name in ["unknown", "stuck", "lying", "list"] {
        let list = name == "list";
        let profile = if list { "profile = \"apc-masterstate\"\n" } else { "" };
        let port = if list { "2" } else { "1" };
        let pdu = rack.pdu(name, "2c") + "verify = \"300ms\"\n" + profile;
        config += &(pdu + &config_of(name, port));
    }
    let power = Power::start(&lab, &config);
    assert_eq!(power.done("unknown", "status"), "unknown unknown");
    for (name, reads) in [("unknown", "unknown"), ("stuck", "on"), ("lying", "on")] {
        let (kind, message) = power.fails(name, "off");
        assert_eq!(kind, "failed", "{message}");
        assert!(message.contains(&format!("but still reads {reads} after")), "{message}");
    }
    assert_eq!(power.done("list", "cycle"), "on verified");
    assert_eq!(power.done("list", "off"), "off verified");
}

#[test]
fn what_an_agent_refuses_is_told_with_its_word_for_it() {
    let lab = TestLab::new();
    let statuses = [
        ("nosuchname", "2c", "noSuchName"),
        ("readonly", "2c", "readOnly"),
        ("notwritable", "2c", "notWritable"),
        ("noaccess", "3", "noAccess"),
        ("generror", "2c", "genErr"),
        ("authorizationerror", "2c", "authorizationError"),
    ];
    let px = |status: &str| {
        let state = "1.3.6.1.4.1.13742.4.1.2.2.1.3.1";
        let refuses = format!("{state}|2:error|op=set,status={status},value=1");
        recording("PX", "13742.4", &[refuses])
    };
    let pdus: Vec<(&str, String)> =
        statuses.iter().map(|(status, ..)| (*status, px(status))).collect();
    let rack = Simulated::start(&lab, &pdus);
    let mut config = String::new();
    for (name, version, _) in &statuses {
        config += &(rack.pdu(name, version) + &config_of(name, "1"));
    }
    let wrong = rack.pdu("nobody-has-it", "2c") + "timeout = \"500ms\"\n";
    config += &(wrong + &config_of("nobody-has-it", "1"));
    let power = Power::start(&lab, &config);
    for (name, _, word) in &statuses {
        let (_, message) = power.fails(name, "off");
        assert!(message.contains("13742.4.1.2.2.1.3.1 to 0"), "{message}");
        assert!(message.contains(word), "{message} does not say {word}");
        assert_eq!(power.done(name, "status"), "on verified");
    }
    let answer = power.ask("nobody-has-it", "off");
    assert!(answer.text().contains("silent to a wrong community"), "{}", answer.text());
}

#[test]
fn a_pdu_that_is_replaced_by_one_of_another_family_is_known_again() {
    let lab = TestLab::new();
    let renumbered = recording_of("raritan-px2").replace(".1.7|", ".1.8|");
    let nobody = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let rack = |address, recording: &str| {
        Simulated::start_at(&lab, address, &[("rack", recording.to_owned())])
    };
    // Nobody is there at first, which is no reason not to start.
    let config = format!(
        "[[pdu]]\nname = \"rack\"\ndriver = \"snmp\"\naddress = \"{nobody}\"\ncommunity = \"rack\"\n{}",
        config_of("rack", "8")
    );
    let power = Power::start(&lab, &config);
    let (_, message) = power.fails("rack", "on");
    assert!(message.ends_with("no SNMP agent listens there"), "{message}");

    let apc = rack(nobody, &recording_of("apc-rpdu"));
    assert_eq!(power.done("rack", "cycle"), "on verified");
    assert!(apc.requests().iter().all(|request| request.starts_with("4.1.318.")));
    let address = apc.cut();
    let raritan = rack(address, &renumbered);
    assert_eq!(power.done("rack", "off"), "off verified");
    assert_eq!(power.done("rack", "status"), "off verified");
    assert_eq!(raritan.requests(), ["4.1.13742.6.4.1.2.1.2.1.8 0"]);
    let address = raritan.cut();
    // One that nobody knows is not taken for what was there before.
    let _printer = rack(address, &recording("a printer\x1b[2J", "11.2.3", &[]));
    let (_, message) = power.fails("rack", "on");
    let known = "it is no PDU of a known family: sysObjectID 1.3.6.1.4.1.11.2.3, \"a printer?[2J\"";
    assert!(message.contains(known), "{message}");
}

#[test]
fn a_pdu_that_reboots_in_the_middle_of_a_cycle_gets_the_board_on_again() {
    let lab = TestLab::new();
    let pdus = [("rack", recording_of("eaton-epdu"))];
    let rack = Simulated::start(&lab, &pdus);
    let outlet = config_of("rack", "6").replace("10ms", "2s");
    let power = Power::start(&lab, &(rack.pdu("rack", "2c") + "timeout = \"1s\"\n" + &outlet));
    assert_eq!(power.done("rack", "status"), "on verified");
    std::thread::scope(|scope| {
        let cycle = scope.spawn(|| power.ask("rack", "cycle"));
        wait_until(LIMIT, "it is off", || !rack.requests().is_empty());
        let address = rack.cut();
        // Long enough for the on to find nobody.
        wait_until(LIMIT, "nobody answers", || power.daemon.log().text().contains("trying on"));
        let again = Simulated::start_at(&lab, address, &pdus);
        let answer = cycle.join().unwrap();
        // Whether it was seen off before the agent was gone is a matter of milliseconds.
        let unseen = answer.text().contains("switch off, but the state cannot be read back");
        assert!(answer.status == 200 || unseen, "{}", answer.text());
        assert_eq!(power.done("rack", "status"), "on verified");
        assert_eq!(again.requests(), ["4.1.534.6.6.7.6.6.1.4.0.6 0"], "asked for once");
    });
}

#[test]
fn thousands_of_requests_at_once_are_each_carried_out_or_refused() {
    let lab = TestLab::new();
    let rack = Simulated::start(&lab, &[("rack", recording_of("apc-rpdu"))]);
    let pdu = rack.pdu("rack", "2c") + "meter_every = \"0s\"\n";
    let power = Power::start(&lab, &(pdu + &config_of("rack", "8")));
    assert_eq!(power.done("rack", "status"), "on verified");
    const CLIENTS: usize = 100;
    const EACH: usize = 25;
    let answers: Vec<_> = std::thread::scope(|scope| {
        let client =
            |_| scope.spawn(|| (0..EACH).map(|_| power.ask("rack", "off")).collect::<Vec<_>>());
        let clients: Vec<_> = (0..CLIENTS).map(client).collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    let done = answers.iter().filter(|answer| answer.status == 200).count();
    let busy: Vec<_> = answers.iter().filter(|answer| answer.status == 503).collect();
    assert_eq!(done + busy.len(), CLIENTS * EACH, "each has one of the two answers");
    assert!(done >= 32 && !busy.is_empty(), "{done} were done");
    assert!(busy.iter().all(|answer| failure(answer).1.contains("too many operations waiting")));
    wait_until(LIMIT, "all is in the log", || rack.requests().len() >= done);
    assert_eq!(rack.requests().len(), done, "what was said to be done was done, and nothing else");
    assert_eq!(power.done("rack", "on"), "on verified");
    let metrics = power.get("/metrics").text();
    let count = format!("result=\"verified\"}} {done}");
    assert!(metrics.contains(&count), "{metrics}");
}
