//! Other people's servers of serial lines.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Stdio;

use crate::common::{Heard, LIMIT, Process, TestLab};

/// Debian's ser2net in front of a serial line.
pub(super) struct Ser2net {
    _process: Process,
}

impl Ser2net {
    /// Serves a device on a port, as `telnet(rfc2217)` or another accepter.
    pub(super) fn serve(lab: &TestLab, accepter: &str, address: SocketAddr, device: &Path) -> Self {
        let connector = format!("serialdev,{},115200n81,local", device.display());
        Self::join(lab, &format!("{accepter},tcp,{},{}", address.ip(), address.port()), &connector)
    }

    /// Joins whoever connects to `accepter` with `connector`.
    pub(super) fn join(lab: &TestLab, accepter: &str, connector: &str) -> Self {
        let config = lab.write(
            "ser2net.yaml",
            &format!(
                "connection: &board\n  accepter: {accepter}\n  connector: {connector}\n  \
                 options:\n    max-connections: 10\n"
            ),
        );
        let mut ser2net = lab.tool("ser2net");
        ser2net.args(["-n", "-u", "-c", &config]);
        ser2net.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self { _process: Process::spawn(&mut ser2net) }
    }
}

/// The example server of pyserial, in front of pyserial's own loop: TX to RX, RTS to CTS, DTR to
/// DSR.
pub(super) struct PyserialServer {
    _process: Process,
    pub(super) address: SocketAddr,
}

/// The example listens everywhere, on a port that it is told: this has it take any of ours.
const ON_LOOPBACK: &str = "
import runpy, socket, sys
class Socket(socket.socket):
    def bind(self, _):
        super().bind(('127.0.0.1', 0))
        print('port', self.getsockname()[1], flush=True)
socket.socket = Socket
runpy.run_path(sys.argv.pop(1), run_name='__main__')
";

impl PyserialServer {
    pub(super) fn start(lab: &TestLab) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/rig/pyserial");
        assert!(folder.exists(), "{} is missing: tests/run prepares it", folder.display());
        let example = folder.join("examples/rfc2217_server.py");
        let mut server = lab.tool("python3");
        server.env("PYTHONPATH", &folder).env("PYTHONDONTWRITEBYTECODE", "1");
        server.args(["-c", ON_LOOPBACK]).arg(example).arg("loop://");
        server.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = Process::spawn(&mut server);
        let said = Heard::from(process.child().stdout.take().unwrap());
        let begin = said.find(LIMIT, 0, b"port ").unwrap();
        let end = said.find(LIMIT, begin, b"\n").unwrap();
        let port: u16 = said.text()[begin..end].trim().parse().unwrap();
        Self { _process: process, address: SocketAddr::from(([127, 0, 0, 1], port)) }
    }
}

/// An address that nobody listens on, for a program that cannot pick one itself.
pub(super) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
