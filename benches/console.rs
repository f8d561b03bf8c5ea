//! The console engine and `lava-serial`, measured: `cargo bench --bench console`.
//!
//! Prints a table; benches/README.md tells what the rows mean, and keeps the figures.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program that prints a table")]

mod common;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{Tty, open_raw, percentile};
use lavamux::config::CaptureOptions;
use lavamux::console::{Attach, Console, Item, Lifetime};
use lavamux::model::event::Mode;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What the producer sends in the fan-out rows, in bytes.
const STREAM: usize = 512 << 20;
/// Keystrokes of the echo rows.
const KEYS: usize = 5_000;

fn main() {
    println!("| what | figure |\n|---|---|");
    for readers in [1, 16, 128] {
        fan_out(readers);
    }
    echo();
    memory();
    cold_start();
}

/// One producer at full speed through a console with its capture on, to so many readers in the
/// process; everything but the producer is on one thread. Its CPU time is counted as well.
fn fan_out(readers: usize) {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("board");
    let listener = UnixListener::bind(&socket).unwrap();
    let begin = Arc::new(std::sync::Barrier::new(2));
    let producer = std::thread::spawn({
        let begin = begin.clone();
        move || {
            let (mut board, _) = listener.accept().unwrap();
            let chunk = vec![b'x'; 64 * 1024];
            begin.wait();
            for _ in 0..STREAM / chunk.len() {
                board.write_all(&chunk).unwrap();
            }
            // Held open until the readers have everything.
            let _ = board.read(&mut [0]);
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (elapsed, cpu) = runtime.block_on(async {
        let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
        let spec = format!("unix:{}", socket.display()).parse().unwrap();
        let options = CaptureOptions { keep: 128 << 20, ..CaptureOptions::new(dir.path()) };
        let (console, owner) = Console::start(
            "bench".parse().unwrap(),
            spec,
            options,
            Lifetime {
                tasks: tasks.clone(),
                shutdown: shutdown.clone(),
                hand_over: CancellationToken::new(),
            },
            None,
        )
        .unwrap();
        tasks.spawn(owner);
        let sessions: Vec<_> = (0..readers)
            .map(|_| {
                let (session, mut out) = console.attach(Attach {
                    user: "bench".into(),
                    via: "raw",
                    peer: String::new(),
                    mode: Mode::Spy,
                    from: Some(0),
                    stay: false,
                });
                tasks.spawn(async move {
                    let mut total = 0;
                    while total < STREAM {
                        if let Some(Item::Pieces(pieces)) = out.next().await {
                            total += pieces.iter().map(|piece| piece.bytes.len()).sum::<usize>();
                        }
                    }
                    drop(session);
                })
            })
            .collect();
        tokio::task::spawn_blocking(move || begin.wait()).await.unwrap();
        let (started, cpu) = (Instant::now(), own_cpu());
        for session in sessions {
            session.await.unwrap();
        }
        let used = (started.elapsed(), own_cpu() - cpu);
        shutdown.cancel();
        tasks.close();
        tasks.wait().await;
        used
    });
    drop(runtime);
    producer.join().unwrap();
    let megabytes = STREAM as f64 / 1e6;
    println!(
        "| engine, 1 producer to {readers} readers, capture on | {:.0} MB/s, {:.2} ms CPU per MB |",
        megabytes / elapsed.as_secs_f64(),
        cpu.as_secs_f64() * 1e3 / megabytes,
    );
}

/// The time from a key to its echo: on a bare pty whose other end echoes, and through lava-serial's
/// raw port on such a pty.
fn echo() {
    let board = echo_board();
    let mut direct = std::fs::File::from(open_raw(&board.path).unwrap());
    let bare = round_trips(|| {
        direct.write_all(b"k").unwrap();
        direct.read_exact(&mut [0]).unwrap();
    });
    drop(direct);
    let dir = tempfile::tempdir().unwrap();
    let serial = Serial::start(dir.path(), &[format!("tty:{}", board.path)], true);
    let mut client = TcpStream::connect(serial.raw.as_ref().unwrap()).unwrap();
    client.set_nodelay(true).unwrap();
    let through = round_trips(|| {
        client.write_all(b"k").unwrap();
        client.read_exact(&mut [0]).unwrap();
    });
    for (name, at) in [("p50", 50), ("p99", 99)] {
        let (bare, through) = (percentile(&bare, at), percentile(&through, at));
        println!(
            "| keystroke to echo, {name} | bare pty {} µs, through lava-serial {} µs: {} µs added |",
            bare.as_micros(),
            through.as_micros(),
            through.saturating_sub(bare).as_micros(),
        );
    }
}

/// Resident memory of a daemon with one idle console, per further one, and per attached client.
fn memory() {
    let boards: Vec<Tty> = std::iter::repeat_with(echo_board).take(201).collect();
    let ports: Vec<String> = boards.iter().map(|board| format!("tty:{}", board.path)).collect();
    let dir = tempfile::tempdir().unwrap();
    let one = Serial::start(dir.path(), &ports[..1], true);
    let least = one.settled();
    drop(one);
    let dir = tempfile::tempdir().unwrap();
    let many = Serial::start(dir.path(), &ports, true);
    let all = many.settled();
    println!(
        "| daemon with one idle console | {:.1} MB resident, {:.1} MB of it its own |",
        least.0, least.1
    );
    println!("| each further idle console | {:.1} kB |", (all.1 - least.1) * 1e3 / 200.0);
    let clients: Vec<TcpStream> =
        (0..200).map(|_| TcpStream::connect(many.raw.as_ref().unwrap()).unwrap()).collect();
    let attached = many.settled();
    println!(
        "| each attached client | {:.1} kB |",
        (attached.1 - all.1) * 1e3 / clients.len() as f64
    );
}

/// From starting the program to the first byte of the board at a client that attaches at once.
fn cold_start() {
    let mut times: Vec<Duration> = (0..20)
        .map(|_| {
            let dir = tempfile::tempdir().unwrap();
            let begin = Instant::now();
            let ports = ["exec:sh -c 'while :; do echo; sleep 0.001; done'".to_owned()];
            let serial = Serial::start(dir.path(), &ports, true);
            let mut client = TcpStream::connect(serial.raw.as_ref().unwrap()).unwrap();
            client.read_exact(&mut [0]).unwrap();
            begin.elapsed()
        })
        .collect();
    times.sort();
    let median = percentile(&times, 50);
    println!("| cold start to first byte, p50 | {:.1} ms |", median.as_secs_f64() * 1e3);
}

/// A board that says back what it gets, until its terminal is dropped.
fn echo_board() -> Tty {
    let (end, tty) = common::board().unwrap();
    let mut end = std::fs::File::from(end);
    std::thread::Builder::new()
        .stack_size(64 * 1024)
        .spawn(move || {
            let mut key = [0; 64];
            while let Ok(read) = end.read(&mut key) {
                if end.write_all(&key[..read]).is_err() {
                    break;
                }
            }
        })
        .unwrap();
    tty
}

/// The real program, stopped when dropped.
struct Serial {
    child: Child,
    /// The address of the first console's raw port.
    raw: Option<String>,
}

impl Serial {
    fn start(dir: &Path, ports: &[String], raw: bool) -> Self {
        let consoles = ports.iter().enumerate().map(|(at, port)| {
            let raw = (raw && at == 0).then(|| "127.0.0.1:0".to_owned());
            (port.as_str(), raw)
        });
        let mut child =
            common::lava_serial(dir, "", consoles).unwrap().stdout(Stdio::piped()).spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        let raw = ready.split_whitespace().find_map(|word| word.strip_prefix("c0.raw="));
        Self { child, raw: raw.map(str::to_owned) }
    }

    /// Resident memory and the part of it that is not the program file, in MB, once it is still.
    fn settled(&self) -> (f64, f64) {
        let read = || {
            let status =
                std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
            let field = |name: &str| -> f64 {
                let line = status.lines().find(|line| line.starts_with(name)).unwrap();
                line.split_whitespace().nth(1).unwrap().parse().unwrap()
            };
            (field("VmRSS:") / 1e3, field("RssAnon:") / 1e3)
        };
        let mut last = read();
        loop {
            std::thread::sleep(Duration::from_millis(1_500));
            let now = read();
            if now == last {
                return now;
            }
            last = now;
        }
    }
}

impl Drop for Serial {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The times of [`KEYS`] round trips, sorted.
fn round_trips(mut once: impl FnMut()) -> Vec<Duration> {
    let mut times: Vec<Duration> = (0..KEYS)
        .map(|_| {
            let begin = Instant::now();
            once();
            begin.elapsed()
        })
        .collect();
    times.sort();
    times
}

/// The CPU time of this process.
fn own_cpu() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec.cast_unsigned(), now.tv_nsec as u32)
}
