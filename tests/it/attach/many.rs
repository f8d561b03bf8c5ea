//! Many consoles at once: `lava watch` and `lava broadcast`.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::common::{
    Client, Daemon, Heard, LIMIT, Process, Terminal, TestLab, WebSocket, run, wait_until,
};

/// Boards that say `name> ` and back each line.
fn rack(lab: &TestLab, names: &[&str]) -> (String, Daemon) {
    let capture = lab.path("capture");
    let consoles = names.iter().map(|name| {
        let board = format!(
            "#!/bin/sh\nstty -echo\nprintf '{name}> '\nwhile IFS= read -r line; do \
             printf '\\033[1mgot %s\\033[0m\\r\\n{name}> ' \"$line\"; done\n"
        );
        let board = lab.write(&format!("{name}.sh"), &board);
        format!("[[console]]\nname = \"{name}\"\nport = \"exec:/bin/sh {board}\"\n")
    });
    let consoles: String = consoles.collect();
    let config = lab.write(
        "serial.toml",
        &format!("[http]\nlisten = \"127.0.0.1:0\"\n[capture]\ndir = {capture:?}\n{consoles}"),
    );
    let serial = lab.start("lava-serial", ["--config", &config]);
    for name in names {
        let heard = WebSocket::attach(serial.address("http"), name, "from=0");
        heard.heard().find(LIMIT, 0, b"> ").unwrap();
    }
    (config, serial)
}

fn type_at(serial: &Daemon, board: &str, text: &str) {
    let path = format!("/consoles/{board}/send");
    let body = json!({"text": text, "user": "bob"}).to_string();
    let answer = crate::common::http(serial.address("http"), "POST", &path, &body);
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn many_boards_are_watched_in_one_terminal_and_through_a_restart() {
    let lab = TestLab::new();
    let (config, mut serial) = rack(&lab, &["rack1", "rack2"]);
    let mut watch = lab.program("lava");
    let mut watch = Client::in_terminal(watch.args(["watch", "rack*"]));
    let attached = |serial: &Daemon| {
        let list = crate::common::http(serial.address("http"), "GET", "/consoles", "").text();
        list.matches("\"mode\":\"spy\"").count() == 2
    };
    wait_until(LIMIT, "both are watched", || attached(&serial));
    type_at(&serial, "rack2", "one\n");
    // On a terminal the names are in colour; what the board prints is not.
    watch.expect("\x1b[32mrack2\x1b[m | got one\r\n");
    watch.expect("\x1b[32mrack2\x1b[m | rack2> \r\n");
    type_at(&serial, "rack1", "two\n");
    watch.expect("\x1b[36mrack1\x1b[m | got two\r\n");
    // The line that was shown as a prompt goes on.
    type_at(&serial, "rack2", "three\n");
    watch.expect("\x1b[32mrack2\x1b[m : got three\r\n");

    serial.kill();
    watch.expect("rack1\x1b[m * [lost: ");
    serial = lab.start("lava-serial", ["--config", &config]);
    watch.expect("* [back]\r\n");
    wait_until(LIMIT, "both are watched again", || attached(&serial));
    type_at(&serial, "rack1", "four\n");
    watch.expect("got four\r\n");
    watch.type_text("\x03");
    watch.process().wait(LIMIT);
}

#[test]
fn a_program_reads_what_is_watched_line_by_line() {
    let lab = TestLab::new();
    let (_, serial) = rack(&lab, &["rack1", "rack2"]);
    let start = |args: &[&str]| {
        let mut command = lab.program("lava");
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = Process::spawn(&mut command);
        let heard = Heard::from(process.child().stdout.take().unwrap());
        (process, heard)
    };
    let (_process, lines) = start(&["watch", "rack*", "--json", "--events"]);
    let (_other, plain) = start(&["watch", "rack1", "--timestamps"]);
    wait_until(LIMIT, "they watch", || {
        let list = crate::common::http(serial.address("http"), "GET", "/consoles", "").text();
        list.matches("\"mode\":\"spy\"").count() == 3
    });
    type_at(&serial, "rack1", "hello\n");
    crate::common::http(
        serial.address("http"),
        "POST",
        "/consoles/rack2/message",
        r#"{"text":"hi","user":"bob"}"#,
    );
    wait_until(LIMIT, "all of it is told", || {
        lines.text().contains("rack1> ") && lines.text().contains("(user:bob) hi")
    });
    let rows: Vec<Value> =
        lines.text().lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let line = rows.iter().find(|row| row["text"] == "got hello").unwrap();
    assert_eq!((&line["board"], &line["continues"]), (&json!("rack1"), &json!(false)));
    let event = rows.iter().find(|row| row["event"] == "(user:bob) hi").unwrap();
    assert_eq!((&event["board"], event.get("text")), (&json!("rack2"), None));
    wait_until(LIMIT, "it has its time", || {
        plain
            .text()
            .lines()
            .any(|line| line.starts_with("20") && line.ends_with("Z rack1 | got hello"))
    });
}

#[test]
fn what_cannot_be_watched_is_an_answer_at_once_or_waited_for() {
    let lab = TestLab::new();
    let (_, serial) = rack(&lab, &["rack1"]);
    let http = serial.address("http");
    let inventory = lab.write(
        "lab.toml",
        &format!(
            "[[board]]\nname = \"rack1\"\nconsole = \"http://{http}/consoles/rack1\"\n\
             [[board]]\nname = \"gone\"\nconsole = \"http://127.0.0.1:1/consoles/gone\"\n"
        ),
    );
    let mut none = lab.program("lava");
    let none = run(none.args(["watch", "--lab", &inventory, "gone"]), "", LIMIT);
    let stderr = String::from_utf8(none.stderr).unwrap();
    assert_eq!(none.status.code(), Some(3), "{stderr}");
    assert!(stderr.starts_with("cannot connect to http://127.0.0.1:1"), "{stderr}");
    let mut watch = lab.program("lava");
    let mut watch = Client::in_pipes(watch.args(["watch", "--lab", &inventory, "*"]));
    watch.expect("gone  * [cannot connect to http://127.0.0.1:1");
    type_at(&serial, "rack1", "x\n");
    watch.expect("rack1 | got x\n");
}

#[test]
fn keys_go_to_all_boards_that_take_them_and_the_others_are_named() {
    let lab = TestLab::new();
    let (_, serial) = rack(&lab, &["rack1", "rack2", "rack3"]);
    let [one, two, held] = ["rack1", "rack2", "rack3"]
        .map(|board| WebSocket::attach(serial.address("http"), board, "user=watcher&mode=spy"));
    let job = WebSocket::attach(serial.address("http"), "rack3", "user=job:7&mode=exclusive");
    job.expect_message("the hello", |m| m["mode"] == "exclusive");
    let mut broadcast = lab.program("lava");
    broadcast.args(["broadcast", "rack*"]).env("LAVA_USER", "alice");
    let mut alice = Client::in_terminal(&mut broadcast);
    let before = Terminal::new().settings();
    alice.expect("[typing at rack1, rack2, rack3 (~$quit to exit)]\r\n");
    alice.expect("[rack3: read-only: job:7 has the console]\r\n");
    for client in [&one, &two] {
        client.expect_message("she is there", |m| m["kind"] == "attach" && m["who"] == "alice");
    }
    alice.type_text("versionx\x7f\n");
    alice.expect("versionx\x08 \x08\r\n");
    alice.type_text("uname\n");
    for client in [&one, &two] {
        client.heard().find(LIMIT, 0, b"got version").unwrap();
        client.heard().find(LIMIT, 0, b"got uname").unwrap();
    }
    assert!(!held.heard().text().contains("got"), "{}", held.heard().text());
    alice.type_text("~$who\r");
    alice.expect("[rack1: rw]\r\n[rack2: rw]\r\n[rack3: spy]\r\n");
    alice.type_text("~$break\r");
    alice.expect("[rack1: break: the port is a program on a pty");
    alice.type_text("~$force\r");
    job.expect_message("the job is told", |m| m["type"] == "mode" && m["by"] == "alice");
    alice.expect("[rack3: you may type]\r\n");
    alice.type_text("now\n");
    held.heard().find(LIMIT, 0, b"got now").unwrap();
    alice.type_text("~$hardreset\r");
    alice.expect("[that is for one board: lava-console has it]\r\n");
    alice.type_text("~$quit\r");
    assert_ne!(alice.process().wait(LIMIT).code(), None);
    alice.terminal().resize(24, 80);
    assert_ne!(before, "", "the terminal is as it was");
    assert_eq!(alice.terminal().settings(), before);
}

#[test]
fn a_script_is_typed_at_many_boards_and_the_exit_code_says_whether_all_took_it() {
    let lab = TestLab::new();
    let (_, serial) = rack(&lab, &["rack1", "rack2"]);
    let heard = ["rack1", "rack2"]
        .map(|board| WebSocket::attach(serial.address("http"), board, "user=watcher&mode=spy"));
    let script = |boards: &[&str]| {
        let mut broadcast = lab.program("lava");
        let output = run(broadcast.arg("broadcast").args(boards), "one\ntwo\n", LIMIT);
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, stderr) = script(&["rack1", "rack2"]);
    assert_eq!((code, stderr.as_str()), (0, "[typing at rack1, rack2]\n"));
    for client in &heard {
        client.heard().find(LIMIT, 0, b"got one").unwrap();
        client.heard().find(LIMIT, 0, b"got two").unwrap();
    }
    let job = WebSocket::attach(serial.address("http"), "rack2", "user=job:7&mode=exclusive");
    job.expect_message("the hello", |m| m["mode"] == "exclusive");
    let (code, stderr) = script(&["rack*"]);
    assert_eq!(code, 4, "{stderr}");
    assert!(stderr.contains("[rack2: read-only: job:7 has the console]\n"), "{stderr}");
}
