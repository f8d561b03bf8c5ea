//! What a console's bytes and its line tell of the board, wherever people look.

use std::io::Write as _;
use std::os::unix::net::UnixListener;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::common::{Cable, Client, Daemon, LIMIT, TestLab, http, signal, wait_until};

/// A daemon with one simulated console, and the far end of its cable.
fn cabled(lab: &TestLab) -> (Daemon, Cable) {
    let path = lab.path("cable.sock");
    let mut cable = Cable::at(&path);
    let serial = one(lab, &format!("sim:uart,control={}", path.display()));
    wait_until(LIMIT, "the port is open", || get(&serial, "/consoles/panda01")["state"] == "open");
    cable.order("far 115200n8");
    (serial, cable)
}

/// A daemon with one console, `panda01`.
fn one(lab: &TestLab, port: &str) -> Daemon {
    let capture = lab.path("capture").display().to_string();
    let console = ["--name", "panda01", "--port", port, "--capture", &capture];
    lab.start("lava-serial", console.into_iter().chain(["--http", "127.0.0.1:0"]))
}

fn get(serial: &Daemon, path: &str) -> Value {
    http(serial.address("http"), "GET", path, "").json()
}

fn health(serial: &Daemon) -> Value {
    get(serial, "/consoles/panda01")["health"].clone()
}

/// Waits until the board was seen to do something, and gives that event.
#[track_caller]
fn seen(serial: &Daemon, what: &str) -> Value {
    let mut found = Value::Null;
    wait_until(LIMIT, &format!("{what} is seen"), || {
        let events = get(serial, "/consoles/panda01/events");
        let mut events = events.as_array().unwrap().iter().rev();
        let event = events.find(|event| event["kind"] == "seen" && event["what"] == what);
        found = event.cloned().unwrap_or_default();
        !found.is_null()
    });
    found
}

#[test]
fn a_boot_and_a_panic_are_told_wherever_people_look() {
    let lab = TestLab::new();
    let socket = lab.path("board");
    let listener = UnixListener::bind(&socket).unwrap();
    let serial = one(&lab, &format!("unix:{}", socket.display()));
    let (mut board, _) = listener.accept().unwrap();
    let mut print = |bytes: &[u8]| board.write_all(bytes).unwrap();
    assert_eq!(health(&serial)["boot"], Value::Null);
    print(b"noise\r\n\r\nU-Boot SPL 2023.01 (Sep");
    print(b" 10 2024)\r\n\r\nU-Boot 2023.01 (Sep 10 2024)\r\n=> ");
    let boot = seen(&serial, "boot");
    assert_eq!(boot["line"], "U-Boot SPL 2023.01 (Sep 10 2024)");
    let past = http(serial.address("http"), "GET", "/consoles/panda01/history?from=boot", "");
    assert!(past.text().starts_with("U-Boot SPL 2023.01"), "{}", past.text());

    print(b"boot\r\n[    0.000000] Linux version 6.1.0 (builder) #1 SMP\r\n");
    seen(&serial, "kernel");
    // The board stops in the middle of its line: that is told all the same.
    print(b"[    1.2] Kernel panic - not syncing: \x1b[31mVFS");
    let panic = seen(&serial, "panic");
    assert_eq!(panic["line"], "[    1.2] Kernel panic - not syncing: VFS");

    let health = health(&serial);
    assert_eq!(health["boot"]["at"], boot["at"]);
    assert_eq!(health["trouble"]["what"], "panic");
    assert_eq!(health["seen"], json!({"boot": 1, "kernel": 1, "panic": 1}));
    assert!(health["idle_ms"].is_u64());
    let metrics = http(serial.address("http"), "GET", "/metrics", "").text();
    for line in [
        "lava_console_seen_total{console=\"panda01\",what=\"panic\"} 1",
        "lava_console_trouble{console=\"panda01\"} 1",
        "lava_console_power_mismatch{console=\"panda01\"} 0",
    ] {
        assert!(metrics.contains(line), "{line}\nis not in\n{metrics}");
    }
    for line in [
        "lava_console_boot_time_seconds{",
        "lava_console_idle_seconds{",
        "lava_console_bytes_per_second{",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    let boards = lab.run("lava", ["boards"], "");
    let boards = String::from_utf8_lossy(&boards.stdout).into_owned();
    assert!(boards.contains("open, booted ") && boards.contains(" ago, panic "), "{boards}");
    assert!(boards.contains("ago: [    1.2] Kernel panic - not syncing: VFS"), "{boards}");
    let log = lab.run("lava", ["log", "panda01", "--events"], "");
    assert!(String::from_utf8_lossy(&log.stdout).contains("  seen "));

    // It is known after an upgrade too; and the next boot ends the trouble.
    signal(serial.pid(), Signal::USR2);
    wait_until(LIMIT, "the next program is ready", || {
        serial.output().text().matches("ready: ").count() == 2
    });
    assert_eq!(self::health(&serial)["trouble"]["what"], "panic");
    print(b"\r\nU-Boot SPL 2023.01 (Sep 10 2024)\r\n");
    wait_until(LIMIT, "the board has booted again", || {
        let health = self::health(&serial);
        health["seen"]["boot"] == 2 && health["trouble"].is_null()
    });
}

#[test]
fn what_goes_wrong_on_the_line_is_counted_though_nobody_watches_it() {
    let lab = TestLab::new();
    let (serial, mut cable) = cabled(&lab);
    // Where the console looks for a stop bit, the board sends a parity bit.
    cable.order("far 115200e8");
    cable.order("overrun");
    wait_until(LIMIT, "it is counted", || {
        // Bytes make it look.
        cable.send(b"more");
        let errors = &health(&serial)["errors"];
        errors["framing"].as_u64() > Some(0) && errors["overruns"].as_u64() > Some(0)
    });
    let boards = lab.run("lava", ["boards"], "");
    let boards = String::from_utf8_lossy(&boards.stdout).into_owned();
    assert!(boards.contains(" framing errors"), "{boards}");
    let metrics = http(serial.address("http"), "GET", "/metrics", "").text();
    let overruns = "lava_console_line_errors_total{console=\"panda01\",what=\"overrun\"} 1";
    assert!(metrics.contains(overruns), "{metrics}");
}

#[test]
fn a_board_that_prints_although_it_was_switched_off_is_told_to_everyone() {
    let lab = TestLab::new();
    let (serial, mut cable) = cabled(&lab);
    let mut alice = Client::in_terminal(lab.program("lava-console").arg("panda01"));
    alice.expect("Connected to panda01");
    for phase in ["begin", "done"] {
        let event = json!({"who": "bob", "kind": "power", "outlet": "panda01", "verb": "off", "phase": phase});
        let put =
            http(serial.address("http"), "POST", "/consoles/panda01/events", &event.to_string());
        assert_eq!(put.status, 200, "{}", put.text());
    }
    assert_eq!(health(&serial)["mismatch"], Value::Null);
    // What it prints while it runs down is no matter; it goes on, though.
    wait_until(LIMIT, "somebody notices", || {
        cable.send(&[b'.'; 40]);
        health(&serial)["mismatch"] == "prints-while-off"
    });
    alice.expect("[panda01: it was switched off, and prints all the same]");
    let kinds = get(&serial, "/consoles/panda01/events");
    let told = kinds.as_array().unwrap().iter().filter(|event| event["kind"] == "mismatch");
    assert_eq!(told.count(), 1, "it is told once");
    let boards = lab.run("lava", ["boards"], "");
    let boards = String::from_utf8_lossy(&boards.stdout).into_owned();
    assert!(boards.contains("it was switched off, and prints all the same"), "{boards}");
}
