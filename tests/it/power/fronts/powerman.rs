//! Debian's powerman, as a client of ours.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use super::{SLOW, Sent, exchange, said, start};
use crate::common::{LIMIT, TestLab, run};
use crate::power::Power;

fn powerman(lab: &TestLab, power: &Power, args: &[&str]) -> String {
    let mut client = lab.tool("powerman");
    let server = power.daemon.address("powerman").to_string();
    said(&run(client.args(["-h", &server]).args(args), "", SLOW))
}

const DONE: &str = "Command completed successfully\n[0]";

#[test]
fn it_switches_asks_and_lists() {
    let lab = TestLab::new();
    let power = start(&lab);
    let ask = |args: &[&str]| powerman(&lab, &power, args);
    assert_eq!(ask(&["-l"]), "n[1-3],x[1-2]\n[0]");
    assert_eq!(ask(&["-1", "n[1-3]"]), DONE);
    assert_eq!(power.state("n3"), "on verified");
    assert_eq!(ask(&["-0", "n1", "n2"]), DONE);
    assert_eq!(ask(&["-c", "n1"]), DONE);
    assert_eq!(ask(&["-Q", "n[1-3]"]), "on:      n[1,3]\noff:     n2\nunknown: \n[0]");
    assert_eq!(ask(&["-x", "-Q", "n[1-3]"]), "n1: on\nn2: off\nn3: on\n[0]");
    let told = ask(&["-T", "-0", "n3"]);
    assert!(told.starts_with("n3 is off (read back from the PDU, "), "{told}");
    power.daemon.wait_for_log(LIMIT, "who=\"powerman:127.0.0.1\"");
    let devices = ask(&["-d"]);
    assert!(
        devices.contains("rack1: state=connected reconnects=000 actions=")
            && devices.contains(" hosts=n[1-3]\n"),
        "{devices}"
    );
}

#[test]
fn it_is_told_what_was_not_done() {
    let lab = TestLab::new();
    let power = start(&lab);
    let ask = |args: &[&str]| powerman(&lab, &power, args);
    assert_eq!(ask(&["-1", "n[3-4],juno"]), "No such nodes: juno,n4\n[209]");
    assert_eq!(power.state("n3"), "off verified");
    let dead = ask(&["-1", "n1,x1"]);
    assert!(dead.starts_with("x1 on dead (127.0.0.1:9): "), "{dead}");
    assert!(dead.ends_with("\nCommand completed with errors\n[210]"), "{dead}");
    assert_eq!(power.state("n1"), "on verified");
    let all = ask(&["-q"]);
    assert!(all.starts_with("x1 on dead (127.0.0.1:9): "), "{all}");
    let rest = "on:      n1\noff:     n[2-3]\nunknown: x[1-2]\nQuery completed with errors\n[211]";
    assert!(all.ends_with(rest), "{all}");
    assert!(ask(&["-d"]).contains("dead: state=disconnected "));
    let beacon = "Command cannot be handled by power control device(s)\n[213]";
    assert_eq!(ask(&["-B", "n1"]), beacon);
    assert_eq!(ask(&["-r", "n1"]), beacon);
}

#[test]
fn a_person_with_telnet_gets_a_prompt_and_lines_that_are_no_commands_do_nothing() {
    let lab = TestLab::new();
    let power = start(&lab);
    let at = power.daemon.address("powerman");
    let long = format!("on {}\r\n", "n1,".repeat(10_000));
    let asked = [
        "help me\r\n",
        "\r\n",
        "on n[3-1]\r\n",
        "on n[0-99999999]\r\n",
        "off n1;reboot\r\n",
        &long,
        "exprange\r\n",
        "nodes\r\n",
        "quit\r\n",
    ];
    let answer = exchange(at, asked.concat().as_bytes(), Sent::All);
    let codes: Vec<&str> = answer
        .lines()
        .map(|line| line.trim_start_matches("powerman> ").get(..3).unwrap())
        .collect();
    let expected = [
        "001", "201", "201", "205", "205", "209", "203", "105", "307", "307", "307", "307", "307",
        "103", "101",
    ];
    assert_eq!(codes, expected, "{answer}");
    assert_eq!(power.state("n1"), "off verified");
}

#[test]
fn a_script_that_has_sent_everything_gets_all_of_its_answers() {
    let lab = TestLab::new();
    let power = start(&lab);
    let at = power.daemon.address("powerman");
    for _ in 0..20 {
        let answer = exchange(at, b"on n1\noff n1\ncycle n1\nquit\n", Sent::All);
        assert_eq!(answer.matches("102 Command completed successfully").count(), 3, "{answer}");
        assert!(answer.ends_with("101 Goodbye\r\n"), "{answer}");
    }
}

#[test]
fn a_command_under_way_is_told_to_who_sends_another_one() {
    let lab = TestLab::new();
    // A PDU that says nothing for as long as it has time.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let pdus = super::PDUS
        .replace("127.0.0.1:9", &silent.local_addr().unwrap().to_string())
        .replace("timeout = \"200ms\"", "timeout = \"3s\"");
    let power = Power::start(&lab, &("[powerman]\nlisten = \"127.0.0.1:0\"\n".to_owned() + &pdus));
    let mut stream = TcpStream::connect(power.daemon.address("powerman")).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let wait_for = |stream: &mut TcpStream, text: &str| {
        let (mut heard, mut byte) = (String::new(), [0]);
        while !heard.ends_with(text) {
            assert_eq!(stream.read(&mut byte).unwrap(), 1, "{heard}");
            heard.push(char::from(byte[0]));
        }
        heard
    };
    wait_for(&mut stream, "powerman> ");
    // The PDU is silent for a while.
    stream.write_all(b"status x1\r\n").unwrap();
    silent.set_read_timeout(Some(LIMIT)).unwrap();
    silent.recv(&mut [0; 1500]).expect("the PDU is asked");
    stream.write_all(b"nodes\r\n").unwrap();
    let first = wait_for(&mut stream, "powerman> ");
    assert!(first.starts_with("208 Command in progress\r\n308 x1 on dead"), "{first}");
    let second = wait_for(&mut stream, "powerman> ");
    assert_eq!(second, "306 n[1-3],x[1-2]\r\n103 Query complete\r\npowerman> ");
}

#[test]
fn a_web_page_switches_nothing_here_either() {
    let lab = TestLab::new();
    let power = start(&lab);
    let at = power.daemon.address("powerman");
    let long = "x".repeat(20_000);
    // What a browser sends for a page that has it post text to us, and for one that knows our limits.
    for line in ["POST / HTTP/1.1", &format!("POST /{long} HTTP/1.1"), "\u{16}\u{3}\u{1} tls"] {
        let request = format!(
            "{line}\r\nHost: {at}\r\nOrigin: https://evil.example\r\nContent-Length: 13\r\n\r\non n1\r\nquit\r\n"
        );
        let answer = exchange(at, request.as_bytes(), Sent::MoreMayCome);
        assert!(!answer.contains("102 ") && !answer.contains("101 "), "{answer}");
        assert_eq!(power.state("n1"), "off verified");
    }
}

#[test]
fn a_board_that_is_half_on_is_told_as_such() {
    let lab = TestLab::new();
    let board = "[[outlet]]\nname = \"s1\"\n\
                 feeds = [{ pdu = \"rack1\", port = 1 }, { pdu = \"rack1\", port = 2 }]\n\
                 shared = true\n";
    let n1 = "[[outlet]]\nname = \"n1\"\npdu = \"rack1\"\nport = 1\nshared = true\n";
    let config = "[powerman]\nlisten = \"127.0.0.1:0\"\n\
                  [[pdu]]\nname = \"rack1\"\ndriver = \"sim\"\n"
        .to_owned()
        + board
        + n1;
    let power = Power::start(&lab, &config);
    assert_eq!(powerman(&lab, &power, &["-1", "n1"]), DONE);
    let half = "of the outlets of s1 some are on and some are off\n";
    let all = powerman(&lab, &power, &["-q"]);
    let listed = "on:      n1\noff:     \nunknown: s1\nQuery completed with errors\n[211]";
    assert_eq!(all, format!("{half}{listed}"));
}
