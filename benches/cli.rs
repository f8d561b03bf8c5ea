//! From a name to a console, measured: `cargo bench --bench cli`.
//!
//! How long `lava-console` takes from its start until it is attached, and `lava boards` to its end, beside
//! conserver's `console` and labgrid's `labgrid-client`, all in one run; benches/README.md keeps the
//! figures. What is not installed is named and left out (labgrid: tests/rig/labgrid).
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program that prints a table")]

#[allow(dead_code, reason = "the boards are simulated here")]
mod common;

use std::io::{BufRead as _, BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{lava_serial, percentile};

/// How often each is started, one after the other in turn.
const RUNS: usize = 21;
/// The boards of a large lab.
const BOARDS: usize = 1000;
/// How long a daemon may take until it can be asked.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program that is started, and when it is done.
struct Row {
    what: String,
    command: Command,
    until: Until,
    took: Vec<Duration>,
}

enum Until {
    /// This text is on standard output or standard error.
    Says(&'static str),
    Ends,
}

/// Killed at the end.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn main() {
    let dir = tempfile::tempdir().unwrap();
    let (mut rows, mut daemons) = (Vec::new(), Vec::new());
    lava(dir.path(), &mut rows, &mut daemons);
    conserver(dir.path(), &mut rows, &mut daemons);
    labgrid(dir.path(), &mut rows, &mut daemons);
    for _ in 0..RUNS {
        for row in &mut rows {
            row.took.push(measure(&mut row.command, &row.until));
        }
    }
    println!("| what | p50 | p90 | beside the first |\n|---|---|---|---|");
    let mut first = None;
    for Row { what, took, .. } in &mut rows {
        took.sort_unstable();
        let (p50, p90) = (percentile(took, 50), percentile(took, 90));
        let first = *first.get_or_insert(p50);
        let ratio = p50.as_secs_f64() / first.as_secs_f64();
        println!("| {what} | {:.1} ms | {:.1} ms | {ratio:.1} |", ms(p50), ms(p90));
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Our own programs: at one board, and in a large lab, by its daemons and by an inventory.
fn lava(dir: &Path, rows: &mut Vec<Row>, daemons: &mut Vec<Daemon>) {
    let mut consoles = |name: &str, count: usize| {
        let dir = dir.join(name);
        std::fs::create_dir(&dir).unwrap();
        let ports = std::iter::repeat_n(("sim:uart", None), count);
        let front = "[http]\nlisten = \"127.0.0.1:0\"\n";
        let mut serial = lava_serial(&dir, front, ports).unwrap();
        let mut serial = serial.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(serial.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        daemons.push(Daemon(serial));
        let http = ready.split_whitespace().find_map(|word| word.strip_prefix("http="));
        let http = http.unwrap_or_else(|| panic!("no address in {ready:?}")).to_owned();
        (dir, http)
    };
    let (one, http) = consoles("one", 1);
    let (many, _) = consoles("many", BOARDS);
    let inventory = one.join("lab.toml");
    let board =
        |at| format!("[[board]]\nname = \"c{at}\"\nconsole = \"http://{http}/consoles/c{at}\"\n");
    std::fs::write(&inventory, (0..BOARDS).map(board).collect::<String>()).unwrap();
    let ours = |program: &str, dir: &Path, args: &[&str]| {
        let mut command = Command::new(program);
        command.args(args).env("LAVA_RUNTIME_DIR", dir).env("HOME", dir);
        ["LAVA_LAB", "LAVA_SERVER", "XDG_CONFIG_HOME"].iter().for_each(|name| {
            command.env_remove(name);
        });
        command
    };
    let (console, lava) = (env!("CARGO_BIN_EXE_lava-console"), env!("CARGO_BIN_EXE_lava"));
    let attached = Until::Says("Connected to c0");
    let mut row = |what: String, command, until| {
        rows.push(Row { what, command, until, took: Vec::new() });
    };
    row("lava-console, to attached".into(), ours(console, &one, &["c0"]), attached);
    let attached = || Until::Says("Connected to c0");
    let what = format!("lava-console, to attached, {BOARDS} boards at the daemon");
    row(what, ours(console, &many, &["c0"]), attached());
    let what = format!("lava-console, to attached, {BOARDS} boards in lab.toml");
    row(what, ours(console, &one, &["--lab", inventory.to_str().unwrap(), "c0"]), attached());
    row("lava boards, 1 board".into(), ours(lava, &one, &["boards"]), Until::Ends);
    row(format!("lava boards, {BOARDS} boards"), ours(lava, &many, &["boards"]), Until::Ends);
    row(format!("lava who, {BOARDS} boards"), ours(lava, &many, &["who", "c*"]), Until::Ends);
}

/// conserver's client: the list of what is up, and at a console.
fn conserver(dir: &Path, rows: &mut Vec<Row>, daemons: &mut Vec<Daemon>) {
    let (Some(server), Some(client)) = (installed("conserver"), installed("console")) else {
        return println!("conserver is not installed (conserver-server, conserver-client)");
    };
    let port = free_port();
    let config = "config * { sslrequired no; defaultaccess trusted; }\n\
         access * { trusted 127.0.0.1; allowed 127.0.0.1; }\n\
         default * { rw *; master localhost; type exec; }\nconsole c0 { exec cat; }\n";
    std::fs::write(dir.join("conserver.cf"), config).unwrap();
    std::fs::write(dir.join("conserver.passwd"), "*any*:\n").unwrap();
    let mut command = Command::new(server);
    command.arg("-C").arg(dir.join("conserver.cf")).arg("-P").arg(dir.join("conserver.passwd"));
    command.args(["-M", "127.0.0.1", "-p", &port.to_string()]);
    daemons.push(start(command, port));
    let ours = |args: &[&str]| {
        let mut command = Command::new(&client);
        command.args(["-M", "127.0.0.1", "-p", &port.to_string()]).args(args).env("HOME", dir);
        command
    };
    let list = ours(&["-x"]);
    rows.push(Row {
        what: "console -x".into(),
        command: list,
        until: Until::Ends,
        took: Vec::new(),
    });
    let until = Until::Says("for help]");
    let what = "console, to attached (conserver)".into();
    rows.push(Row { what, command: ours(&["c0"]), until, took: Vec::new() });
}

/// labgrid's client, at a coordinator without places.
fn labgrid(dir: &Path, rows: &mut Vec<Row>, daemons: &mut Vec<Daemon>) {
    let bin = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/rig/labgrid/bin");
    if !bin.exists() {
        return println!("labgrid is not installed: tests/rig/labgrid does it");
    }
    let port = free_port();
    let at = format!("127.0.0.1:{port}");
    let mut command = Command::new(bin.join("labgrid-coordinator"));
    command.args(["-l", &at]).current_dir(dir);
    daemons.push(start(command, port));
    for verb in ["who", "places"] {
        let mut command = Command::new(bin.join("labgrid-client"));
        command.args(["-x", &at, verb]).env("HOME", dir);
        let (what, until) = (format!("labgrid-client {verb}"), Until::Ends);
        rows.push(Row { what, command, until, took: Vec::new() });
    }
}

fn installed(program: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin";
    path.split(':').map(|dir| Path::new(dir).join(program)).find(|file| file.exists())
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Starts a daemon, and waits until it listens.
fn start(mut command: Command, port: u16) -> Daemon {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let daemon = Daemon(quiet.spawn().unwrap());
    let begin = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(begin.elapsed() < PATIENCE, "{command:?} does not listen");
        std::thread::sleep(Duration::from_millis(10));
    }
    daemon
}

/// The time from the start of a program until it is done.
fn measure(command: &mut Command, until: &Until) -> Duration {
    // A reader of its own for both: what a program says goes to one of them.
    let (reader, writer) = std::io::pipe().unwrap();
    command.stdin(Stdio::piped()).stdout(writer.try_clone().unwrap()).stderr(writer);
    let begin = Instant::now();
    let mut child = Daemon(command.spawn().unwrap());
    // Its copies of our end would keep the pipe open.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let took = match until {
        Until::Says(text) => {
            wait_for(reader, text);
            begin.elapsed()
        }
        Until::Ends => {
            drop(child.0.stdin.take());
            let said = std::io::read_to_string(reader).unwrap();
            let status = child.0.wait().unwrap();
            assert!(status.success(), "{command:?} failed: {said}");
            begin.elapsed()
        }
    };
    drop(child);
    took
}

fn wait_for(mut reader: impl Read, text: &str) {
    let (mut said, mut piece) = (Vec::new(), [0; 4096]);
    while !String::from_utf8_lossy(&said).contains(text) {
        let length = reader.read(&mut piece).unwrap();
        assert!(length > 0, "it has ended: {}", String::from_utf8_lossy(&said));
        said.extend_from_slice(&piece[..length]);
    }
}
