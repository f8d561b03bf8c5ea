//! Consoles through OpenSSH's client.

use std::path::Path;
use std::process::Stdio;

use rustix::process::Signal;

use super::{SshLab, text, told};
use crate::common::{Client, LIMIT, Process, happens, signal, wait_until};

/// Waits until the board has got so many bytes, and tells how many it has when it does not get them.
#[track_caller]
fn has_all(taken: &Path, bytes: u64) {
    let got = || taken.metadata().map_or(0, |file| file.len());
    assert!(
        happens(LIMIT, || got() == bytes),
        "after {LIMIT:?} the board has {} of {bytes} bytes",
        got()
    );
}

#[test]
fn the_console_is_there_by_its_name_with_its_escapes_and_its_exit_status() {
    let lab = SshLab::start("");
    for args in
        [&["panda01@lab"][..], &["-t", "lab", "panda01"], &["-t", "lab", "console", "panda01"]]
    {
        let mut alice = Client::in_terminal(&mut lab.ssh(args));
        alice.expect("Connected to panda01 [channel connected] (~$quit to exit)\r\n");
        alice.type_text("hello\n");
        alice.expect("got hello\n");
        alice.type_text("~$who\r");
        alice.expect("(user:alice) rw by websocket from 127.0.0.1:");
        alice.type_text("~$quit\r");
        alice.expect("Connection Closed (client)\r\n");
        assert_eq!(alice.process().wait(LIMIT).code(), Some(0), "{args:?}");
    }
}

#[test]
fn ssh_keeps_its_own_escapes() {
    let lab = SshLab::start("");
    let mut alice = Client::in_terminal(&mut lab.ssh(&["panda01@lab"]));
    alice.expect("Connected to panda01");
    alice.type_text("\r~.");
    assert_eq!(alice.process().wait(LIMIT).code(), Some(255));
    // Nobody stays behind at the console.
    wait_until(LIMIT, "alice has left", || {
        text(&lab.run(&["lab", "who"], "").stdout).contains("nobody is attached")
    });
}

#[test]
fn a_script_needs_no_terminal_and_gets_the_boards_bytes_alone() {
    let lab = SshLab::start("");
    let (code, out, err) = told(&lab.run(&["lab", "panda01"], "one\ntwo\n"));
    assert_eq!((code, out.as_str()), (Some(0), "got one\ngot two\n"), "{err}");
    assert!(err.contains("Connected to panda01"), "{err}");
    assert!(err.contains("[no terminal: lines only; ssh -t LAB panda01, or "), "{err}");
    let (code, out, err) = told(&lab.run(&["lab", "panda01"], "~$nosuch\n"));
    assert_eq!((code, out.as_str()), (Some(2), ""), "{err}");
    assert!(err.contains("Command not recognised"), "{err}");
    let (code, _, err) = told(&lab.run(&["lab", "panda01"], "~$send /etc/passwd\n"));
    assert_eq!(code, Some(2));
    assert!(err.contains("send: your files are not here"), "{err}");
    let (code, _, err) = told(&lab.run(&["panda10@lab"], ""));
    assert_eq!(code, Some(2));
    assert!(err.contains("there is no board \"panda10\" here; did you mean \"panda01\"?"), "{err}");
}

#[test]
fn a_script_is_never_told_that_it_was_typed_when_it_was_not() {
    let mut lab = SshLab::start("");
    let (code, out, err) = told(&lab.run(&["beagle@lab"], "reboot\n"));
    assert_eq!((code, out.as_str()), (Some(2), ""), "{err}");
    assert!(err.contains("there is no board \"beagle\" here"), "{err}");
    assert!(err.contains("without a board: ssh LAB help"), "{err}");
    let long = format!("{}@lab", "b".repeat(300));
    assert_eq!(told(&lab.run(&[&long], "reboot\n")).0, Some(2));
    assert_eq!(told(&lab.run(&["lab", &"b".repeat(30_000)], "reboot\n")).0, Some(2));
    assert!(lab.serial.terminate().success());
    for host in [&["panda01@lab"][..], &["lab", "panda01"]] {
        let (code, out, err) = told(&lab.run(host, "reboot\n"));
        assert_eq!((code, out.as_str()), (Some(3), ""), "{host:?}: {err}");
    }
}

#[test]
fn who_comes_late_sees_the_screen_as_large_as_theirs() {
    let lab = SshLab::start("");
    let mut alice = Client::in_terminal(&mut lab.ssh(&["panda01@lab"]));
    alice.expect("Connected");
    alice.type_text("\x1b[31mred\x1b[m\n");
    alice.expect("got");
    let mut late = Client::in_terminal(&mut lab.ssh(&["panda01@lab"]));
    // The greeting, and below it the screen, drawn.
    late.expect("(user:alice) is already connected");
    late.expect("got \x1b[31mred");
}

#[test]
fn one_that_reads_nothing_costs_nobody_anything() {
    let port = "exec:sh -c 'while :; do seq 1 2000; done'";
    let lab = SshLab::with_ports(port, "");
    let mut stopped = lab.ssh(&["lab", "panda01"]);
    // Its output is a pipe that nobody reads, and so is its input.
    stopped.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let stopped = Process::spawn(&mut stopped);
    wait_until(LIMIT, "it is attached", || {
        text(&lab.run(&["lab", "who", "panda01"], "").stdout).contains("alice")
    });
    signal(stopped.pid(), Signal::STOP);
    let mut other = Client::in_terminal(&mut lab.ssh(&["lab", "-t", "panda02"]));
    other.expect("Connected");
    for number in 0..20 {
        other.type_text(&format!("{number}\n"));
        other.expect(&format!("got {number}\n"));
    }
    let before = lab.ssh.memory();
    let mut beside = Client::in_pipes(&mut lab.ssh(&["lab", "panda01"]));
    wait_until(4 * LIMIT, "who reads gets 20 MB", || beside.heard().len() > 20_000_000);
    beside.process().child().kill().unwrap();
    let grown = lab.ssh.memory().saturating_sub(before);
    assert!(grown < 40_000_000, "{grown} bytes more");
    signal(stopped.pid(), Signal::CONT);
}

#[test]
fn who_types_more_than_the_board_takes_and_reads_nothing_gets_it_all_typed() {
    // The board prints for ever, and reads slowly, but all of it.
    let port = "exec:sh -c 'stty raw -echo; (while :; do seq 1 500; done) & head -c 300000 >taken; \
                echo; echo all of it; kill %1; wait'";
    let lab = SshLab::with_ports(port, "");
    let mut alice = lab.ssh(&["lab", "panda01"]);
    alice.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut alice = Process::spawn(&mut alice);
    let mut input = alice.child().stdin.take().unwrap();
    // It blocks only while nobody takes it: standard output is not read meanwhile.
    use std::io::Write as _;
    input.write_all(&vec![b'x'; 300_000]).unwrap();
    let taken = lab.lab.path("taken");
    has_all(&taken, 300_000);
}

#[test]
fn a_script_for_a_slow_board_that_prints_nothing_is_typed_to_its_end() {
    let port =
        "exec:sh -c 'stty raw -echo; touch up; while :; do head -c 2000 >>taken; sleep 0.01; done'";
    let lab = SshLab::with_ports(port, "");
    // Before that its terminal takes a line of 4 kB, and no more.
    wait_until(LIMIT, "the board is up", || lab.lab.path("up").exists());
    let (code, _, err) = told(&lab.run(&["lab", "panda01"], &"x".repeat(500_000)));
    assert_eq!(code, Some(0), "{err}");
    let taken = lab.lab.path("taken");
    has_all(&taken, 500_000);
}

#[test]
fn who_is_killed_leaves_though_the_board_takes_nothing_of_what_they_sent() {
    let lab = SshLab::with_ports("exec:sh -c 'stty raw -echo; exec sleep 1000'", "");
    let mut alice = lab.ssh(&["lab", "panda01", "--exclusive"]);
    alice.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut alice = Process::spawn(&mut alice);
    let mut input = alice.child().stdin.take().unwrap();
    let sent = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = sent.clone();
    std::thread::spawn(move || {
        use std::io::Write as _;
        while input.write_all(&[b'x'; 4096]).is_ok() {
            count.fetch_add(4096, std::sync::atomic::Ordering::Relaxed);
        }
    });
    wait_until(LIMIT, "more is sent than waits for a board", || {
        sent.load(std::sync::atomic::Ordering::Relaxed) > 1_500_000
    });
    wait_until(LIMIT, "alice is there", || lab.serial_sessions("panda01") == 1);
    signal(alice.pid(), Signal::KILL);
    wait_until(LIMIT, "alice has left", || lab.serial_sessions("panda01") == 0);
}

#[test]
fn a_hundred_sessions_at_once_are_all_served() {
    let lab = SshLab::start("");
    let config = lab.client_config("alice");
    let mut sessions: Vec<Client> = (0..100)
        .map(|_| {
            let mut ssh = lab.lab.tool("ssh");
            Client::in_pipes(ssh.arg("-F").arg(&config).args(["lab", "panda01", "--spy"]))
        })
        .collect();
    wait_until(LIMIT * 4, "all of them are attached", || lab.serial_sessions("panda01") == 100);
    let mut alice = Client::in_pipes(&mut lab.ssh(&["lab", "panda01"]));
    alice.type_text("to all of you\n");
    for session in &mut sessions {
        session.expect_within(LIMIT * 4, "got to all of you\n");
    }
}

#[test]
fn what_a_hostile_board_prints_a_terminal_does_not_obey_and_a_pipe_gets_as_it_is() {
    // Sequences that a terminal answers, a title, OSC 52, no UTF-8, a line of a megabyte, a reset.
    let port = "exec:sh -c 'read a; printf \"\\033[6n\\033[c\\033]0;title\\007\\033]52;c;ZXZpbA==\\007\
                \\377\\376\\033c\"; head -c 1000000 /dev/zero | tr \"\\\\0\" x; echo; echo end of it; cat'";
    let lab = SshLab::with_ports(port, "");
    let mut pipe = Client::in_pipes(&mut lab.ssh(&["lab", "panda01", "--spy"]));
    wait_until(LIMIT, "it is attached", || lab.serial_sessions("panda01") == 1);
    let mut alice = Client::in_terminal(&mut lab.ssh(&["panda01@lab"]));
    alice.expect("Connected");
    alice.type_text("\n");
    alice.expect("end of it");
    pipe.expect("end of it");
    let (at_terminal, in_pipe) = (alice.heard().text(), pipe.heard().text());
    for obeyed in ["\x1b[6n", "\x1b[c", "\x1b]0;title", "\x1b]52;c;ZXZpbA==\x07", "\x1bc"] {
        assert!(in_pipe.contains(obeyed), "{obeyed:?}");
        assert!(!at_terminal.contains(obeyed), "{obeyed:?}");
    }
    // Who looks at the past is shown no more than text.
    let said = lab.run(&["-tt", "lab", "log", "panda01", "--timestamps"], "");
    let shown = text(&said.stdout);
    assert!(shown.contains("end of it"), "{}", &shown[..shown.len().min(300)]);
    assert!(!shown.contains("\x1b]52") && !shown.contains("\x1b[6n") && !shown.contains("\x1bc"));
    assert_eq!(lab.run(&["lab", "boards"], "").status.code(), Some(0));
}
