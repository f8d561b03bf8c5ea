//! Into a board's network, where an entry allows it.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use super::{SshLab, config, text};
use crate::common::{LIMIT, Process, run, wait_until};

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
fn a_board_that_does_not_answer_is_said_to_be_so_and_nothing_is_forwarded_back() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let lab = SshLab::start(&format!("[[forward]]\nboard = \"panda01\"\nto = \"{gone}\"\n"));
    let to = format!("panda01:{}", gone.port());
    let said = run(&mut lab.ssh(&["-o", "LogLevel=INFO", "-W", &to, "lab"]), "", LIMIT);
    assert!(text(&said.stderr).contains("connect failed"), "{}", text(&said.stderr));
    let back = ["-o", "ExitOnForwardFailure=yes", "-N", "-R", "0:127.0.0.1:22", "lab"];
    let said = run(&mut lab.ssh(&back), "", LIMIT);
    assert_eq!(said.status.code(), Some(255), "{}", text(&said.stderr));
}
