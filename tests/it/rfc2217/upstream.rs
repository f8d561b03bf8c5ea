//! Consoles whose port is a telnet server, with and without RFC 2217.

use std::io::Write as _;
use std::net::TcpListener;

use super::peers::{PyserialServer, Ser2net, free_address};
use super::{
    BAUD, BREAK_OFF, BREAK_ON, CONTROL, DATA_BITS, DTR_OFF, LINE_STATE, LINE_STATE_MASK,
    MODEM_STATE, PARITY, PURGE, RTS_OFF, STOP_BITS, answer, ask, events, one, opened, program,
    state, told_settings,
};
use crate::common::{
    Cable, Client, Daemon, Heard, LIMIT, Terminal, TestLab, WebSocket, http, wait_until,
};

/// Every byte there is, some of them twice, and the line ends that telnet cares for.
fn every_byte() -> Vec<u8> {
    (0..=255).chain(*b"\r\n\r\0\r\xff\xff\n\r").collect()
}

#[test]
fn ser2net_sets_its_line_as_we_ask_and_passes_every_byte() {
    let lab = TestLab::new();
    let (adapter, address) = (Terminal::wire(), free_address());
    let ser2net = Ser2net::serve(&lab, "telnet(rfc2217)", address, adapter.path());
    let serial = one(&lab, &format!("rfc2217://{address},9600n82"));
    opened(&serial);
    let set = |what: &str| {
        wait_until(LIMIT, &format!("the line is at {what}"), || adapter.settings().contains(what));
    };
    set("speed 9600 baud");
    set(" cstopb");
    let mut board = Heard::from(adapter.near());
    let mut raw = Client::raw(serial.address("raw"));
    raw.type_bytes(&every_byte());
    board.find(LIMIT, 0, &every_byte()).unwrap();
    adapter.near().write_all(&every_byte()).unwrap();
    raw.expect_bytes(&every_byte());

    let mut program = program(&serial);
    for (command, value) in [(BAUD, &[0, 0, 0x4b, 0][..]), (CONTROL, &[3]), (PURGE, &[3])] {
        ask(&mut program, command, value);
        program.expect_bytes(&answer(command, value));
    }
    set("speed 19200 baud");
    set(" crtscts");

    // It goes and comes: the client stays, and the line is set as it was.
    drop(ser2net);
    wait_until(LIMIT, "it is lost", || state(&serial)["state"] == "closed");
    drop((board, adapter));
    let adapter = Terminal::wire();
    let _ser2net = Ser2net::serve(&lab, "telnet(rfc2217)", address, adapter.path());
    opened(&serial);
    wait_until(LIMIT, "it is set again", || adapter.settings().contains("speed 19200 baud"));
    board = Heard::from(adapter.near());
    raw.type_text("hello again");
    board.find(LIMIT, 0, b"hello again").unwrap();
}

#[test]
fn a_server_of_its_own_kind_passes_everything_on_and_back() {
    let (lab, far_lab) = (TestLab::new(), TestLab::new());
    let path = far_lab.path("cable.sock");
    let mut cable = Cable::at(&path);
    let far = one(&far_lab, &format!("sim:uart,control={}", path.display()));
    let near = one(&lab, &format!("rfc2217:{},9600e72", far.address("telnet")));
    opened(&near);
    let mut program = program(&near);
    ask(&mut program, LINE_STATE_MASK, &[0x10]);
    program.expect_bytes(&answer(LINE_STATE_MASK, &[0x10]));
    for (command, value) in [
        (BAUD, &[0, 0, 0x4b, 0][..]),
        (DATA_BITS, &[8]),
        (PARITY, &[2]),
        (STOP_BITS, &[1]),
        (CONTROL, &[3]),
    ] {
        ask(&mut program, command, value);
        program.expect_bytes(&answer(command, value));
    }
    cable.expect_line("19200o8 rtscts dtr=on rts=on break=off");
    // Through both the plug's wires come back, and a break.
    ask(&mut program, CONTROL, &[RTS_OFF]);
    program.expect_bytes(&answer(MODEM_STATE, &[0xa1]));
    ask(&mut program, CONTROL, &[DTR_OFF]);
    program.expect_bytes(&answer(MODEM_STATE, &[0x0a]));
    ask(&mut program, CONTROL, &[BREAK_ON]);
    program.expect_bytes(&answer(LINE_STATE, &[0x10]));
    cable.expect_line("19200o8 rtscts dtr=off rts=off break=on");
    ask(&mut program, CONTROL, &[BREAK_OFF]);
    cable.expect_line("19200o8 rtscts dtr=off rts=off break=off");
    wait_until(LIMIT, "both tell of it", || {
        [&near, &far].iter().all(|serial| events(serial).iter().any(|e| e["kind"] == "break"))
    });
    // With RTS-CTS the plug would hold up everything.
    ask(&mut program, CONTROL, &[1]);
    program.expect_bytes(&answer(CONTROL, &[1]));
    let typed = [&[255, 255][..], b"\r\r\n\0"].concat();
    program.type_bytes(&typed);
    program.expect_bytes(&typed);
}

#[test]
fn what_the_far_end_decides_otherwise_is_told() {
    let (lab, far_lab) = (TestLab::new(), TestLab::new());
    let far = one(&far_lab, "sim:uart");
    let mut other = program(&far);
    ask(&mut other, BAUD, &[0, 0, 0x25, 0x80]);
    other.expect_bytes(&answer(BAUD, &[0, 0, 0x25, 0x80]));
    // Without a setting of its own the line stays as it is.
    let near = one(&lab, &format!("rfc2217:{}", far.address("telnet")));
    opened(&near);
    let told = |text: &str| {
        wait_until(LIMIT, text, || told_settings(&near).iter().any(|(_, set)| set == text));
    };
    told("9600n8");
    // And while somebody else holds the far console it cannot be set.
    let job = WebSocket::attach(far.address("http"), "panda01", "user=job:7&mode=exclusive");
    job.expect_message("the job's hello", |m| m["type"] == "hello");
    let mut program = program(&near);
    ask(&mut program, BAUD, &[0, 0, 0x4b, 0]);
    wait_until(LIMIT, "it is told", || told_settings(&near).len() == 3);
    let [_, (asked, set), (none, back)] = &told_settings(&near)[..] else { unreachable!() };
    assert!(asked.as_ref().unwrap().starts_with("telnet:"), "{asked:?}");
    assert_eq!((set.as_str(), none, back.as_str()), ("19200n8", &None, "9600n8"));
    ask(&mut program, BAUD, &[]);
    program.expect_bytes(&answer(BAUD, &[0, 0, 0x25, 0x80]));
}

#[test]
fn pyserials_server_passes_wires_and_bytes() {
    let lab = TestLab::new();
    let server = PyserialServer::start(&lab);
    let serial = one(&lab, &format!("rfc2217:{},19200e7", server.address));
    opened(&serial);
    let mut program = program(&serial);
    program.type_text("looped\r");
    program.expect("looped\r");
    ask(&mut program, CONTROL, &[RTS_OFF]);
    program.expect_bytes(&[255, 250, 44, MODEM_STATE + 100, 0xa1]);
    ask(&mut program, CONTROL, &[BREAK_ON]);
    program.expect_bytes(&answer(CONTROL, &[BREAK_ON]));
    ask(&mut program, CONTROL, &[BREAK_OFF]);
    program.expect_bytes(&answer(CONTROL, &[BREAK_OFF]));
    assert_eq!(state(&serial)["state"], "open");
    assert!(told_settings(&serial).is_empty(), "it is set as it was asked");
}

#[test]
fn a_telnet_server_without_serial_ports_passes_every_byte_and_breaks() {
    let (lab, far_lab) = (TestLab::new(), TestLab::new());
    let far = one(&far_lab, "sim:uart");
    let serial = one(&lab, &format!("telnet:{}", far.address("telnet")));
    opened(&serial);
    let mut raw = Client::raw(serial.address("raw"));
    raw.type_bytes(&every_byte());
    raw.expect_bytes(&every_byte());
    let alice = WebSocket::attach(serial.address("http"), "panda01", "user=alice");
    alice.ask(r#"{"id":1,"request":"break"}"#);
    alice.expect_message("it is sent", |m| m["answer"] == "done");
    wait_until(LIMIT, "the far end has sent it", || {
        events(&far).iter().any(|event| event["kind"] == "break")
    });
    // Its line cannot be set, which is remembered, and no fault.
    let mut program = program(&serial);
    ask(&mut program, BAUD, &[0, 0, 0x25, 0x80]);
    program.expect_bytes(&answer(BAUD, &[0, 0, 0x25, 0x80]));
    assert_eq!(state(&serial)["state"], "open");
    assert!(told_settings(&far).is_empty());
}

#[test]
fn a_server_that_refuses_the_option_is_still_a_console() {
    let lab = TestLab::new();
    let (adapter, address) = (Terminal::wire(), free_address());
    let _ser2net = Ser2net::serve(&lab, "telnet", address, adapter.path());
    let serial = one(&lab, &format!("rfc2217:{address},9600n8"));
    opened(&serial);
    serial.wait_for_log(LIMIT, "has not agreed to RFC 2217");
    let board = Heard::from(adapter.near());
    let mut raw = Client::raw(serial.address("raw"));
    raw.type_bytes(&every_byte());
    board.find(LIMIT, 0, &every_byte()).unwrap();
    adapter.near().write_all(&every_byte()).unwrap();
    raw.expect_bytes(&every_byte());
    assert_eq!(state(&serial)["state"], "open");
}

/// A server that is played by the test, and the console behind it.
struct Played {
    listener: TcpListener,
    serial: Daemon,
    _lab: TestLab,
}

impl Played {
    fn start(kind: &str) -> Self {
        let lab = TestLab::new();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let serial = one(&lab, &format!("{kind}:{}", listener.local_addr().unwrap()));
        Self { listener, serial, _lab: lab }
    }

    /// The next connection that is made to it.
    fn accept(&self) -> Client {
        let mut socket = None;
        wait_until(LIMIT, "it connects", || {
            socket = self.listener.accept().ok();
            socket.is_some()
        });
        let (socket, _) = socket.unwrap();
        socket.set_nonblocking(false).unwrap();
        Client::on(socket)
    }
}

#[test]
fn a_server_that_answers_nothing_is_waited_for_but_not_long() {
    let played = Played::start("rfc2217");
    let mut server = played.accept();
    server.type_text("login: ");
    opened(&played.serial);
    let mut raw = Client::raw(played.serial.address("raw"));
    raw.type_text("root\r");
    // Nothing is known of binary: a CR of telnet's own.
    server.expect_bytes(b"root\r\0");
    let past = http(played.serial.address("http"), "GET", "/consoles/panda01/history?from=0", "");
    assert_eq!(past.body, b"login: ");
}

#[test]
fn a_server_that_is_busy_suspends_us() {
    let played = Played::start("rfc2217");
    let mut server = played.accept();
    server.expect_bytes(&[255, 251, 44, 255, 251, 0, 255, 253, 0]);
    server.type_bytes(&[255, 253, 44, 255, 253, 0, 255, 251, 0]);
    server.expect_bytes(&[255, 250, 44, MODEM_STATE, 255, 240]);
    server.type_bytes(&[&answer(8, &[])[..], b"now"].concat());
    let mut raw = Client::raw(played.serial.address("raw"));
    wait_until(LIMIT, "it is suspended", || state(&played.serial)["head"] == 3);
    raw.type_text("typed");
    // Requests are no data.
    let mut program = program(&played.serial);
    ask(&mut program, BAUD, &[0, 0, 0x25, 0x80]);
    server.expect_bytes(&[255, 250, 44, BAUD, 0, 0, 0x25, 0x80, 255, 240]);
    assert!(!server.heard().text().contains("typed"));
    server.type_bytes(&answer(9, &[]));
    server.expect("typed");
}

#[test]
fn a_server_that_makes_no_sense_costs_a_connection_and_no_more() {
    let played = Played::start("rfc2217");
    let mut server = played.accept();
    server.type_bytes(&[255, 253, 44, 255, 253, 0, 255, 251, 0]);
    // Sub-options that are cut off, unknown, a client's, or of another option.
    for sub_option in [&[101, 8][..], &[101], &[113, 1], &[1, 0, 0, 0, 1], &[105], &[]] {
        server.type_bytes(&[&[255, 250, 44], sub_option, &[255, 240]].concat());
    }
    server.type_bytes(&[255, 250, 24, 1, 255, 240, 255, 246]);
    server.type_text("still there");
    let mut raw = Client::raw(played.serial.address("raw"));
    wait_until(LIMIT, "the bytes are", || state(&played.serial)["head"] == 11);
    assert!(told_settings(&played.serial).is_empty());

    server.type_bytes(&[&[255, 250, 44][..], &[1; 600]].concat());
    let mut server = played.accept();
    server.type_bytes(&[255, 254, 44, 255, 254, 0, 255, 252, 0]);
    server.type_text("back");
    raw.expect("back");
    let lost = events(&played.serial).into_iter().find(|event| event["kind"] == "port-lost");
    assert!(lost.unwrap()["reason"].as_str().unwrap().contains("more than 512 bytes"));
}
