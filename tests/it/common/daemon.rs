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

    /// What it printed after `ready: `.
    pub(crate) fn ready(&self) -> &str {
        &self.ready
    }

    /// The address that follows a word in the ready line: `address("http")`, or of one console
    /// among several, `address("panda01 raw")`.
    #[track_caller]
    pub(crate) fn address(&self, words: &str) -> SocketAddr {
        let mut rest = self.ready.as_str();
        for word in words.split(' ') {
            let at = rest.find(word).unwrap_or_else(|| panic!("no {word:?} in {:?}", self.ready));
            rest = &rest[at + word.len()..];
        }
        let begin = rest.find(|c: char| c.is_ascii_digit() || c == '[').unwrap_or(rest.len());
        let address = rest[begin..].split([' ', ',', ';', '/', ')']).next().unwrap_or_default();
        address.parse().unwrap_or_else(|_| panic!("no address after {words:?} in {:?}", self.ready))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
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

    /// Its resident memory in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
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
