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
