//! A lab of our own: a folder, and programs that find each other only in it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use super::daemon::Daemon;
use super::heard::Heard;
use super::postgres;
use super::process::{Process, command, program};
use super::wait::LIMIT;

/// Programs started by it share one runtime folder and one home, both inside its own folder.
pub(crate) struct TestLab {
    dir: tempfile::TempDir,
}

impl TestLab {
    pub(crate) fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("lab-").tempdir().unwrap();
        for name in ["run", "home"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        Self { dir }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file of the lab and gives its path as text, ready for a command line.
    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path.into_os_string().into_string().unwrap()
    }

    /// One of our programs, not started yet.
    pub(crate) fn program(&self, name: &str) -> Command {
        self.tool(program(name))
    }

    /// Any other program, not started yet, in the lab's folder and environment.
    pub(crate) fn tool(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = command(program);
        command
            .current_dir(self.dir())
            .env("LAVA_RUNTIME_DIR", self.path("run"))
            .env("STATE_DIRECTORY", self.path("state"))
            .env("HOME", self.path("home"))
            .env("TERM", "xterm")
            .env("USER", "tester");
        for inherited in
            ["LAVA_SERVER", "LAVA_LAB", "LAVA_LOG", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"]
        {
            command.env_remove(inherited);
        }
        for inherited in ["LAVA_TOKEN", "LAVA_TOKEN_FILE", "LAVA_CA"] {
            command.env_remove(inherited);
        }
        command
    }

    /// Starts one of our daemons and waits until it is ready.
    #[track_caller]
    pub(crate) fn start<S: AsRef<OsStr>>(
        &self,
        name: &str,
        args: impl IntoIterator<Item = S>,
    ) -> Daemon {
        let mut program = self.program(name);
        program.args(args);
        if name == "lava-server" {
            program.args(self.database());
        }
        Daemon::start(name, &mut program)
    }

    /// The option for the lab's own database, made when it is first asked for, where one is not to be in the server's folder.
    fn database(&self) -> Option<String> {
        let dir = PathBuf::from(std::env::var_os(postgres::EVERYWHERE)?);
        let name = self.dir().file_name().and_then(OsStr::to_str).unwrap();
        let url = match std::fs::File::create_new(self.path("database")) {
            Ok(_) => postgres::create(&dir, name),
            Err(_) => postgres::url_of(&dir, name),
        };
        Some(format!("--database={url}"))
    }

    /// Runs one of our programs to its end, with `input` on its standard input.
    #[track_caller]
    pub(crate) fn run<S: AsRef<OsStr>>(
        &self,
        name: &str,
        args: impl IntoIterator<Item = S>,
        input: &str,
    ) -> Output {
        run(self.program(name).args(args), input, LIMIT)
    }
}

/// Runs a command to its end.
///
/// # Panics
/// When it has not ended within the limit, with what it said until then.
#[track_caller]
pub(crate) fn run(command: &mut Command, input: &str, limit: Duration) -> Output {
    use std::io::Write as _;
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = Process::spawn(command);
    let stdout = Heard::from(process.child().stdout.take().unwrap());
    let stderr = Heard::from(process.child().stderr.take().unwrap());
    let mut stdin = process.child().stdin.take().unwrap();
    // A program that does not read its input may end before this is written.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let begin = std::time::Instant::now();
    let mut status = process.exited();
    while status.is_none() || !stdout.ended() || !stderr.ended() {
        assert!(
            begin.elapsed() < limit,
            "{command:?} has not ended after {limit:?}; it said:\n{}{}",
            stdout.text(),
            stderr.text()
        );
        std::thread::sleep(Duration::from_millis(5));
        status = process.exited();
    }
    Output { status: status.unwrap(), stdout: stdout.bytes(), stderr: stderr.bytes() }
}
