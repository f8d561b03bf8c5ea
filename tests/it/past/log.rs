//! `lava log`: the past of one board or of all, as text, lines, JSON or a recording.

use std::process::Output;

use serde_json::Value;

use super::{BEGIN_US, record, serial};
use crate::common::{Client, Daemon, LIMIT, TestLab, http, run, wait_until};

#[track_caller]
fn lava(lab: &TestLab, args: &[&str]) -> String {
    let output = run(lab.program("lava").arg("log").args(args).env("TZ", "UTC"), "", LIMIT);
    assert!(output.status.success(), "{args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// `2026-…`, so many milliseconds after the first byte of a record.
fn time(ms: u64) -> String {
    lavamux::model::units::time_text(BEGIN_US + ms * 1000)
}

fn numbered(lines: std::ops::Range<usize>) -> Vec<Vec<u8>> {
    lines.map(|n| format!("line {n}\r\n").into_bytes()).collect()
}

/// Types a line at a board, which says it back, and waits until it has.
fn type_line(lab: &TestLab, serial: &Daemon, console: &str, user: &str, text: &str) {
    let mut typing = lab.program("lava-console");
    typing.args([console, "--linger", "100ms"]).env("LAVA_USER", user);
    let typed = run(&mut typing, &format!("{text}\n"), LIMIT);
    assert!(typed.status.success(), "{typed:?}");
    wait_until(LIMIT, "the board has said it", || {
        let path = format!("/consoles/{console}/history");
        http(serial.address("http"), "GET", &path, "").text().contains(&format!("{text}\n"))
    });
}

#[test]
fn a_range_of_the_past_is_printed_as_it_came_or_as_lines_with_their_times() {
    let lab = TestLab::new();
    let log = numbered(0..1000);
    record(&lab, "panda01", log.iter().map(Vec::as_slice));
    let _serial = serial(&lab, &["panda01"]);
    let some = |range: std::ops::Range<usize>| String::from_utf8(log[range].concat()).unwrap();
    let (from, to) = (time(300), time(310));
    let range = ["panda01", "--since", &from, "--until", &to];
    assert_eq!(lava(&lab, &range), some(300..310));
    assert_eq!(lava(&lab, &["panda01", "--until", &to, "--last", "3"]), some(307..310));
    assert_eq!(
        lava(&lab, &["panda01", "--since", &from, "--until", &to, "--last", "99"]),
        some(300..310)
    );
    assert_eq!(lava(&lab, &["panda01", "--last", "2"]), some(998..1000));
    assert_eq!(lava(&lab, &["panda01", "--since", "10m"]), "");
    let timed = lava(&lab, &["panda01", "--since", &from, "--until", &to, "--timestamps"]);
    let expected =
        (300..310).map(|n| format!("{}+00:00  line {n}\n", time(n).trim_end_matches('Z')));
    assert_eq!(timed, expected.collect::<String>());
    let json = lava(&lab, &["panda01", "--since", &from, "--until", &to, "--json"]);
    let first: Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    let offset: usize = log[..300].iter().map(Vec::len).sum();
    assert_eq!((&first["offset"], &first["line"]), (&offset.into(), &"line 300".into()));
    assert_eq!(first["time_us"], BEGIN_US + 300_000);
    let wrong = lab.run("lava", ["log", "panda01", "--since", "soon"], "");
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("is no point in time"), "{wrong:?}");
}

#[test]
fn lines_of_all_boards_are_found_with_their_board_and_time() {
    let lab = TestLab::new();
    for (console, rare) in [("panda01", 77), ("panda02", 500), ("panda03", 5000)] {
        let mut log = numbered(0..1000);
        if let Some(line) = log.get_mut(rare) {
            *line = b"Internal error: Oops: 96000004\r\n".to_vec();
        }
        record(&lab, console, log.iter().map(Vec::as_slice));
    }
    let _serial = serial(&lab, &["panda01", "panda02", "panda03"]);
    let zone = |ms| time(ms).replace('Z', "+00:00");
    let both = format!(
        "panda01  {}  Internal error: Oops: 96000004\npanda02  {}  Internal error: Oops: 96000004\n",
        zone(77),
        zone(500)
    );
    assert_eq!(lava(&lab, &["--all", "--grep", "Oops"]), both);
    assert_eq!(lava(&lab, &["--all", "--grep", "oOPS:", "-i"]), both);
    assert_eq!(
        lava(&lab, &["--all", "--grep", "Oops", "--since", &time(100)]),
        both[both.find("panda02").unwrap()..]
    );
    assert_eq!(lava(&lab, &["--all", "--grep", "Oops", "--since", "7d"]), "");
    assert_eq!(
        lava(&lab, &["panda02", "--grep", "^Internal.*4$"]),
        "Internal error: Oops: 96000004\n"
    );
    assert_eq!(
        lava(&lab, &["panda02", "--grep", "^line 99.$", "--last", "2"]),
        "line 998\nline 999\n"
    );
    assert_eq!(
        lava(&lab, &["panda02", "--grep", "Oops|line 50[26]", "-C", "1"]),
        "line 499\nInternal error: Oops: 96000004\nline 501\nline 502\nline 503\n--\nline 505\nline 506\nline 507\n"
    );
    let found: Value =
        serde_json::from_str(&lava(&lab, &["panda01", "--grep", "Oops", "--json"])).unwrap();
    assert_eq!(
        (&found["console"], &found["time_us"]),
        (&"panda01".into(), &(BEGIN_US + 77_000).into())
    );
    let output: Output = lab.run("lava", ["log", "--all", "--grep", "a(b"], "");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("unclosed group"), "{output:?}");
}

#[test]
fn who_typed_at_a_line_is_shown_or_chosen() {
    let lab = TestLab::new();
    let serial = serial(&lab, &["panda01"]);
    type_line(&lab, &serial, "panda01", "alice", "from-alice");
    type_line(&lab, &serial, "panda01", "bob", "from-bob");
    let all = lava(&lab, &["panda01", "--who"]);
    assert!(all.contains("alice  from-alice\n"), "{all}");
    assert!(all.contains("bob  from-bob\n"), "{all}");
    let bobs = lava(&lab, &["panda01", "--who=bob"]);
    assert!(bobs.contains("bob  from-bob\n") && !bobs.contains("alice"), "{bobs}");
    let events = lava(&lab, &["panda01", "--events", "--who=alice", "--json"]);
    let kinds: Vec<String> = events
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|event| {
            assert_eq!(event["who"], "alice");
            event["kind"].as_str().unwrap().to_owned()
        })
        .collect();
    assert!(
        kinds.contains(&"attach".to_owned()) && kinds.contains(&"input".to_owned()),
        "{kinds:?}"
    );
    let typed = lava(&lab, &["panda01", "--events", "--who"]);
    assert!(typed.lines().all(|line| line.contains("  input text=")), "{typed}");
}

#[test]
fn a_log_is_followed_across_a_restart_of_the_daemon() {
    let lab = TestLab::new();
    let mut daemon = serial(&lab, &["panda01"]);
    type_line(&lab, &daemon, "panda01", "alice", "first Oops");
    type_line(&lab, &daemon, "panda01", "carol", "hello");
    let mut bytes = Client::in_pipes(lab.program("lava").args(["log", "panda01", "-f"]));
    let mut lines =
        Client::in_pipes(lab.program("lava").args(["log", "panda01", "-f", "--grep", "Oops$"]));
    let mut events = Client::in_pipes(lab.program("lava").args([
        "log",
        "panda01",
        "-f",
        "--events",
        "--who=carol",
    ]));
    bytes.expect("first Oops\n");
    lines.expect("first Oops\n");
    // It has begun to follow when it has shown what there was.
    events.expect("carol  input text=\"hello");
    daemon.kill();
    daemon = serial(&lab, &["panda01"]);
    type_line(&lab, &daemon, "panda01", "carol", "second Oops");
    type_line(&lab, &daemon, "panda01", "carol", "nothing");
    type_line(&lab, &daemon, "panda01", "carol", "third Oops");
    bytes.expect("second Oops\nnothing\nthird Oops\n");
    lines.expect("second Oops\nthird Oops\n");
    assert!(!lines.heard().text().contains("nothing"), "{}", lines.heard().text());
    assert_eq!(lines.heard().text().matches("first Oops").count(), 1);
    events.expect("carol  attach mode=\"rw\"");
    events.expect("carol  input text=\"third Oops");
}

#[test]
fn a_recording_plays_what_was_printed_when_it_was() {
    let lab = TestLab::new();
    record(&lab, "panda01", [&b"U-Boot 2023.01 \xc3"[..], b"\xa9\r\n", b"=> "]);
    let _serial = serial(&lab, &["panda01"]);
    let cast = lava(&lab, &["panda01", "--asciicast"]);
    let mut lines = cast.lines();
    let header: Value = serde_json::from_str(lines.next().unwrap()).unwrap();
    assert_eq!((&header["version"], &header["title"]), (&3.into(), &"panda01".into()));
    assert_eq!(header["timestamp"], BEGIN_US / 1_000_000);
    let events: Vec<(f64, String, String)> =
        lines.map(|line| serde_json::from_str(line).unwrap()).collect();
    let expected = [(0.0, "U-Boot 2023.01 "), (0.001, "\u{e9}\r\n"), (0.001, "=> ")];
    for (event, (interval, text)) in events.iter().zip(expected) {
        assert_eq!(event, &(interval, "o".to_owned(), text.to_owned()));
    }
    assert_eq!(events.len(), 3);
}

#[test]
fn on_a_terminal_a_log_draws_nothing_and_asks_nothing() {
    let lab = TestLab::new();
    record(
        &lab,
        "panda01",
        [&b"\x1b[31mred\x1b[0m\x1b[6n\x07 alert\r\n"[..], b"\x1b[2Jcleared\r\n"],
    );
    let _serial = serial(&lab, &["panda01"]);
    let shown = |args: &[&str]| {
        let mut log = Client::in_terminal(lab.program("lava").args(["log", "panda01"]).args(args));
        log.process().wait(LIMIT);
        log.expect("cleared");
        wait_until(LIMIT, "all of it is heard", || log.heard().text().contains("cleared\r"));
        // The terminal adds what its driver does at the end of a line.
        log.heard().text().replace("\r\r\n", "\r\n")
    };
    // The bytes are the console's, but no question of it is put to this terminal.
    assert!(shown(&[]).starts_with("\x1b[31mred\x1b[0m\x07 alert\r\n\x1b[2Jcleared\r\n"));
    let lines = shown(&["--timestamps"]);
    assert!(lines.contains("  red^G alert\r\n") && !lines.contains('\x1b'), "{lines:?}");
    assert_eq!(shown(&["--grep", "r"]), "red^G alert\r\ncleared\r\n");
}

#[test]
fn a_log_that_nobody_reads_any_more_ends() {
    let lab = TestLab::new();
    let log = numbered(0..50_000);
    record(&lab, "panda01", log.iter().map(Vec::as_slice));
    let _serial = serial(&lab, &["panda01"]);
    let lava = env!("CARGO_BIN_EXE_lava");
    for args in ["", "--timestamps", "--grep line", "--follow"] {
        let script = format!("{{ {lava} log panda01 {args}; echo $? >&2; }} | head -n 1");
        let output = run(lab.tool("sh").args(["-c", &script]), "", LIMIT);
        let (out, err) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(out.trim_end().ends_with("line 0"), "{args}: {out}");
        assert_eq!(err, "0\n", "{args}");
    }
}
