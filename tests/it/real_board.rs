//! The stories of a real board: QEMU running U-Boot and Linux behind a serial line, powered by a
//! real SNMP agent.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::common::{
    Client, Daemon, Heard, LIMIT, RealBoard, RealPdu, TestLab, WebSocket, http, run, wait_until,
};

/// What the board prints first, at every power-on.
const FIRST_BYTES: &str = "\r\n\r\nU-Boot 20";
/// The prompt of its boot loader.
const PROMPT: &str = "=> ";
/// Which outlet it is on.
const OUTLET: u32 = 3;
/// How long megabytes from the board may take while other tests keep both cores busy.
const PRINTING: Duration = Duration::from_secs(240);

/// A board and the `lava-serial` that owns its line, on addresses that survive a restart.
struct Bench {
    serial: Option<Daemon>,
    http: SocketAddr,
    raw: SocketAddr,
    telnet: SocketAddr,
    board: RealBoard,
    lab: TestLab,
}

impl Bench {
    fn start() -> Self {
        let lab = TestLab::new();
        let board = RealBoard::start(&lab, OUTLET);
        let any = "127.0.0.1:0".parse().unwrap();
        let mut bench = Self { serial: None, http: any, raw: any, telnet: any, board, lab };
        bench.start_serial();
        bench
    }

    /// Starts `lava-serial`, or starts it again where it was.
    fn start_serial(&mut self) {
        let config = self.lab.write(
            "serial.toml",
            &format!(
                "[http]\nlisten = \"{}\"\n[capture]\ndir = {:?}\n[[console]]\nname = \"panda01\"\n\
                 port = \"tty:{},115200n8\"\nraw = \"{}\"\ntelnet = \"{}\"\n",
                self.http,
                self.lab.path("capture"),
                self.board.tty().display(),
                self.raw,
                self.telnet,
            ),
        );
        let serial = self.lab.start("lava-serial", ["--config", &config]);
        self.http = serial.address("http");
        self.raw = serial.address("raw");
        self.telnet = serial.address("telnet");
        self.serial = Some(serial);
    }

    fn serial(&mut self) -> &mut Daemon {
        self.serial.as_mut().unwrap()
    }

    fn attach(&self, query: &str) -> WebSocket {
        WebSocket::attach(self.http, "panda01", query)
    }

    /// Everything that is on record.
    fn capture(&self) -> Vec<u8> {
        let answer = http(self.http, "GET", "/consoles/panda01/history?from=0", "");
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("x-lava-offset"), Some("0"));
        answer.body
    }

    /// Powers the board on and stops its countdown.
    fn boot_to_prompt(&self, client: &WebSocket) {
        self.board.power("on");
        let at = client.heard().find(LIMIT, 0, b"Hit any key").unwrap();
        client.type_text("x");
        client.heard().find(LIMIT, at, PROMPT.as_bytes()).unwrap();
    }
}

#[test]
fn the_board_is_powered_by_the_pdu_and_its_line_stays() {
    let lab = TestLab::new();
    let board = RealBoard::start(&lab, OUTLET);
    let pdu = RealPdu::start(&lab);
    let line = std::fs::File::open(board.tty()).unwrap();
    let heard = Heard::from(line);

    for round in 1..=2 {
        assert_eq!(board.power("status"), "off");
        set_outlet(&pdu, OUTLET, 1);
        assert_eq!(board.power("status"), "on");
        // Each power-on shows U-Boot from its first line.
        wait_until(LIMIT, "U-Boot is heard", || heard.text().matches("U-Boot 20").count() == round);
        set_outlet(&pdu, OUTLET, 2);
    }
    assert_eq!(board.power("status"), "off");
}

#[test]
fn after_kill_9_the_record_holds_all_that_anybody_was_shown() {
    let mut bench = Bench::start();
    let shown = bench.attach("from=0&user=alice");
    bench.boot_to_prompt(&shown);
    // Four megabytes of memory, each line with its address.
    shown.type_text("md.l 40000000 40000\r");
    wait_until(LIMIT, "the board is printing", || shown.heard().len() > 300_000);
    bench.serial().kill();
    wait_until(LIMIT, "the client notices", || shown.heard().ended());
    let shown = shown.heard().bytes();

    bench.start_serial();
    let capture = bench.capture();
    assert!(capture.len() >= shown.len(), "{} on record, {} shown", capture.len(), shown.len());
    assert!(capture.starts_with(&shown), "what was shown is on record, byte for byte");

    // The client goes on where it was; together it has the whole stream.
    let resumed = bench.attach(&format!("from={}&user=alice", shown.len()));
    let last = "400ffff0: ";
    let at = resumed.heard().find(PRINTING, 0, last.as_bytes()).unwrap();
    resumed.heard().find(LIMIT, at, PROMPT.as_bytes()).unwrap();
    let mut expected = shown.len() as u64;
    for (offset, length) in resumed.frames() {
        assert_eq!(offset, expected, "no gap and no overlap between frames");
        expected += length as u64;
    }
    let stream = [shown, resumed.heard().bytes()].concat();
    assert!(stream == bench.capture(), "the client's stream is the record, byte for byte");
}

#[test]
fn a_stopped_client_costs_nobody_anything_and_later_gets_every_byte() {
    let mut bench = Bench::start();
    let mut stopped = TcpStream::connect(bench.raw).unwrap();
    rustix::net::sockopt::set_socket_recv_buffer_size(&stopped, 4096).unwrap();
    let reader = bench.attach("from=0&user=alice");
    bench.boot_to_prompt(&reader);
    let memory = bench.serial().memory();

    // Eight megabytes: more than the kernel keeps for a client that does not read.
    reader.type_text("md.l 40000000 80000\r");
    let end = reader.heard().find(PRINTING, 0, b"401ffff0: ").unwrap();
    reader.heard().find(LIMIT, end, PROMPT.as_bytes()).unwrap();
    let grown = bench.serial().memory().saturating_sub(memory);
    assert!(grown < 4 << 20, "the stopped client cost {grown} bytes of memory");
    // Nobody else waits for it, as typing shows.
    reader.type_text("echo still $board_name\r");
    reader.heard().find(LIMIT, end, b"still qemu-arm").unwrap();

    let capture = bench.capture();
    let mut late = vec![0; capture.len()];
    stopped.set_read_timeout(Some(LIMIT)).unwrap();
    rustix::net::sockopt::set_socket_recv_buffer_size(&stopped, 1 << 20).unwrap();
    stopped.read_exact(&mut late).unwrap();
    assert!(late == capture, "every byte, in order");
    stopped.write_all(b"\r").unwrap();
}

/// With net-snmp's own client, to see that agent and hook are as a PDU is.
fn set_outlet(pdu: &RealPdu, outlet: u32, value: u32) {
    let mut snmpset = std::process::Command::new("snmpset");
    snmpset.env("MIBS", "").args(["-v2c", "-t", "10", "-c", RealPdu::COMMUNITY]);
    let object = format!(".1.3.6.1.4.1.318.1.1.12.3.3.1.1.4.{outlet}");
    snmpset.args([&pdu.address().to_string(), &object, "i", &value.to_string()]);
    let said = run(&mut snmpset, "", LIMIT);
    let text = String::from_utf8_lossy(&said.stdout);
    assert!(text.contains(&format!("INTEGER: {value}")), "{text}{said:?}");
}
