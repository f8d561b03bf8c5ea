//! Processes that do not outlive their test.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::wait::wait_until;

/// A child process; killed when dropped.
pub(crate) struct Process {
    child: Child,
}

/// A command that the kernel kills when the thread that started it goes: a test that is itself
/// killed leaves nothing behind. It keeps its process id through both programs.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// One of our own programs, as cargo built it for this test.
pub(crate) fn program(name: &str) -> PathBuf {
    let built = match name {
        "lava" => option_env!("CARGO_BIN_EXE_lava"),
        "lava-console" => option_env!("CARGO_BIN_EXE_lava-console"),
        "lava-dispatcher" => option_env!("CARGO_BIN_EXE_lava-dispatcher"),
        "lava-power" => option_env!("CARGO_BIN_EXE_lava-power"),
        "lava-serial" => option_env!("CARGO_BIN_EXE_lava-serial"),
        "lava-server" => option_env!("CARGO_BIN_EXE_lava-server"),
        "lava-ssh" => option_env!("CARGO_BIN_EXE_lava-ssh"),
        _ => None,
    };
    PathBuf::from(built.unwrap_or_else(|| panic!("there is no program {name} in src/bin")))
}

/// Fails the test unless `path` is there; tests/run prepares it.
pub(crate) fn needs(path: &Path) -> &Path {
    assert!(path.exists(), "{} is missing: run tests/run, which prepares it", path.display());
    path
}

/// Sends a signal to a process of ours.
pub(crate) fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    // Gone already is as good.
    let _ = kill_process(pid, signal);
}

impl Process {
    /// # Panics
    /// When the program cannot be started.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        match command.spawn() {
            Ok(child) => Self { child },
            Err(error) => panic!("cannot start {command:?}: {error}; tests/run installs it"),
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// `None` while it runs.
    pub(crate) fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits until it has ended by itself.
    pub(crate) fn wait(&mut self, limit: Duration) -> ExitStatus {
        let mut status = None;
        wait_until(limit, &format!("process {} ends", self.pid()), || {
            status = self.exited();
            status.is_some()
        });
        status.unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
