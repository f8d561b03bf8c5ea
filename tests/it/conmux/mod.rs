//! A lab for conmux's users: `lava-serial` in the place of their conmux, and their own programs.

mod people;
mod registry;
mod transcript;

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;

use crate::common::{Daemon, Heard, LIMIT, TestLab, own_host, wait_until};

/// A board's serial line, played here, its console and its outlet.
struct Conmux {
    lab: TestLab,
    serial: Daemon,
    power: Daemon,
    /// The board's end of its line; `None` where the line is no socket of ours.
    line: Option<UnixStream>,
    host: Ipv4Addr,
}

impl Conmux {
    #[track_caller]
    fn start() -> Self {
        let lab = TestLab::new();
        let socket = lab.path("board");
        let board = UnixListener::bind(&socket).unwrap();
        let mut conmux = Self::with_port(lab, &format!("unix:{}", socket.display()), "");
        let (line, _) = board.accept().unwrap();
        line.set_read_timeout(Some(LIMIT)).unwrap();
        conmux.line = Some(line);
        conmux
    }

    /// `more` is for the end of the configuration.
    #[track_caller]
    fn with_port(lab: TestLab, port: &str, more: &str) -> Self {
        let power = lab.write(
            "power.toml",
            "[http]\nlisten = \"127.0.0.1:0\"\n\
             [[pdu]]\nname = \"virtual\"\ndriver = \"sim\"\n\
             [[outlet]]\nname = \"panda01\"\npdu = \"virtual\"\nport = 1\noff_time = \"100ms\"\n",
        );
        let power = lab.start("lava-power", ["--config", &power]);
        let host = own_host();
        let config = lab.write(
            "serial.toml",
            &format!(
                "[http]\nlisten = \"127.0.0.1:0\"\n[capture]\ndir = \"{}\"\n\
                 [conmux]\nregistry = \"{host}:63000\"\nentries = \"{}\"\n\
                 [[console]]\nname = \"panda01\"\nport = \"{port}\"\n\
                 outlet = \"http://{}/outlets/panda01\"\n{more}",
                lab.path("captures").display(),
                lab.path("entries").display(),
                power.address("http"),
            ),
        );
        let serial = lab.start("lava-serial", ["--config", &config]);
        let conmux = Self { lab, serial, power, line: None, host };
        wait_until(LIMIT, "the port is open", || conmux.status()["state"] == "open");
        conmux
    }

    fn status(&self) -> serde_json::Value {
        let http = self.serial.address("http");
        crate::common::http(http, "GET", "/consoles/panda01", "").json()
    }

    /// Somebody who speaks conmux's protocol by hand, and is at the console.
    #[track_caller]
    fn user(&self, id: &str) -> Wire {
        let mut user = Wire::new(self.serial.address("panda01.conmux"));
        user.types(&format!("CONNECT id={id} to=console\n"));
        user.line();
        user
    }

    /// Debian's `conmux-console` at a terminal. It knows the registry's port by heart.
    fn console(&self, user: &str) -> Command {
        let mut console = self.lab.tool("conmux-console");
        console.env("LOGNAME", user).arg(self.board());
        console
    }

    /// The board as conmux's programs are told of it.
    fn board(&self) -> String {
        format!("{}/panda01", self.host)
    }

    /// What the board gets to read.
    #[track_caller]
    fn typed(&mut self, count: usize) -> String {
        let mut typed = vec![0; count];
        self.line.as_mut().unwrap().read_exact(&mut typed).unwrap();
        String::from_utf8(typed).unwrap()
    }

    fn prints(&mut self, text: &str) {
        self.line.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }
}

/// One end of a connection, whose every byte is accounted for.
struct Wire {
    socket: TcpStream,
    heard: Heard,
    seen: usize,
}

impl Wire {
    fn new(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_nodelay(true).unwrap();
        Self { heard: Heard::from(socket.try_clone().unwrap()), socket, seen: 0 }
    }

    fn types(&mut self, text: &str) {
        self.socket.write_all(text.as_bytes()).unwrap();
    }

    /// The next line, without its end.
    #[track_caller]
    fn line(&mut self) -> String {
        let end = self.heard.find(LIMIT, self.seen, b"\n").unwrap();
        let line = self.heard.text()[self.seen..end - 1].to_owned();
        self.seen = end;
        line
    }

    /// What comes next is this and nothing else.
    #[track_caller]
    fn hears(&mut self, text: &str) {
        let end = self.seen + text.len();
        wait_until(LIMIT, &format!("{text:?} is heard"), || {
            self.heard.len() >= end || self.heard.ended()
        });
        let heard = self.heard.bytes();
        let heard = String::from_utf8_lossy(&heard[self.seen..heard.len().min(end)]).into_owned();
        assert_eq!(heard, text);
        self.seen = end;
    }

    /// The same for a text with a time in it: `T` stands for digits and dots.
    #[track_caller]
    fn hears_timed(&mut self, text: &str) {
        let heard = self.line();
        let plain: String =
            heard.chars().map(|c| if c.is_ascii_digit() { 'T' } else { c }).collect();
        let plain = plain.replace("T.T s", "T s").replace("TT.T s", "T s");
        let text = text.chars().map(|c| if c.is_ascii_digit() { 'T' } else { c });
        assert_eq!(plain, text.collect::<String>(), "{heard}");
    }

    /// It is let go, and has heard nothing but what was expected.
    #[track_caller]
    fn is_let_go(&self) {
        wait_until(LIMIT, "the connection is closed", || self.heard.ended());
        assert_eq!(self.heard.text()[self.seen..], *"");
    }

    fn closes_its_side(&self) {
        self.socket.shutdown(Shutdown::Write).unwrap();
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}
