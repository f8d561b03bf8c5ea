//! pdudaemon's clients, and pdudaemon itself beside us.

use std::io::Write as _;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use super::{SLOW, Sent, exchange, python, rig, said, start, start_at};
use crate::common::{Answer, LIMIT, Process, TestLab, http, own_host, run, wait_until};
use crate::power::{Power, timed};

fn get(address: SocketAddr, query: &str) -> Answer {
    http(address, "GET", &format!("/power/control/{query}"), "")
}

#[test]
fn requests_by_http_are_answered_when_they_are_done_and_say_what_failed() {
    let lab = TestLab::new();
    let power = start(&lab);
    let at = power.daemon.address("pdudaemon");
    let ok = |query: &str| {
        let answer = get(at, query);
        assert_eq!((answer.status, answer.text().as_str()), (200, "OK - accepted request\n"));
    };
    ok("on?hostname=rack1&port=1");
    assert_eq!(power.state("n1"), "on verified");
    ok("off?hostname=rack1&port=01");
    assert_eq!(power.state("n1"), "off verified");
    ok("on?alias=n2&delay=0");
    assert_eq!(power.state("n2"), "on verified");
    let ((), took) = timed(|| ok("reboot?alias=n1&delay=1"));
    assert!(took >= Duration::from_secs(1), "{took:?}: the delay is the time without power");
    assert_eq!(power.state("n1"), "on verified");
    power.daemon.wait_for_log(LIMIT, "who=\"pdudaemon:127.0.0.1\"");

    for (query, status, text) in [
        ("off?hostname=rack1&port=9", 500, "there is no outlet at port \"9\" of PDU \"rack1\""),
        ("off?hostname=rack9&port=1", 500, "there is no outlet at port \"1\" of PDU \"rack9\""),
        ("off?hostname=rack1", 500, "it needs hostname and port, or alias"),
        ("off?alias=n1&port=1", 500, "it needs hostname and port, or alias"),
        ("off?alias=nobody", 500, "there is no outlet \"nobody\""),
        ("off?alias=n1&delay=soon", 500, "delay \"soon\" is none of 0 to 600 seconds"),
        ("off?alias=n1&delay=-1", 500, "delay \"-1\" is none of 0 to 600 seconds"),
        ("off", 500, "it needs hostname and port, or alias"),
        ("explode?alias=n1", 404, "404: Not Found"),
    ] {
        let answer = get(at, query);
        let whole = if status == 500 { format!("Invalid request: {text}\n") } else { text.into() };
        assert_eq!((answer.status, answer.text()), (status, whole), "{query}");
    }
    for method in ["HEAD", "POST", "PUT"] {
        assert_eq!(http(at, method, "/power/control/off?alias=n1", "").status, 405, "{method}");
    }
    let dead = get(at, "on?alias=x1");
    assert_eq!(dead.status, 502);
    assert!(dead.text().starts_with("x1 on dead (127.0.0.1:9): "), "{}", dead.text());
    assert_eq!(power.state("n1"), "on verified");
}

#[test]
fn a_web_page_switches_nothing() {
    let lab = TestLab::new();
    let power = start(&lab);
    let ask = |address: SocketAddr, path: &str, header: &str| {
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: {address}\r\n{header}\r\nconnection: close\r\n\r\n"
        );
        exchange(address, request.as_bytes(), Sent::MoreMayCome)
    };
    for header in [
        "origin: https://evil.example",
        "referer: http://evil.example/page",
        "sec-fetch-site: cross-site",
        "user-agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    ] {
        let pdudaemon = power.daemon.address("pdudaemon");
        let answer = ask(pdudaemon, "/power/control/on?alias=n1", header);
        assert!(answer.starts_with("HTTP/1.1 403 "), "{header}: {answer}");
        let answer = ask(power.address, "/labgrid/outlets/n1/1", header);
        assert!(answer.starts_with("HTTP/1.1 403 "), "{header}: {answer}");
    }
    assert_eq!(power.state("n1"), "off verified");
}

#[test]
fn a_line_of_text_is_a_request_too() {
    let lab = TestLab::new();
    let power = start(&lab);
    // Its own port, and that of HTTP: pduclient knows one only.
    for port in ["tcp", "pdudaemon"] {
        is_switched_by_lines(&power, power.daemon.address(port));
    }
}

fn is_switched_by_lines(power: &Power, at: SocketAddr) {
    assert_eq!(exchange(at, b"rack1 1 on", Sent::All), "ack\n");
    assert_eq!(power.state("n1"), "on verified");
    assert_eq!(exchange(at, b"rack1 1 reboot 0\n", Sent::All), "ack\n");
    assert_eq!(exchange(at, b"rack1 1 off 0\r\n", Sent::All), "ack\n");
    assert_eq!(power.state("n1"), "off verified");
    let nack = "nack: there is no outlet at port \"9\" of PDU \"rack1\"\n";
    assert_eq!(exchange(at, b"rack1 9 on", Sent::All), nack);
    let nack = "nack: \"explode\" is none of on, off and reboot\n";
    assert_eq!(exchange(at, b"rack1 1 explode", Sent::All), nack);
    assert_eq!(exchange(at, b"rack1 1", Sent::All), "Unexpected data\n");
    assert_eq!(exchange(at, b"\xff", Sent::All), "Unexpected data\n");
    let dead = exchange(at, b"dead 1 on", Sent::All);
    assert!(dead.starts_with("nack: x1 on dead (127.0.0.1:9): "), "{dead}");
}

#[test]
fn who_has_gone_before_the_delay_is_over_is_not_obeyed() {
    let lab = TestLab::new();
    let power = start(&lab);
    power.done("n1", "on");
    for port in ["tcp", "pdudaemon"] {
        let mut gone = TcpStream::connect(power.daemon.address(port)).unwrap();
        gone.write_all(b"rack1 1 off 2\n").unwrap();
        // Not at once, as a script would.
        let (_, _) =
            timed(|| exchange(power.daemon.address("tcp"), b"rack1 2 off 1\n", Sent::MoreMayCome));
        drop(gone);
    }
    let later = exchange(power.daemon.address("tcp"), b"rack1 2 off 2\n", Sent::MoreMayCome);
    assert_eq!((later.as_str(), power.state("n1").as_str()), ("ack\n", "on verified"));
}

#[test]
fn pduclient_labgrid_and_jumpstarter_switch_boards() {
    let lab = TestLab::new();
    // pduclient and labgrid know one port only.
    let host = IpAddr::from(own_host());
    let power = start_at(&lab, host, 16421);
    let host = host.to_string();
    let pduclient = |args: &[&str]| {
        let mut client = rig(&lab, "pdudaemon/bin/python3");
        client.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/target/rig/pdudaemon/bin/pduclient"));
        said(&run(client.args(["-H", "--daemon", &host, "--hostname"]).args(args), "", SLOW))
    };
    let on = pduclient(&["rack1", "--port", "01", "--command", "on"]);
    assert_eq!(on, "Command sent successfully.\n[0]");
    assert_eq!(power.state("n1"), "on verified");
    let reboot = pduclient(&["rack1", "--port", "1", "--command", "reboot", "--delay", "1"]);
    assert_eq!(reboot, "Command sent successfully.\n[0]");
    // Without -H it talks in lines of text, to the same port, which it cannot be told otherwise.
    let mut client = rig(&lab, "pdudaemon/bin/python3");
    client.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/target/rig/pdudaemon/bin/pduclient"));
    client.args(["--daemon", &host, "--hostname", "rack1", "--port", "01", "--command", "off"]);
    let off = said(&run(&mut client, "", SLOW));
    assert_eq!(off, "Command sent successfully.\n[0]");
    assert_eq!(power.state("n1"), "off verified");
    let dead = pduclient(&["dead", "--port", "1", "--command", "off"]);
    assert!(dead.contains("<Response [502]>") && dead.ends_with("[127]"), "{dead}");

    let script = "
import sys
from labgrid import Target
from labgrid.resource.power import PDUDaemonPort
from labgrid.driver import PDUDaemonDriver
target = Target('main')
PDUDaemonPort(target, None, host=sys.argv[1], pdu='rack1', index=2)
driver = PDUDaemonDriver(target, None)
target.activate(driver)
driver.on()
driver.cycle()
";
    assert_eq!(python(&lab, "labgrid", script, &[&host]), "[0]");
    assert_eq!(power.state("n2"), "on verified");

    let script = "
import sys
from jumpstarter_driver_http_power.driver import HttpPower
url = 'http://%s:16421/power/control/' % sys.argv[1]
power = HttpPower(power_on={'url': url + 'on?alias=n3'}, power_off={'url': url + 'off?alias=x1'})
power.on()
try:
    power.off()
except Exception as error:
    print(error)
";
    let jumpstarter = python(&lab, "pdudaemon", script, &[&host]);
    assert!(jumpstarter.contains("502 Server Error: x1 on dead (127.0.0.1:9): "), "{jumpstarter}");
    assert_eq!(power.state("n3"), "on verified");
}

#[test]
fn pdudaemon_itself_answers_the_same_but_knows_no_failure() {
    let lab = TestLab::new();
    let power = start(&lab);
    let ours = power.daemon.address("pdudaemon");
    let theirs = SocketAddr::new(own_host().into(), 16421);
    let config = format!(
        r#"{{"daemon": {{"hostname": "{}", "port": 16421, "listener": "http"}},
            "pdus": {{"rack1": {{"driver": "localcmdline", "cmd_on": "echo on %s >> log", "cmd_off": "false %s"}}}},
            "aliases": {{"n1": {{"hostname": "rack1", "port": 1}}}}}}"#,
        theirs.ip()
    );
    let config = lab.write("pdudaemon.conf", &config);
    let mut pdudaemon = rig(&lab, "pdudaemon/bin/pdudaemon");
    let _pdudaemon = Process::spawn(pdudaemon.args(["--conf", &config, "--loglevel", "ERROR"]));
    wait_until(SLOW, "pdudaemon listens", || TcpStream::connect(theirs).is_ok());
    for query in [
        "on?alias=n1",
        "on?hostname=rack1&port=1",
        "reboot?alias=n1&delay=0",
        "on?alias=n1&hostname=rack1",
        "on?alias=",
        "on?alias=nobody",
        "on?hostname=rack1",
        "on?hostname=rack9&port=1",
        "on",
        "explode?alias=n1",
    ] {
        let (ours, theirs) = (get(ours, query), get(theirs, query));
        assert_eq!(ours.status, theirs.status, "{query}");
        // Where something is wrong with it, we say what.
        let (text, theirs_text) = (ours.text(), theirs.text());
        let same = text.strip_prefix(theirs_text.trim_end());
        assert!(
            same.is_some_and(|why| why == "\n" || ours.status == 500 || why.is_empty()),
            "{query}: {text}"
        );
        assert_eq!(ours.header("content-type"), theirs.header("content-type"), "{query}");
    }
    // Its program has failed, and it says that it is done.
    let off = get(theirs, "off?alias=n1");
    assert_eq!((off.status, off.text().as_str()), (200, "OK - accepted request\n"));
    assert_eq!(get(ours, "off?alias=x1").status, 502);
}
