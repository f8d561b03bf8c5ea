//! A program on a pty of its own.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitOptions, waitid, waitpid};
use rustix::pty::OpenptFlags;
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use tokio::process::{Child, Command};

/// A child process that leads its own session on a pty. Dropping it hangs up the whole session.
#[derive(Debug)]
pub struct PtyChild {
    /// `None` when it has ended, or is no child of ours.
    leader: Option<Pid>,
    /// `None` for one that was started before this program took the process over.
    child: Option<Child>,
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
    Ok((master, PtyChild { leader, child: Some(child) }))
}

impl PtyChild {
    /// How the program ended, if it has: `exit status: 1` or `signal: 9 (SIGKILL)`.
    pub fn ended(&mut self) -> Option<String> {
        match (&mut self.child, self.leader) {
            (Some(child), _) => child.try_wait().ok().flatten().map(|status| status.to_string()),
            (None, Some(leader)) => {
                let (_, status) = waitpid(Some(leader), WaitOptions::NOHANG).ok().flatten()?;
                self.leader = None;
                Some(ExitStatus::from_raw(status.as_raw()).to_string())
            }
            (None, None) => None,
        }
    }

    /// Takes over a child of this process that the program before this one has started. One that is no
    /// child of ours has ended with another process, and somebody else may have its id: it is left alone.
    ///
    /// # Errors
    /// When it is no process id.
    pub fn adopt(pid: i32) -> io::Result<Self> {
        let leader = Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidInput)?;
        // It is not waited for: that is done where its end is told.
        let ours = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let is_ours = waitid(WaitId::Pid(leader), ours).is_ok();
        Ok(Self { leader: is_ours.then_some(leader), child: None })
    }

    /// Leaves the program running, for the next program of this process to [adopt](Self::adopt). `None`
    /// when it has ended already. It is never waited for here after this.
    pub fn leave(mut self) -> Option<i32> {
        if self.ended().is_some() {
            return None;
        }
        // A dropped child would be killed.
        std::mem::forget(self.child.take());
        self.leader.take().map(Pid::as_raw_pid)
    }
}

impl Drop for PtyChild {
    fn drop(&mut self) {
        if self.ended().is_some() {
            return;
        }
        let Some(leader) = self.leader else { return };
        // The session's children get the hang-up as well; the child itself is killed after it.
        let _ = rustix::process::kill_process_group(leader, Signal::HUP);
        if self.child.is_none() {
            let _ = rustix::process::kill_process(leader, Signal::KILL);
            // It is gone in a moment, unless the system itself hangs: that is not waited for here.
            std::thread::spawn(move || waitpid(Some(leader), WaitOptions::empty()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_is_no_child_of_ours_is_left_alone() {
        let shell = std::process::Command::new("sh")
            .args(["-c", "sleep 1000 >/dev/null 2>&1 & echo $!"])
            .output()
            .unwrap();
        let pid: i32 = String::from_utf8(shell.stdout).unwrap().trim().parse().unwrap();
        let adopted = PtyChild::adopt(pid);
        let _ = rustix::process::kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL);
        assert_eq!(adopted.unwrap().leader, None);
        let mut own =
            std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let adopted = PtyChild::adopt(own.id().cast_signed()).unwrap();
        assert!(adopted.leader.is_some());
        drop(adopted);
        // Whoever waits for it first gets it.
        let _ = own.wait();
    }
}
