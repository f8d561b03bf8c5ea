//! What the demo tells the person who started it.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::job::{DISPATCHER_IP, Files};
use crate::client;
use crate::daemon::demo::{BOARDS, Lab};
use crate::model::Failure;

/// The program that runs one job.
const DISPATCHER: &str = "lava-dispatcher";

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

pub(super) fn what_next(lab: &Lab, files: &Files) {
    let (lava, [first, second], ports) = (program("lava"), BOARDS, lab.ports());
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
    text.push_str(&own_job(lab, files));
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

/// How to run a job of one's own. A line of its own, far longer than the others.
fn own_job(lab: &Lab, files: &Files) -> String {
    let [job, device] = [&files.job, &files.device].map(|path| word(path));
    let (inventory, tftp) = (word(&lab.inventory()), word(&lab.tftp()));
    let address = match lab.is_qemu() {
        true => format!(" --dispatcher-ip {DISPATCHER_IP}"),
        false => String::new(),
    };
    let command = format!(
        "{} run {job} --device {device} --output lava-results --lab {inventory} --tftp-dir {tftp}{address}",
        program(DISPATCHER)
    );
    let mut what = format!("a job on {}; for one of your own, give a copy of job.yaml", BOARDS[0]);
    if sibling(DISPATCHER).is_some_and(|path| !path.exists()) {
        let release = if cfg!(debug_assertions) { "" } else { "--release " };
        let _ = write!(what, " (first: cargo build {release}--bin {DISPATCHER})");
    }
    format!("  {command}\n      {what}\n")
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

/// A program that is installed or built beside this one.
fn sibling(name: &str) -> Option<PathBuf> {
    std::env::current_exe().ok().map(|this| this.with_file_name(name))
}

/// How to call a program beside this one: its name when the shell would find it, else its path.
fn program(name: &str) -> String {
    let Some(wanted) = sibling(name) else { return name.to_owned() };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let same = |found: &Path| found.canonicalize().is_ok_and(|found| found == wanted);
    let found = std::env::split_paths(&path).map(|dir| dir.join(name)).find(|path| path.exists());
    if found.is_some_and(|found| same(&found)) {
        return name.to_owned();
    }
    let here = std::env::current_dir().ok();
    let near = here.and_then(|here| wanted.strip_prefix(here).ok().map(Path::to_owned));
    word(&near.unwrap_or(wanted))
}
