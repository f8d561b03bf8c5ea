//! The terminal of `lava top`: what it is asked for, and how it is left.

use rustix::process::Signal;

use super::{Lab, Tmux};
use crate::common::{Client, LIMIT, Terminal, program, signal, wait_until};

fn top(lab: &Lab) -> Client {
    let mut top = lab.lab.program("lava");
    top.args(["top"]).env("LANG", "C.UTF-8").env_remove("NO_COLOR").env_remove("LC_ALL");
    Client::in_terminal(&mut top)
}

#[test]
fn however_it_ends_the_terminal_is_as_it_was() {
    let lab = Lab::pandas();
    let before = Terminal::new().settings();
    for end in [Signal::TERM, Signal::HUP, Signal::INT] {
        let mut top = top(&lab);
        top.expect("\x1b[?1049h");
        top.expect("panda02");
        wait_until(LIMIT, "the terminal is raw", || top.terminal().settings() != before);
        signal(top.pid(), end);
        assert_eq!(top.process().wait(LIMIT).code(), Some(130), "{end:?}");
        assert_eq!(top.terminal().settings(), before, "{end:?}");
        top.expect("\x1b[?25h\x1b[?1049l");
    }
}

#[test]
fn it_stops_and_goes_on_with_its_shell() {
    let lab = Lab::pandas();
    let command = format!(
        "bash --norc -i -c 'set -m; {} top; echo stopped as $?; read -r; fg; \
         echo left as $?; cat'",
        program("lava").display()
    );
    let top = Tmux::start(&lab.lab, "tmux", (100, 20), &command);
    top.see("2 boards");
    top.keys(&["C-z"]);
    let screen = top.see("stopped as 147");
    assert!(!screen.contains("2 boards"), "{screen}");
    top.keys(&["Enter"]);
    top.wait("it goes on", |screen| screen.contains("2 boards") && !screen.contains("stopped as"));
    top.keys(&["q"]);
    top.see("left as 0");
}

/// Nobody could have it go on where it is what somebody has logged in to, or the command of a terminal's
/// window.
#[test]
fn it_is_not_stopped_where_there_is_no_shell() {
    let lab = Lab::pandas();
    let top = lab.top((100, 20), "");
    top.see("2 boards");
    top.keys(&["C-z"]);
    top.see("there is no shell to go back to");
    top.keys(&["q"]);
    assert_eq!(top.ended(), "0");
}

/// As what `docker exec` starts: the session of who started it is of another PID namespace, and has no number.
#[test]
fn it_is_not_stopped_where_its_session_is_that_of_a_container() {
    let lab = Lab::pandas();
    let mut container = lab.lab.tool("unshare");
    if !rustix::process::getuid().is_root() {
        container.arg("--map-root-user");
    }
    let top = format!("exec {} top", program("lava").display());
    // Its own terminal, below a process that has come from outside.
    container.args(["--pid", "--fork", "--mount-proc", "script", "--quiet", "--command", &top]);
    let mut top = Client::in_terminal(container.args(["--return", "/dev/null"]));
    top.expect("panda02");
    top.type_text("\x1a");
    top.expect("there is no shell to go back to");
    top.type_text("q");
    assert_eq!(top.process().wait(LIMIT).code(), Some(0));
}

#[test]
fn colours_are_left_out_where_there_are_none() {
    let lab = Lab::pandas();
    let run = |name, variables: &str| {
        let command = format!("exec env {variables} {} top", program("lava").display());
        let top = Tmux::start(&lab.lab, name, (100, 12), &command);
        top.wait("the boards", |screen| screen.matches("=>").count() == 2);
        wait_until(LIMIT, "their power", || top.screen().matches("  off ").count() == 2);
        top.coloured()
    };
    let coloured = |screen: &str| screen.contains("\x1b[33m");
    let plain = run("plain", "NO_COLOR=1");
    assert!(!coloured(&plain) && plain.contains("7m"), "{plain:?}");
    assert!(coloured(&run("sixteen", "TERM=screen")));
}

#[test]
fn what_cannot_be_drawn_on_or_is_not_there_is_told_in_a_line() {
    let lab = Lab::pandas();
    let mut dumb = lab.lab.program("lava");
    dumb.arg("top").env("TERM", "dumb");
    let mut dumb = Client::in_terminal(&mut dumb);
    dumb.expect("a screen cannot be drawn on this terminal (TERM=\"dumb\")");
    assert_eq!(dumb.process().wait(LIMIT).code(), Some(2));

    let piped = lab.lab.run("lava", ["top"], "");
    assert_eq!(piped.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&piped.stderr).starts_with("this needs a terminal"));

    let mut unknown = lab.lab.program("lava");
    unknown.args(["top", "pnada01"]);
    let mut unknown = Client::in_terminal(&mut unknown);
    unknown.expect("there is no board \"pnada01\"");
    assert_eq!(unknown.process().wait(LIMIT).code(), Some(2));

    lab.lab.write("home/.config/lava/top.toml", "[keys]\nquit = \"pgup\"\n");
    let mut wrong = top(&lab);
    wrong.expect("top.toml:2:8: keys.quit: \"pgup\" is no key");
    assert_eq!(wrong.process().wait(LIMIT).code(), Some(2));
}
