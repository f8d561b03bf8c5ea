//! Other people's clients at our telnet and raw ports.

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::peers::{Conserver, Ser2net, Tap, free_address};
use super::{BAUD, CONTROL, answer, ask, cabled, events, one, opened, program, told_settings};
use crate::common::{Cable, Client, Daemon, Heard, LIMIT, Process, TestLab, WebSocket, wait_until};

/// A client in a terminal, with a tap on its connection.
fn client(lab: &TestLab, server: SocketAddr, line: &str) -> (Client, Tap) {
    let tap = Tap::on(server);
    let (host, port) = (tap.address.ip().to_string(), tap.address.port().to_string());
    let line = line.replace("HOST", &host).replace("PORT", &port);
    let mut words = line.split(' ');
    let mut command = lab.tool(words.next().unwrap());
    command.args(words);
    (Client::in_terminal(&mut command), tap)
}

/// Waits until the client hears the board: some are connected long after they say so.
fn ready(client: &Client, cable: &mut Cable) {
    wait_until(LIMIT, "the board is heard", || {
        cable.send(b"hello\n");
        client.heard().text().contains("hello")
    });
}

/// The board is heard by the client, and the client by the board.
fn talk(client: &mut Client, cable: &mut Cable) {
    cable.send(b"login: ");
    client.expect("login: ");
    client.type_text("root\r");
    cable.expect(b"root\r");
}

/// Both sides came to an agreement long ago, and are quiet about it.
fn settled(tap: &Tap, client: &mut Client, cable: &mut Cable) {
    let before = tap.negotiations();
    for _ in 0..10 {
        talk(client, cable);
    }
    assert_eq!(tap.negotiations(), before, "they still negotiate");
    assert!(before[0] <= 12 && before[1] <= 12, "{before:?}");
}

fn breaks(serial: &Daemon) -> usize {
    events(serial).iter().filter(|event| event["kind"] == "break").count()
}

fn broken(serial: &Daemon, times: usize) {
    wait_until(LIMIT, "the break is sent", || breaks(serial) == times);
}

#[test]
fn telnet_talks_breaks_and_asks_whether_we_are_there() {
    let lab = TestLab::new();
    let (serial, mut cable) = cabled(&lab, "");
    cable.order("far 115200n8");
    let (mut telnet, tap) = client(&lab, serial.address("telnet"), "telnet HOST PORT");
    ready(&telnet, &mut cable);
    talk(&mut telnet, &mut cable);
    for command in ["send ayt", "send brk"] {
        telnet.type_text("\x1d");
        telnet.expect("telnet> ");
        telnet.type_text(&format!("{command}\r"));
    }
    telnet.expect("\r\n[lavamux: yes]\r\n");
    broken(&serial, 1);
    settled(&tap, &mut telnet, &mut cable);
    assert!(told_settings(&serial).is_empty(), "a person sets nothing");
}

#[test]
fn microcom_sets_the_speed_and_gets_nothing_but_the_boards_bytes() {
    let lab = TestLab::new();
    let (serial, mut cable) = cabled(&lab, "");
    let (mut microcom, tap) =
        client(&lab, serial.address("telnet"), "microcom -t HOST:PORT -s 9600");
    cable.expect_line("9600n8 dtr=on rts=on break=off");
    cable.order("far 9600n8");
    talk(&mut microcom, &mut cable);
    // It refuses binary, and would print the NUL of telnet's CR NUL.
    for piece in [&b"one\r"[..], b"two\r\n\xff", b"three"] {
        cable.send(piece);
    }
    tap.server().find(LIMIT, 0, b"one\rtwo\r\n\xff\xffthree").unwrap();
    microcom.type_text("\x1c");
    microcom.expect("Enter command");
    microcom.type_text("speed 19200\r");
    cable.expect_line("19200n8 dtr=on rts=on break=off");
    cable.order("far 19200n8");
    microcom.type_text("break\r");
    broken(&serial, 1);
    settled(&tap, &mut microcom, &mut cable);
}

#[test]
fn gensiot_talks_and_breaks() {
    let lab = TestLab::new();
    let (serial, mut cable) = cabled(&lab, "");
    cable.order("far 115200n8");
    let (mut gensiot, tap) =
        client(&lab, serial.address("telnet"), "gensiot telnet(rfc2217),tcp,HOST,PORT");
    ready(&gensiot, &mut cable);
    talk(&mut gensiot, &mut cable);
    gensiot.type_text("\x1cb");
    broken(&serial, 1);
    settled(&tap, &mut gensiot, &mut cable);
}

#[test]
fn gensio_sets_everything_there_is() {
    let lab = TestLab::new();
    let (serial, mut cable) = cabled(&lab, "");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rig/gensio_client.py");
    // The module is in Debian's python only.
    let mut command = lab.tool("/usr/bin/python3");
    command.arg(script).arg(serial.address("telnet").port().to_string());
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut process = Process::spawn(&mut command);
    let said = Heard::from(process.child().stdout.take().unwrap());
    said.find(LIMIT, 0, b"done\n").unwrap();
    let text = said.text();
    for told in [
        "baud 9600",
        "datasize 7",
        "parity 3",
        "stopbits 2",
        "flow 2",
        "iflow 2",
        "dtr 2",
        "rts 2",
        "break 1",
        "break 2",
        "asked 9600 7 3 2",
    ] {
        assert!(text.lines().any(|line| line == told), "{told} is not in:\n{text}");
    }
    cable.expect_line("9600e72 xonxoff dtr=off rts=off break=on");
    cable.expect_line("9600e72 xonxoff dtr=off rts=off break=off");
    said.find(LIMIT, 0, b"linestate 16\n").unwrap();
    // And the plug's wires, and its bytes.
    said.find(LIMIT, 0, b"modemstate 1\n").unwrap();
    said.find(LIMIT, 0, b"read 74797065640d0a").unwrap();
    broken(&serial, 1);
}

#[test]
fn socat_passes_every_byte_of_the_raw_port() {
    let lab = TestLab::new();
    let (serial, mut cable) = cabled(&lab, "");
    cable.order("far 115200n8");
    let every: Vec<u8> = (0..=255).chain(*b"\r\n\r\0\r\xff\xff\xf4").collect();
    let mut socat = Command::new("socat");
    socat.arg("-").arg(format!("tcp:{}", serial.address("raw")));
    let mut socat = Client::in_pipes(&mut socat);
    socat.type_bytes(&every);
    cable.expect(&every);
    cable.send(&every);
    socat.expect_bytes(&every);
}

#[test]
fn ser2net_is_a_client_that_passes_bytes_and_settings_on() {
    let lab = TestLab::new();
    let (serial, mut cable) = cabled(&lab, "");
    cable.order("far 9600n8");
    let (address, tap) = (free_address(), Tap::on(serial.address("telnet")));
    let _ser2net = Ser2net::join(
        &lab,
        &format!("telnet(rfc2217),tcp,127.0.0.1,{}", address.port()),
        &format!("telnet(rfc2217),tcp,127.0.0.1,{}", tap.address.port()),
    );
    wait_until(LIMIT, "it listens", || std::net::TcpStream::connect(address).is_ok());
    let mut program = Client::raw(address);
    program.type_bytes(&[255, 251, 44, 255, 251, 0, 255, 253, 0]);
    // Before it is connected to us itself, it answers nothing.
    wait_until(LIMIT, "it sets the speed", || {
        ask(&mut program, BAUD, &[0, 0, 0x25, 0x80]);
        program.heard().find(Duration::ZERO, 0, &answer(BAUD, &[0, 0, 0x25, 0x80])).is_ok()
    });
    cable.expect_line("9600n8 dtr=on rts=on break=off");
    program.type_bytes(b"\r\0\n\xff\xffroot");
    cable.expect(b"\r\0\n\xffroot");
    cable.send(b"\r\0\n\xfflogin");
    program.expect_bytes(b"\r\0\n\xff\xfflogin");
    let [client, server] = tap.negotiations();
    assert!(client <= 12 && server <= 12, "{client} {server}");
}

#[test]
fn conserver_is_a_client_of_the_telnet_and_the_raw_port() {
    let lab = TestLab::new();
    let (serial, mut cable) = cabled(&lab, "");
    cable.order("far 115200n8");
    let tap = Tap::on(serial.address("telnet"));
    let console = |name: &str, address: SocketAddr, protocol: &str| {
        format!(
            "console {name} {{ include any; type host; host {}; port {}; protocol {protocol}; }}\n",
            address.ip(),
            address.port()
        )
    };
    let consoles = console("panda01", tap.address, "telnet")
        + &console("panda02", serial.address("raw"), "raw");
    let conserver = Conserver::start(&lab, &consoles);
    for name in ["panda01", "panda02"] {
        let line = conserver.console(name);
        let mut console = Client::in_terminal(lab.tool(&line[0]).args(&line[1..]));
        console.expect("for help]");
        ready(&console, &mut cable);
        talk(&mut console, &mut cable);
        if name == "panda01" {
            console.type_text("\x05cl0");
            broken(&serial, 1);
            settled(&tap, &mut console, &mut cable);
        }
        console.type_text("\x05c.");
    }
}

#[test]
fn conserver_is_an_upstream_through_its_client() {
    let lab = TestLab::new();
    let board = crate::common::Terminal::wire();
    let device = board.path().display();
    let conserver = Conserver::start(
        &lab,
        &format!(
            "console panda01 {{ include any; type device; device {device}; baud 115200; \
             parity none; }}\n"
        ),
    );
    let serial = one(&lab, &format!("exec:{}", conserver.console("panda01").join(" ")));
    opened(&serial);
    let mut raw = Client::raw(serial.address("raw"));
    let mut far = board.near();
    wait_until(LIMIT, "the board is heard", || {
        std::io::Write::write_all(&mut far, b"login: ").unwrap();
        raw.heard().text().contains("login: ")
    });
    let heard = Heard::from(board.near());
    raw.type_text("root\r");
    heard.find(LIMIT, 0, b"root\r").unwrap();
}

#[test]
fn of_two_programs_the_later_sets_the_line_and_everybody_sees_who_it_was() {
    let lab = TestLab::new();
    let (serial, mut cable) = cabled(&lab, "");
    let alice = WebSocket::attach(serial.address("http"), "panda01", "user=alice");
    let (mut first, mut second) = (program(&serial), program(&serial));
    let (slow, fast) = ([0, 0, 0x25, 0x80], [0, 1, 0xc2, 0]);
    ask(&mut first, BAUD, &slow);
    first.expect_bytes(&answer(BAUD, &slow));
    for (who, rate) in [(&mut second, &fast), (&mut first, &slow)] {
        ask(who, BAUD, rate);
        who.expect_bytes(&answer(BAUD, rate));
    }
    // Who is overruled is not told by the way, but on asking; so is who only says it again.
    ask(&mut second, BAUD, &[0, 0, 0, 0]);
    second.expect_bytes(&answer(BAUD, &slow));
    ask(&mut first, BAUD, &slow);
    first.expect_bytes(&answer(BAUD, &slow));
    let told = told_settings(&serial);
    let [(one, a), (other, b), (one_again, c)] = &told[..] else { panic!("{told:?}") };
    assert_eq!([a, b, c], ["9600n8", "115200n8", "9600n8"]);
    assert!(one == one_again && one != other && one.is_some() && other.is_some());
    alice.expect_message("she sees it", |m| {
        m["kind"] == "line-settings" && m["who"].as_str() == other.as_deref()
    });
    cable.expect_line("115200n8 dtr=on rts=on break=off");

    // A break that one holds is ended by whoever ends it; and one that may not write changes nothing.
    let job = WebSocket::attach(serial.address("http"), "panda01", "user=job:7&mode=exclusive");
    job.expect_message("the job's hello", |m| m["type"] == "hello");
    for program in [&mut first, &mut second] {
        ask(program, BAUD, &fast);
        program.expect_bytes(&answer(BAUD, &slow));
        ask(program, CONTROL, &[9]);
        program.expect_bytes(&answer(CONTROL, &[8]));
    }
    assert_eq!(told_settings(&serial).len(), 3);
}
