//! Into a board's network, where an entry allows it.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use super::{SshLab, config, text};
use crate::common::{Client, LIMIT, Process, run, wait_until};

/// Somebody in the board's network who says back in capitals what they hear.
fn board() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let mut said = [0; 64];
                while let Ok(length @ 1..) = stream.read(&mut said) {
                    let _ = stream.write_all(&said[..length].to_ascii_uppercase());
                }
            });
        }
    });
    address
}

/// An address on which nobody listens, and what keeps it.
fn bound() -> (SocketAddr, std::os::fd::OwnedFd) {
    use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};
    let kept = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&kept, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    (getsockname(&kept).unwrap().try_into().unwrap(), kept)
}

#[test]
fn a_port_is_forwarded_where_an_entry_says_so_and_nowhere_else() {
    let address = board();
    let entry = format!("[[forward]]\nboard = \"panda01\"\nto = \"{address}\"\nport = 22\n");
    let lab = SshLab::start(&entry);
    // As -J does it.
    let through = |to: &str| {
        let said = run(&mut lab.ssh(&["-o", "LogLevel=INFO", "-W", to, "lab"]), "hello\n", LIMIT);
        (text(&said.stdout), text(&said.stderr))
    };
    assert_eq!(through("panda01:22").0, "HELLO\n");
    assert_eq!(through(&address.to_string()).0, "HELLO\n");
    for elsewhere in ["panda01:23", "panda02:22", "127.0.0.1:22", "/etc/passwd:1"] {
        let (out, err) = through(elsewhere);
        assert!(out.is_empty() && err.contains("prohibited"), "{elsewhere}: {out}{err}");
    }
    let local = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut ssh = lab.ssh(&["-N", "-L", &format!("{local}:panda01:22"), "lab"]);
    let _ssh = Process::spawn(&mut ssh);
    let mut stream = None;
    wait_until(LIMIT, "ssh listens", || {
        stream = TcpStream::connect(local).ok();
        stream.is_some()
    });
    let (mut stream, mut heard) = (stream.unwrap(), [0; 2]);
    stream.write_all(b"hi").unwrap();
    stream.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"HI");
    // Who may not write on the board is not forwarded there.
    lab.reload(&config(&lab.lab, "spy = \"panda01\"", &entry));
    let (out, err) = through("panda01:22");
    assert!(out.is_empty() && err.contains("prohibited"), "{out}{err}");
}

#[test]
fn a_board_that_listens_only_when_it_was_heard_and_its_client_are_carried_to_the_end() {
    // More than fits between them, both ways.
    const MANY: usize = 16_000_000;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let entry = format!("[[forward]]\nboard = \"panda01\"\nto = \"{address}\"\nport = 22\n");
    let lab = SshLab::start(&entry);
    let board = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(&vec![b'y'; MANY]).unwrap();
        std::io::copy(&mut stream, &mut std::io::sink()).unwrap()
    });
    let said = run(&mut lab.ssh(&["-W", "panda01:22", "lab"]), &"x".repeat(MANY), LIMIT * 2);
    assert_eq!(said.stdout.len(), MANY, "{}", text(&said.stderr));
    assert_eq!(board.join().unwrap(), MANY as u64);
}

#[test]
fn who_is_not_forwarded_any_more_is_let_go_and_others_are_not() {
    let address = board();
    let entry = format!("[[forward]]\nboard = \"panda01\"\nto = \"{address}\"\nport = 22\n");
    let lab = SshLab::start(&entry);
    let mut console = Client::in_terminal(&mut lab.ssh(&["panda01@lab"]));
    console.expect("Connected");
    let flow = || {
        let mut flow = Client::in_pipes(&mut lab.ssh(&["-W", "panda01:22", "lab"]));
        flow.type_text("hello\n");
        flow.expect("HELLO\n");
        flow
    };
    let mut first = flow();
    // The entry is gone, and with it what goes through it.
    lab.reload(&config(&lab.lab, "control = \"panda*\"", ""));
    first.process().wait(LIMIT);
    console.type_text("still\n");
    console.expect("got still");
    // The key forbids it.
    lab.reload(&config(&lab.lab, "control = \"panda*\"", &entry));
    let mut second = flow();
    let key = std::fs::read_to_string(lab.lab.path("alice.pub")).unwrap();
    lab.lab.write("alice.pub", &format!("restrict,pty {key}"));
    lab.reload(&config(&lab.lab, "control = \"panda*\"", &entry));
    assert_eq!(second.process().wait(LIMIT).code(), Some(255));
}

#[test]
fn a_board_that_does_not_answer_is_said_to_be_so_and_nothing_is_forwarded_back() {
    // Nobody else can listen there meanwhile.
    let (gone, _bound) = bound();
    let lab = SshLab::start(&format!("[[forward]]\nboard = \"panda01\"\nto = \"{gone}\"\n"));
    let to = format!("panda01:{}", gone.port());
    let said = run(&mut lab.ssh(&["-o", "LogLevel=INFO", "-W", &to, "lab"]), "", LIMIT);
    assert!(text(&said.stderr).contains("connect failed"), "{}", text(&said.stderr));
    let back = ["-o", "ExitOnForwardFailure=yes", "-N", "-R", "0:127.0.0.1:22", "lab"];
    let said = run(&mut lab.ssh(&back), "", LIMIT);
    assert_eq!(said.status.code(), Some(255), "{}", text(&said.stderr));
}
