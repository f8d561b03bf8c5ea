//! What boards print that terminals obey: under tmux, which is a terminal that answers.

use std::process::{Command, Stdio};

use super::Board;
use crate::common::{Heard, LIMIT, Process, TestLab, happens, run, wait_until};

/// Asks, sets, programs and resets whatever a terminal has, between things that are to be seen.
const HOSTILE: &[u8] =
    b"SEEN-1\r\n\x1b]0;owned title\x07\x1b]2;owned title\x1b\\\x1bkowned name\x1b\\\
    \x1b]52;c;b3duZWQ=\x07\x1bPtmux;\x1b\x1b]52;c;b3duZWQ=\x07\x1b\\\
    \x1b[6n\x1b[c\x1b[>c\x1bZ\x05\x1b[5n\x1b[18t\x1b[?2004$p\x1b]10;?\x07\x1b[>q\x1b[x\
    \x1bP0;1|17/6f776e6564\x1b\\\x1b[5i\x1b[4i\x1b[3J\x1bc\x1b[?2l\x1b%@\x1b[2h\x1b[20h\
    SEEN-2 \xff\xfe\x80\x9b6n \xc2\x9b6n\r\n\x1b[31mSEEN-3\x1b[m\r\n";
/// A title that does not end: a terminal would show nothing behind it.
const OPEN: &[u8] = b"\x1b]0;does not end\r\nSEEN-4";

/// Prints the file when it is told to, and then keeps what is typed at it.
const BOARD: &str = "#!/bin/sh\nstty raw -echo\nprintf 'scrolled away\\r\\n'; seq 40 | sed 's/$/\\r/'\n\
    printf 'ready'; head -c 2 >/dev/null\ncat hostile; printf ' END'\nexec cat >typed\n";

/// A terminal with a person's program in it.
struct Tmux<'a> {
    lab: &'a TestLab,
}

impl Tmux<'_> {
    fn start<'a>(lab: &'a TestLab, program: &Command, args: &[&str]) -> Tmux<'a> {
        let tmux = Tmux { lab };
        let config = "set -g set-clipboard on\nset -g allow-passthrough on\nset -g remain-on-exit on\n\
             set -g default-terminal screen-256color\n";
        let config = lab.write("tmux.conf", config);
        let words = program.get_args().map(|word| word.to_str().unwrap().to_owned());
        let mut words: Vec<String> = words.collect();
        words.insert(0, program.get_program().to_str().unwrap().to_owned());
        words.extend(args.iter().map(|arg| (*arg).to_owned()));
        let new = ["-f", &config, "new-session", "-d", "-x", "100", "-y", "24", "--"];
        let new = new.into_iter().map(str::to_owned).chain(words);
        tmux.run(&new.collect::<Vec<_>>());
        tmux
    }

    fn run(&self, args: &[String]) -> String {
        let mut tmux = self.lab.tool("tmux");
        tmux.arg("-S").arg(self.lab.path("tmux")).args(args);
        let output = run(&mut tmux, "", LIMIT);
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn ask(&self, args: &[&str]) -> String {
        self.run(&args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>())
    }

    fn screen(&self) -> String {
        self.ask(&["capture-pane", "-p"])
    }

    fn wait_for(&self, text: &str) {
        let shown = happens(LIMIT, || self.screen().contains(text));
        assert!(shown, "after {LIMIT:?} {text:?} is not on the terminal:\n{}", self.screen());
    }

    fn type_text(&self, text: &str) {
        self.ask(&["send-keys", "-l", text]);
    }
}

impl Drop for Tmux<'_> {
    fn drop(&mut self) {
        let mut tmux = self.lab.tool("tmux");
        tmux.arg("-S").arg(self.lab.path("tmux")).arg("kill-server");
        let _ = tmux.output();
    }
}

/// A board that prints something hostile when `go` is typed.
fn hostile(bytes: &[u8]) -> Board {
    let program = BOARD.replace("hostile", "\"$0.hostile\"").replace("typed", "\"$0.typed\"");
    let board = Board::start(&program);
    std::fs::write(board.lab.path("board.sh.hostile"), bytes).unwrap();
    board
}

/// What came of it: the screen, all that was scrolled away, the title, the clipboard, what was typed.
fn shown(args: &[&str], bytes: &[u8]) -> (String, String, String, String, String) {
    let board = hostile(bytes);
    let args: Vec<&str> = args.iter().copied().chain(["--since", "0"]).collect();
    let tmux = Tmux::start(&board.lab, &board.console("alice", &[]), &args);
    tmux.wait_for("ready");
    tmux.type_text("go");
    tmux.wait_for("END");
    tmux.type_text("<typed>");
    let typed = board.lab.path("board.sh.typed");
    wait_until(LIMIT, "it is typed", || {
        std::fs::read(&typed).is_ok_and(|typed| typed.ends_with(b"<typed>"))
    });
    let title = tmux.ask(&["display-message", "-p", "#{pane_title} #{window_name}"]);
    let clipboard = tmux.ask(&["list-buffers"]);
    let (screen, all) = (tmux.screen(), tmux.ask(&["capture-pane", "-p", "-S", "-"]));
    tmux.type_text("~$quit\r");
    tmux.wait_for("Connection Closed");
    (
        screen,
        all,
        title,
        clipboard,
        String::from_utf8_lossy(&std::fs::read(typed).unwrap()).into_owned(),
    )
}

#[test]
fn a_terminal_shows_what_a_board_prints_and_obeys_nothing_else() {
    let (screen, all, title, clipboard, typed) = shown(&[], &[HOSTILE, OPEN].concat());
    assert_eq!(typed, "<typed>", "nothing was answered");
    assert!(!title.contains("owned"), "{title}");
    assert_eq!(clipboard, "");
    assert!(all.contains("scrolled away"), "{all}");
    for seen in ["SEEN-2", "SEEN-3", "SEEN-4", "END"] {
        assert!(screen.contains(seen), "{seen} in {screen}");
    }
}

#[test]
fn it_gets_everything_when_it_is_told_to() {
    let (screen, _, title, clipboard, typed) = shown(&["--raw-terminal"], HOSTILE);
    assert!(screen.contains("END"), "{screen}");
    assert!(typed.starts_with("\x1b[") && typed.contains("\x1b[?"), "{typed:?}");
    assert!(title.contains("owned"), "{title}");
    assert!(clipboard.contains("owned"), "{clipboard}");
}

#[test]
fn the_file_decides_for_those_who_do_not_say() {
    let board = hostile(b"\x1b[6n");
    board.lab.write("home/.config/lava/console.toml", "raw_terminal = true\n");
    let tmux = Tmux::start(&board.lab, &board.console("alice", &[]), &[]);
    tmux.wait_for("ready");
    tmux.type_text("go");
    let typed = board.lab.path("board.sh.typed");
    wait_until(LIMIT, "it is answered", || {
        std::fs::read(&typed).is_ok_and(|typed| typed.ends_with(b"R"))
    });
}

#[test]
fn a_pipe_gets_exact_bytes_and_a_terminal_a_line_of_ten_megabytes() {
    let mut bytes = HOSTILE.to_vec();
    bytes.resize(10_000_000, b'x');
    bytes.extend_from_slice(b"\r\nlast line");
    let board = hostile(&bytes);
    let tmux = Tmux::start(&board.lab, &board.console("alice", &[]), &[]);
    tmux.wait_for("ready");
    let args = ["--timeout", "60s", "--send-line", "g", "--expect", " END"];
    let (code, stdout, stderr) = {
        let output = run(&mut board.console("robot", &args), "", LIMIT);
        (output.status.code(), output.stdout, output.stderr)
    };
    assert_eq!(code, Some(0), "{}", String::from_utf8_lossy(&stderr));
    assert!(stdout == [&bytes[..], b" END"].concat(), "{} bytes", stdout.len());
    tmux.wait_for("last line END");
}

#[test]
fn lines_for_people_and_for_programs_have_no_control_of_eight_bits() {
    let board = hostile(HOSTILE);
    let lava = |args: &[&str]| {
        let mut lava = board.lab.program("lava");
        lava.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut lava = Process::spawn(&mut lava);
        let heard = Heard::from(lava.child().stdout.take().unwrap());
        (lava, heard)
    };
    wait_until(LIMIT, "it is there", || board.captured().ends_with(b"ready"));
    let watches = [lava(&["watch", "panda01"]), lava(&["watch", "panda01", "--json"])];
    wait_until(LIMIT, "both watch", || {
        let who = board.lab.run("lava", ["who", "panda01"], "");
        String::from_utf8_lossy(&who.stdout).matches(" spy ").count() == 2
    });
    let (code, stdout, _) = board.script(&["--json", "--send-line", "g", "--expect", " END"], "");
    assert_eq!(code, 0, "{stdout}");
    let logs = [&["log", "panda01", "--json"][..], &["log", "panda01", "--asciicast"]];
    let mut all = vec![stdout];
    for log in logs {
        let output = board.lab.run("lava", log, "");
        all.push(String::from_utf8(output.stdout).unwrap());
    }
    for (_, heard) in &watches {
        wait_until(LIMIT, "it is watched", || heard.text().contains("END"));
        all.push(heard.text());
    }
    for text in all {
        assert!(text.contains("SEEN-2"), "{text}");
        let obeyed = text.chars().find(|c| ('\u{7f}'..='\u{9f}').contains(c));
        assert_eq!(obeyed, None, "{text:?}");
    }
}
