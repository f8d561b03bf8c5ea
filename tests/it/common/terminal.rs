//! Pseudo terminals: one for a person's program to run in, or one to stand for a serial adapter.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, Winsize, tcgetattr, tcsetattr, tcsetwinsize};

/// A pty pair. Its far end stays open here, so that programs may come and go on the path.
pub(crate) struct Terminal {
    near: File,
    far: File,
    path: PathBuf,
}

impl Terminal {
    /// A terminal as a person has it: 80 × 24, echoing.
    pub(crate) fn new() -> Self {
        let near = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&near).unwrap();
        unlockpt(&near).unwrap();
        let path = PathBuf::from(ptsname(&near, Vec::new()).unwrap().into_string().unwrap());
        let far = open_tty(&path);
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&near, size).unwrap();
        Self { near: near.into(), far, path }
    }

    /// A terminal as a serial adapter is: every byte passes as it is, and nothing echoes.
    pub(crate) fn wire() -> Self {
        let terminal = Self::new();
        let mut settings = tcgetattr(&terminal.far).unwrap();
        settings.make_raw();
        tcsetattr(&terminal.far, OptionalActions::Now, &settings).unwrap();
        terminal
    }

    /// The device of the far end, as `/dev/pts/7`.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The near end, to read and write; `dup`ed, so that several may hold it.
    pub(crate) fn near(&self) -> File {
        self.near.try_clone().unwrap()
    }

    pub(crate) fn resize(&self, rows: u16, cols: u16) {
        let size = Winsize { ws_row: rows, ws_col: cols, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.near, size).unwrap();
    }

    /// The settings as `stty -a` prints them, to see that a program restored those of a terminal that
    /// is new (a program may be faster than a look at its own).
    pub(crate) fn settings(&self) -> String {
        let output = Command::new("stty").arg("-a").stdin(self.far_end()).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub(crate) fn far_end(&self) -> OwnedFd {
        self.far.try_clone().unwrap().into()
    }
}

fn open_tty(path: &Path) -> File {
    use std::os::unix::fs::OpenOptionsExt as _;
    let noctty = i32::try_from(rustix::fs::OFlags::NOCTTY.bits()).unwrap();
    File::options().read(true).write(true).custom_flags(noctty).open(path).unwrap()
}
