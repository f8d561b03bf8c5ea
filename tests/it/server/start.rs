//! It starts without anything, and keeps what it was told.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Stdio;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{Rack, Server};
use crate::common::postgres::Postgres;
use crate::common::{Heard, LIMIT, Process, TestLab, signal, wait_until};

#[test]
fn without_any_file_it_serves_this_host_and_forgets_nothing() {
    let lab = TestLab::new();
    let mut server = Server::start(&lab);
    assert!(server.address.ip().is_loopback());
    let panda = json!({"type": "panda", "console": "http://127.0.0.1:1/consoles/a"});
    assert_eq!(server.ask("PUT", "/boards/panda01?new=true", &panda).status, 200);
    let again = server.ask("PUT", "/boards/panda01?new=true", &panda);
    assert_eq!(again.status, 409, "{}", again.text());
    let bad = json!({"health": "bad", "reason": "no SD card", "user": "root"});
    assert_eq!(server.ask("POST", "/boards/panda01/health", &bad).status, 200);
    let nobodys = server.ask("POST", "/requests", &json!({"spec": "panda", "for": "1h"}));
    assert_eq!(nobodys.status, 400, "{}", nobodys.text());
    let waits = json!({"spec": "panda", "for": "1h", "user": "alice"});
    assert_eq!(server.ask("POST", "/requests", &waits).json()["id"], 1);
    server.daemon.kill();

    let server = Server::again(&lab, server.address);
    let board = server.get("/boards/panda01");
    assert_eq!((&board["health"], &board["reason"]), (&"bad".into(), &"no SD card".into()));
    let waiting = server.get("/requests/1");
    assert_eq!(waiting["waiting"]["why"], "not to be had: panda01 is bad (no SD card)");
    let history = server.get("/boards/panda01/history");
    let what: Vec<_> = history.as_array().unwrap().iter().map(|it| &it["what"]).collect();
    assert_eq!(what, ["added", "health"]);
    assert_eq!(server.ask("GET", "/boards/panda1", &Value::Null).status, 404);

    // Two of them in one folder would each give the boards away.
    let second = lab.run("lava-server", ["--listen", "127.0.0.1:0"], "");
    let told = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(3), "{told}");
    assert!(told.contains("another lava-server has the folder"), "{told}");
}

#[test]
fn postgresql_keeps_the_same() {
    let lab = TestLab::new();
    let postgres = Postgres::start();
    let url = postgres.url();
    let args = ["--listen", "127.0.0.1:0", "--database", &url];
    let start = || {
        let daemon = lab.start("lava-server", args);
        Server { address: daemon.address("http"), daemon }
    };
    let mut server = start();
    let panda = json!({"type": "panda", "console": "http://127.0.0.1:1/consoles/a"});
    assert_eq!(server.ask("PUT", "/boards/panda01", &panda).status, 200);
    let asked = json!({"spec": "panda", "for": "1h", "user": "alice"});
    assert_eq!(server.ask("POST", "/requests", &asked).status, 200);
    server.until("it is hers", "/requests/1", |it| it["state"] == "leased");
    server.daemon.kill();
    // PostgreSQL may not have seen yet that the first one is gone: this one stands by until then.
    let server = start();
    server.until("it is still hers", "/boards/panda01", |it| it["lease"]["holder"] == "alice");
    assert_eq!(server.ask("DELETE", "/requests/1?user=alice", &Value::Null).status, 200);
    assert_eq!(server.get("/requests?ended=true")[0]["ending"], "released");
}

#[test]
fn daemons_announce_themselves_elsewhere_when_their_files_are_read_again() {
    let labs = [TestLab::new(), TestLab::new()];
    let [one, other] = [&labs[0], &labs[1]].map(Server::start);
    let rack = Rack::start(&labs[0], &one);
    let here = |all: &Value| all.as_array().is_some_and(|all| all.len() == 2);
    for place in ["/consoles", "/outlets"] {
        one.until("both are announced", place, here);
    }
    for config in [&rack.serial_config, &rack.power_config] {
        let text = std::fs::read_to_string(config).unwrap();
        std::fs::write(config, text.replace(&one.url(), &other.url())).unwrap();
    }
    signal(rack.power.pid(), Signal::HUP);
    signal(rack.serial.pid(), Signal::HUP);
    for place in ["/consoles", "/outlets"] {
        other.until("both are announced there", place, here);
    }
}

#[test]
fn of_two_servers_on_one_database_one_stands_by_and_takes_over() {
    let lab = TestLab::new();
    let postgres = Postgres::start();
    let shared = lab.write("server.toml", "[images]\nplace = \"shared\"\n");
    let args = |dir: &str| {
        let (dir, url) = (lab.path(dir).display().to_string(), postgres.url());
        ["--listen", "127.0.0.1:0", "--database", &url, "--dir", &dir].map(str::to_owned)
    };
    let start = |dir: &str| {
        let args = args(dir).into_iter().chain(["--config".into(), shared.clone()]);
        let daemon = lab.start("lava-server", args);
        Server { address: daemon.address("http"), daemon }
    };
    let mut first = start("first");
    let panda = json!({"type": "panda", "console": "http://127.0.0.1:1/consoles/a"});
    assert_eq!(first.ask("PUT", "/boards/panda01", &panda).status, 200);
    let asked = json!({"spec": "panda", "for": "1h", "user": "alice"});
    assert_eq!(first.ask("POST", "/requests", &asked).status, 200);
    first.until("it is hers", "/requests/1", |it| it["state"] == "leased");

    // One that has other files is none for this lab.
    let alone = lab.run("lava-server", args("alone"), "");
    let told = String::from_utf8_lossy(&alone.stderr).into_owned();
    assert!(
        alone.status.code() == Some(2)
            && told.contains("alone/images/files is not marked")
            && told.contains("a folder that they share"),
        "{told}"
    );
    // The other one gives nothing away, and says who does.
    let second = start("second");
    let stands_by = second.ask("GET", "/healthz", &Value::Null);
    assert_eq!(stands_by.status, 503, "{}", stands_by.text());
    assert!(
        stands_by.text().contains(&format!("stands by: lava-server at {} on ", first.url())),
        "{}",
        stands_by.text()
    );

    first.daemon.kill();
    second.until("it has the lab", "/requests/1", |it| it["state"] == "leased");
    let bobs = json!({"spec": "panda", "for": "1h", "user": "bob"});
    assert_eq!(second.ask("POST", "/requests", &bobs).json()["id"], 2);
    // Who comes back stands by in turn.
    let first = start("first");
    assert_eq!(first.ask("GET", "/healthz", &Value::Null).status, 503);
}

#[test]
fn a_server_that_was_paused_changes_nothing_once_another_one_has_the_lab() {
    let lab = TestLab::new();
    let postgres = Postgres::start();
    let url = postgres.url();
    let shared = lab.write("server.toml", "[images]\nplace = \"shared\"\n");
    let start = |dir: &str| {
        let dir = lab.path(dir).display().to_string();
        let args = ["--listen", "127.0.0.1:0", "--database", &url, "--dir", &dir, "--config"];
        let daemon = lab.start("lava-server", [&args[..], &[&shared]].concat());
        Server { address: daemon.address("http"), daemon }
    };
    let (first, mut second) = (start("first"), start("second"));
    let panda = json!({"type": "panda", "console": "http://127.0.0.1:1/consoles/a"});
    assert_eq!(first.ask("PUT", "/boards/panda01", &panda).status, 200);
    let hers = json!({"spec": "panda", "for": "1h", "user": "alice"});
    assert_eq!(first.ask("POST", "/requests", &hers).status, 200);
    first.until("it is hers", "/requests/1", |it| it["state"] == "leased");
    signal(first.daemon.pid(), Signal::STOP);
    // It finds this when it goes on.
    let bad = json!({"health": "bad", "reason": "no SD card"}).to_string();
    let mut late = TcpStream::connect(first.address).unwrap();
    let head = "POST /boards/panda01/health HTTP/1.1\r\nhost: localhost\r\nconnection: close";
    write!(late, "{head}\r\ncontent-length: {}\r\n\r\n{bad}", bad.len()).unwrap();
    let leads = || second.ask("GET", "/healthz", &Value::Null).status == 200;
    wait_until(LIMIT, "it has the lab", leads);
    second.until("it has the lab", "/requests/1", |it| it["state"] == "leased");
    assert_eq!(second.ask("DELETE", "/requests/1?user=alice", &Value::Null).status, 200);
    let his = json!({"spec": "panda", "for": "1h", "user": "bob"});
    assert_eq!(second.ask("POST", "/requests", &his).json()["id"], 2);
    second.until("it is his", "/requests/2", |it| it["state"] == "leased");

    signal(first.daemon.pid(), Signal::CONT);
    let mut answer = String::new();
    // It may be cut off, too.
    let _ = late.read_to_string(&mut answer);
    assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    let stands_by = || first.ask("GET", "/healthz", &Value::Null).status == 503;
    wait_until(LIMIT, "it stands by", stands_by);
    second.daemon.kill();
    first.until("it has the lab again", "/requests/2", |it| it["state"] == "leased");
    assert_eq!(first.get("/requests/1")["ending"], "released");
    let board = first.get("/boards/panda01");
    assert_eq!((&board["lease"]["holder"], &board["health"]), (&json!("bob"), &json!("unknown")));
}

#[test]
fn a_postgresql_that_has_yet_to_begin_is_waited_for() {
    let lab = TestLab::new();
    let mut postgres = Postgres::made();
    let mut command = lab.program("lava-server");
    command.args(["--listen", "127.0.0.1:0", "--database", &postgres.url()]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut server = Process::spawn(&mut command);
    let log = Heard::from(server.child().stderr.take().unwrap());
    let told = Heard::from(server.child().stdout.take().unwrap());
    log.find(LIMIT, 0, b"it is asked again for 60 s").unwrap();
    postgres.serve();
    told.find(LIMIT, 0, b"ready: ").unwrap();
    assert_eq!(log.text().matches("it is asked again").count(), 1, "{}", log.text());
}

#[test]
fn a_file_is_the_database_of_one_server_whatever_folders_they_have() {
    let lab = TestLab::new();
    let url = format!("sqlite:{}", lab.path("lab.db").display());
    let args = |dir: &str| {
        let dir = lab.path(dir).display().to_string();
        [
            "--listen".into(),
            "127.0.0.1:0".into(),
            "--database".into(),
            url.clone(),
            "--dir".into(),
            dir,
        ]
    };
    // It is made when it is not there.
    let _first = lab.start("lava-server", args("first"));
    let second = lab.run("lava-server", args("second"), "");
    let told = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(3), "{told}");
    assert!(told.contains("another lava-server has the database"), "{told}");
}
