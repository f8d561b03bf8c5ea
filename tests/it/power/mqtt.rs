//! Plugs behind a broker: the real mosquitto; the plugs are simulated (tests/rig/mqtt_plug.py).

use std::fs;
use std::net::SocketAddr;
use std::process::Stdio;

use rustix::process::Signal;

use super::Power;
use super::web::bridge;
use crate::common::{Heard, LIMIT, Pki, Process, TestLab, rig, run, signal, wait_until};

struct Broker {
    _process: Process,
    address: SocketAddr,
    log: Heard,
}

struct Plugs {
    process: Process,
}

impl Broker {
    /// With these lines of configuration beside the listener.
    fn start(lab: &TestLab, name: &str, config: &str) -> Self {
        let socket = lab.path(&format!("{name}.sock"));
        let text =
            format!("listener 0 {}\nuser root\nlog_dest stderr\n{config}\n", socket.display());
        let mut command = lab.tool("mosquitto");
        command.env("PATH", format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap()));
        command.args(["-c", &lab.write(&format!("{name}.conf"), &text)]).stderr(Stdio::piped());
        let mut process = Process::spawn(&mut command);
        let log = Heard::from(process.child().stderr.take().unwrap());
        let address = bridge(&socket);
        Self { _process: process, address, log }
    }
}

impl Plugs {
    fn start(lab: &TestLab, broker: &str, login: &[&str]) -> Self {
        let mut command = lab.tool(rig("mqtt_plug.py"));
        command.arg(lab.path(&format!("{broker}.sock"))).arg(lab.dir()).args(login);
        let mut process = Process::spawn(command.stdout(Stdio::piped()));
        let said = Heard::from(process.child().stdout.take().unwrap());
        said.find(LIMIT, 0, b"ready").unwrap();
        Self { process }
    }
}

fn plug(broker: &str, name: &str, profile: &str, topic: &str, port: &str, keys: &str) -> String {
    format!(
        "[[pdu]]\nname = \"{name}\"\ndriver = \"mqtt\"\nbroker = \"{broker}\"\nprofile = \"{profile}\"\n\
         topic = \"{topic}\"\n{keys}\n\
         [[outlet]]\nname = \"{name}\"\npdu = \"{name}\"\nport = {port:?}\noff_time = \"10ms\"\n"
    )
}

#[test]
fn every_kind_of_plug_switches_and_tells() {
    let lab = TestLab::new();
    let broker = Broker::start(&lab, "broker", "allow_anonymous true");
    let _plugs = Plugs::start(&lab, "broker", &[]);
    let kinds = [
        ("tasmota", "tasmota_1", "1", "tasmota_1.1 ON"),
        ("shelly-gen1", "shelly1-B929CC", "0", "shelly1-B929CC.0 on"),
        ("shelly-gen2", "shellyplus1-a8", "3", "shellyplus1-a8.3 on"),
        ("zigbee2mqtt", "zigbee2mqtt", "lamp \"x\" y", "lamp \"x\" y ON"),
        ("esphome", "esp", "relay", "esp.relay ON"),
        ("home-assistant", "ha/plug", "0", "ha/plug ON"),
    ];
    let url = format!("mqtt://{}", broker.address);
    let config: String =
        kinds.iter().map(|(p, topic, port, _)| plug(&url, p, p, topic, port, "")).collect();
    let power = Power::start(&lab, &config);
    for (profile, _, _, told) in kinds {
        // Not what the broker keeps of an earlier life; who cannot be asked is not known.
        let before = if profile == "home-assistant" { "unknown unknown" } else { "off verified" };
        assert_eq!(power.done(profile, "status"), before, "{profile}");
        assert_eq!(power.done(profile, "on"), "on verified", "{profile}");
        assert_eq!(power.done(profile, "status"), "on verified", "{profile}");
        let commands = fs::read_to_string(lab.path("commands")).unwrap();
        assert_eq!(commands.lines().next_back(), Some(told), "{profile}");
        assert_eq!(power.done(profile, "off"), "off verified", "{profile}");
        assert_eq!(power.done(profile, "cycle"), "on verified", "{profile}");
    }
}

#[test]
fn what_the_broker_keeps_of_a_dead_plug_is_not_its_state() {
    let lab = TestLab::new();
    let broker = Broker::start(&lab, "broker", "allow_anonymous true");
    let plugs = Plugs::start(&lab, "broker", &[]);
    let url = format!("mqtt://{}", broker.address);
    let quick = "timeout = \"3s\"\nverify = \"200ms\"";
    let config = plug(&url, "esp", "esphome", "esp", "relay", quick)
        + &plug(&url, "ha", "home-assistant", "ha/plug", "0", quick);
    let power = Power::start(&lab, &config);
    for name in ["esp", "ha"] {
        assert_eq!(power.done(name, "on"), "on verified", "{name}");
    }
    let mut plugs = plugs.process;
    signal(plugs.pid(), Signal::KILL);
    wait_until(LIMIT, "the plugs are gone", || plugs.exited().is_some());
    // The broker has their last word: ON.
    wait_until(LIMIT, "the broker says so", || power.ask("esp", "status").status != 200);
    let (_, message) = power.fails("esp", "on");
    assert!(message.contains("the device is not there: so the broker was told"), "{message}");
    assert_eq!(power.done("ha", "on"), "on accepted");
    assert_eq!(power.done("ha", "status"), "unknown unknown");
}

#[test]
fn what_goes_wrong_is_told_for_what_it_is() {
    let lab = TestLab::new();
    let users = lab.write("users", "lava:s3cret\nplugs:x\n");
    let said = run(lab.tool("mosquitto_passwd").args(["-U", &users]), "", LIMIT);
    assert!(said.status.success(), "{said:?}");
    let broker =
        Broker::start(&lab, "broker", &format!("allow_anonymous false\npassword_file {users}"));
    let _plugs = Plugs::start(&lab, "broker", &["plugs", "x"]);
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("mqtt://{}", broker.address);
    let quick = "timeout = \"4s\"\nverify = \"300ms\"";
    let us = format!("user = \"lava\"\npassword = \"s3cret\"\n{quick}");
    let tasmota =
        |url: &str, name: &str, keys: &str| plug(url, name, "tasmota", "tasmota_1", "1", keys);
    let config = tasmota(&url, "plug", &us)
        + &plug(&url, "absent", "tasmota", "tasmota_2", "1", &us)
        + &tasmota(&url, "wrong", "user = \"lava\"\npassword = \"hunter2\"")
        + &tasmota(&url, "unnamed", "")
        + &tasmota(&format!("mqtt://{nobody}"), "gone", "")
        + &tasmota(&format!("mqtt://{}", mute.local_addr().unwrap()), "mute", quick);
    let power = Power::start(&lab, &config);
    assert_eq!(power.done("plug", "on"), "on verified");
    for name in ["wrong", "unnamed"] {
        let (kind, message) = power.fails(name, "off");
        assert_eq!(kind, "lab");
        assert!(message.ends_with("the broker denies us: wrong user or password"), "{message}");
    }
    let (_, message) = power.fails("gone", "off");
    assert!(message.contains("no way to the broker: "), "{message}");
    let (_, message) = power.fails("mute", "off");
    assert!(message.contains("no answer from the broker within 3s"), "{message}");

    let fault = |word: &str| fs::write(lab.path("fault"), word).unwrap();
    for silent in ["silent", "garbage"] {
        fault(silent);
        let (kind, message) = power.fails("plug", "off");
        assert_eq!(kind, "lab", "{silent}");
        assert!(message.contains("asked to switch off: no answer within 4s"), "{message}");
    }
    // It was carried out by the one that then talked nonsense.
    fault("lie");
    let (_, message) = power.fails("plug", "on");
    assert!(message.contains("no answer within 4s"), "{message}");
    fault("late");
    assert_eq!(power.done("plug", "on"), "on verified");
    fault("");
    assert_eq!(power.done("plug", "cycle"), "on verified");
    let log = power.daemon.log().text();
    assert!(!log.contains("hunter2") && !log.contains("s3cret"), "{log}");
    assert!(broker.log.text().contains("not authorised"), "{}", broker.log.text());
}

#[test]
fn a_broker_with_tls_is_known_by_its_certificate() {
    let lab = TestLab::new();
    Pki::new(&lab, "ca").server("broker");
    Pki::new(&lab, "stranger");
    let dir = lab.dir().display();
    // On a socket it speaks no TLS: openssl does that before it.
    let broker = Broker::start(&lab, "plain", "allow_anonymous true");
    let _plugs = Plugs::start(&lab, "plain", &[]);
    let mut tls = lab.tool("socat");
    tls.args(["-d", "-d"]).arg(format!(
        "openssl-listen:0,bind=127.0.0.1,fork,verify=0,cert={dir}/broker.pem,key={dir}/broker.key"
    ));
    tls.arg(format!("tcp:{}", broker.address)).stderr(Stdio::piped());
    let mut tls = Process::spawn(&mut tls);
    let said = Heard::from(tls.child().stderr.take().unwrap());
    let begin = said.find(LIMIT, 0, b"listening on AF=2 ").unwrap();
    let end = said.find(LIMIT, begin, b"\n").unwrap();
    let url = format!("mqtts://{}", said.text()[begin..end].trim());
    let config = plug(&url, "known", "tasmota", "tasmota_1", "1", "ca = \"ca.pem\"")
        + &plug(&url, "anybody", "tasmota", "tasmota_1", "1", "insecure_tls = true")
        + &plug(&url, "other", "tasmota", "tasmota_1", "1", "ca = \"stranger.pem\"");
    let power = Power::start(&lab, &config);
    assert_eq!(power.done("known", "on"), "on verified");
    assert_eq!(power.done("anybody", "status"), "on verified");
    let (kind, message) = power.fails("other", "off");
    assert_eq!(kind, "lab");
    assert!(
        message.contains("no way to the broker: ") && message.contains("certificate"),
        "{message}"
    );
    wait_until(LIMIT, "socat is there", || tls.exited().is_none());
}
