//! The stories of a real board: QEMU running U-Boot and Linux behind a serial line, powered by a
//! real SNMP agent.

mod direct;
mod drives;
mod failures;
mod group;
mod hooks;
mod job;
mod loaders;
mod people;
mod power;
mod record;

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use crate::common::{
    Client, Daemon, LIMIT, RealBoard, RealPdu, TestLab, WebSocket, http, wait_until,
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
    /// The power: its daemon and the PDU it talks to, where a story needs them.
    power: Option<(Daemon, RealPdu)>,
    board: RealBoard,
    lab: TestLab,
}

impl Bench {
    fn start() -> Self {
        Self::of("arm64")
    }

    /// With a board of one of the kinds that board.py knows.
    fn of(kind: &str) -> Self {
        let lab = TestLab::new();
        let board = RealBoard::of(kind, &lab, OUTLET);
        let any = "127.0.0.1:0".parse().unwrap();
        let (http, raw, telnet) = (any, any, any);
        let mut bench = Self { serial: None, http, raw, telnet, power: None, board, lab };
        bench.start_serial();
        bench.lab.write(
            "lab.toml",
            &format!("[[board]]\nname = \"panda01\"\nconsole = \"{}\"\n", bench.console()),
        );
        bench
    }

    fn console(&self) -> String {
        format!("http://{}/consoles/panda01", self.http)
    }

    /// Adds the PDU, the `lava-power` that owns it, and the inventory in which clients find both.
    fn with_power(mut self) -> Self {
        let pdu = RealPdu::start(&self.lab);
        let console = self.console();
        let config = self.lab.write(
            "power.toml",
            &format!(
                "[http]\nlisten = \"127.0.0.1:0\"\n[[pdu]]\nname = \"rack1\"\ndriver = \"snmp\"\n\
                 address = \"{}\"\nprofile = \"apc-rpdu\"\ncommunity = \"{}\"\ntimeout = \"30s\"\n\
                 [[outlet]]\nname = \"panda01\"\npdu = \"rack1\"\nport = {OUTLET}\n\
                 off_time = \"500ms\"\nconsole = \"{console}\"\n",
                pdu.address(),
                RealPdu::COMMUNITY,
            ),
        );
        let power = self.lab.start("lava-power", ["--config", &config]);
        let outlet = format!("http://{}/outlets/panda01", power.address("http"));
        self.lab.write(
            "lab.toml",
            &format!(
                "[[board]]\nname = \"panda01\"\nconsole = \"{console}\"\noutlet = \"{outlet}\"\n"
            ),
        );
        self.power = Some((power, pdu));
        self
    }

    fn lava_console(&self) -> Command {
        let mut command = self.lab.program("lava-console");
        command.arg("--lab").arg(self.lab.path("lab.toml")).arg("panda01");
        command
    }

    /// A person with `lava-console` in a terminal.
    fn person(&self) -> Client {
        Client::in_terminal(&mut self.lava_console())
    }

    /// A script with `lava-console`, attached when this returns: it hears the board's bytes as
    /// they are.
    fn script(&self) -> Client {
        let attached = || {
            let console = http(self.http, "GET", "/consoles/panda01", "").json();
            console["sessions"].as_array().unwrap().len()
        };
        let before = attached();
        let script = Client::in_pipes(&mut self.lava_console());
        wait_until(LIMIT, "lava-console is attached", || attached() > before);
        script
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

    /// Powers the board on past its PDU, and stops its countdown.
    fn boot_to_prompt(&self, client: &WebSocket) {
        self.board.power("on");
        let at = client.heard().find(LIMIT, 0, b"Hit any key").unwrap();
        client.type_text("x");
        client.heard().find(LIMIT, at, PROMPT.as_bytes()).unwrap();
    }
}
