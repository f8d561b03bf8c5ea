//! `lava-serial` is replaced while it serves: its lines, listeners and clients go on in the next
//! process, and not a byte is missing.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use crate::common::{Client, Daemon, LIMIT, TestLab, WebSocket, http, signal, wait_until};

/// How often the program is replaced while the board prints.
const RESTARTS: usize = 20;

/// Replaces the program, and waits until the next one is ready.
#[track_caller]
fn replace(serial: &Daemon, count: &mut usize) {
    signal(serial.pid(), Signal::USR2);
    *count += 1;
    wait_until(LIMIT, "the next program is ready", || {
        serial.output().text().matches("ready: ").count() > *count
    });
}

/// Numbered lines, as a board prints them that has been told to count.
fn counted(lines: usize) -> Vec<u8> {
    (0..lines).flat_map(|number| format!("line {number}\r\n").into_bytes()).collect()
}

#[test]
fn nothing_is_lost_and_nobody_let_go_while_a_board_prints_through_restarts() {
    let lab = TestLab::new();
    let socket = lab.path("board");
    let board = UnixListener::bind(&socket).unwrap();
    let port = format!("unix:{}", socket.display());
    let captures = lab.path("captures");
    let serial = lab.start(
        "lava-serial",
        ["--name", "panda01", "--port", &port, "--http", "127.0.0.1:0", "--raw", "127.0.0.1:0"]
            .into_iter()
            .chain(["--telnet", "127.0.0.1:0", "--capture", captures.to_str().unwrap()]),
    );
    let (mut line, _) = board.accept().unwrap();
    let raw = Client::raw(serial.address("raw"));
    let mut telnet = Client::telnet(serial.address("telnet"));
    telnet.expect("Escape character");
    let websocket = WebSocket::attach(serial.address("http"), "panda01", "user=alice");
    websocket.expect_message("the hello", |m| m["type"] == "hello");

    // 1.5 Mbaud are 150 kB/s; this is as fast as a socket goes.
    let done = Arc::new(AtomicBool::new(false));
    let writer = std::thread::spawn({
        let done = done.clone();
        move || {
            let mut printed = Vec::new();
            for number in 0.. {
                let text = format!("line {number}\r\n");
                line.write_all(text.as_bytes()).unwrap();
                printed.extend(text.into_bytes());
                if done.load(Ordering::Relaxed) {
                    break;
                }
            }
            (line, printed)
        }
    });
    let mut count = 0;
    for _ in 0..RESTARTS {
        replace(&serial, &mut count);
    }
    done.store(true, Ordering::Relaxed);
    let (mut line, printed) = writer.join().unwrap();
    let last = String::from_utf8_lossy(printed.trim_ascii_end()).into_owned();
    let last = last.lines().next_back().unwrap().to_owned();

    let everything = |what: &str, heard: &crate::common::Heard| {
        wait_until(Duration::from_secs(60), &format!("{what} has heard everything"), || {
            heard.bytes().len() >= printed.len() || heard.ended()
        });
        heard.bytes()
    };
    assert!(everything("raw", raw.heard()) == printed, "raw heard something else");
    assert!(everything("websocket", websocket.heard()) == printed, "the websocket did");
    telnet.expect_within(Duration::from_secs(60), &last);
    let log = http(serial.address("http"), "GET", "/consoles/panda01/history?from=0", "");
    assert!(log.body == printed, "the capture has something else");

    // They are the sessions that they were, and type as before.
    let status = http(serial.address("http"), "GET", "/consoles/panda01", "").json();
    assert_eq!(status["sessions"].as_array().unwrap().len(), 3, "{status}");
    assert_eq!(status["state"], "open");
    websocket.type_text("still here");
    let mut typed = [0; 10];
    line.read_exact(&mut typed).unwrap();
    assert_eq!(&typed, b"still here");
    let events = http(serial.address("http"), "GET", "/consoles/panda01/events", "").json();
    let kinds: Vec<&str> =
        events.as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert!(!kinds.iter().any(|kind| ["detach", "port-lost"].contains(kind)), "{kinds:?}");
}

#[test]
fn who_has_the_console_has_it_after_a_restart() {
    let lab = TestLab::new();
    let args = ["--name", "loop01", "--port", "exec:cat", "--http", "127.0.0.1:0"];
    let serial = lab.start("lava-serial", args);
    let address = serial.address("http");
    let job = WebSocket::attach(address, "loop01", "user=job:7&mode=exclusive");
    job.expect_message("the hello", |m| m["mode"] == "exclusive");
    let alice = WebSocket::attach(address, "loop01", "user=alice");
    alice.ask(r#"{"id":1,"request":"force"}"#);
    alice.expect_message("she has it", |m| m["type"] == "mode" && m["mode"] == "exclusive");
    replace(&serial, &mut 0);

    alice.type_text("hers\n");
    job.heard().find(LIMIT, 0, b"hers").unwrap();
    let newcomer = WebSocket::attach(address, "loop01", "user=bob");
    let hello = newcomer.expect_message("the hello", |m| m["type"] == "hello");
    assert_eq!((&hello["mode"], &hello["holder"]["user"]), (&json!("spy"), &json!("alice")));
    // What she took goes back to whom she took it from.
    alice.ask(r#"{"id":2,"request":"release"}"#);
    job.expect_message("the job has it back", |m| m["type"] == "mode" && m["mode"] == "exclusive");
    // The program on the pty is the same one.
    job.type_text("mine\n");
    alice.heard().find(LIMIT, 0, b"mine").unwrap();
    let events = http(address, "GET", "/consoles/loop01/events", "").json();
    let opened = events.as_array().unwrap().iter().filter(|event| event["kind"] == "port-open");
    assert_eq!(opened.count(), 1);
}

#[test]
fn a_client_that_does_not_read_misses_nothing_by_a_restart() {
    let lab = TestLab::new();
    let socket = lab.path("board");
    let board = UnixListener::bind(&socket).unwrap();
    let port = format!("unix:{}", socket.display());
    let args = ["--name", "panda01", "--port", &port, "--http", "127.0.0.1:0", "--raw"];
    let serial = lab.start("lava-serial", args.into_iter().chain(["127.0.0.1:0"]));
    let (mut line, _) = board.accept().unwrap();
    let mut stopped = std::net::TcpStream::connect(serial.address("raw")).unwrap();
    let watching = WebSocket::attach(serial.address("http"), "panda01", "user=alice");
    watching.expect_message("the hello", |m| m["type"] == "hello");
    // More than all socket buffers hold.
    let printed = counted(2_000_000);
    line.write_all(&printed).unwrap();
    wait_until(LIMIT * 2, "who reads has it all", || {
        watching.heard().bytes().len() == printed.len()
    });
    replace(&serial, &mut 0);
    let mut read = vec![0; printed.len()];
    stopped.set_read_timeout(Some(LIMIT)).unwrap();
    stopped.read_exact(&mut read).unwrap();
    assert!(read == printed, "the stopped client missed something");
}

#[test]
fn a_program_that_could_not_go_on_does_not_begin() {
    let lab = TestLab::new();
    let file = lab.write("serial.toml", "[[console]]\nname = \"loop01\"\nport = \"exec:cat\"\n");
    let serial = lab.start("lava-serial", ["--config", &file]);
    std::fs::write(&file, "[[console]]\n").unwrap();
    signal(serial.pid(), Signal::USR2);
    serial.wait_for_log(LIMIT, "the installed program cannot go on: exit status: 2");
    std::fs::write(&file, "[[console]]\nname = \"loop01\"\nport = \"exec:cat\"\n").unwrap();
    replace(&serial, &mut 0);
}

#[test]
fn a_listener_that_is_not_configured_any_more_is_closed_by_a_restart_with_its_clients() {
    let lab = TestLab::new();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let console = "[[console]]\nname = \"loop01\"\nport = \"exec:cat\"\n";
    let file = lab.write("serial.toml", &format!("{console}raw = \"{address}\"\n"));
    let serial = lab.start("lava-serial", ["--config", &file]);
    let mut client = Client::raw(address);
    client.type_text("hello\n");
    client.expect("hello");
    std::fs::write(&file, console).unwrap();
    replace(&serial, &mut 0);
    wait_until(LIMIT, "the client is let go", || client.heard().ended());
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[test]
fn signals_that_come_while_the_program_is_replaced_do_no_harm() {
    let lab = TestLab::new();
    let args = ["--name", "loop01", "--port", "exec:cat", "--http", "127.0.0.1:0"];
    let mut serial = lab.start("lava-serial", args);
    let address = serial.address("http");
    let alice = WebSocket::attach(address, "loop01", "user=alice");
    alice.expect_message("the hello", |m| m["type"] == "hello");
    let mut ready = 1;
    for pause_us in (0..30_000).step_by(500) {
        signal(serial.pid(), Signal::USR2);
        std::thread::sleep(Duration::from_micros(pause_us));
        signal(serial.pid(), Signal::USR2);
        ready += 1;
        wait_until(LIMIT, "the next program is ready", || {
            serial.output().text().matches("ready: ").count() >= ready
        });
        // The second one may have come early or late enough to count by itself.
        ready = serial.output().text().matches("ready: ").count();
    }
    alice.type_text("still here\n");
    alice.heard().find(LIMIT, 0, b"still here").unwrap();
    signal(serial.pid(), Signal::USR2);
    assert!(serial.terminate().success());
}

#[test]
fn who_is_told_to_end_while_the_program_is_replaced_ends() {
    let lab = TestLab::new();
    let args = ["--name", "loop01", "--port", "exec:cat"];
    for pause_us in (0..30_000).step_by(500) {
        let mut serial = lab.start("lava-serial", args);
        signal(serial.pid(), Signal::USR2);
        std::thread::sleep(Duration::from_micros(pause_us));
        assert!(serial.terminate().success());
    }
}

#[test]
fn a_program_that_cannot_be_run_changes_nothing() {
    let lab = TestLab::new();
    let installed = lab.path("lava-serial");
    let (good, bad) = (crate::common::program("lava-serial"), lab.path("bad"));
    std::os::unix::fs::symlink(&good, &installed).unwrap();
    // It checks its arguments, and then is gone.
    let gone = format!("#!/bin/sh\nrm {}\n", bad.display());
    std::fs::write(&bad, gone).unwrap();
    std::fs::set_permissions(&bad, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let console = "[[console]]\nname = \"loop01\"\nport = \"exec:cat\"\n";
    let file = lab.write("serial.toml", &format!("[http]\nlisten = \"127.0.0.1:0\"\n{console}"));
    let mut serial = lab.tool(&installed);
    let serial = Daemon::start("lava-serial", serial.args(["--config", &file]));
    let alice = WebSocket::attach(serial.address("http"), "loop01", "user=alice");
    alice.expect_message("the hello", |m| m["type"] == "hello");

    // The link leads to another program now: it is found.
    std::fs::remove_file(&installed).unwrap();
    std::os::unix::fs::symlink(&bad, &installed).unwrap();
    std::fs::write(
        &file,
        format!("[http]\nlisten = \"127.0.0.1:0\"\n{console}raw = \"127.0.0.1:0\"\n"),
    )
    .unwrap();
    signal(serial.pid(), Signal::USR2);
    serial.wait_for_log(LIMIT, "cannot be run; going on");
    wait_until(LIMIT, "it goes on", || serial.output().text().matches("ready: ").count() == 2);
    alice.type_text("still here\n");
    alice.heard().find(LIMIT, 0, b"still here").unwrap();
    // As it is configured now, and with a closed pipe no end of it.
    assert!(serial.output().text().contains("loop01.raw="), "{}", serial.output().text());
    let status = std::fs::read_to_string(format!("/proc/{}/status", serial.pid())).unwrap();
    let mask = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        u64::from_str_radix(line.trim(), 16).unwrap()
    };
    assert_ne!(mask("SigIgn:") & 1 << (13 - 1), 0, "SIGPIPE is ignored");
    assert_eq!(mask("SigBlk:"), 0);

    std::fs::remove_file(&installed).unwrap();
    std::os::unix::fs::symlink(&good, &installed).unwrap();
    replace(&serial, &mut 1);
    alice.type_text("and here\n");
    alice.heard().find(LIMIT, 0, b"and here").unwrap();
}

#[test]
fn a_program_called_ser2net_is_replaced_as_ser2net() {
    let lab = TestLab::new();
    let called = lab.path("ser2net");
    std::os::unix::fs::symlink(crate::common::program("lava-serial"), &called).unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let accepter = format!("connection: &con01#  accepter: telnet,tcp,localhost,{port}");
    let yaml = format!("{accepter}#  connector: serialdev,/dev/ttyNONE,9600n81");
    let serial = Daemon::start("ser2net", lab.tool(&called).args(["-n", "-Y", &yaml]));
    let mut client = Client::telnet(serial.address("telnet"));
    client.expect("Escape character");
    replace(&serial, &mut 0);
    assert!(!client.heard().ended());
    let called = std::fs::read_to_string(format!("/proc/{}/cmdline", serial.pid())).unwrap();
    assert!(called.split('\0').next().unwrap().ends_with("/ser2net"), "{called}");
}

/// How many of the events there are of a kind.
fn told(address: std::net::SocketAddr, kind: &str) -> usize {
    let events = http(address, "GET", "/consoles/panda01/events", "").json();
    events.as_array().unwrap().iter().filter(|event| event["kind"] == kind).count()
}

#[test]
fn what_is_still_to_be_sent_behind_others_is_called_back_and_nobody_let_go() {
    let lab = TestLab::new();
    let socket = lab.path("board");
    let board = UnixListener::bind(&socket).unwrap();
    let console =
        format!("name = \"panda01\"\nport = \"unix:{}\"\npace = \"50ms\"", socket.display());
    let text = format!("[http]\nlisten = \"127.0.0.1:0\"\n[[console]]\n{console}\n");
    let file = lab.write("serial.toml", &text);
    let serial = lab.start("lava-serial", ["--config", &file]);
    let address = serial.address("http");
    let (mut line, _) = board.accept().unwrap();
    wait_until(LIMIT, "the port is open", || told(address, "port-open") == 1);
    let alice = WebSocket::attach(address, "panda01", "user=alice");
    let bob = WebSocket::attach(address, "panda01", "user=bob");
    bob.expect_message("the hello", |m| m["type"] == "hello");
    // Almost three seconds of hers, and his behind.
    alice.type_text(&"a".repeat(55));
    let mut first = [0];
    line.read_exact(&mut first).unwrap();
    bob.ask(r#"{"id":1,"request":"send","text":"bbb","pace":"0"}"#);
    bob.ask(r#"{"id":2,"request":"line"}"#);
    bob.expect_message("his request is there", |m| m["id"] == 2);
    replace(&serial, &mut 0);
    bob.expect_message("it was called back", |m| {
        m["id"] == 1 && m["missing"] == 3 && m["again"] == true
    });
    bob.type_text("!");
    let mut typed = vec![0; 55];
    line.read_exact(&mut typed).unwrap();
    assert_eq!(String::from_utf8(typed).unwrap(), "a".repeat(54) + "!");
    assert_eq!((told(address, "attach"), told(address, "detach")), (2, 0));
}

#[test]
fn a_lost_port_is_told_once_and_a_quiet_line_is_greeted_over_restarts() {
    let lab = TestLab::new();
    let board = UnixListener::bind(lab.path("board")).unwrap();
    let text = format!(
        "[http]\nlisten = \"127.0.0.1:0\"\n[[console]]\nname = \"panda01\"\nport = \"unix:{}\"\n\
         [[console]]\nname = \"quiet\"\nport = \"unix:{}\"\nidle_send = \"x\"\nidle_send_after = \"1s\"\n",
        lab.path("nobody").display(),
        lab.path("board").display()
    );
    let file = lab.write("serial.toml", &text);
    let serial = lab.start("lava-serial", ["--config", &file]);
    let (mut line, _) = board.accept().unwrap();
    wait_until(LIMIT, "it is told", || told(serial.address("http"), "port-lost") == 1);
    let mut count = 0;
    replace(&serial, &mut count);
    replace(&serial, &mut count);
    line.set_read_timeout(Some(LIMIT)).unwrap();
    line.read_exact(&mut [0]).unwrap();
    assert_eq!(told(serial.address("http"), "port-lost"), 1);
}

#[test]
fn who_was_let_go_does_not_come_back_by_a_restart() {
    let lab = TestLab::new();
    let console =
        "[[console]]\nname = \"panda01\"\nport = \"exec:yes\"\ntelnet = \"127.0.0.1:0\"\n";
    let file = lab.write("serial.toml", &format!("[http]\nlisten = \"127.0.0.1:0\"\n{console}"));
    let serial = lab.start("lava-serial", ["--config", &file]);
    let address = serial.address("http");
    // It reads nothing: it is still to be told why when the program is replaced.
    let _stopped = std::net::TcpStream::connect(serial.address("telnet")).unwrap();
    let status = || http(address, "GET", "/consoles/panda01", "").json();
    wait_until(LIMIT, "it is there", || status()["sessions"].as_array().unwrap().len() == 1);
    let head = status()["head"].as_u64().unwrap();
    wait_until(LIMIT, "it is far behind", || {
        status()["head"].as_u64().unwrap() > head + 20_000_000
    });
    let id = status()["sessions"][0]["session"].clone();
    let alice = WebSocket::attach(address, "panda01", "user=alice");
    alice.ask(&format!(r#"{{"id":1,"request":"kick","session":{id}}}"#));
    alice.expect_message("it is let go", |m| m["kind"] == "kicked");
    replace(&serial, &mut 0);
    wait_until(LIMIT, "it is gone", || status()["sessions"].as_array().unwrap().len() == 1);
    assert_eq!(status()["sessions"][0]["user"], "alice");
}

#[test]
fn a_request_that_takes_long_costs_nobody_the_socket_of_this_host() {
    let lab = TestLab::new();
    let args = ["--name", "panda01", "--port", "sim:uart", "--http", "127.0.0.1:0"];
    let serial = lab.start("lava-serial", args);
    let socket = std::path::PathBuf::from(serial.told("socket"));
    let mut slow = std::os::unix::net::UnixStream::connect(&socket).unwrap();
    // The body does not come.
    slow.write_all(b"POST /consoles/panda01/send HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n")
        .unwrap();
    let boards = lab.run("lava", ["boards"], "");
    assert!(boards.status.success());
    replace(&serial, &mut 0);
    assert!(socket.exists(), "the socket is the same");
    let boards = lab.run("lava", ["boards"], "");
    assert!(String::from_utf8_lossy(&boards.stdout).contains("panda01"), "{boards:?}");
}

#[test]
fn events_that_come_all_at_once_are_all_captured() {
    let lab = TestLab::new();
    let args = ["--name", "panda01", "--port", "sim:uart", "--http", "127.0.0.1:0", "--raw"];
    let serial = lab.start("lava-serial", args.into_iter().chain(["127.0.0.1:0"]));
    let address = serial.address("http");
    let connect = |_| std::net::TcpStream::connect(serial.address("raw")).unwrap();
    let clients: Vec<_> = (0..200).map(connect).collect();
    let attached = || {
        http(address, "GET", "/consoles/panda01", "").json()["sessions"].as_array().unwrap().len()
    };
    wait_until(LIMIT, "all are there", || attached() == 200);
    signal(serial.pid(), Signal::STOP);
    drop(clients);
    signal(serial.pid(), Signal::CONT);
    wait_until(LIMIT, "all are gone", || attached() == 0);
    assert_eq!((told(address, "attach"), told(address, "detach")), (200, 200));
}

#[test]
fn what_is_recorded_is_for_its_owner_alone_and_sockets_of_the_dead_are_swept() {
    let lab = TestLab::new();
    let left = lab.path("run/serial-1.sock");
    drop(UnixListener::bind(&left).unwrap());
    let alive = lab.path("run/serial-2.sock");
    let _alive = UnixListener::bind(&alive).unwrap();
    let captures = lab.path("made/captures");
    let args = ["--name", "panda01", "--port", "exec:echo hello", "--http", "127.0.0.1:0"];
    let serial =
        lab.start("lava-serial", args.into_iter().chain(["--capture", captures.to_str().unwrap()]));
    assert!(!left.exists() && alive.exists());
    wait_until(LIMIT, "it prints", || {
        let log = http(serial.address("http"), "GET", "/consoles/panda01/history?from=0", "");
        log.text().contains("hello")
    });
    let mode = |path: &std::path::Path| {
        std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions()) & 0o777
    };
    let dir = captures.join("panda01");
    assert_eq!([mode(&lab.path("made")), mode(&captures), mode(&dir)], [0o700; 3]);
    let files: Vec<_> =
        std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 4, "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}
