//! What the benches share: boards on ptys, and the real `lava-serial`.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Command;

use rustix::fs::{Mode, OFlags};
use rustix::io;
use rustix::pty::OpenptFlags;

/// The terminal of a board that is a pty.
pub(crate) struct Tty {
    pub(crate) path: String,
    /// Keeps it open and raw, so that the board's end lives on between two openings.
    _held: OwnedFd,
}

/// A board's own end of a new pty, and its terminal.
pub(crate) fn board() -> io::Result<(OwnedFd, Tty)> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = rustix::pty::openpt(flags)?;
    rustix::pty::unlockpt(&master)?;
    let path = rustix::pty::ptsname(&master, Vec::new())?;
    let path = path.into_string().map_err(|_| io::Errno::ILSEQ)?;
    let held = open_raw(&path)?;
    Ok((master, Tty { path, _held: held }))
}

/// Opens a terminal, and makes it pass every byte as it is.
pub(crate) fn open_raw(path: &str) -> io::Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let fd = rustix::fs::open(path, flags, Mode::empty())?;
    let mut termios = rustix::termios::tcgetattr(&fd)?;
    termios.make_raw();
    rustix::termios::tcsetattr(&fd, rustix::termios::OptionalActions::Now, &termios)?;
    Ok(fd)
}

/// `lava-serial` with its state in `dir`, a capture for every console, and what `front` is: the
/// configuration of its HTTP, if any. A console is its port, and the address of its raw listener.
pub(crate) fn lava_serial<'a>(
    dir: &Path,
    front: &str,
    consoles: impl IntoIterator<Item = (&'a str, Option<String>)>,
) -> std::io::Result<Command> {
    let mut config = format!("{front}[capture]\ndir = \"{}\"\n", dir.join("captures").display());
    for (at, (port, raw)) in consoles.into_iter().enumerate() {
        config += &format!("[[console]]\nname = \"c{at}\"\nport = \"{port}\"\n");
        if let Some(raw) = raw {
            config += &format!("raw = \"{raw}\"\n");
        }
    }
    let file = dir.join("serial.toml");
    std::fs::write(&file, config)?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_lava-serial"));
    command.arg("--config").arg(file).env("LAVA_RUNTIME_DIR", dir);
    Ok(command)
}

/// What so many percent of the sorted values are at most.
pub(crate) fn percentile<T: Copy>(sorted: &[T], percent: usize) -> T {
    sorted[sorted.len() * percent / 100]
}
