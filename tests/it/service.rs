//! `lava-serial` as a service: its open files wait at the service manager from one process to the next.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::net::{UnixListener, UnixStream};

use rustix::process::Signal;
use serde_json::Value;

use crate::common::{
    Client, Daemon, LIMIT, Manager, TestLab, WebSocket, http, run, signal, wait_until,
};

/// One console whose board is a socket.
struct Service {
    lab: TestLab,
    manager: Manager,
    board: UnixListener,
    http: SocketAddr,
    raw: SocketAddr,
}

impl Service {
    fn new() -> Self {
        let lab = TestLab::new();
        let manager = Manager::new(&lab);
        let board = UnixListener::bind(lab.path("board")).unwrap();
        let free = || std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let (http, raw) = (free(), free());
        let (http, raw) = (http.local_addr().unwrap(), raw.local_addr().unwrap());
        let service = Self { lab, manager, board, http, raw };
        service.configure("panda01", &http.to_string());
        service
    }

    fn configure(&self, name: &str, http: &str) {
        let text = format!(
            "[http]\nlisten = \"{http}\"\ninsecure = true\n[capture]\ndir = \"{}\"\n\
             [[console]]\nname = \"{name}\"\nport = \"unix:{}\"\nraw = \"{}\"\n",
            self.lab.path("captures").display(),
            self.lab.path("board").display(),
            self.raw
        );
        self.lab.write("serial.toml", &text);
    }

    #[track_caller]
    fn start(&self) -> Daemon {
        self.manager.start(&self.lab, &["--config", "serial.toml"])
    }

    /// As systemctl restart ends a process.
    #[track_caller]
    fn stop(mut serial: Daemon) {
        assert!(serial.terminate().success(), "{}", serial.log().text());
    }

    fn board(&self) -> UnixStream {
        self.board.accept().unwrap().0
    }

    fn events(&self, console: &str, kind: &str) -> Vec<Value> {
        let events = http(self.http, "GET", &format!("/consoles/{console}/events"), "").json();
        let events = events.as_array().unwrap().iter();
        events.filter(|event| event["kind"] == kind).cloned().collect()
    }
}

#[test]
fn who_hangs_up_during_a_restart_costs_nobody_else_anything() {
    let service = Service::new();
    let serial = service.start();
    let mut board = service.board();
    let mut stays = Client::raw(service.raw);
    let goes = std::net::TcpStream::connect(service.raw).unwrap();
    let alice = WebSocket::attach(service.http, "panda01", "user=alice");
    wait_until(LIMIT, "all are there", || service.events("panda01", "attach").len() == 3);
    board.write_all(b"before\n").unwrap();
    stays.expect("before");
    alice.heard().find(LIMIT, 0, b"before").unwrap();

    Service::stop(serial);
    assert!(service.manager.stored().len() > 5, "{:?}", service.manager.stored());
    // Its connection is broken off.
    rustix::net::sockopt::set_socket_linger(&goes, Some(std::time::Duration::ZERO)).unwrap();
    drop(goes);
    board.write_all(b"meanwhile\n").unwrap();
    let _serial = service.start();
    board.write_all(b"after\n").unwrap();
    stays.expect("meanwhile\nafter");
    alice.heard().find(LIMIT, 0, b"before\nmeanwhile\nafter").unwrap();
    wait_until(LIMIT, "one is gone", || service.events("panda01", "detach").len() == 1);
    assert_eq!(service.events("panda01", "attach").len(), 3, "nobody came again");
    assert!(service.events("panda01", "port-lost").is_empty());
    assert_eq!(service.manager.stored(), [] as [String; 0], "it keeps nothing that we have");
}

#[test]
fn nothing_is_lost_while_a_board_prints_through_restarts() {
    let service = Service::new();
    let mut serial = service.start();
    let mut board = service.board();
    let raw = Client::raw(service.raw);
    let alice = WebSocket::attach(service.http, "panda01", "user=alice");
    alice.expect_message("the hello", |m| m["type"] == "hello");
    wait_until(LIMIT, "both are there", || service.events("panda01", "attach").len() == 2);
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let writer = std::thread::spawn(move || {
        let mut printed = Vec::new();
        let ends = std::sync::mpsc::TryRecvError::Disconnected;
        for number in 0.. {
            let line = format!("line {number}\r\n");
            board.write_all(line.as_bytes()).unwrap();
            printed.extend(line.into_bytes());
            if stopped.try_recv() == Err(ends) {
                break;
            }
        }
        (board, printed)
    });
    for _ in 0..5 {
        Service::stop(serial);
        serial = service.start();
    }
    drop(stop);
    let (_board, printed) = writer.join().unwrap();
    for (what, heard) in [("raw", raw.heard()), ("websocket", alice.heard())] {
        wait_until(LIMIT * 2, &format!("{what} has it all"), || heard.len() >= printed.len());
        assert!(heard.bytes() == printed, "{what} heard something else");
    }
    let log = http(service.http, "GET", "/consoles/panda01/history?from=0", "");
    assert!(log.body == printed, "the capture has something else");
    assert_eq!(service.events("panda01", "attach").len(), 2, "nobody came again");
    assert!(service.events("panda01", "port-lost").is_empty());
}

#[test]
fn a_start_that_fails_costs_nothing() {
    let service = Service::new();
    let serial = service.start();
    let mut board = service.board();
    let mut client = Client::raw(service.raw);
    wait_until(LIMIT, "the client is there", || !service.events("panda01", "attach").is_empty());
    board.write_all(b"before\n").unwrap();
    client.expect("before");
    Service::stop(serial);

    let good = std::fs::read_to_string(service.lab.path("serial.toml")).unwrap();
    service.lab.write("serial.toml", "[[console]]\n");
    let failed =
        run(&mut service.manager.next(&service.lab, &["--config", "serial.toml"]), "", LIMIT);
    assert_eq!(failed.status.code(), Some(2));
    service.lab.write("serial.toml", &good);
    // Somebody else has its capture.
    let lock = std::fs::File::open(service.lab.path("captures/panda01/lock")).unwrap();
    lock.lock().unwrap();
    let failed =
        run(&mut service.manager.next(&service.lab, &["--config", "serial.toml"]), "", LIMIT);
    assert_eq!(failed.status.code(), Some(3));
    drop(lock);

    board.write_all(b"meanwhile\n").unwrap();
    let _serial = service.start();
    client.expect("meanwhile");
    client.type_text("still here");
    let mut typed = [0; 10];
    board.read_exact(&mut typed).unwrap();
    assert_eq!(&typed, b"still here");
}

#[test]
fn a_console_that_is_renamed_gets_the_port_of_the_one_before() {
    let service = Service::new();
    let serial = service.start();
    let mut board = service.board();
    Service::stop(serial);
    service.configure("panda02", &service.http.to_string());
    let _serial = service.start();
    // The port of the old name is closed, and only then that of the new one is opened.
    assert_eq!(board.read(&mut [0; 8]).unwrap(), 0);
    let mut board = service.board();
    let mut client = Client::raw(service.raw);
    wait_until(LIMIT, "the client is there", || !service.events("panda02", "attach").is_empty());
    board.write_all(b"hello\n").unwrap();
    client.expect("hello");
}

#[test]
fn an_address_widens_on_the_same_port_by_a_restart() {
    let service = Service::new();
    let serial = service.start();
    let _board = service.board();
    let alice = WebSocket::attach(service.http, "panda01", "user=alice");
    alice.expect_message("the hello", |m| m["type"] == "hello");
    service.configure("panda01", &format!("0.0.0.0:{}", service.http.port()));
    // Not while it runs: the process itself is in the way, and says so.
    signal(serial.pid(), Signal::HUP);
    serial.wait_for_log(LIMIT, &format!("this process listens on {}", service.http));
    signal(serial.pid(), Signal::USR2);
    serial.wait_for_log(LIMIT, "the installed program does not go on");
    Service::stop(serial);
    let serial = service.start();
    assert_eq!(serial.told("http"), format!("0.0.0.0:{}", service.http.port()));
    let status = http(service.http, "GET", "/consoles/panda01", "").json();
    assert_eq!(status["sessions"].as_array().unwrap().len(), 1, "{status}");
}

#[test]
fn what_a_program_printed_is_not_lost_although_it_ends_by_a_restart() {
    let service = Service::new();
    let program = "echo program $$\nwhile ! [ -e go ]; do sleep 0.1; done\necho last words; touch said\ncat\n";
    let program = service.lab.write("program", program);
    let text = std::fs::read_to_string(service.lab.path("serial.toml")).unwrap();
    let from = format!("unix:{}", service.lab.path("board").display());
    service.lab.write("serial.toml", &text.replace(&from, &format!("exec:sh {program}")));
    let serial = service.start();
    let alice = WebSocket::attach(service.http, "panda01", "user=alice&from=0");
    let started = || -> Vec<u32> {
        let text = alice.heard().text();
        let pids = text.lines().filter_map(|line| line.strip_prefix("program "));
        pids.filter_map(|pid| pid.trim().parse().ok()).collect()
    };
    wait_until(LIMIT, "it runs", || started().len() == 1);
    let first = started()[0];
    Service::stop(serial);
    service.lab.write("go", "");
    wait_until(LIMIT, "it has printed more", || service.lab.path("said").exists());
    // KillMode=mixed: what is left of the service is killed.
    signal(first, Signal::KILL);
    let _serial = service.start();
    wait_until(LIMIT, "it was started again", || started().len() == 2);
    assert!(alice.heard().text().contains("last words"), "{}", alice.heard().text());
    assert_eq!(service.events("panda01", "port-lost").len(), 1);
    assert_eq!(service.events("panda01", "attach").len(), 1, "alice did not come again");
}
