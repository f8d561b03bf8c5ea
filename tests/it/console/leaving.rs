//! Leaving a console, whatever stands in the way, and what is left of it on the terminal.

use std::process::{Command, Stdio};

use rustix::process::Signal;

use super::{Board, ECHO};
use crate::common::{Client, Heard, LIMIT, Process, Terminal, run, signal, wait_until};

/// It sets what boards set on a terminal, and goes on as a person's board does.
const SETS: &str = "#!/bin/sh\nprintf 'one\\r\\n\\033[?1000h\\033[?1049hvim\\033[?1049l\\r\\n=> '\n\
    while IFS= read -r line; do printf 'echo:%s\\r\\n=> ' \"$line\"; done\n";
/// It takes nothing of what is typed.
const DEAF: &str = "#!/bin/sh\nstty raw -echo\nprintf ready\nexec sleep 1000\n";
/// It has printed more than fits into any pipe.
const TALKED: &str = "#!/bin/sh\nseq 200000\nprintf ready\nexec sleep 1000\n";

fn lava(board: &Board, args: &[&str]) -> Command {
    let mut lava = board.lab.program("lava");
    lava.args(args).env("LAVA_USER", "alice");
    lava
}

#[test]
fn a_signal_restores_the_terminal_and_undoes_what_the_board_has_set() {
    let board = Board::start(SETS);
    board.wait_for_ready_board();
    let programs = || {
        [
            (board.console("alice", &["--since", "0"]), true),
            (lava(&board, &["log", "--follow", "panda01"]), true),
            (lava(&board, &["broadcast", "panda01"]), false),
        ]
    };
    for end in [Signal::TERM, Signal::HUP, Signal::INT] {
        for (mut program, shows) in programs() {
            let mut alice = Client::in_terminal(&mut program);
            let before = Terminal::new().settings();
            // The board, or, where keys are typed at many, what is said of that.
            alice.expect(if shows { "=> " } else { "[typing at panda01" });
            signal(alice.pid(), end);
            assert_eq!(alice.process().wait(LIMIT).code(), Some(130), "{end:?} {program:?}");
            assert_eq!(alice.terminal().settings(), before, "{end:?} {program:?}");
            if shows {
                alice.expect("\x1b[!p");
                alice.expect("\x1b[?1000l");
            }
        }
    }
}

#[test]
fn the_past_sets_nothing_on_the_terminal() {
    let board = Board::start(SETS);
    board.wait_for_ready_board();
    let mut alice = Client::in_terminal(&mut board.console("alice", &[]));
    alice.expect("Connected to panda01");
    alice.type_text("~$log 3\r");
    alice.expect("--- the last 3 lines of the log ---");
    alice.expect("vim");
    alice.expect("--- end of the log ---");
    let shown = alice.heard().text();
    let past = shown.split("--- the last").nth(1).unwrap();
    assert!(!past.contains("\x1b[?"), "{past:?}");
    alice.type_text("~$quit\r");
    assert_eq!(alice.process().wait(LIMIT).code(), Some(0));
}

#[test]
fn a_program_whose_reader_has_stopped_ends_all_the_same() {
    let board = Board::start(TALKED);
    wait_until(LIMIT, "the board has printed", || board.captured().ends_with(b"ready"));
    let mut console = board.console("robot", &["--since", "0", "--json"]);
    console.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut console = Process::spawn(&mut console);
    let unread = console.child().stdout.take().unwrap();
    // A pipe has room for 16 pieces of a page at most, which need not be whole pages.
    wait_until(LIMIT, "the pipe is full", || {
        rustix::io::ioctl_fionread(&unread).unwrap() >= 32 * 1024
    });
    signal(console.pid(), Signal::TERM);
    assert_eq!(console.wait(LIMIT).code(), Some(130));
    // One who reads late, but reads, has lines and the result.
    let mut console = board.console("robot", &["--json", "--expect", "never"]);
    console.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut console = Process::spawn(&mut console);
    let stdout = Heard::from(console.child().stdout.take().unwrap());
    wait_until(LIMIT, "it is attached", || {
        let who = run(&mut lava(&board, &["who", "panda01"]), "", LIMIT);
        String::from_utf8_lossy(&who.stdout).contains("robot")
    });
    signal(console.pid(), Signal::TERM);
    assert_eq!(console.wait(LIMIT).code(), Some(130));
    wait_until(LIMIT, "all is read", || stdout.ended());
    let last = stdout.text().lines().last().unwrap().to_owned();
    assert_eq!(last, r#"{"code":130,"error":"ended by SIGTERM","type":"result"}"#);
}

#[test]
fn a_file_on_its_way_is_called_back_however_many_keys_were_pressed_before() {
    let board = Board::start(ECHO);
    board.wait_for_ready_board();
    let file = board.lab.write("slow.txt", &"x".repeat(10_000));
    let mut alice = board.person("alice", &[]);
    alice.type_text(&format!("~$send {file} 100ms\r"));
    alice.expect("[sending slow.txt; Ctrl-C ends it]");
    // Each is read by itself.
    let keyboard = alice.terminal().far_end();
    for _ in 0..100 {
        alice.type_text("k");
        wait_until(LIMIT, "the key is read", || {
            rustix::io::ioctl_fionread(&keyboard).unwrap() == 0
        });
    }
    alice.type_text("\x03");
    alice.expect("bytes were sent: cancelled]");
    alice.type_text("~$quit\r");
    assert_eq!(alice.process().wait(LIMIT).code(), Some(0));
}

#[test]
fn one_leaves_a_board_that_takes_nothing() {
    let board = Board::start(DEAF);
    wait_until(LIMIT, "the board is there", || board.captured().ends_with(b"ready"));
    let mut alice = board.person("alice", &[]);
    // More than waits for any board.
    alice.type_bytes(&vec![b'x'; 4_000_000]);
    alice.expect(" bytes to take: what is typed is dropped]");
    alice.type_text("~$who\r~$quit\r");
    alice.expect("[the board has not taken ");
    assert_eq!(alice.process().wait(LIMIT).code(), Some(0));
    let mut bob = Client::in_terminal(&mut lava(&board, &["broadcast", "panda01"]));
    bob.expect("[typing at panda01");
    bob.type_bytes(&vec![b'x'; 4_000_000]);
    bob.expect("[panda01: it has not taken what was typed before");
    bob.type_text("~$quit\r");
    wait_until(LIMIT, "it has ended", || bob.process().exited().is_some());
}
