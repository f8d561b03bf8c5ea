//! What is wrong is said in one clear line, with its place; and it costs nobody else anything.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Output;
use std::time::Duration;

use crate::common::{Client, Daemon, Heard, LIMIT, Terminal, TestLab, WebSocket, http, wait_until};

/// Lets go of whoever has not sent a whole request header after this time; see `front/http`.
const SLOW_HEADER: Duration = Duration::from_secs(10);

#[test]
fn every_mistake_in_the_file_is_told_at_once_with_its_place() {
    let lab = TestLab::new();
    let config = lab.write(
        "serial.toml",
        &format!(
            r#"[http]
listen = 7100
[capture]
dir = "{}"
kepp = "1GiB"
[[console]]
name = "panda01"
prt = "exec:cat"
[[console]]
name = "panda02"
port = "tyt:/dev/ttyUSB0"
raw = "localhost"
"#,
            lab.path("capture").display()
        ),
    );
    let refused = lab.run("lava-serial", ["--config", &config], "");
    let said = stderr(&refused);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    for expected in [
        "serial.toml:2:10: http.listen: expected",
        "serial.toml:5:1: capture: unknown key \"kepp\"; did you mean \"keep\"?",
        "serial.toml:6:1: console[0]: \"port\" is missing",
        "serial.toml:8:1: console[0]: unknown key \"prt\"; did you mean \"port\"?",
        "serial.toml:11:8: console[1].port:",
        "serial.toml:12:7: console[1].raw:",
    ] {
        assert!(said.contains(expected), "missing: {expected}\nin: {said}");
    }
    assert!(refused.stdout.is_empty(), "it was never ready");
    assert!(!lab.path("capture").exists(), "nothing was started");
}

#[test]
fn a_syntax_error_has_its_place_too() {
    let lab = TestLab::new();
    let config = lab.write("serial.toml", "[http]\nlisten = \"127.0.0.1:0\nfoo = 1\n");
    let refused = lab.run("lava-serial", ["--config", &config], "");
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("serial.toml:2:"), "{}", stderr(&refused));
}

#[test]
fn a_job_and_its_device_are_told_all_of_their_mistakes_together() {
    let lab = TestLab::new();
    let job = lab.write(
        "job.yaml",
        r"job_name: full of mistakes
device_type: qemu-uboot
visibility: public
timeouts:
  job: {minutes: 6}
  action: {minutess: 5}
actions:
- deploy:
    to: tftp
    os: oe
    kernal:
      url: file:///Image
- boot:
    method: u-boot
    commands: 7
    promts: ['# ']
",
    );
    let device = lab.write("device.yaml", "hostname: [panda01]\nactions: {}\n");
    let output = lab.path("output");
    let output = output.to_str().unwrap();
    let run = ["run", &job, "--device", &device, "--output", output];
    let refused = lab.run("lava-dispatcher", run, "");
    let said = stderr(&refused);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    for expected in [
        "job.yaml:6:12: timeouts.action: unknown key \"minutess\"; did you mean \"minutes\"?",
        "job.yaml:9:5: actions[0].deploy.kernel: \"kernel\" is missing",
        "job.yaml:11:5: actions[0].deploy: unknown key \"kernal\"; did you mean \"kernel\"?",
        "job.yaml:15:15: actions[1].boot.commands: expected a text",
        "job.yaml:16:5: actions[1].boot: unknown key \"promts\"; did you mean \"prompts\"?",
        "device.yaml:1:11: hostname: expected a text, found a list",
    ] {
        assert!(said.contains(expected), "missing: {expected}\nin: {said}");
    }
    assert!(!lab.path("output").exists(), "nothing was started");
}

#[test]
fn a_missing_device_is_waited_for() {
    let lab = TestLab::new();
    let device = lab.path("ttyUSB0");
    let serial = serial(&lab, &format!("tty:{},115200n8", device.display()));
    let state = || http(serial.address("http"), "GET", "/consoles/panda01", "").json();
    wait_until(LIMIT, "the console says what is missing", || {
        let state = state();
        state["state"] == "closed" && state["reason"].as_str().unwrap().contains("no such device")
    });
    let mut early = Client::raw(serial.address("raw"));

    let board = Terminal::wire();
    symlink(board.path(), &device).unwrap();
    wait_until(LIMIT, "the console is open", || state()["state"] == "open");
    board.near().write_all(b"login: ").unwrap();
    early.expect("login: ");

    // And again after it was pulled out.
    drop(board);
    std::fs::remove_file(&device).unwrap();
    wait_until(LIMIT, "the console is closed", || state()["state"] == "closed");
    let board = Terminal::wire();
    symlink(board.path(), &device).unwrap();
    wait_until(LIMIT, "the console is open again", || state()["state"] == "open");
    board.near().write_all(b"hello again").unwrap();
    early.expect("hello again");
}

#[test]
fn a_device_without_permission_says_so() {
    let lab = TestLab::new();
    let board = Terminal::wire();
    std::fs::set_permissions(board.path(), std::fs::Permissions::from_mode(0o000)).unwrap();
    let config = config(&lab, &format!("tty:{},115200n8", board.path().display()));
    let mut command = lab.program("lava-serial");
    if rustix::process::getuid().is_root() {
        // Root reads everything, unless it has laid down its capabilities.
        let program = command;
        command = lab.tool("setpriv");
        command.args(["--bounding-set", "-all", "--inh-caps", "-all", "--"]);
        command.arg(program.get_program()).args(program.get_args());
    }
    let serial = Daemon::start("lava-serial", command.args(["--config", &config]));
    let state = || http(serial.address("http"), "GET", "/consoles/panda01", "").json();
    wait_until(LIMIT, "the console says what is wrong", || {
        state()["reason"].as_str().is_some_and(|reason| reason.contains("Permission denied"))
    });
    std::fs::set_permissions(board.path(), std::fs::Permissions::from_mode(0o600)).unwrap();
    wait_until(LIMIT, "the console opens", || state()["state"] == "open");
}

#[test]
fn a_port_in_use_is_one_clear_line() {
    let lab = TestLab::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let config = lab.write(
        "serial.toml",
        &format!(
            "[capture]\ndir = {:?}\n[http]\nlisten = \"127.0.0.1:0\"\n\
             [[console]]\nname = \"panda01\"\nport = \"exec:cat\"\nraw = \"{address}\"\n",
            lab.path("capture")
        ),
    );
    let refused = lab.run("lava-serial", ["--config", &config], "");
    let said = stderr(&refused);
    assert_eq!(refused.status.code(), Some(3), "{said}");
    assert!(said.contains(&format!("cannot listen on {address}")), "{said}");
    assert!(said.contains("panda01"), "it tells whose port: {said}");
    assert!(refused.stdout.is_empty(), "it was never ready");
}

#[test]
fn an_open_listener_without_authentication_refuses_to_start() {
    let lab = TestLab::new();
    let config = lab.write(
        "serial.toml",
        "[http]\nlisten = \"0.0.0.0:0\"\n[[console]]\nname = \"panda01\"\nport = \"exec:cat\"\n",
    );
    let refused = lab.run("lava-serial", ["--config", &config], "");
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("insecure"), "{}", stderr(&refused));
}

#[test]
fn a_check_of_outlets_tells_all_that_is_wrong_and_serves_nothing() {
    let lab = TestLab::new();
    let least = "[[pdu]]\nname = \"rack1\"\ndriver = \"sim\"\n\
                 [[outlet]]\nname = \"panda01\"\npdu = \"rack1\"\nport = 7\n";
    let check = |text: &str| {
        let config = lab.write("power.toml", text);
        lab.run("lava-power", ["--config", &config, "--check"], "")
    };
    let good = check(least);
    assert_eq!(good.status.code(), Some(0), "{}", stderr(&good));
    assert_eq!(String::from_utf8_lossy(&good.stdout), "good: 1 PDUs, 1 outlets\n");
    let open =
        format!("[pdudaemon]\nlisten = \"0.0.0.0:0\"\n[powerman]\nlisten = \"[::]:0\"\n{least}");
    let refused = check(&open);
    assert_eq!(refused.status.code(), Some(2));
    for front in ["pdudaemon: 0.0.0.0:0 is open", "powerman: [::]:0 is open"] {
        assert!(stderr(&refused).contains(front), "{}", stderr(&refused));
    }
}

#[test]
fn an_unknown_board_is_answered_with_the_nearest_name() {
    let lab = TestLab::new();
    let serial = serial(&lab, "exec:cat");
    let answer = http(serial.address("http"), "GET", "/consoles/pnada01", "");
    assert_eq!(answer.status, 404);
    assert!(answer.text().contains("panda01"), "{}", answer.text());
}

#[test]
fn a_malformed_websocket_frame_closes_that_client_only() {
    let lab = TestLab::new();
    let serial = serial(&lab, "exec:cat");
    let good = WebSocket::attach(serial.address("http"), "panda01", "user=good");
    for bad_frame in [
        // Reserved bits and an opcode that does not exist.
        vec![0xff, 0x80, 0, 0, 0, 0],
        // Not masked, as a client's frames have to be.
        vec![0x82, 0x01, b'x'],
        // A message of 2^62 bytes.
        [&[0x82, 0xff][..], &(1_u64 << 62).to_be_bytes(), &[0; 4]].concat(),
        // A text message that is no request.
        [&[0x81, 0x83, 0, 0, 0, 0][..], b"{x}"].concat(),
    ] {
        let mut bad = upgrade(serial.address("http"));
        bad.write_all(&bad_frame).unwrap();
        assert_closed(&mut bad);
    }
    still_works(&good, "after malformed frames");
}

#[test]
fn an_oversized_message_closes_that_client_only() {
    let lab = TestLab::new();
    let serial = serial(&lab, "exec:cat");
    let good = WebSocket::attach(serial.address("http"), "panda01", "user=good");
    let mut bad = upgrade(serial.address("http"));
    let length = 1_u64 << 20;
    bad.write_all(&[&[0x82, 0xff][..], &length.to_be_bytes(), &[0; 4]].concat()).unwrap();
    // It may close before it has read all of it.
    let _ = bad.write_all(&vec![b'x'; 1 << 20]);
    assert_closed(&mut bad);
    still_works(&good, "after an oversized message");
}

#[test]
fn an_endless_telnet_subnegotiation_closes_that_client_only() {
    let lab = TestLab::new();
    let serial = serial(&lab, "exec:cat");
    let good = WebSocket::attach(serial.address("http"), "panda01", "user=good");
    still_works(&good, "before");
    let before = serial.memory();
    let mut bad = TcpStream::connect(serial.address("telnet")).unwrap();
    // IAC SB 24, and then never the end of it.
    bad.write_all(&[0xff, 0xfa, 24]).unwrap();
    for _ in 0..256 {
        if bad.write_all(&[b'x'; 64 * 1024]).is_err() {
            break;
        }
    }
    assert_closed(&mut bad);
    still_works(&good, "after a telnet subnegotiation without end");
    let grown = serial.memory().saturating_sub(before);
    assert!(grown < 4 << 20, "it grew by {grown} bytes");
}

#[test]
fn a_slow_header_or_a_strangers_slow_body_closes_that_client_only() {
    let lab = TestLab::new();
    let serial = serial(&lab, "exec:cat");
    let good = WebSocket::attach(serial.address("http"), "panda01", "user=good");
    let mut slow = TcpStream::connect(serial.address("http")).unwrap();
    slow.write_all(b"GET /consoles HTTP/1.1\r\nhost: te").unwrap();
    // Who logs in is nobody yet.
    let mut stranger = TcpStream::connect(serial.address("http")).unwrap();
    let login = "POST /session HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{";
    stranger.write_all(login.as_bytes()).unwrap();
    still_works(&good, "while a client is slow");
    assert_closed(&mut slow);
    let mut answer = String::new();
    stranger.set_read_timeout(Some(SLOW_HEADER + LIMIT)).unwrap();
    stranger.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    still_works(&good, "after a slow client");
}

#[test]
fn an_oversized_header_closes_that_client_only() {
    let lab = TestLab::new();
    let serial = serial(&lab, "exec:cat");
    let good = WebSocket::attach(serial.address("http"), "panda01", "user=good");
    let mut bad = TcpStream::connect(serial.address("http")).unwrap();
    bad.write_all(b"GET /consoles HTTP/1.1\r\nhost: localhost\r\nx: ").unwrap();
    let _ = bad.write_all(&[b'x'; 256 * 1024]);
    assert_closed(&mut bad);
    still_works(&good, "after an oversized header");
}

fn serial(lab: &TestLab, port: &str) -> Daemon {
    lab.start("lava-serial", ["--config", &config(lab, port)])
}

/// One console with all of its listeners.
fn config(lab: &TestLab, port: &str) -> String {
    let capture = lab.path("capture");
    lab.write(
        "serial.toml",
        &format!(
            "[http]\nlisten = \"127.0.0.1:0\"\n[capture]\ndir = {capture:?}\n\
             [[console]]\nname = \"panda01\"\nport = {port:?}\n\
             raw = \"127.0.0.1:0\"\ntelnet = \"127.0.0.1:0\"\n"
        ),
    )
}

/// An attached WebSocket of which the test writes every byte itself.
fn upgrade(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let request = "GET /consoles/panda01/attach?user=bad HTTP/1.1\r\nhost: localhost\r\n\
         connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut first = [0; 12];
    stream.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 101");
    stream
}

/// The server closes this connection; what it says before that does not matter.
#[track_caller]
fn assert_closed(stream: &mut TcpStream) {
    stream.set_read_timeout(None).unwrap();
    let heard = Heard::from(stream.try_clone().unwrap());
    wait_until(SLOW_HEADER + LIMIT, "the server closes the connection", || heard.ended());
}

/// `exec:cat` says back what is typed.
#[track_caller]
fn still_works(client: &WebSocket, text: &str) {
    client.type_text(&format!("{text}\r"));
    let heard = client.heard().find(LIMIT, 0, text.as_bytes());
    assert!(heard.is_ok(), "{heard:?}");
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
