//! Consoles in `lava top`: typing, what they printed before, several at once.

use super::{ECHO, Lab, Tmux};
use crate::common::{Client, Daemon, LIMIT, TestLab, http, program, wait_until};

#[test]
fn somebody_types_at_a_board_and_its_screen_is_what_they_see() {
    let lab = Lab::pandas();
    let top = lab.top((100, 30), "panda01");
    top.wait("the board", |screen| screen.contains("=>"));
    top.keys(&["Enter"]);
    top.see(" panda01  off  looking");
    top.see("board ready\n=>");
    top.type_text("i");
    top.see("typing");
    top.type_text("quit?");
    top.keys(&["C-j"]);
    top.see("echo:quit?\n=>");
    // As terminals paste that know no brackets: one write, however long it is.
    let long = "x".repeat(1000);
    top.type_text(&long);
    top.keys(&["C-j"]);
    lab.wait_for_capture("panda01", &format!("echo:{long}\r\n=> "));
    top.keys(&["C-]"]);
    top.see("looking");
    // Whoever has it for themselves is told of, and lets nobody else type until they are forced.
    let mut bob = lab.lab.program("lava-console");
    bob.args(["--exclusive", "panda01"]).env("LAVA_USER", "bob");
    let mut bob = Client::in_terminal(&mut bob);
    bob.expect("Connected to panda01");
    top.see("bob has it");
    top.keys(&["F"]);
    bob.expect("(user:alice) took the console");
    top.see("yours alone");
    top.keys(&["m"]);
    top.type_text("hands off");
    top.keys(&["Enter"]);
    bob.expect("(user:alice) hands off");
    top.keys(&["Escape"]);
    top.see("1 board,");
}

#[test]
fn what_is_typed_just_before_one_leaves_arrives() {
    let lab = Lab::pandas();
    for round in ["one", "two", "three"] {
        let mut top = lab.lab.program("lava");
        let mut top = Client::in_terminal(top.args(["top", "panda01"]).env_remove("NO_COLOR"));
        top.expect("=>");
        top.type_text("\ri");
        top.expect("typing");
        top.type_text(&format!("round {round} and all of it\n\x1dq"));
        assert_eq!(top.process().wait(LIMIT).code(), Some(0));
        lab.wait_for_capture("panda01", &format!("echo:round {round} and all of it\r\n=> "));
    }
}

#[test]
fn what_was_not_recorded_is_passed_over() {
    let lab = TestLab::new();
    let board = "seq -f 'line %g' 300; while read -r line; do echo \"$line\"; done";
    let config = format!(
        "[http]\nlisten = \"127.0.0.1:0\"\n[capture]\ndir = \"{}\"\n[[console]]\nname = \"panda01\"\n\
         port = \"exec:/bin/sh {}\"\n",
        lab.path("capture").display(),
        lab.write("board.sh", board)
    );
    let config = lab.write("serial.toml", &config);
    let mut serial = lab.tool("sh");
    serial.args(["-c", "trap '' XFSZ; exec \"$0\" --config \"$1\""]);
    let serial = Daemon::start("lava-serial", serial.arg(program("lava-serial")).arg(config));
    let state = || http(serial.address("http"), "GET", "/consoles/panda01", "").json();
    wait_until(LIMIT, "the board has printed", || {
        let last = lab.run("lava", ["log", "panda01", "--last", "1"], "");
        String::from_utf8_lossy(&last.stdout).contains("line 300")
    });
    let top = super::top_in(&lab, (80, 20), "");
    top.see("1 board");
    top.keys(&["Enter"]);
    top.see("line 300");
    // No file may grow any more: from now on there is a hole up to the head.
    let pid = rustix::process::Pid::from_raw(serial.pid() as i32);
    let none = rustix::process::Rlimit { current: Some(1), maximum: Some(1) };
    rustix::process::prlimit(pid, rustix::process::Resource::Fsize, none).unwrap();
    let lost = r#"{"user":"bob","text":"lost\n"}"#;
    http(serial.address("http"), "POST", "/consoles/panda01/send", lost);
    wait_until(LIMIT, "it is not recorded", || state()["capture_error"].is_string());
    top.see("lost");
    top.keys(&["b"]);
    // It is not read again and again.
    top.wait("what is recorded", |screen| {
        screen.contains("line 300") && screen.contains("past 100 %") && !screen.contains("reading")
    });
    top.keys(&["g"]);
    top.wait("the oldest", |screen| screen.contains("line 1\n") && !screen.contains("reading"));
}

#[test]
fn the_whole_record_is_scrolled_and_searched() {
    // Far more than is in memory; the needle is at its begin.
    let many = "i=0; echo 'the needle 17'; while [ $i -lt 400 ]; do seq -f \"line $i %g\" 100; \
                i=$((i+1)); done; echo the end\nwhile read -r line; do echo \"$line\"; done\n";
    let lab = Lab::start(&[("panda01", many), ("panda02", ECHO)]);
    wait_until(LIMIT, "the board has printed", || {
        let found = lab.lab.run("lava", ["log", "panda01", "--last", "1"], "");
        String::from_utf8_lossy(&found.stdout).contains("the end")
    });
    let top = lab.top((100, 30), "");
    top.see("the end");
    top.keys(&["Enter"]);
    top.see("line 399 100");
    top.keys(&["PageUp"]);
    top.wait("it has read", |screen| screen.contains("past 100 %") && !screen.contains("reading"));
    // Page by page: one that is asked for while another is still on its way counts for nothing.
    top.keys(&["PageUp"]);
    top.see("line 399 50\n");
    top.keys(&["PageUp"]);
    top.see("line 399 30\n");
    top.keys(&["g"]);
    top.wait("the oldest", |screen| {
        screen.lines().nth(1).is_some_and(|l| l.contains("the needle 17"))
    });
    top.keys(&["G", "/"]);
    top.type_text("needle [0-9]+");
    top.keys(&["Enter"]);
    top.wait("it is found", |screen| screen.contains("the needle 17") && screen.contains("1 of 1"));
    top.keys(&["/"]);
    top.type_text("line 2.0 50$");
    top.keys(&["Enter"]);
    // Before the needle there is none.
    top.wait("the first of ten", |s| s.contains("1 of 10") && s.contains("line 200 50"));
    top.keys(&["n"]);
    top.wait("the next one", |s| s.contains("2 of 10") && s.contains("line 210 50"));
    top.keys(&["N"]);
    top.wait("the one before", |s| s.contains("1 of 10") && s.contains("line 200 50"));
    top.keys(&["Escape", "Escape"]);
    top.see("2 boards");
    // All boards: one line is found, and gone to.
    top.keys(&["S"]);
    top.type_text("NEEDLE|board ready".to_lowercase().as_str());
    top.keys(&["Enter"]);
    top.wait("both are found", |screen| {
        screen.contains("panda01  the needle 17") && screen.contains("panda02  board ready")
    });
    top.keys(&["Enter"]);
    top.see("the needle 17");
}

#[test]
fn several_consoles_are_tiled_typed_at_and_zoomed() {
    let lab = Lab::pandas();
    let top = lab.top((161, 26), "");
    top.wait("the boards", |screen| screen.matches("=>").count() == 2);
    top.keys(&["Space", "Space", "Enter"]);
    let both = |screen: &str| {
        screen
            .lines()
            .next()
            .is_some_and(|line| line.contains("panda01") && line.contains("panda02"))
            && screen.matches("board ready").count() == 2
    };
    let screen = top.wait("both beside each other", both);
    assert!(screen.contains('│'), "{screen}");
    top.keys(&["Tab", "i"]);
    top.see("typing");
    top.type_text("right");
    top.keys(&["C-j"]);
    let screen = top.see("echo:right");
    let line = screen.lines().find(|line| line.contains("echo:right")).unwrap();
    assert!(line.find("echo:right") > line.find('│'), "{screen}");
    top.keys(&["C-]", "z"]);
    top.wait("one alone", |screen| !screen.contains("panda01") && screen.contains("echo:right"));
    // What one board prints is recorded once, and at the right one.
    let log = http(lab.http(), "GET", "/consoles/panda01/history", "").text();
    assert!(!log.contains("right"), "{log}");
}

#[test]
fn lava_console_shows_several_boards_side_by_side_and_types_at_the_first() {
    let lab = Lab::pandas();
    let console = program("lava-console");
    let command = format!("exec {} panda01 panda02", console.display());
    let screen = Tmux::start(&lab.lab, "tmux", (161, 26), &command);
    screen.wait("both", |screen| screen.matches("board ready").count() == 2);
    screen.see("typing");
    screen.type_text("left");
    screen.keys(&["C-j"]);
    let drawn = screen.see("echo:left");
    assert!(drawn.lines().any(|line| line.starts_with("=> echo:left")), "{drawn}");
    // Its escapes are there, with their prompt.
    screen.see("~$help lists commands");
    screen.type_text("~$wh");
    screen.see("Command(panda01)> wh");
    screen.type_text("o");
    screen.keys(&["Enter"]);
    screen.see("(user:alice) rw by websocket from");
    screen.type_text("~$hardreset");
    screen.keys(&["Enter"]);
    screen.see("now is on (read back from the PDU");
    screen.type_text("~$note for the record");
    screen.keys(&["Enter"]);
    let events = || http(lab.http(), "GET", "/consoles/panda01/events", "").text();
    wait_until(LIMIT, "the note is there", || events().contains("for the record"));
    // Nothing of them went to the board.
    let log = http(lab.http(), "GET", "/consoles/panda01/history", "").text();
    assert!(!log.contains('~') && !log.contains("who"), "{log}");
    screen.type_text("~$quit");
    screen.keys(&["Enter"]);
    screen.wait("one is left", |screen| !screen.contains("panda01"));
    screen.keys(&["Escape"]);
    assert_eq!(screen.ended(), "0");
}
