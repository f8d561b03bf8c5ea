//! What the demo tells the person who started it.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use crate::client;
use crate::daemon::demo::{BOARDS, Lab};
use crate::model::Failure;

/// The line that scripts wait for, without its `ready: `.
pub(super) fn ready(lab: &Lab) -> String {
    let ports = lab.ports();
    let mut line = format!("http={} power={}", ports.serial(), ports.power());
    for (number, board) in BOARDS.iter().enumerate() {
        let (telnet, raw) = (ports.telnet(number), ports.raw(number));
        // Writing to a string does not fail.
        let _ = write!(line, " {board}.telnet={telnet} {board}.raw={raw}");
    }
    let _ = write!(line, " dir={}", lab.folder().display());
    line
}

pub(super) fn welcome(lab: &Lab) {
    say(match lab.is_qemu() {
        true => {
            "Lavamux demo: two boards in QEMU (arm64, U-Boot), their consoles and their power.\n\n"
        }
        false => {
            "Lavamux demo: two simulated boards. Their consoles and their power are the real thing.\n\n"
        }
    });
}

pub(super) fn what_next(lab: &Lab) {
    let (lava, [first, second], ports) = (program(), BOARDS, lab.ports());
    let option = lab_option(lab);
    let mut commands = vec![
        (
            format!("{lava} console {first}{option}"),
            "its console; ~$help tells what else can be typed there",
        ),
        (
            format!("{lava} power cycle {first}{option}"),
            "pull its plug and put it back: watch the console",
        ),
        (format!("{lava} boards{option}"), "what there is"),
        (
            format!("telnet 127.0.0.1 {}", ports.telnet(0).port()),
            "its console again: many may share it",
        ),
    ];
    if lab.is_qemu() {
        let on = (format!("{lava} power on {first}{option}"), "the boards are off at first");
        commands.insert(0, on);
    }
    let width = commands.iter().map(|(command, _)| command.len()).max().unwrap_or_default();
    let mut text = "\nType this in another terminal:\n".to_owned();
    for (command, what) in commands {
        // Writing to a string does not fail.
        let _ = writeln!(text, "  {command:width$}   {what}");
    }
    let _ = write!(
        text,
        "
It costs TCP ports on 127.0.0.1: {} and {} for HTTP, {} and {} for telnet, {} and {} for raw
bytes ({first} and {second}); and the folder {}
with the inventory lab.toml, and every byte of the consoles in captures/.
",
        ports.serial().port(),
        ports.power().port(),
        ports.telnet(0).port(),
        ports.telnet(1).port(),
        ports.raw(0).port(),
        ports.raw(1).port(),
        lab.folder().display(),
    );
    if lab.is_qemu() {
        text.push_str(
            "Each board that is on takes 100 MB and more, and U-Boot at its prompt a whole processor core.\n",
        );
    }
    text.push_str("Ctrl-C ends it and leaves nothing behind.\n");
    say(&text);
}

pub(super) fn job_begins() {
    say(&format!("\nA job now has {}; look on with its console. Ctrl-C ends it.\n\n", BOARDS[0]));
}

/// Why the job failed, when the demo goes on.
pub(super) fn job_failed(failure: &Failure) {
    say(&format!("{failure}\n"));
}

pub(super) fn goodbye() {
    say("\nThe demo ends.\n");
}

/// Prints on standard output; that nobody reads it is no reason to stop.
pub(super) fn say(text: &str) {
    let mut out = std::io::stdout();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// What makes clients look for the boards here, where they would not by themselves: somebody has an
/// inventory of other boards, or other daemons run on this host.
fn lab_option(lab: &Lab) -> String {
    let alone = |dir: &Path| {
        let names = std::fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok);
        let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.filter(|name| name.starts_with("serial-")).count() <= 1
    };
    match client::lab::Lab::locate(None, None) {
        Ok(client::lab::Lab::Host(dir)) if alone(&dir) => String::new(),
        _ => format!(" --lab {}", word(&lab.inventory())),
    }
}

/// A path as one word of a shell.
fn word(path: &Path) -> String {
    let path = path.display().to_string();
    shlex::try_quote(&path).map_or(path.clone(), std::borrow::Cow::into_owned)
}

/// How to call this very program: its name when the shell would find it, else its path.
fn program() -> String {
    let Ok(this) = std::env::current_exe() else { return "lava".to_owned() };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let same = |found: &Path| found.canonicalize().is_ok_and(|found| found == this);
    let found = std::env::split_paths(&path).map(|dir| dir.join("lava")).find(|path| path.exists());
    if found.is_some_and(|found| same(&found)) {
        return "lava".to_owned();
    }
    let here = std::env::current_dir().ok();
    let near = here.and_then(|here| this.strip_prefix(here).ok().map(Path::to_owned));
    word(&near.unwrap_or(this))
}
