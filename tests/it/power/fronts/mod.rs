//! The clients of other power daemons, as they are, and what they are told.

mod held;
mod hostile;
mod labgrid;
mod pdudaemon;
mod powerman;

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use super::Power;
use crate::common::{LIMIT, TestLab, run};

/// Python programs take their time to start when both cores are busy.
const SLOW: Duration = Duration::from_secs(120);

/// A PDU in memory with n1, n2 and n3 on it, and one that does not answer.
const PDUS: &str = "\
[[pdu]]
name = \"rack1\"
driver = \"sim\"
[[pdu]]
name = \"dead\"
driver = \"snmp\"
address = \"127.0.0.1:9\"
profile = \"apc-rpdu\"
version = \"2c\"
community = \"private\"
timeout = \"200ms\"
[[outlet]]
name = \"n1\"
pdu = \"rack1\"
port = 1
off_time = \"10ms\"
[[outlet]]
name = \"n2\"
pdu = \"rack1\"
port = 2
off_time = \"10ms\"
[[outlet]]
name = \"n3\"
pdu = \"rack1\"
port = 3
off_time = \"10ms\"
[[outlet]]
name = \"x1\"
pdu = \"dead\"
port = 1
[[outlet]]
name = \"x2\"
pdu = \"dead\"
port = 2
";

/// A lava-power with every front.
fn start(lab: &TestLab) -> Power {
    start_at(lab, Ipv4Addr::LOCALHOST.into(), 0)
}

/// The same, with pdudaemon's HTTP at this address.
fn start_at(lab: &TestLab, host: IpAddr, port: u16) -> Power {
    let listen = SocketAddr::new(host, port);
    let fronts = format!(
        "[pdudaemon]\nlisten = \"{listen}\"\ntcp = \"127.0.0.1:0\"\n\
         [powerman]\nlisten = \"127.0.0.1:0\"\n"
    );
    Power::start(lab, &(fronts + PDUS))
}

/// A program that tests/run has put into target/rig.
fn rig(lab: &TestLab, path: &str) -> Command {
    let program = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/rig").join(path);
    lab.tool(crate::common::needs(Path::new(&program)))
}

/// What a program said, on both of its outputs, and its exit status.
fn said(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    let code = output.status.code();
    format!("{}[{}]", String::from_utf8_lossy(&text), code.map_or(-1, i64::from))
}

fn python(lab: &TestLab, environment: &str, script: &str, args: &[&str]) -> String {
    let mut python = rig(lab, &format!("{environment}/bin/python3"));
    said(&run(python.args(["-c", script]).args(args), "", SLOW))
}

/// Whether a client closes its side when it has sent its request.
#[derive(Clone, Copy, PartialEq)]
enum Sent {
    All,
    /// An HTTP client that has closed its side has gone.
    MoreMayCome,
}

/// Sends bytes, and gives everything that comes until the end.
fn exchange(address: SocketAddr, bytes: &[u8], sent: Sent) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.write_all(bytes).unwrap();
    if sent == Sent::All {
        stream.shutdown(std::net::Shutdown::Write).unwrap();
    }
    let mut answer = Vec::new();
    // A daemon that hangs up on what it has not read may reset the connection.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

impl Power {
    /// The state of an outlet, for one that can be read.
    #[track_caller]
    fn state(&self, outlet: &str) -> String {
        self.done(outlet, "status")
    }
}
