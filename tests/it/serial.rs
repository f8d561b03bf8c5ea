//! `lava-serial` as its users meet it: shared consoles, the write lock, the past, many at once.

use std::io::{Read as _, Write as _};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::common::{Client, Daemon, LIMIT, TestLab, WebSocket, http, signal, wait_until};

/// A board that says back each line, and can print its numbered lines.
const BOARD: &str = "exec:sh -c 'stty -echo opost onlcr; while read a b; do case $a in count) \
                     i=0; while [ $i -lt $b ]; do i=$((i+1)); echo line $i; done;; \
                     *) echo \"got $a\";; esac; done'";

#[test]
fn everybody_on_a_console_sees_everything_whatever_they_speak() {
    let lab = TestLab::new();
    let serial = serial(&lab, &["panda01"]);
    let mut raw = Client::raw(serial.address("panda01.raw"));
    let mut telnet = Client::telnet(serial.address("panda01.telnet"));
    let websocket = attach(&serial, "user=alice");
    telnet.expect("Escape character");
    for (typist, word) in [("raw", "one"), ("telnet", "two"), ("websocket", "three")] {
        match typist {
            "raw" => raw.type_text("one\n"),
            // Enter in a terminal; the board's pty turns it into a line end.
            "telnet" => telnet.type_text("two\n"),
            _ => websocket.type_text("three\n"),
        }
        raw.expect(&format!("got {word}"));
        telnet.expect(&format!("got {word}"));
        websocket.heard().find(LIMIT, 0, format!("got {word}").as_bytes()).unwrap();
    }
}

#[test]
fn a_held_console_is_written_by_its_holder_only_and_force_is_told_to_both() {
    let lab = TestLab::new();
    let serial = serial(&lab, &["panda01"]);
    let job = attach(&serial, "user=job:7&mode=exclusive");
    let hello = job.expect_message("the job's hello", |m| m["type"] == "hello");
    assert_eq!(hello["mode"], "exclusive");

    let alice = attach(&serial, "user=alice");
    let hello = alice.expect_message("alice's hello", |m| m["type"] == "hello");
    assert_eq!((&hello["mode"], &hello["holder"]["user"]), (&json!("spy"), &json!("job:7")));
    alice.type_text("sneaky\n");
    let refused = alice.expect_message("the refusal", |m| m["answer"] == "refused");
    assert!(refused["reason"].as_str().unwrap().contains("job:7"), "{refused}");

    alice.ask(r#"{"id":1,"request":"force"}"#);
    alice.expect_message("alice has it", |m| m["type"] == "mode" && m["mode"] == "exclusive");
    let told = job.expect_message("the job lost it", |m| m["type"] == "mode");
    assert_eq!((&told["mode"], &told["by"]), (&json!("spy"), &json!("alice")));
    alice.type_text("hands-on\n");
    job.heard().find(LIMIT, 0, b"got hands-on").unwrap();

    // When she leaves, it goes back to whom it was taken from.
    drop(alice);
    job.expect_message("the job has it back", |m| m["type"] == "mode" && m["mode"] == "exclusive");
    job.type_text("onwards\n");
    job.heard().find(LIMIT, 0, b"got onwards").unwrap();
    assert!(!job.heard().text().contains("sneaky"));
    let kinds = event_kinds(&serial);
    for kind in ["port-open", "attach", "forced", "released", "detach", "input"] {
        assert!(kinds.iter().any(|k| k == kind), "{kind} is not in {kinds:?}");
    }
}

#[test]
fn a_late_joiner_gets_the_screen_and_then_the_stream() {
    let lab = TestLab::new();
    let serial = serial(&lab, &["panda01"]);
    let early = attach(&serial, "user=early");
    early.type_text("count 500\n");
    early.heard().find(LIMIT, 0, b"line 500\r\n").unwrap();
    let late = attach(&serial, "user=late&from=screen&rows=10&cols=40");
    let screen = late.expect_message("the screen", |m| m["type"] == "screen");
    let draw = screen["draw"].as_str().unwrap();
    assert!(draw.contains("line 500") && draw.contains("line 492"), "{draw:?}");
    assert!(!draw.contains("line 490"), "a screen has ten lines: {draw:?}");
    assert_eq!(screen["offset"].as_u64(), Some(early.heard().len() as u64));
    early.type_text("next\n");
    late.heard().find(LIMIT, 0, b"got next").unwrap();
    assert_eq!(late.heard().text().trim(), "got next");
}

#[test]
fn the_past_is_had_by_offset_and_by_time_and_what_is_not_there_is_told_with_numbers() {
    let lab = TestLab::new();
    let serial = serial(&lab, &["panda01"]);
    let client = attach(&serial, "user=alice");
    client.type_text("first\n");
    client.heard().find(LIMIT, 0, b"got first").unwrap();
    wait_until(LIMIT, "the times differ", || {
        client.type_text("second\n");
        client.heard().text().contains("got second")
    });
    let get = |path: &str| http(serial.address("http"), "GET", path, "");
    let all = get("/consoles/panda01/history");
    wait_until(LIMIT, "the client has as much", || client.heard().len() >= all.body.len());
    assert_eq!(all.body, client.heard().bytes()[..all.body.len()]);
    let part = get("/consoles/panda01/history?from=4&to=9");
    assert_eq!((part.text().as_str(), part.header("x-lava-offset")), ("first", Some("4")));
    let now = get("/consoles/panda01/history?from=2999-01-01T00:00:00Z");
    assert_eq!((now.status, now.body.len()), (200, 0));
    let future = get("/consoles/panda01/history?from=1000000");
    assert_eq!(future.status, 416);
    assert!(
        future.text().contains("1000000") && future.text().contains("head"),
        "{}",
        future.text()
    );
    for wrong in ["history?from=yesterday", "history?fron=0", "attach?mode=sideways"] {
        let answer = get(&format!("/consoles/panda01/{wrong}"));
        assert_eq!(answer.status, 400, "{wrong}");
        assert_eq!(answer.json()["error"]["kind"], "user", "{wrong}");
    }
}

#[test]
fn an_event_from_outside_is_shown_to_everyone_and_kept() {
    let lab = TestLab::new();
    let serial = serial(&lab, &["panda01"]);
    let client = attach(&serial, "user=alice");
    client.expect_message("hello", |m| m["type"] == "hello");
    let body = r#"{"who":"bob","kind":"power","outlet":"panda01","verb":"cycle","phase":"begin"}"#;
    let path = "/consoles/panda01/events";
    assert_eq!(http(serial.address("http"), "POST", path, body).status, 200);
    client.expect_message("the event", |m| m["kind"] == "power" && m["who"] == "bob");
    wait_until(LIMIT, "the event is kept", || event_kinds(&serial).contains(&"power".to_owned()));
    // What happens to the console itself cannot be claimed from outside.
    let forged = r#"{"who":"bob","kind":"input","text":"rm -rf /"}"#;
    assert_eq!(http(serial.address("http"), "POST", path, forged).status, 400);
}

#[test]
fn a_strangers_web_page_cannot_reach_the_consoles() {
    let lab = TestLab::new();
    let serial = serial(&lab, &["panda01"]);
    let mut page = std::net::TcpStream::connect(serial.address("http")).unwrap();
    let request = "GET /consoles/panda01/attach HTTP/1.1\r\nhost: 127.0.0.1\r\n\
         origin: https://example.org\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    page.write_all(request.as_bytes()).unwrap();
    let mut first = [0; 12];
    page.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 403");
}

#[test]
fn one_process_serves_a_folder_of_consoles_and_ends_cleanly() {
    let lab = TestLab::new();
    let mut serial = serial(&lab, &["panda01", "panda02", "panda03"]);
    for name in ["panda01", "panda02", "panda03"] {
        let mut client = Client::raw(serial.address(&format!("{name}.raw")));
        client.type_text(&format!("{name}\n"));
        client.expect(&format!("got {name}"));
    }
    let list = http(serial.address("http"), "GET", "/consoles", "").json();
    assert_eq!(list.as_array().unwrap().len(), 3);
    let metrics = http(serial.address("http"), "GET", "/metrics", "").text();
    assert!(metrics.contains("lava_console_port_open{console=\"panda02\"} 1"), "{metrics}");
    assert!(serial.terminate().success());
    let left: Vec<_> = std::fs::read_dir(lab.path("run")).unwrap().collect();
    assert!(left.is_empty(), "its socket is gone: {left:?}");
}

#[test]
fn a_console_of_an_adapter_needs_no_file_at_all() {
    let lab = TestLab::new();
    let board = crate::common::Terminal::wire();
    let device = board.path().display().to_string();
    let capture = lab.path("capture").display().to_string();
    let args = [
        "--name",
        "panda01",
        "--device",
        &device,
        "--baud",
        "9600",
        "--raw",
        "127.0.0.1:0",
        "--http",
        "127.0.0.1:0",
        "--capture",
        &capture,
    ];
    let serial = lab.start("lava-serial", args);
    let state = http(serial.address("http"), "GET", "/consoles/panda01", "").json();
    assert_eq!(state["port"], format!("tty:{device},9600n8"));
}

#[test]
fn a_program_that_ends_is_started_again_and_its_clients_stay() {
    let lab = TestLab::new();
    let port = "exec:sh -c 'echo hello from $$; read x'";
    let serial = one(&lab, port);
    let mut client = Client::raw(serial.address("raw"));
    for _ in 0..3 {
        client.type_text("\n");
        client.expect("hello from ");
    }
    let kinds = event_kinds(&serial);
    assert!(kinds.iter().filter(|kind| *kind == "port-lost").count() >= 2, "{kinds:?}");
}

#[test]
fn two_processes_do_not_write_one_capture() {
    let lab = TestLab::new();
    let _first = one(&lab, "exec:cat");
    let capture = lab.path("capture").display().to_string();
    let args = ["--name", "panda01", "--port", "exec:cat", "--capture", &capture];
    let second = lab.run("lava-serial", args, "");
    assert_eq!(second.status.code(), Some(3));
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("another process"), "{said}");
}

#[test]
fn what_the_disk_did_not_take_is_a_gap_and_the_console_goes_on() {
    let lab = TestLab::new();
    let capture = lab.path("capture");
    std::fs::create_dir(&capture).unwrap();
    let config = config(&lab, &["panda01"]);
    // A disk of its own that is nearly full, in a mount namespace of its own.
    let ballast = capture.join("ballast");
    let script = format!(
        "mount -t tmpfs -o size=256k none {0} && head -c 230000 /dev/zero > {1} && exec {2} --config {3}",
        capture.display(),
        ballast.display(),
        env!("CARGO_BIN_EXE_lava-serial"),
        config,
    );
    let mut full = lab.tool("unshare");
    // Root may mount by itself; others may in a user namespace, which a chroot forbids.
    if !rustix::process::getuid().is_root() {
        full.arg("--map-root-user");
    }
    let serial = Daemon::start("lava-serial", full.args(["--mount", "sh", "-c", &script]));
    let client = attach(&serial, "user=alice");
    client.type_text("count 2000\n");
    client.heard().find(LIMIT, 0, b"line 2000\r\n").unwrap();
    let state = || http(serial.address("http"), "GET", "/consoles/panda01", "").json();
    assert!(state()["capture_error"].is_string(), "{}", state());
    // Then there is room again.
    let seen_by_it = format!("/proc/{}/root{}", serial.pid(), ballast.display());
    std::fs::remove_file(seen_by_it).unwrap();
    wait_until(LIMIT, "it is captured again", || {
        client.type_text("again\n");
        state()["capture_error"].is_null()
    });
    let gap = client.expect_message("the gap is told", |m| m["kind"] == "gap");
    assert!(gap["to"].as_u64() > gap["offset"].as_u64(), "{gap}");
}

#[test]
fn the_openapi_document_is_the_one_that_is_checked_in() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/conf/openapi/lava-serial.json");
    let now = lavamux::front::http::serial::openapi().to_pretty_json().unwrap() + "\n";
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    if now != kept {
        std::fs::write(path, &now).unwrap();
        panic!("conf/openapi/lava-serial.json was out of date; it is written anew: commit it");
    }
}

#[test]
fn a_client_that_vanishes_without_a_word_is_noticed_when_it_is_killed() {
    let lab = TestLab::new();
    let serial = one(&lab, "exec:cat");
    let telnet = Client::telnet(serial.address("telnet"));
    let sessions = || {
        let state = http(serial.address("http"), "GET", "/consoles/panda01", "").json();
        state["sessions"].as_array().unwrap().len()
    };
    wait_until(LIMIT, "it is attached", || sessions() == 1);
    signal(telnet.pid(), Signal::KILL);
    wait_until(LIMIT, "it is gone", || sessions() == 0);
}

fn attach(serial: &Daemon, query: &str) -> WebSocket {
    WebSocket::attach(serial.address("http"), "panda01", query)
}

fn event_kinds(serial: &Daemon) -> Vec<String> {
    let events = http(serial.address("http"), "GET", "/consoles/panda01/events", "").json();
    let kind = |event: &Value| event["kind"].as_str().unwrap().to_owned();
    events.as_array().unwrap().iter().map(kind).collect()
}

/// A daemon with one console, `panda01`.
fn one(lab: &TestLab, port: &str) -> Daemon {
    let capture = lab.path("capture").display().to_string();
    let any = "127.0.0.1:0";
    let args = [
        "--name",
        "panda01",
        "--port",
        port,
        "--http",
        any,
        "--raw",
        any,
        "--telnet",
        any,
        "--capture",
        &capture,
    ];
    lab.start("lava-serial", args)
}

/// A daemon with a board behind each name.
fn serial(lab: &TestLab, names: &[&str]) -> Daemon {
    lab.start("lava-serial", ["--config", &config(lab, names)])
}

/// A folder of files: one for the process, and one for each console.
fn config(lab: &TestLab, names: &[&str]) -> String {
    let capture = lab.path("capture");
    lab.write(
        "serial.d/00.toml",
        &format!("[http]\nlisten = \"127.0.0.1:0\"\n[capture]\ndir = {capture:?}\n"),
    );
    for name in names {
        lab.write(
            &format!("serial.d/{name}.toml"),
            &format!(
                "[[console]]\nname = \"{name}\"\nport = {BOARD:?}\nraw = \"127.0.0.1:0\"\n\
                 telnet = \"127.0.0.1:0\"\n"
            ),
        );
    }
    lab.path("serial.d").display().to_string()
}
