//! A program on a pty of its own.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal};
use rustix::pty::OpenptFlags;
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use tokio::process::{Child, Command};

/// A child process that leads its own session on a pty. Dropping it hangs up the whole session.
#[derive(Debug)]
pub struct PtyChild {
    child: Child,
    leader: Option<Pid>,
}

/// Starts a program with a new pty as its controlling terminal and standard streams, and gives the
/// master end, in non-blocking mode. The pty is in raw mode, so that bytes pass as they are; a
/// program that wants a cooked terminal sets it.
///
/// # Errors
/// What the system says, for example that there is no such program.
pub fn spawn_on_pty(program: &str, arguments: &[String]) -> io::Result<(OwnedFd, PtyChild)> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = rustix::pty::openpt(flags)?;
    rustix::pty::grantpt(&master)?;
    rustix::pty::unlockpt(&master)?;
    let path = rustix::pty::ptsname(&master, Vec::new())?;
    let open = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let slave = rustix::fs::open(path, open, Mode::empty())?;
    let mut termios = tcgetattr(&slave)?;
    termios.make_raw();
    tcsetattr(&slave, OptionalActions::Now, &termios)?;

    let mut command = Command::new(program);
    command.args(arguments).kill_on_drop(true);
    command.stdin(slave.try_clone()?).stdout(slave.try_clone()?).stderr(slave);
    // SAFETY: between fork and exec only setsid and ioctl are called; both are async-signal-safe.
    unsafe {
        command.pre_exec(|| {
            rustix::process::setsid()?;
            Ok(rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())?)
        });
    }
    let child = command.spawn()?;
    let leader = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    rustix::io::ioctl_fionbio(&master, true)?;
    Ok((master, PtyChild { child, leader }))
}

impl PtyChild {
    /// How the program ended, if it has: `exit status: 1` or `signal: 9 (SIGKILL)`.
    pub fn ended(&mut self) -> Option<String> {
        self.child.try_wait().ok().flatten().map(|status| status.to_string())
    }
}

impl Drop for PtyChild {
    fn drop(&mut self) {
        if let (Ok(None), Some(leader)) = (self.child.try_wait(), self.leader) {
            // The session's children get the hang-up as well; the child itself is killed after it.
            let _ = rustix::process::kill_process_group(leader, Signal::HUP);
        }
    }
}
