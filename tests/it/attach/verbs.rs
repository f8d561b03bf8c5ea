//! The verbs of `lava` at consoles: `who`, `msg`, `break`, `line`, `force`, `kick`, `send`, `close`.

use serde_json::{Value, json};

use super::{attach, one, status, wait_for_events};
use crate::common::{Client, Daemon, LIMIT, TestLab, WebSocket, http, wait_until};

/// Runs `lava` as alice: its exit code, standard output and standard error.
#[track_caller]
fn lava(lab: &TestLab, args: &[&str], input: &str) -> (i32, String, String) {
    let mut lava = lab.program("lava");
    lava.args(args).env("LAVA_USER", "alice");
    let output = crate::common::run(&mut lava, input, LIMIT);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// Three boards whose lines are looped, and one that is a program.
fn rack(lab: &TestLab) -> Daemon {
    let capture = lab.path("capture");
    let console = |name: &str, port: &str| {
        format!("[[console]]\nname = {name:?}\nport = {port:?}\ntelnet = \"127.0.0.1:0\"\n")
    };
    let boards = ["rack1", "rack2", "rack3"].map(|name| console(name, "sim:uart")).concat();
    let config = lab.write(
        "serial.toml",
        &format!(
            "[http]\nlisten = \"127.0.0.1:0\"\n[capture]\ndir = {capture:?}\n\
             [break]\nsysrq-b = '\\z(10)b'\n{boards}{}",
            console("shelf", "exec:cat")
        ),
    );
    lab.start("lava-serial", ["--config", &config])
}

fn at(serial: &Daemon, board: &str, query: &str) -> WebSocket {
    let client = WebSocket::attach(serial.address("http"), board, query);
    client.expect_message("the hello", |m| m["type"] == "hello");
    client
}

#[test]
fn who_is_where_and_everybody_can_be_told_something() {
    let lab = TestLab::new();
    let serial = rack(&lab);
    assert_eq!(lava(&lab, &["who"], "").1, "nobody is attached\n");
    let bob = at(&serial, "rack1", "user=bob");
    let job = at(&serial, "rack2", "user=job:7&mode=exclusive&stay=true");
    let (code, listed, _) = lava(&lab, &["who", "rack*"], "");
    assert_eq!(code, 0);
    let line = |board: &str| listed.lines().find(|line| line.starts_with(board)).unwrap();
    assert!(line("BOARD").contains("USER") && line("rack1").contains(" bob "), "{listed}");
    assert!(line("rack2").contains(" job:7  exclusive*  websocket"), "{listed}");
    let rows: Vec<Value> = lava(&lab, &["who", "--json"], "")
        .1
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let seen: Vec<_> =
        rows.iter().map(|row| (&row["board"], &row["user"], &row["holds"])).collect();
    let expected = (&json!("rack2"), &json!("job:7"), &json!(true));
    assert_eq!((seen.len(), seen[1]), (2, expected));

    assert_eq!(lava(&lab, &["msg", "rack1", "rack[2-3]", "going down"], "").0, 0);
    for client in [&bob, &job] {
        let told = client.expect_message("the message", |m| m["kind"] == "message");
        assert_eq!((&told["who"], &told["text"]), (&json!("alice"), &json!("going down")));
    }
    assert_eq!(lava(&lab, &["msg", "--note", "rack1", "by the way"], "").0, 0);
    let events = http(serial.address("http"), "GET", "/consoles/rack1/events", "").text();
    assert!(events.contains("by the way"), "{events}");

    let (code, _, stderr) = lava(&lab, &["who", "shelve*"], "");
    assert_eq!(code, 2);
    assert!(stderr.starts_with("no board matches \"shelve*\""), "{stderr}");
    let (code, _, stderr) = lava(&lab, &["msg", "rak1", "x"], "");
    assert_eq!(code, 2);
    assert!(stderr.contains("did you mean \"rack1\"?"), "{stderr}");
}

#[test]
fn a_line_is_shown_and_set_by_name_or_by_pattern() {
    let lab = TestLab::new();
    let _serial = rack(&lab);
    let (code, shown, stderr) = lava(&lab, &["line", "rack*", "9600e7", "rtscts"], "");
    assert_eq!(code, 0, "{stderr}");
    let wires =
        "CTS on, DSR on, RI off, CD on; overruns 0, parity errors 0, framing errors 0, breaks 0";
    assert!(shown.contains(&format!("rack2: 9600e7 rtscts, DTR on, RTS on; {wires}\n")), "{shown}");
    let (_, shown, _) = lava(&lab, &["line", "rack1", "--rts", "off"], "");
    assert!(shown.starts_with("rack1: 9600e7 rtscts, DTR on, RTS off; CTS off"), "{shown}");
    let (_, shown, _) = lava(&lab, &["line", "shelf", "300", "--json"], "");
    let row: Value = serde_json::from_str(&shown).unwrap();
    let expected = (&json!("shelf"), &json!(300), &json!(true), &json!(null));
    assert_eq!((&row["board"], &row["baud"], &row["remembered"], &row["inputs"]), expected);
    let (code, _, stderr) = lava(&lab, &["line", "rack1", "fast"], "");
    assert_eq!((code, stderr.contains("\"fast\" is not understood")), (2, true), "{stderr}");
    let (code, _, stderr) = lava(&lab, &["line", "rack1", "--pulse", "5"], "");
    assert_eq!((code, stderr.contains("one of dtr or rts")), (2, true), "{stderr}");
}

#[test]
fn breaks_are_sent_and_each_board_that_cannot_is_named() {
    let lab = TestLab::new();
    let serial = rack(&lab);
    let bob = at(&serial, "rack1", "user=bob");
    assert_eq!(lava(&lab, &["break", "rack1", "--sequence", "sysrq-b"], "").0, 0);
    bob.heard().find(LIMIT, 0, b"b").unwrap();
    assert_eq!(lava(&lab, &["break", "rack1", "--list"], "").1, "rack1  sysrq-b       \\z(10)b\n");
    let (code, _, stderr) = lava(&lab, &["break", "rack1", "shelf", "--ms", "5"], "");
    assert_eq!(code, 1);
    assert!(stderr.starts_with("shelf: the port is a program on a pty, which carries no break"));
    assert!(!stderr.contains("rack1"), "{stderr}");
}

#[test]
fn the_lock_is_taken_away_given_to_somebody_and_sessions_are_let_go() {
    let lab = TestLab::new();
    let serial = one(&lab, "exec:cat", "");
    let job = attach(&serial, "user=job:7&mode=exclusive");
    let mut telnet = Client::telnet(serial.address("telnet"));
    telnet.expect("Escape character");
    let (code, _, stderr) = lava(&lab, &["send", "panda01", "reboot"], "");
    assert_eq!(code, 4, "{stderr}");
    let told = "panda01: read-only: job:7 has the console\n  hint: lava release BOARD --force --reason TEXT takes it away";
    assert!(stderr.starts_with(told), "{stderr}");

    let row = |via: &str| {
        let sessions = status(&serial)["sessions"].as_array().unwrap().clone();
        let row = sessions.into_iter().find(|row| row["via"] == via).unwrap();
        row["session"].to_string()
    };
    assert_eq!(lava(&lab, &["force", "panda01", "--session", &row("telnet")], "").0, 0);
    job.expect_message("the job is told", |m| m["type"] == "mode" && m["mode"] == "spy");
    telnet.type_text("mine\n");
    telnet.expect("mine");
    let (code, _, stderr) = lava(&lab, &["release", "panda01"], "");
    assert!(code == 4 && stderr.contains("has the console"), "{stderr}");
    assert_eq!(lava(&lab, &["release", "panda01", "--force", "--reason", "lunch"], "").0, 0);
    job.expect_message("the job has it again", |m| m["type"] == "mode" && m["mode"] == "exclusive");

    let (code, gone, _) = lava(&lab, &["kick", "panda01", "job:7", &row("telnet")], "");
    assert_eq!(code, 0);
    assert!(gone.starts_with("job:7 (websocket from "), "{gone}");
    telnet.expect("[alice let you go]");
    let (code, _, stderr) = lava(&lab, &["kick", "panda01", "job:8"], "");
    assert_eq!(code, 2);
    assert!(stderr.starts_with("\"job:8\" is not on this console"), "{stderr}");
}

#[test]
fn a_text_is_typed_at_many_boards_and_a_file_at_one_with_certainty() {
    let lab = TestLab::new();
    let serial = rack(&lab);
    let [one, two] = ["rack1", "rack2"].map(|board| at(&serial, board, "user=bob&mode=spy"));
    assert_eq!(lava(&lab, &["send", "rack1", "rack2", r"re\x62oot ^C"], "").0, 0);
    for client in [&one, &two] {
        client.heard().find(LIMIT, 0, b"reboot \x03\r").unwrap();
    }
    assert_eq!(lava(&lab, &["send", "-n", "rack1", r"\z(5)\d(5)x"], "").0, 0);
    let breaks = http(serial.address("http"), "GET", "/consoles/rack1/events", "").text();
    assert!(breaks.contains("\"kind\":\"break\",\"ms\":5"), "{breaks}");

    let file: Vec<u8> = (0..100_000_u32).map(|n| ((n * 7919) >> 8) as u8).collect();
    std::fs::write(lab.path("boot.bin"), &file).unwrap();
    let path = lab.path("boot.bin").display().to_string();
    let (code, told, stderr) = lava(&lab, &["send", "rack2", "--file", &path], "");
    assert_eq!((code, told.as_str()), (0, "rack2: 100000 bytes are sent\n"), "{stderr}");
    two.heard().find(LIMIT, 0, &file).unwrap();
    let told = two.expect_message("it is announced", |m| m["kind"] == "send-file");
    assert_eq!((&told["who"], &told["file"]), (&json!("alice"), &json!("boot.bin")));
    let (code, told, _) = lava(&lab, &["send", "rack1", "--file", "-", "--pace", "1ms"], "piped");
    assert_eq!((code, told.as_str()), (0, "rack1: 5 bytes are sent\n"));
    one.heard().find(LIMIT, 0, b"piped").unwrap();

    for (args, message) in [
        (&["send", "rack1"][..], "the text is missing"),
        (&["send", "rack1", "\\q"], "\\q is none of"),
        (&["send", "rack1", "--file", "/nowhere"], "rack1: /nowhere: No such file"),
        (&["send", "rack1", "x", "--pace", "soon"], "is no pace"),
    ] {
        let (code, _, stderr) = lava(&lab, args, "");
        assert_eq!((code, stderr.contains(message)), (2, true), "{stderr}");
    }
}

#[test]
fn a_file_ends_where_somebody_takes_the_console_and_how_much_was_sent_is_told() {
    let lab = TestLab::new();
    let serial = one(&lab, "sim:uart", "");
    let bob = attach(&serial, "user=bob");
    std::fs::write(lab.path("slow"), vec![b'a'; 1000]).unwrap();
    let path = lab.path("slow").display().to_string();
    let mut command = lab.program("lava");
    command.args(["send", "panda01", "--file", &path, "--pace", "20ms"]).env("LAVA_USER", "alice");
    let sending = std::thread::spawn(move || crate::common::run(&mut command, "", LIMIT));
    bob.heard().find(LIMIT, 0, b"aaa").unwrap();
    bob.ask(r#"{"id":1,"request":"force"}"#);
    let output = sending.join().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    bob.type_text("B");
    bob.heard().find(LIMIT, 0, b"B").unwrap();
    let got = bob.heard().text().matches('a').count();
    let told: usize = stderr
        .strip_prefix("panda01: ")
        .and_then(|rest| rest.split(' ').next())
        .and_then(|count| count.parse().ok())
        .unwrap_or_else(|| panic!("{stderr}"));
    assert_eq!(told, got, "{stderr}");
    assert!(stderr.contains("read-only: bob has the console"), "{stderr}");
}

#[test]
fn a_port_is_closed_for_another_program_and_opened_again() {
    let lab = TestLab::new();
    let serial = one(&lab, "exec:cat", "");
    let bob = attach(&serial, "user=bob");
    assert_eq!(lava(&lab, &["close", "panda01"], "").0, 0);
    wait_for_events(&serial, "port-down", 1);
    wait_until(LIMIT, "it is closed", || status(&serial)["state"] == "closed");
    let (code, _, stderr) = lava(&lab, &["close", "panda01"], "");
    assert_eq!((code, stderr.contains("already closed")), (1, true), "{stderr}");
    assert_eq!(lava(&lab, &["open", "panda01"], "").0, 0);
    wait_until(LIMIT, "it is open", || status(&serial)["state"] == "open");
    bob.type_text("back\n");
    bob.heard().find(LIMIT, 0, b"back").unwrap();
}
