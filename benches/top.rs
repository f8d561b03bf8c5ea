//! What `lava top` costs while a hundred boards print: `cargo bench --bench top [-- BOARDS]`.
//!
//! Prints a table; benches/README.md tells what the rows mean, and keeps the figures.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program that prints a table")]

#[allow(dead_code, reason = "each bench uses some of it")]
mod common;

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::termios::{Winsize, tcsetwinsize};

/// How long each row is measured.
const TIME: Duration = Duration::from_secs(20);
/// What a board prints: a line of 96 bytes 120 times a second is 11,520 bytes/s, as 115,200 baud.
const LINES: u32 = 120;
/// The screen, in rows and columns.
const SIZE: (u16, u16) = (50, 200);
/// How long the screen may take to be there.
const LIMIT: Duration = Duration::from_secs(30);

fn main() {
    // `cargo bench` gives a `--bench` of its own.
    let boards = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(100);
    let dir = tempfile::tempdir().unwrap();
    let mut masters = Vec::new();
    let mut ttys = Vec::new();
    for _ in 0..boards {
        let (master, tty) = common::board().unwrap();
        masters.push(File::from(master));
        ttys.push(tty);
    }
    let consoles: Vec<(String, Option<String>)> =
        ttys.iter().map(|tty| (format!("tty:{},115200n8", tty.path), None)).collect();
    let consoles = consoles.iter().map(|(port, raw)| (port.as_str(), raw.clone()));
    let mut serial = common::lava_serial(dir.path(), "", consoles).unwrap();
    let mut serial = Ended(serial.stdout(Stdio::piped()).spawn().unwrap());
    let mut ready = String::new();
    BufReader::new(serial.0.stdout.take().unwrap()).read_line(&mut ready).unwrap();
    assert!(ready.starts_with("ready"), "{ready}");
    std::thread::spawn(move || print_lines(&mut masters));

    println!("{boards} boards, {LINES} lines/s of 96 bytes each; {} s a row\n", TIME.as_secs());
    println!(
        "| what | lava top, % of a core | lava-serial, % of a core | written to the screen, kB/s |"
    );
    println!("|---|---|---|---|");
    let alone = cpu(serial.0.id());
    std::thread::sleep(TIME);
    println!("| nobody looks | | {:.1} | |", percent(cpu(serial.0.id()) - alone));
    row("the list", dir.path(), serial.0.id(), &[]);
    row("the list, sorted by activity", dir.path(), serial.0.id(), &["s"]);
    row("four consoles beside each other", dir.path(), serial.0.id(), &["    ", "\r"]);
}

/// One `lava top`, after these keys.
fn row(what: &str, dir: &Path, serial: u32, keys: &[&str]) {
    let (near, tty) = common::board().unwrap();
    let size = Winsize { ws_row: SIZE.0, ws_col: SIZE.1, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&near, size).unwrap();
    let far = || Stdio::from(common::open_raw(&tty.path).unwrap());
    let mut top = Command::new("setsid");
    top.arg("--ctty").arg(env!("CARGO_BIN_EXE_lava")).arg("top");
    top.env("LAVA_RUNTIME_DIR", dir).env("HOME", dir).env("TERM", "xterm-256color");
    top.env_remove("LAVA_LAB").env_remove("LAVA_SERVER").env_remove("XDG_CONFIG_HOME");
    let top = Ended(top.stdin(far()).stdout(far()).stderr(far()).spawn().unwrap());
    let seen = Seen::of(near.try_clone().unwrap());
    seen.wait("c0");
    let mut typist = File::from(near);
    for keys in keys {
        typist.write_all(keys.as_bytes()).unwrap();
        seen.wait("");
    }
    std::thread::sleep(Duration::from_secs(2));
    let before = (cpu(top.0.id()), cpu(serial), seen.bytes());
    std::thread::sleep(TIME);
    let after = (cpu(top.0.id()), cpu(serial), seen.bytes());
    println!(
        "| {what} | {:.1} | {:.1} | {:.1} |",
        percent(after.0 - before.0),
        percent(after.1 - before.1),
        (after.2 - before.2) as f64 / 1000.0 / TIME.as_secs_f64()
    );
}

/// Has each board print its lines, all of them in turn, for ever.
fn print_lines(boards: &mut [File]) {
    let begin = Instant::now();
    for number in 0_u32.. {
        for (at, board) in boards.iter_mut().enumerate() {
            let line = format!("[{:>12.6}] c{at}: line {number}", begin.elapsed().as_secs_f64());
            // A board that nobody reads loses its lines; the others go on.
            let _ = board.write_all(format!("{line:<94}\r\n").as_bytes());
        }
        let next = begin + Duration::from_secs(1) * (number + 1) / LINES;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

/// What has been written to a screen.
struct Seen {
    bytes: Arc<AtomicU64>,
    text: Arc<Mutex<Vec<u8>>>,
}

impl Seen {
    fn of(near: OwnedFd) -> Self {
        let (bytes, text) = (Arc::<AtomicU64>::default(), Arc::<Mutex<Vec<u8>>>::default());
        let (counted, kept) = (bytes.clone(), text.clone());
        std::thread::spawn(move || {
            let (mut near, mut buffer) = (File::from(near), vec![0; 64 * 1024]);
            while let Ok(length @ 1..) = near.read(&mut buffer) {
                counted.fetch_add(length as u64, Ordering::Relaxed);
                kept.lock().unwrap().extend_from_slice(&buffer[..length]);
            }
        });
        Self { bytes, text }
    }

    fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Waits until something is written, and this is among it.
    fn wait(&self, text: &str) {
        let begin = Instant::now();
        loop {
            let mut seen = self.text.lock().unwrap();
            if !seen.is_empty() && String::from_utf8_lossy(&seen).contains(text) {
                seen.clear();
                return;
            }
            let what = String::from_utf8_lossy(&seen).into_owned();
            drop(seen);
            assert!(begin.elapsed() < LIMIT, "{text:?} was not drawn: {what}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// The CPU time of a process, all of its threads, those that have ended included.
fn cpu(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    // The kernel counts these in hundredths of a second, on every machine.
    Duration::from_millis(ticks * 10)
}

fn percent(cpu: Duration) -> f64 {
    cpu.as_secs_f64() / TIME.as_secs_f64() * 100.0
}

/// A process that ends with its row.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
