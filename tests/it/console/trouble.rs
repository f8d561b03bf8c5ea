//! What people and scripts at a console are told when others are in the way, or a daemon is gone.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::process::{ChildStdin, Command, Stdio};

use super::{Board, ECHO, FLOOD};
use crate::common::{Client, Heard, LIMIT, Process, TestLab, wait_until};

/// A script whose daemon was killed, with its input still open, and what it says.
fn bereft(board: &mut Board, args: &[&str]) -> (Process, ChildStdin, Heard, Heard) {
    let mut command = board.console("robot", args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut console = Process::spawn(&mut command);
    let stdin = console.child().stdin.take().unwrap();
    let stdout = Heard::from(console.child().stdout.take().unwrap());
    let stderr = Heard::from(console.child().stderr.take().unwrap());
    wait_until(LIMIT, "it is attached", || stderr.text().contains("Connected to"));
    board.serial.kill();
    wait_until(LIMIT, "it is lost", || stderr.text().contains("[lost: "));
    (console, stdin, stdout, stderr)
}

#[test]
fn a_script_gives_up_a_daemon_that_is_gone() {
    let mut board = Board::start(ECHO);
    let (mut console, mut stdin, _, stderr) = bereft(&mut board, &["--linger", "100ms"]);
    stdin.write_all(b"abc\n~$who\n").unwrap();
    drop(stdin);
    assert_eq!(console.wait(LIMIT).code(), Some(3), "{}", stderr.text());
    wait_until(LIMIT, "all is read", || stderr.ended());
    let said = stderr.text();
    assert!(said.ends_with("[given up: the console's daemon is away for 10.1s]\n"), "{said}");
}

#[test]
fn what_a_script_types_waits_for_the_daemon() {
    let mut board = Board::start(ECHO);
    let (mut console, mut stdin, stdout, stderr) = bereft(&mut board, &[]);
    stdin.write_all(b"late\n").unwrap();
    drop(stdin);
    board.serial = board.lab.start("lava-serial", ["--config", &board.config]);
    assert_eq!(console.wait(LIMIT).code(), Some(0), "{}", stderr.text());
    wait_until(LIMIT, "all is read", || stdout.ended());
    assert!(stdout.text().contains("echo:late\r\n"), "{}", stdout.text());
}

#[test]
fn a_board_that_is_never_quiet_keeps_no_script() {
    let board = Board::start(FLOOD);
    wait_until(LIMIT, "the board prints", || !board.captured().is_empty());
    let (code, stdout, stderr) = board.script(&["--linger", "1s"], "x");
    assert_eq!(code, 0, "{stderr}");
    assert!(!stdout.is_empty());
    assert!(stderr.contains("[left after 10s; the board goes on printing]\n"), "{stderr}");
}

#[test]
fn two_boards_of_one_name_are_an_error_and_no_daemon_is_the_labs_fault() {
    let mut board = Board::start(ECHO);
    let config = std::fs::read_to_string(&board.config).unwrap().replace("/capture", "/capture2");
    let other = board.lab.write("other.toml", &config);
    let mut other = board.lab.start("lava-serial", ["--config", &other]);
    let sockets = [board.serial.pid(), other.pid()].map(|pid| format!("serial-{pid}.sock"));
    let ran = |lab: &TestLab, line: &str| {
        let mut words = line.split(' ');
        let output = lab.run(words.next().unwrap(), words, "");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    };
    for line in ["lava-console panda01", "lava power off panda01", "lava log panda01"] {
        let (code, _, stderr) = ran(&board.lab, line);
        assert_eq!(code, 2, "{line}: {stderr}");
        assert!(sockets.iter().all(|socket| stderr.contains(socket)), "{stderr}");
        assert!(stderr.contains("--lab FILE"), "{stderr}");
    }
    let (_, listed, _) = ran(&board.lab, "lava boards");
    assert!(sockets.iter().all(|socket| listed.contains(socket)), "{listed}");

    other.kill();
    assert_eq!(ran(&board.lab, "lava-console panda99").0, 2);
    board.serial.kill();
    board.power.kill();
    for line in ["lava-console panda01", "lava boards"] {
        let (code, _, stderr) = ran(&board.lab, line);
        assert_eq!(code, 3, "{line}: {stderr}");
        assert!(stderr.starts_with("no lava-serial and no lava-power runs on this host"));
    }
}

#[test]
fn who_switches_sees_it_once_and_in_order() {
    let mut board = Board::start(ECHO);
    board.power.terminate();
    let console = board.serial.address("http");
    let power = board.lab.write(
        "power.toml",
        &format!(
            "[[pdu]]\nname = \"virtual\"\ndriver = \"sim\"\n\
             [[outlet]]\nname = \"panda01\"\npdu = \"virtual\"\nport = 1\n\
             console = \"http://{console}/consoles/panda01\"\n"
        ),
    );
    let mut power: Command = {
        let mut command = board.lab.program("lava-power");
        command.args(["--config", &power]).env("LAVA_LOG", "debug");
        command
    };
    board.power = crate::common::Daemon::start("lava-power", &mut power);
    let mut alice = board.person("alice", &[]);
    let mut bob = board.person("bob", &[]);
    for verb in ["off", "on"] {
        alice.type_text(&format!("~${verb}\r"));
        alice.expect(&format!("(user:alice) initiated a power {verb}\r\n"));
        alice.expect(&format!("[panda01 is {verb} (read back"));
        bob.expect(&format!("(user:alice) initiated a power {verb}\r\n"));
        bob.expect(&format!("[power {verb} done: {verb}, verified]\r\n"));
    }
    // What is said last has come behind everything else.
    bob.type_text("~$msg that was all\r");
    alice.expect("(user:bob) that was all\r\n");
    let heard = alice.heard().text();
    assert_eq!(heard.matches(" initiated a power ").count(), 2, "{heard}");
    assert!(!heard.contains("[power "), "{heard}");
    alice.type_text("~$status\r");
    alice.expect("[panda01 is on (read back");
    wait_until(LIMIT, "the look is audited", || {
        let log = board.power.log().text();
        log.lines().any(|line| line.contains("verb=status") && line.contains("who=\"alice\""))
    });
}

#[test]
fn a_console_that_nobody_holds_is_taken_from_nobody() {
    let board = Board::start(ECHO);
    let mut alice = board.person("alice", &[]);
    let mut bob = board.person("bob", &[]);
    bob.type_text("~$force\r");
    alice.expect("(user:bob) took the console\r\n");
}

const REPORT: &str =
    r#"{"outlet":"panda01","verb":"off","state":"off","verified":"verified","took_ms":1}"#;
const REFUSAL: &str =
    r#"{"error":{"kind":"refused","message":"job:42 has panda01","refusal":"held","hint":"x"}}"#;

/// A lava-power that refuses what is not forced, as the real one does while somebody else has the
/// board's console.
fn refusing_power(lab: &TestLab) {
    let listener = UnixListener::bind(lab.path("run/power-1.sock")).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let (mut head, mut length) = (String::new(), 0);
            while reader.read_line(&mut head).unwrap() > 2 {
                let line = head.lines().last().unwrap().to_lowercase();
                if let Some(value) = line.strip_prefix("content-length: ") {
                    length = value.parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let forced = String::from_utf8(body).unwrap().contains(r#""force":true"#);
            let (status, answer) = if head.starts_with("GET /outlets ") {
                (200, r#"[{"name":"panda01","pdu":"rack","port":"1","console":"http://h/c"}]"#)
            } else if forced {
                (200, REPORT)
            } else {
                (409, REFUSAL)
            };
            let length = answer.len();
            // Who only looks whether somebody listens does not stay for an answer.
            let _ = write!(
                reader.into_inner(),
                "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n\r\n{answer}"
            );
        }
    });
}

#[test]
fn power_that_is_refused_says_how_to_insist() {
    let mut board = Board::start(ECHO);
    board.power.terminate();
    refusing_power(&board.lab);
    let lava = |args: &[&str]| {
        let output = board.lab.run("lava", args, "");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    };
    let (code, _, stderr) = lava(&["power", "off", "panda01"]);
    let told = "job:42 has panda01; --force --reason TEXT does it all the same\n  hint: x\n";
    assert_eq!((code, stderr.as_str()), (4, told));
    let (code, stdout, stderr) = lava(&["power", "off", "--force", "--reason", "fire", "panda01"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.starts_with("panda01 is off "), "{stdout}");
    assert_eq!(lava(&["power", "off", "--force", "panda01"]).0, 2, "without a reason");

    for (answer, code) in [("n", 4), ("", 4), ("y", 0)] {
        let mut lava = board.lab.program("lava");
        let mut alice = Client::in_terminal(lava.args(["power", "off", "panda01"]));
        alice.expect("job:42 has panda01; do it all the same? [y/N] ");
        alice.type_text(&format!("{answer}\r"));
        assert_eq!(alice.process().wait(LIMIT).code(), Some(code), "{answer:?}");
    }

    let (code, _, stderr) = board.script(&[], "~$off\n");
    assert_eq!(code, 4, "{stderr}");
    let line = "[job:42 has panda01; ~$force takes the console, then try again]\n";
    assert!(stderr.contains(line), "{stderr}");
    assert!(!stderr.contains("initiated"), "{stderr}");
}
