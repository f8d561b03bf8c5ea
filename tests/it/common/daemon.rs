//! A running daemon of ours: its ready line, its listeners, its output.

use std::net::SocketAddr;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use super::heard::Heard;
use super::process::{Process, signal};
use super::wait::{LIMIT, wait_until};

/// Killed when dropped; if the test failed, its output is shown.
pub(crate) struct Daemon {
    name: String,
    process: Process,
    ready: String,
    stdout: Heard,
    stderr: Heard,
}

impl Daemon {
    /// Starts it and waits for its `ready:` line.
    ///
    /// # Panics
    /// With its output when it ends or stays silent instead.
    #[track_caller]
    pub(crate) fn start(name: &str, command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = Process::spawn(command);
        let stdout = Heard::from(process.child().stdout.take().unwrap());
        let stderr = Heard::from(process.child().stderr.take().unwrap());
        let mut daemon = Self { name: name.into(), process, ready: String::new(), stdout, stderr };
        let ready = daemon
            .stdout
            .find(LIMIT, 0, b"ready: ")
            .and_then(|begin| Ok((begin, daemon.stdout.find(LIMIT, begin, b"\n")?)));
        match ready {
            Ok((begin, end)) => daemon.ready = daemon.stdout.text()[begin..end].trim().into(),
            Err(message) => panic!("{name} did not get ready: {message}"),
        }
        daemon
    }

    /// What the ready line says of something: `told("http")` of `http=127.0.0.1:7100`, or
    /// `told("raw")` of the first console's `panda01.raw=…`.
    #[track_caller]
    pub(crate) fn told(&self, key: &str) -> &str {
        let words = self.ready.split_whitespace().filter_map(|word| word.split_once('='));
        let found = words.into_iter().find(|(name, _)| {
            name.strip_suffix(key).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        });
        found.unwrap_or_else(|| panic!("no {key}=… in {:?}", self.ready)).1
    }

    /// The address of a listener, from the ready line.
    #[track_caller]
    pub(crate) fn address(&self, key: &str) -> SocketAddr {
        self.told(key).parse().unwrap_or_else(|_| panic!("no address: {}", self.told(key)))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Everything it has said on standard output.
    pub(crate) fn output(&self) -> &Heard {
        &self.stdout
    }

    /// Everything it has said on standard error.
    pub(crate) fn log(&self) -> &Heard {
        &self.stderr
    }

    /// `kill -9`, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        signal(self.pid(), Signal::KILL);
        self.process.wait(LIMIT);
    }

    /// SIGTERM; it has to end within the time that every daemon promises.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        signal(self.pid(), Signal::TERM);
        self.process.wait(LIMIT)
    }

    /// SIGINT, as Ctrl-C sends it.
    pub(crate) fn interrupt(&mut self) -> ExitStatus {
        signal(self.pid(), Signal::INT);
        self.process.wait(LIMIT)
    }

    /// Its resident memory in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    pub(crate) fn wait_for_output(&self, text: &str) {
        wait_until(LIMIT, &format!("{} prints {text:?}", self.name), || {
            self.stdout.text().contains(text)
        });
    }

    pub(crate) fn wait_for_log(&self, limit: Duration, text: &str) {
        wait_until(limit, &format!("{} logs {text:?}", self.name), || {
            self.stderr.text().contains(text)
        });
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- {} said:\n{}{}", self.name, self.stdout.text(), self.stderr.text());
        }
    }
}
