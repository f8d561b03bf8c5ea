//! Counterparts that are played: a board that follows a script behind a port, and stand-in programs
//! where a real one would need the real board.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::common::{LIMIT, TestLab, run};

/// Longer than any of these jobs may take.
const JOB: Duration = Duration::from_secs(60);

/// How a job begins.
pub(crate) const HEAD: &str = "job_name: a method
visibility: public
timeouts: {job: {minutes: 2}, action: {minutes: 1}, connection: {minutes: 1}}
actions:
";

/// A test block with one definition.
pub(super) const SMOKE: &str = "- test:
    definitions:
    - name: smoke
      from: inline
      path: smoke.yaml
      repository:
        metadata: {format: Lava-Test Test Definition 1.0, name: smoke}
        run: {steps: [lava-test-case linux --shell uname -a]}
";

/// One step of a script.
#[derive(Debug, Clone, Copy)]
pub(super) enum Line {
    /// The board says this.
    Say(&'static str),
    /// Exactly this must be typed.
    Hear(&'static str),
    /// A line of which this is the beginning must be typed.
    Begin(&'static str),
    /// A line of which this is the beginning must be typed; what follows is a URL that gives an
    /// archive.
    Fetch(&'static str),
    /// The same with a URL that gives any file, and with more behind it; the file is kept.
    Keep(&'static str),
    /// The board's outlet must be switched.
    Reset,
}

/// A board that follows a script for one client. It says nothing that is not in the script, and
/// stops at the first thing that is typed otherwise.
pub(super) struct Dialogue {
    pub(super) port: u16,
    /// The device dictionary's command that switches its outlet.
    pub(super) reset: String,
    thread: JoinHandle<Result<(TcpStream, Vec<u8>), String>>,
}

impl Dialogue {
    pub(super) fn start(script: &'static [Line]) -> Self {
        Self::with_power(script, None)
    }

    /// A board whose script has resets; its outlet is a FIFO of the lab's.
    pub(super) fn powered(lab: &TestLab, script: &'static [Line]) -> Self {
        let fifo = lab.path("outlet");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        Self::with_power(script, Some(fifo))
    }

    fn with_power(script: &'static [Line], outlet: Option<PathBuf>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let switch = |fifo: &PathBuf| format!("sh -c \"echo reset > {}\"", fifo.display());
        let reset = outlet.as_ref().map_or_else(|| "true".to_owned(), switch);
        let thread = std::thread::spawn(move || {
            let (line, _) = listener.accept().unwrap();
            line.set_read_timeout(Some(LIMIT)).unwrap();
            play(line, script, outlet.as_deref())
        });
        Self { port, reset, thread }
    }

    /// The script's end, or where it was left. Then the line is closed.
    pub(super) fn end(self) -> Result<(), String> {
        self.thread.join().unwrap().map(drop)
    }

    /// The same with the file that was kept.
    pub(super) fn kept(self) -> Result<Vec<u8>, String> {
        self.thread.join().unwrap().map(|(_, kept)| kept)
    }
}

/// What a URL of this host gives, as the board sees that.
fn fetch(url: &str) -> Result<Vec<u8>, String> {
    let rest = url.strip_prefix("http://10.0.2.2:").ok_or(url.to_owned())?;
    let (port, path) = rest.split_once('/').ok_or(rest.to_owned())?;
    // The board's 10.0.2.2 is this host.
    let server = TcpStream::connect(format!("127.0.0.1:{port}"));
    let mut server = server.map_err(|e| e.to_string())?;
    write!(server, "GET /{path} HTTP/1.0\r\n\r\n").map_err(|e| e.to_string())?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).map_err(|e| e.to_string())?;
    let head = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let head = head.filter(|_| answer.starts_with(b"HTTP/1.0 200 "));
    let head = head.ok_or_else(|| format!("{url}: {}", String::from_utf8_lossy(&answer)))?;
    Ok(answer.split_off(head + 4))
}

/// A line that is typed, of which this is the beginning; gives the rest.
fn typed_line(line: &mut TcpStream, beginning: &str) -> Result<String, String> {
    let mut typed = Vec::new();
    while typed.last() != Some(&b'\n') {
        let mut key = [0];
        line.read_exact(&mut key).map_err(|e| format!("{beginning:?}: {e}"))?;
        typed.push(key[0]);
    }
    let typed = String::from_utf8_lossy(&typed).into_owned();
    let rest = typed.strip_prefix(beginning).ok_or(format!("typed {typed:?}"))?;
    Ok(rest.trim_end().to_owned())
}

fn play(
    mut line: TcpStream,
    script: &[Line],
    outlet: Option<&Path>,
) -> Result<(TcpStream, Vec<u8>), String> {
    let mut kept = Vec::new();
    for step in script {
        match step {
            Line::Begin(beginning) => drop(typed_line(&mut line, beginning)?),
            Line::Fetch(beginning) => {
                let url = typed_line(&mut line, beginning)?;
                let file = fetch(&url)?;
                if !file.starts_with(b"\x1f\x8b") {
                    return Err(format!("{url} is no archive"));
                }
            }
            Line::Keep(beginning) => {
                let rest = typed_line(&mut line, beginning)?;
                kept = fetch(rest.split(' ').next().unwrap_or_default())?;
            }
            Line::Reset => {
                // Whoever switches the outlet hangs until there is somebody to read.
                let word = outlet.map(std::fs::read_to_string);
                if !matches!(&word, Some(Ok(word)) if word == "reset\n") {
                    return Err(format!("the outlet: {word:?}"));
                }
            }
            Line::Say(text) => line.write_all(text.as_bytes()).map_err(|e| e.to_string())?,
            Line::Hear(expected) => {
                let mut typed = vec![0; expected.len()];
                line.read_exact(&mut typed).map_err(|e| format!("{expected:?}: {e}"))?;
                let typed = String::from_utf8_lossy(&typed).into_owned();
                if typed != *expected {
                    return Err(format!("typed {typed:?}, not {expected:?}"));
                }
            }
        }
    }
    Ok((line, kept))
}

/// Writes a stand-in for a program of the host: a shell script that comes first in the path.
pub(crate) fn stand_in(lab: &TestLab, name: &str, script: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let path = lab.write(&format!("bin/{name}"), &format!("#!/bin/sh\n{script}\n"));
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Runs a job as number 7, with the stand-ins first in the path.
pub(super) fn dispatch(lab: &TestLab, job: &str, device: &str) -> Output {
    let (job, device) = (lab.write("job.yaml", job), lab.write("device.yaml", device));
    let tftp = lab.path("tftp");
    std::fs::create_dir_all(&tftp).unwrap();
    let path = format!("{}:{}", lab.path("bin").display(), std::env::var("PATH").unwrap());
    let mut command = lab.program("lava-dispatcher");
    // What a job's programs must not know.
    command.env("PATH", path).env("LAB_SECRET", "hunter2");
    command.args(["run", &job, "--device", &device, "--job-id", "7"]);
    command.args(["--dispatcher-ip", "10.0.2.2"]);
    command.arg("--output").arg(lab.path("out")).arg("--tftp-dir").arg(&tftp);
    // A lab has the USB devices that it says.
    command.arg("--sysfs").arg(lab.path("sys"));
    run(&mut command, "", JOB)
}

/// Runs a job that must be complete, and gives its log.
pub(super) fn complete(lab: &TestLab, job: &str, device: &str) -> String {
    let done = dispatch(lab, job, device);
    let log = std::fs::read_to_string(lab.path("out/output.jsonl")).unwrap_or_default();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(0), "{said}\n{log}");
    log
}

/// What a stand-in has noted in a file.
pub(super) fn noted(lab: &TestLab, name: &str) -> String {
    std::fs::read_to_string(lab.path(name)).unwrap_or_default()
}
