//! Clients that ask and ask, and read nothing: they are held up, and it costs nobody else anything.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::common::{Client, Daemon, LIMIT, TestLab, http, wait_until};

/// Who cannot send for so long is held up.
const STUCK: Duration = Duration::from_millis(500);
/// What the daemon may need for a client that does not read, its buffers in the kernel aside.
const ROOM: u64 = 16 * 1024 * 1024;

#[test]
fn pings_whose_answers_nobody_reads() {
    let lab = TestLab::new();
    let serial = start(&lab, "");
    let stream = upgraded(serial.address("http"));
    // FIN and ping, a mask of zeros, and the most that a ping carries.
    let ping = [&[0x89, 0x80 | 125, 0, 0, 0, 0][..], &[b'x'; 125]].concat();
    costs_little(&serial, stream, &ping, 64 * 1024 * 1024);
}

#[test]
fn a_message_that_never_ends() {
    let lab = TestLab::new();
    let serial = start(&lab, "");
    let mut stream = upgraded(serial.address("http"));
    stream.write_all(&[0x01, 0x80, 0, 0, 0, 0]).unwrap();
    let mut reader = stream.try_clone().unwrap();
    let empty = [0x00, 0x80, 0, 0, 0, 0].repeat(100_000);
    // It may be refused before all of it has been sent.
    let _ = stream.write_all(&empty);
    reader.set_read_timeout(Some(LIMIT)).unwrap();
    wait_until(LIMIT, "it is let go", || match reader.read(&mut [0; 4096]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    });
    echoes(&serial);
}

#[test]
fn questions_of_telnet() {
    let lab = TestLab::new();
    let serial = start(&lab, "");
    let stream = TcpStream::connect(serial.address("telnet")).unwrap();
    // IAC AYT: are you there?
    costs_little(&serial, stream, &[255, 246], 8 * 1024 * 1024);
}

#[test]
fn cries_for_help_of_conmux() {
    let lab = TestLab::new();
    let serial = start(&lab, "[conmux]\nregistry = \"127.0.0.1:0\"");
    let mut stream = TcpStream::connect(serial.address("panda01.conmux")).unwrap();
    stream.write_all(b"CONNECT id=mallory to=console\n").unwrap();
    costs_little(&serial, stream, b"~$help\n", 8 * 1024 * 1024);
}

#[test]
fn a_connection_ends_with_the_first_request_of_somebody_unknown() {
    let lab = TestLab::new();
    let user = crate::rights::user("alice", "control = \"*\"");
    let serial = start(&lab, &user);
    let answers = |path: &str, header: &str| {
        let mut stream = TcpStream::connect(serial.address("http")).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let request =
            |last: &str| format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{header}{last}\r\n");
        let requests = request("").repeat(9) + &request("connection: close\r\n");
        stream.write_all(requests.as_bytes()).unwrap();
        let mut text = Vec::new();
        // What was not looked at makes it a reset.
        let _ = stream.read_to_end(&mut text);
        String::from_utf8_lossy(&text).matches("HTTP/1.1 ").count()
    };
    let token = "authorization: Bearer lava_alice\r\n";
    assert_eq!(answers("/consoles", token), 10);
    for path in ["/consoles", "/healthz", "/openapi.json", "/nowhere", "/consoles/panda01/attach"] {
        assert_eq!(answers(path, ""), 1, "{path}");
    }
    assert_eq!(answers("/consoles", "origin: http://evil.example\r\n"), 1);
    assert_eq!(http(serial.address("http"), "GET", "/openapi.json", "").status, 401);
}

/// `more` stands before the console.
fn start(lab: &TestLab, more: &str) -> Daemon {
    let text = format!(
        "{more}\n[http]\nlisten = \"127.0.0.1:0\"\n[capture]\ndir = {:?}\n\
         [[console]]\nname = \"panda01\"\nport = \"exec:sh -c 'stty raw -echo; cat'\"\n\
         raw = \"127.0.0.1:0\"\ntelnet = \"127.0.0.1:0\"\n",
        lab.path("captures")
    );
    lab.start("lava-serial", ["--config", &lab.write("serial.toml", &text)])
}

/// A WebSocket without a library that would read.
fn upgraded(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = "GET /consoles/panda01/attach?mode=spy HTTP/1.1\r\nhost: localhost\r\n\
                   connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                   sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    stream
}

/// Sends `what` over and over, up to so many bytes or until it is held up.
#[track_caller]
fn costs_little(serial: &Daemon, mut stream: TcpStream, what: &[u8], most: usize) {
    let before = serial.memory();
    stream.set_write_timeout(Some(STUCK)).unwrap();
    let many = what.repeat(64 * 1024 / what.len());
    let mut sent = 0;
    while sent < most {
        match stream.write_all(&many) {
            Ok(()) => sent += many.len(),
            Err(error) => {
                assert!(
                    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
                    "{error}"
                );
                break;
            }
        }
    }
    echoes(serial);
    let more = serial.memory().saturating_sub(before);
    assert!(more < ROOM, "{} MiB more after {sent} bytes", more >> 20);
    // It is gone as any other.
    drop(stream);
    wait_until(LIMIT, "nobody is left", || {
        let status = http(serial.address("http"), "GET", "/consoles/panda01", "").json();
        status["sessions"].as_array().unwrap().is_empty()
    });
}

/// Others do not notice.
#[track_caller]
fn echoes(serial: &Daemon) {
    let mut other = Client::raw(serial.address("raw"));
    other.type_text("still here");
    other.expect("still here");
}
