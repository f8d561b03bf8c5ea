//! Other people's servers of serial lines.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::common::{Heard, LIMIT, Process, TestLab, signal, wait_until};

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

/// Debian's conserver, with consoles as its configuration has them.
pub(super) struct Conserver {
    process: Process,
    port: String,
}

impl Conserver {
    pub(super) fn start(lab: &TestLab, consoles: &str) -> Self {
        let config = lab.write(
            "conserver.cf",
            &format!(
                "config * {{ sslrequired no; }}\naccess * {{ trusted 127.0.0.1; }}\n\
                 default any {{ master 127.0.0.1; rw *; logfile /dev/null; }}\n{consoles}\n"
            ),
        );
        let passwords = lab.write("conserver.passwd", "*any*:\n");
        let (port, children) = (free_address().port().to_string(), free_address().port());
        let mut conserver = lab.tool("conserver");
        conserver.args(["-n", "-M", "127.0.0.1", "-p", &port, "-b", &children.to_string()]);
        conserver.args(["-C", &config, "-P", &passwords]);
        conserver.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = Process::spawn(&mut conserver);
        let address = format!("127.0.0.1:{port}");
        wait_until(LIMIT, "conserver listens", || TcpStream::connect(&address).is_ok());
        Self { process, port }
    }

    /// The command line of its client, for one of its consoles.
    pub(super) fn console(&self, name: &str) -> Vec<String> {
        let words = ["-M", "127.0.0.1", "-p", &self.port, "-l", "tester", name];
        std::iter::once("console").chain(words).map(str::to_owned).collect()
    }
}

impl Drop for Conserver {
    /// It ends the children that serve its consoles when it is asked to end, not when it is killed.
    fn drop(&mut self) {
        signal(self.process.pid(), Signal::TERM);
        let begin = Instant::now();
        while self.process.exited().is_none() && begin.elapsed() < LIMIT {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Stands between a client and a server, and hears what both say.
pub(super) struct Tap {
    pub(super) address: SocketAddr,
    heard: [Heard; 2],
}

impl Tap {
    /// For the first connection that is made to it.
    pub(super) fn on(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let heard = [Heard::default(), Heard::default()];
        let ears = heard.clone();
        std::thread::spawn(move || {
            let Ok((client, _)) = listener.accept() else { return };
            let server = TcpStream::connect(server).unwrap();
            let ways =
                [(client.try_clone().unwrap(), server.try_clone().unwrap()), (server, client)];
            for ((from, to), heard) in ways.into_iter().zip(ears) {
                std::thread::spawn(move || copy(from, to, &heard));
            }
        });
        Self { address, heard }
    }

    /// What the server has said.
    pub(super) fn server(&self) -> &Heard {
        &self.heard[1]
    }

    /// How often the client, and how often the server, has offered, agreed to or refused something.
    pub(super) fn negotiations(&self) -> [usize; 2] {
        let count = |heard: &Heard| {
            let verb = |pair: &&[u8]| pair[0] == 255 && (251..=254).contains(&pair[1]);
            heard.bytes().windows(2).filter(verb).count()
        };
        [count(&self.heard[0]), count(&self.heard[1])]
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream, heard: &Heard) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        heard.push(&buffer[..count]);
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
