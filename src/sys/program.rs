//! Running a program to its end, never with a shell.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::child::die_with_parent;

/// How much is kept of the beginning of a program's output, and how much of its end, in bytes. What is
/// between them is read and dropped.
const KEPT: usize = 2048;
/// How long output is waited for after the program's end: something it started in the background
/// may hold its pipes open for ever.
const LAST_OUTPUT: Duration = Duration::from_millis(200);
/// The longest line that is told in one piece, in bytes.
const MAX_LINE: usize = 4096;

/// A program under way. Dropped before its end, it is killed with everything in its process group.
#[derive(Debug)]
pub struct Program {
    child: Child,
    group: Group,
    /// How much is kept of the beginning of its output, and of its end, in bytes.
    kept: usize,
}

/// What a program came to.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    /// The beginning and the end of what it said, 4 KiB in all if nothing else was asked for; so for the next.
    pub output: String,
    pub errors: String,
}

impl Ended {
    /// What it said of its failure.
    pub fn failure(&self, program: &str) -> String {
        match self.last_words() {
            Some(line) => format!("{program} failed: {line:?}"),
            None => format!("{program} failed: {}", self.status),
        }
    }

    /// The last line that it said. Programs say there what went wrong.
    pub fn last_words(&self) -> Option<&str> {
        let said = if self.errors.trim().is_empty() { &self.output } else { &self.errors };
        said.trim().lines().next_back()
    }
}

impl Program {
    /// Starts a program, `words` not empty, with these variables beside those of this process.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(words: &[String], variables: &[(&str, &OsStr)]) -> io::Result<Self> {
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).envs(variables.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self::begin(command)
    }

    /// Starts a command that was put together already, with the streams that it says. It does not outlive this
    /// process.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(mut command: Command) -> io::Result<Self> {
        die_with_parent(&mut command);
        Self::begin(command)
    }

    fn begin(mut command: Command) -> io::Result<Self> {
        // A Ctrl-C at our terminal is ours alone.
        let child = command.process_group(0).kill_on_drop(true).spawn()?;
        let group = Group::led_by(&child);
        Ok(Self { child, group, kept: KEPT })
    }

    /// Keeps so many bytes of the beginning of its output, and of its end.
    #[must_use]
    pub fn keeping(self, kept: usize) -> Self {
        Self { kept, ..self }
    }

    /// Its standard input, where that is a pipe; once.
    pub fn input(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// Its standard output, where that is a pipe; once. Nothing is kept of it then.
    pub fn output(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Waits for its end, and no longer: what it has started in the background may go on.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub async fn ended(self) -> io::Result<Ended> {
        self.telling(&|_| {}).await
    }

    /// The same, telling each line when it comes.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub async fn telling(mut self, tell: &(dyn Fn(&str) + Sync)) -> io::Result<Ended> {
        let (stdout, stderr) = (self.child.stdout.take(), self.child.stderr.take());
        let (mut output, mut errors) = (Kept::new(self.kept), Kept::new(self.kept));
        let status = {
            let mut reading = std::pin::pin!(futures_util::future::join(
                keep(stdout, &mut output, tell),
                keep(stderr, &mut errors, tell),
            ));
            tokio::select! {
                _ = &mut reading => self.child.wait().await,
                status = self.child.wait() => {
                    // Whatever is missing after this time was not the program's own.
                    let _ = tokio::time::timeout(LAST_OUTPUT, &mut reading).await;
                    status
                }
            }
        };
        // A line that has no end yet.
        output.flush(tell);
        errors.flush(tell);
        self.group.ended();
        Ok(Ended { status: status?, output: output.text(), errors: errors.text() })
    }
}

/// The beginning and the end of what a program says.
#[derive(Debug)]
struct Kept {
    limit: usize,
    first: Vec<u8>,
    last: VecDeque<u8>,
    /// How much of it is lost between the two.
    lost: usize,
    /// A line that has no end yet.
    line: Vec<u8>,
}

impl Kept {
    fn new(limit: usize) -> Self {
        let (first, last, line) = (Vec::new(), VecDeque::new(), Vec::new());
        Self { limit, first, last, lost: 0, line }
    }

    fn push(&mut self, bytes: &[u8]) {
        let room = self.limit - self.first.len();
        let (first, rest) = bytes.split_at(bytes.len().min(room));
        self.first.extend_from_slice(first);
        self.last.extend(rest);
        let over = self.last.len().saturating_sub(self.limit);
        self.last.drain(..over);
        self.lost += over;
    }

    fn tell(&mut self, bytes: &[u8], tell: &(dyn Fn(&str) + Sync)) {
        for &byte in bytes {
            match byte {
                b'\n' | b'\r' => self.flush(tell),
                _ => self.line.push(byte),
            }
            if self.line.len() >= MAX_LINE {
                self.flush(tell);
            }
        }
    }

    fn flush(&mut self, tell: &(dyn Fn(&str) + Sync)) {
        if !self.line.is_empty() {
            tell(&String::from_utf8_lossy(&self.line));
            self.line.clear();
        }
    }

    /// Lines that are cut in two are left out, unless there are no others.
    fn text(self) -> String {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (mut first, last) = (self.first, Vec::from(self.last));
        if self.lost == 0 {
            first.extend(last);
            return text(&first);
        }
        let line_end = |bytes: &[u8]| bytes.iter().position(|byte| *byte == b'\n');
        let whole = first.iter().rposition(|byte| *byte == b'\n').map_or(first.len(), |at| at + 1);
        let from = line_end(&last).map_or(0, |at| at + 1);
        text(&first[..whole]) + &text(&last[from..])
    }
}

/// Reads to the end, and keeps what is kept of it.
async fn keep(pipe: Option<impl AsyncRead + Unpin>, kept: &mut Kept, tell: &(dyn Fn(&str) + Sync)) {
    let Some(mut pipe) = pipe else { return };
    let mut chunk = [0; 1024];
    while let Ok(count @ 1..) = pipe.read(&mut chunk).await {
        kept.push(&chunk[..count]);
        kept.tell(&chunk[..count], tell);
    }
}

/// A running program's process group, killed when dropped before the program has ended.
#[derive(Debug)]
struct Group(Option<Pid>);

impl Group {
    fn led_by(child: &Child) -> Self {
        Self(child.id().and_then(|id| Pid::from_raw(id as i32)))
    }

    /// The number of an ended process may be somebody else's by now: leave it alone.
    fn ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It may have ended between the time-out and now; then there is nobody to kill.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Program {
        Program::start(&["sh", "-c", script].map(str::to_owned), &[]).unwrap()
    }

    #[tokio::test]
    async fn the_last_words_of_a_talkative_program_are_its_last() {
        let script = "echo first >&2; seq 100000 >&2; echo it broke >&2; exit 1";
        let ended = sh(script).ended().await.unwrap();
        assert_eq!(ended.last_words(), Some("it broke"));
        assert!(ended.errors.starts_with("first\n1\n2\n"), "{}", ended.errors);
        assert!(ended.errors.len() <= 2 * KEPT, "{}", ended.errors.len());
        let lines: Vec<u32> = ended.errors.lines().filter_map(|line| line.parse().ok()).collect();
        assert!(lines.is_sorted() && lines.contains(&100_000), "no line is cut in two");
        assert_eq!(lines.len(), ended.errors.lines().count() - 2);
    }

    #[tokio::test]
    async fn what_goes_on_in_the_background_is_not_waited_for() {
        let ended = sh("echo done; sleep 3 &").ended().await.unwrap();
        assert!(ended.status.success());
        assert_eq!(ended.output, "done\n");
    }
}
