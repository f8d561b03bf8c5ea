//! What the demo tells the person who started it.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use crate::daemon::demo::{BOARDS, Lab};

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
    let (telnet, raw) = (ports.telnet(0).port(), ports.raw(0).port());
    let mut text = format!(
        "
Type this in another terminal:
  {lava} console {first}        its console; ~$help tells what else can be typed there
  {lava} power cycle {first}    pull its plug and put it back: watch the console
  {lava} boards                 what there is
  telnet 127.0.0.1 {telnet}         the same console by telnet; the board is never busy

"
    );
    if lab.is_qemu() {
        let _ = write!(
            text,
            "The boards are off: {lava} power on {first}. U-Boot at its prompt keeps one processor core
busy for each board that is on; {lava} power off {first} ends that.
"
        );
    }
    let _ = write!(
        text,
        "It costs TCP ports on 127.0.0.1, {} and {} for HTTP, {telnet} and {} for telnet, {raw} and {}
for raw bytes ({first} and {second}), and the folder
  {}
where lab.toml is the inventory of clients on this host and captures/ has every byte of the consoles.
Ctrl-C ends it and leaves nothing behind.
",
        ports.serial().port(),
        ports.power().port(),
        telnet + 1,
        raw + 1,
        lab.folder().display(),
    );
    say(&text);
}

pub(super) fn goodbye() {
    say("\nThe demo ends.\n");
}

/// Prints on standard output; that nobody reads it is no reason to stop.
pub(super) fn say(text: &str) {
    let mut out = std::io::stdout();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
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
    near.unwrap_or(this).display().to_string()
}
