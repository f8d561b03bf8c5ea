//! ConMan, as a client of our telnet port, and as what a console of ours is reached through.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Stdio;

use crate::common::{Client, Daemon, LIMIT, Process, TestLab, http, wait_until};

/// Debian's conmand with one console.
struct Conmand {
    _process: Process,
    address: SocketAddr,
}

impl Conmand {
    fn start(lab: &TestLab, device: &str) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let config = lab.write(
            "conman.conf",
            &format!(
                "SERVER keepalive=ON\nSERVER loopback=ON\nSERVER port={}\nSERVER pidfile=\"{}\"\n\
                 CONSOLE name=\"panda01\" dev=\"{device}\"\n",
                address.port(),
                lab.path("conman.pid").display()
            ),
        );
        let mut conmand = lab.tool("conmand");
        conmand.args(["-F", "-c", &config]);
        conmand.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = Process::spawn(&mut conmand);
        wait_until(LIMIT, "conmand listens", || TcpStream::connect(address).is_ok());
        Self { _process: process, address }
    }
}

/// A console whose board is played here.
fn serial(lab: &TestLab) -> (Daemon, UnixStream) {
    let socket = lab.path("board");
    let board = UnixListener::bind(&socket).unwrap();
    let (port, any) = (format!("unix:{}", socket.display()), "127.0.0.1:0");
    let args = ["--name", "panda01", "--port", &port, "--http", any, "--telnet", any];
    let serial = lab.start("lava-serial", args);
    (serial, board.accept().unwrap().0)
}

fn hears(line: &mut UnixStream, text: &str) {
    line.set_read_timeout(Some(LIMIT)).unwrap();
    let mut heard = vec![0; text.len()];
    line.read_exact(&mut heard).unwrap();
    assert_eq!(String::from_utf8_lossy(&heard), text);
}

#[test]
fn conman_is_a_client_of_the_telnet_port() {
    let lab = TestLab::new();
    let (serial, mut line) = serial(&lab);
    let conmand = Conmand::start(&lab, &serial.address("telnet").to_string());
    let mut conman = lab.tool("conman");
    conman.args(["-d", &conmand.address.to_string(), "panda01"]);
    let mut alice = Client::in_terminal(&mut conman);
    alice.expect("Connection to console [panda01] opened");
    let sessions = || {
        let status = http(serial.address("http"), "GET", "/consoles/panda01", "").json();
        status["sessions"].as_array().unwrap().len()
    };
    wait_until(LIMIT, "conmand is attached", || sessions() == 1);
    line.write_all(b"panda01 login: ").unwrap();
    alice.expect("panda01 login: ");
    alice.type_text("root\r");
    hears(&mut line, "root\r");
    // ConMan's own escape for a break.
    alice.type_text("&B");
    wait_until(LIMIT, "the break is seen", || {
        let events = http(serial.address("http"), "GET", "/consoles/panda01/events", "").text();
        events.contains("break") || line_is_told(&mut alice)
    });
}

/// A socket knows no break; who asked is told.
fn line_is_told(alice: &mut Client) -> bool {
    alice.heard().text().contains("no break: ")
}

#[test]
fn a_console_behind_conman_is_had_through_its_client() {
    let lab = TestLab::new();
    let (behind, mut line) = serial(&lab);
    let conmand = Conmand::start(&lab, &behind.address("telnet").to_string());
    // -j: beside others who type.
    let port = format!("exec:conman -j -d {} panda01", conmand.address);
    let any = "127.0.0.1:0";
    let front = lab.start(
        "lava-serial",
        [
            "--name",
            "front",
            "--port",
            &port,
            "--raw",
            any,
            "--capture",
            lab.path("front").to_str().unwrap(),
        ],
    );
    let mut bob = Client::raw(front.address("raw"));
    let attached = || {
        let status = http(behind.address("http"), "GET", "/consoles/panda01", "").json();
        status["sessions"].as_array().unwrap().len() == 1
    };
    wait_until(LIMIT, "conmand is attached", attached);
    wait_until(LIMIT, "bob hears the board", || {
        line.write_all(b"login: ").unwrap();
        bob.heard().text().contains("login: ")
    });
    bob.type_text("root\r");
    hears(&mut line, "root\r");
}
