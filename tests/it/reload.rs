//! A `lava-serial` whose configuration changes while it runs.

use std::net::SocketAddr;

use rustix::process::Signal;
use serde_json::json;

use crate::common::{Client, Daemon, LIMIT, TestLab, WebSocket, http, signal, wait_until};

/// A console that says back each line, and its configuration.
fn echo(name: &str, more: &str) -> String {
    format!(
        "[[console]]\nname = \"{name}\"\nport = \"exec:sh -c 'stty -echo; while read a; do echo got \
         $a; done'\"\n{more}\n"
    )
}

/// A port that is free at the moment.
fn free_address() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

struct Reloadable {
    lab: TestLab,
    file: String,
    serial: Daemon,
}

impl Reloadable {
    fn start(consoles: &str) -> Self {
        let lab = TestLab::new();
        let file = lab.write("serial.toml", &Self::config(&lab, consoles));
        let serial = lab.start("lava-serial", ["--config", &file]);
        Self { lab, file, serial }
    }

    fn config(lab: &TestLab, consoles: &str) -> String {
        let captures = lab.path("captures");
        format!(
            "[http]\nlisten = \"127.0.0.1:0\"\n[capture]\ndir = \"{}\"\n{consoles}",
            captures.display()
        )
    }

    fn http(&self) -> SocketAddr {
        self.serial.address("http")
    }

    /// Writes the file anew.
    fn configure(&self, consoles: &str) {
        std::fs::write(&self.file, Self::config(&self.lab, consoles)).unwrap();
    }

    /// Has it read again by the API.
    #[track_caller]
    fn reload(&self) -> serde_json::Value {
        let answer = http(self.http(), "POST", "/reload", "");
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    fn names(&self) -> Vec<String> {
        let consoles = http(self.http(), "GET", "/consoles", "").json();
        let names = consoles.as_array().unwrap().iter();
        names.map(|console| console["name"].as_str().unwrap().to_owned()).collect()
    }
}

#[test]
fn consoles_come_and_go_and_the_others_do_not_notice() {
    let (stays, goes) = (echo("stays", "raw = \"127.0.0.1:0\""), echo("goes", ""));
    let daemon = Reloadable::start(&format!("{stays}{goes}"));
    let mut client = Client::raw(daemon.serial.address("stays.raw"));
    let alice = WebSocket::attach(daemon.http(), "stays", "user=alice");
    let bob = WebSocket::attach(daemon.http(), "goes", "user=bob");
    client.type_text("before\n");
    client.expect("got before");

    daemon.configure(&format!("{stays}{}", echo("comes", "")));
    let changes = daemon.reload();
    assert_eq!(
        changes,
        json!({"added": ["comes"], "removed": ["goes"], "changed": [], "unchanged": 1})
    );
    assert_eq!(daemon.names(), ["comes", "stays"]);
    wait_until(LIMIT, "bob is let go", || bob.heard().ended());
    client.type_text("after\n");
    client.expect("got after");
    alice.heard().find(LIMIT, 0, b"got after").unwrap();
    let told = alice.messages();
    assert!(told.iter().all(|message| message["kind"] != "port-lost"), "{told:?}");
}

#[test]
fn another_port_of_a_console_is_opened_and_its_clients_stay() {
    let daemon = Reloadable::start(&echo("panda01", "raw = \"127.0.0.1:0\""));
    let alice = WebSocket::attach(daemon.http(), "panda01", "user=alice");
    alice.type_text("old\n");
    alice.heard().find(LIMIT, 0, b"got old").unwrap();

    let other = "[[console]]\nname = \"panda01\"\nraw = \"127.0.0.1:0\"\nport = \"sim:uart\"\n";
    daemon.configure(other);
    signal(daemon.serial.pid(), Signal::HUP);
    let open = |message: &serde_json::Value| {
        message["kind"] == "port-open" && message["settings"] == "sim:uart"
    };
    alice.expect_message("alice is told", open);
    alice.type_text("looped back");
    alice.heard().find(LIMIT, 0, b"looped back").unwrap();
    daemon.serial.wait_for_log(LIMIT, "changed panda01");
}

#[test]
fn a_bad_file_changes_nothing_and_says_why() {
    let (one, two) = (echo("one", ""), echo("two", ""));
    let daemon = Reloadable::start(&one);
    daemon.configure(&format!("{two}pots = \"tty:/dev/x\"\n"));
    let answer = http(daemon.http(), "POST", "/reload", "");
    assert_eq!(answer.status, 400);
    let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("serial.toml:9:1: console[0]: unknown key \"pots\""), "{message}");
    assert_eq!(daemon.names(), ["one"]);

    // What can only fail at the host changes nothing either: an address that is taken …
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    daemon.configure(&echo("two", &format!("raw = \"{address}\"")));
    let answer = http(daemon.http(), "POST", "/reload", "");
    assert_eq!(answer.json()["error"]["kind"], "infra", "{}", answer.text());
    assert_eq!(daemon.names(), ["one"]);

    // … or a capture that somebody else is writing.
    let dir = daemon.lab.path("captures/two");
    std::fs::create_dir_all(&dir).unwrap();
    let lock = std::fs::File::create(dir.join("lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    daemon.configure(&two);
    let answer = http(daemon.http(), "POST", "/reload", "");
    assert!(answer.text().contains("is being written by another process"), "{}", answer.text());
    assert_eq!(daemon.names(), ["one"]);
    drop(lock);
    daemon.reload();
    assert_eq!(daemon.names(), ["two"]);
}

#[test]
fn an_address_moves_from_one_console_to_another() {
    let address = free_address();
    let line = format!("raw = \"{address}\"");
    let daemon = Reloadable::start(&format!("{}{}", echo("one", &line), echo("two", "")));
    daemon.configure(&format!(
        "{}[[console]]\nname = \"two\"\nport = \"sim:uart\"\n{line}\n",
        echo("one", "")
    ));
    let changes = daemon.reload();
    assert_eq!(changes["changed"], json!(["one", "two"]));
    let mut client = Client::raw(address);
    wait_until(LIMIT, "the simulated line is open", || {
        http(daemon.http(), "GET", "/consoles/two", "").json()["state"] == "open"
    });
    client.type_text("two it is");
    client.expect("two it is");
}

#[test]
fn a_configuration_is_checked_without_being_served() {
    let lab = TestLab::new();
    let file = lab.write("serial.toml", &echo("one", ""));
    let good = lab.run("lava-serial", ["--check", "--config", &file], "");
    assert!(good.status.success());
    assert_eq!(String::from_utf8_lossy(&good.stdout), "good: 1 consoles\n");
    let file = lab.write("serial.toml", "[[console]]\nname = \"one\"\n");
    let bad = lab.run("lava-serial", ["--check", "--config", &file], "");
    assert_eq!(bad.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&bad.stderr).contains("\"port\" is missing"));
}

#[test]
fn without_files_there_is_nothing_to_read_again() {
    let lab = TestLab::new();
    let args = ["--name", "one", "--port", "sim:uart", "--http", "127.0.0.1:0"];
    let serial = lab.start("lava-serial", args);
    let answer = http(serial.address("http"), "POST", "/reload", "");
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("started without --config"), "{}", answer.text());
}
