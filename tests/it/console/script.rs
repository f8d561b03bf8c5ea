//! Scripts at a console: commands with their output and status, expecting, files, times, JSON.

use std::process::Stdio;

use serde_json::Value;

use super::{Board, FLOOD};
use crate::common::{Client, Heard, LIMIT, Process, run, wait_until};

/// A POSIX shell on a terminal, as a board has one.
const SHELL: &str = "#!/bin/sh\nstty sane\nexec env PS1='board# ' sh -i\n";

/// [`super::ECHO`] for those who type Enter as people do.
const LINES: &str = "#!/bin/sh\nstty icrnl\nprintf 'board ready\\r\\n=> '\n\
    while IFS= read -r line; do printf 'echo:%s\\r\\n=> ' \"$line\"; done\n";

fn shell() -> Board {
    let board = Board::start(SHELL);
    wait_until(LIMIT, "the shell is there", || board.captured().ends_with(b"board# "));
    board
}

#[test]
fn a_command_gives_its_output_and_its_status_and_nothing_else() {
    let board = shell();
    for (command, output, status) in [
        ("uname", "Linux\n", 0),
        ("printf 'no line end'", "no line end", 0),
        ("true", "", 0),
        ("echo one; echo two >&2; sh -c 'exit 7'", "one\ntwo\n", 7),
        ("nosuchprogram 2>/dev/null", "", 127),
        ("seq 3 # numbers", "1\n2\n3\n", 0),
        ("for n in 1 2\ndo\necho \"<$n>\"\ndone", "<1>\n<2>\n", 0),
        ("printf 'a\\r\\nboard# \\nb\\n'", "a\r\nboard# \nb\n", 0),
    ] {
        let (code, stdout, stderr) = board.script(&["--exec", command], "not read\n");
        assert_eq!((code, stdout.as_str(), stderr.as_str()), (status, output, ""), "{command}");
    }
    // They are typed at one shell, and the first that fails is the last.
    let args = [
        "--exec",
        "cd /proc; X=5",
        "--exec",
        "echo $X; pwd",
        "--exec",
        "false",
        "--exec",
        "echo no",
    ];
    let (code, stdout, stderr) = board.script(&args, "");
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (1, "5\n/proc\n", ""));
    assert!(!String::from_utf8(board.captured()).unwrap().contains("not read"));
}

#[test]
fn a_command_that_does_not_end_is_interrupted_and_the_next_one_finds_a_prompt() {
    let board = shell();
    for command in ["sleep 1000", "echo 'open"] {
        let (code, stdout, stderr) = board.script(&["--timeout", "500ms", "--exec", command], "");
        assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
        assert!(stderr.starts_with(&format!("--exec {command:?}: not within 500ms; ")), "{stderr}");
        let (code, stdout, stderr) = board.script(&["--exec", "echo again"], "");
        assert_eq!((code, stdout.as_str()), (0, "again\n"), "{stderr}");
    }
}

#[test]
fn a_line_that_somebody_has_half_typed_is_not_carried_out() {
    let board = shell();
    let mut alice = board.person("alice", &[]);
    alice.type_text("touch half-typed");
    wait_until(LIMIT, "it is echoed", || board.captured().ends_with(b"touch half-typed"));
    let (code, stdout, stderr) = board.script(&["--exec", "ls half-typed 2>/dev/null"], "");
    assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
}

#[test]
fn a_command_is_not_typed_at_a_login_nor_by_a_spy() {
    let board =
        Board::start("#!/bin/sh\nstty sane\nwhile printf 'panda login: '; do read -r line; done\n");
    wait_until(LIMIT, "it is there", || board.captured().ends_with(b"login: "));
    let before = board.captured();
    let (code, _, stderr) = board.script(&["--exec", "reboot"], "");
    assert_eq!(code, 1, "{stderr}");
    assert_eq!(stderr, "--exec \"reboot\": it asks for a login: \"panda login: \"\n");
    let (code, _, stderr) = board.script(&["--spy", "--send-line", "reboot"], "");
    assert_eq!(code, 4, "{stderr}");
    assert!(stderr.contains("[read-only: attached as a spy"), "{stderr}");
    assert_eq!(board.captured(), before);
}

#[test]
fn what_is_waited_for_is_found_over_the_borders_of_pieces_or_not_in_time() {
    let board = Board::start(LINES);
    board.wait_for_ready_board();
    let args = ["--send-line", "hello world", "--expect", "wor.d\n", "--expect", "^=> $"];
    let (code, stdout, stderr) = board.script(&["--timeout", "100ms", "--expect", "never"], "");
    assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
    assert!(stderr.starts_with("--expect \"never\": not within 100ms; "), "{stderr}");
    let (code, stdout, stderr) =
        board.script(&args.map(|arg| if arg == "wor.d\n" { "wor.d" } else { arg }), "");
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert!(stdout.ends_with("echo:hello world\r\n=> "), "{stdout:?}");
    // From now on, or from a point in the past.
    let since = ["--since", "0", "--timeout", "10s", "--expect", "board rea"];
    let (code, stdout, stderr) = board.script(&since, "");
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (0, "board rea", ""));
    let (code, ..) = board.script(&["--timeout", "100ms", "--expect", "board ready"], "");
    assert_eq!(code, 1);
    let (code, _, stderr) = board.script(&["--expect", "("], "");
    assert_eq!(code, 2);
    assert!(stderr.contains("no regular expression: unclosed group"), "{stderr}");
}

#[test]
fn a_console_that_is_lost_is_the_labs_fault() {
    let mut board = Board::start(LINES);
    let args = ["--timeout", "100ms", "--do", "close", "--expect", "never"];
    let (code, _, stderr) = board.script(&args, "");
    assert_eq!(code, 3, "{stderr}");
    assert!(stderr.contains("the port is not open: "), "{stderr}");
    let mut console = board.console("robot", &["--timeout", "60s", "--expect", "never"]);
    let robot = std::thread::spawn(move || run(&mut console, "", LIMIT));
    let events = || {
        let http = board.serial.address("http");
        crate::common::http(http, "GET", "/consoles/panda01", "").text().contains("robot")
    };
    wait_until(LIMIT, "it is attached", events);
    board.serial.kill();
    let output = robot.join().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    let told = "--expect \"never\": the console's daemon is away for 10s\n";
    assert!(stderr.ends_with(told), "{stderr}");
}

#[test]
fn a_new_record_is_heard_and_logged_from_its_begin() {
    let mut board = Board::start(LINES);
    board.wait_for_ready_board();
    // The old record is longer than what comes of the new one.
    board.script(&["--send-line", &"x".repeat(500), "--expect", "echo:x"], "");
    let log = board.lab.path("own.log");
    let args = ["--log", log.to_str().unwrap(), "--timeout", "60s", "--expect", "afterwards"];
    let mut robot = board.console("robot", &args);
    robot.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut robot = Process::spawn(&mut robot);
    let said = Heard::from(robot.child().stderr.take().unwrap());
    let shown = Heard::from(robot.child().stdout.take().unwrap());
    wait_until(LIMIT, "it is attached", || {
        let http = board.serial.address("http");
        crate::common::http(http, "GET", "/consoles/panda01", "").text().contains("robot")
    });
    board.serial.kill();
    std::fs::remove_dir_all(board.lab.path("capture")).unwrap();
    board.serial = board.lab.start("lava-serial", ["--config", &board.config]);
    wait_until(LIMIT, "it is told", || said.text().contains("record is a new one"));
    board.script(&["--send-line", "afterwards"], "");
    assert_eq!(robot.wait(LIMIT).code(), Some(0), "{}", said.text());
    wait_until(LIMIT, "all is read", || shown.ended());
    assert!(shown.text().contains("afterwards"), "{:?}", shown.text());
    let logged = std::fs::read_to_string(log).unwrap();
    assert!(logged.contains("afterwards"), "{logged:?}");
}

#[test]
fn a_reset_and_a_dialogue_behind_it_are_one_command_line() {
    let board = Board::start(LINES);
    board.wait_for_ready_board();
    let file = board.lab.write("boot.scr", "one\ntwo\n");
    let args = [
        "--do",
        "hardreset it hangs",
        "--send-line",
        "ready",
        "--expect",
        "echo:ready",
        "--send",
        &file,
        "--expect",
        "echo:two",
        "--send-keys",
        "th^Cree\\r",
    ];
    let (code, stdout, stderr) = board.script(&args, "");
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("(user:robot) initiated a hard reset\n"), "{stderr}");
    assert!(stderr.contains("[boot.scr: 8 bytes are sent]\n"), "{stderr}");
    let (ready, two) = (stdout.find("echo:ready"), stdout.find("echo:two"));
    assert!(ready.is_some() && ready < two, "{stdout}");
    let (code, _, stderr) = board.script(&["--do", "break", "--expect", "x"], "");
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains("carries no break"), "{stderr}");
}

#[test]
fn one_goes_on_at_the_console_when_it_is_done() {
    let board = Board::start(LINES);
    board.wait_for_ready_board();
    let args = ["--send-line", "first", "--expect", "echo:first", "--stay"];
    let (code, stdout, stderr) = board.script(&args, "second\n");
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains("echo:first") && stdout.contains("echo:second"), "{stdout}");
    let file = board.lab.write("boot.scr", "third\n");
    let mut alice = Client::in_terminal(&mut board.console("alice", &["--send", &file]));
    alice.expect("[boot.scr: 6 bytes are sent]");
    alice.expect("Connected to panda01");
    alice.type_text("fourth\r");
    alice.expect("echo:fourth");
    alice.type_text("~$quit\r");
    assert_eq!(alice.process().wait(LIMIT).code(), Some(0));
}

#[test]
fn a_log_has_every_byte_once_behind_what_it_had_through_restarts() {
    let mut board = Board::start(FLOOD);
    let log = board.lab.write("own.log", "before\n");
    wait_until(LIMIT, "the board prints", || board.captured().len() > 10_000);
    let (code, ..) =
        board.script(&["--log", &log, "--timestamps", "--timeout", "1s", "--expect", "never"], "");
    assert_eq!(code, 1);
    board.restart_serial();
    let args = ["--since", "0", "--log", &log, "--timeout", "1s", "--expect", "never"];
    let (code, stdout, _) = board.script(&args, "");
    assert_eq!(code, 1);
    let logged = std::fs::read(&log).unwrap();
    let logged = logged.strip_prefix(b"before\n").unwrap();
    let captured = board.captured();
    let begin = captured.windows(200).position(|window| window == &logged[..200]).unwrap();
    let first = logged.len() - stdout.len();
    assert_eq!(logged[..first], captured[begin..begin + first], "what came is in it as it came");
    assert_eq!(&logged[first..], stdout.as_bytes());
    assert_eq!(stdout.as_bytes(), &captured[..stdout.len()], "from the first byte on");
    let (code, _, stderr) = board.script(&["--log", "/nowhere/x"], "");
    assert_eq!(code, 2);
    assert!(stderr.starts_with("/nowhere/x: cannot be written: "), "{stderr}");
}

#[test]
fn a_line_has_its_own_time_from_the_capture() {
    let board = Board::start(LINES);
    board.wait_for_ready_board();
    board.script(&[], "hello\n");
    let log = board.lab.path("own.log");
    let args = ["--since", "0", "--timestamps", "--log", log.to_str().unwrap(), "--log-timestamps"];
    let (code, stdout, stderr) = board.script(&args, "~$who\n");
    assert_eq!(code, 0, "{stderr}");
    let told = board.lab.run("lava", ["log", "panda01", "--timestamps"], "");
    let told = String::from_utf8(told.stdout).unwrap();
    // `lava log` has lines; on the console they come as they are.
    assert_eq!(stdout.replace("\r\n", "\n").trim_end(), told.trim_end());
    assert!(told.contains("  => echo:hello\n"), "{told}");
    assert_eq!(std::fs::read_to_string(log).unwrap(), stdout);
}

#[test]
fn a_program_reads_lines_of_json() {
    let board = shell();
    let json = |args: &[&str]| {
        let (code, stdout, _) = board.script(args, "~$msg hi\n");
        let lines: Vec<Value> =
            stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        (code, lines)
    };
    let (code, lines) = json(&["--json", "--exec", "echo hé; exit 3 | false"]);
    assert_eq!(code, 1);
    let of = |kind: &str| lines.iter().filter(|line| line["type"] == kind).collect::<Vec<_>>();
    // It may come in pieces.
    assert_eq!(printed(&lines), "hé\n");
    assert_eq!(
        (&of("exec")[0]["status"], &of("exec")[0]["command"]),
        (&1.into(), &"echo hé; exit 3 | false".into())
    );
    assert_eq!(lines.last().unwrap(), &serde_json::json!({"type": "result", "code": 1}));
    let (code, lines) = json(&["--json", "--send-line", "echo $((6*7))", "--expect", "^4(.)"]);
    assert_eq!(code, 0);
    let found = lines.iter().find(|line| line["type"] == "expect").unwrap();
    assert_eq!((&found["found"], &found["expression"]), (&"42".into(), &"^4(.)".into()));
    let (code, lines) = json(&["--json"]);
    assert_eq!(code, 0);
    assert!(
        lines.iter().any(|line| line["kind"] == "message" && line["text"] == "hi"),
        "{lines:?}"
    );
    // A character that is cut where a piece ends, behind a line whose carriage return is left out.
    let cut = "printf 'one\\ncaf\\303'; sleep 0.3; printf '\\251\\nnext\\n'";
    let (_, lines) = json(&["--json", "--exec", cut]);
    assert_eq!(printed(&lines), "one\ncafé\nnext\n", "{lines:?}");
    let all = board.captured();
    for line in lines.iter().filter(|line| line["type"] == "output") {
        let (text, offset) = (line["text"].as_str().unwrap(), line["offset"].as_u64().unwrap());
        let text = text.replace('\n', "\r\n");
        let there = all[usize::try_from(offset).unwrap()..].strip_prefix(b"\r");
        let there = there.unwrap_or(&all[usize::try_from(offset).unwrap()..]);
        assert!(there.starts_with(text.trim_start_matches('\r').as_bytes()), "{line}");
    }
    let nowhere = board.lab.run("lava-console", ["--json", "nosuch"], "");
    let last: Value = serde_json::from_slice(&nowhere.stdout).unwrap();
    assert_eq!(last["code"], 2);
    assert!(last["error"].as_str().unwrap().starts_with("there is no board \"nosuch\""), "{last}");
}

/// What was printed, by lines of JSON.
fn printed(lines: &[Value]) -> String {
    let texts = lines.iter().filter(|line| line["type"] == "output");
    texts.map(|line| line["text"].as_str().unwrap()).collect()
}

#[test]
fn several_boards_are_for_a_person_at_a_terminal() {
    let board = Board::start(LINES);
    let args = ["panda01", "panda02", "--exec", "reboot"];
    let output = board.lab.run("lava-console", args, "");
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("of the options only --spy, --exclusive"), "{stderr}");
    for option in ["--quiet", "--stay", "--raw-terminal", "--timeout=5s"] {
        let output = board.lab.run("lava-console", ["panda01", "panda02", option], "");
        let stderr = String::from_utf8(output.stderr).unwrap();
        let named = option.split('=').next().unwrap();
        assert!(output.status.code() == Some(2) && stderr.contains(named), "{stderr}");
    }
}
