//! Searching gigabytes of a console's past, measured: `cargo bench --bench search`.
//!
//! Makes a record of boots and test runs, of `SEARCH_GB` gigabytes (4 when it is not set) below
//! `TMPDIR`, and prints a table; benches/README.md keeps the figures.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program that prints a table")]

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use lavamux::capture::{Search, Store, Writer};
use lavamux::config::CaptureOptions;
use lavamux::wire::pattern::Pattern;

/// What the programs of a test run call themselves.
const TESTS: [&str; 24] = [
    "futex", "mmap", "open", "read", "write", "clone", "fork", "exec", "pipe", "poll", "select",
    "signal", "timer", "sched", "mount", "quota", "ipc", "msg", "sem", "shm", "xattr", "inotify",
    "keyctl", "netns",
];
/// What a kernel says of its devices.
const DEVICES: [&str; 8] = [
    "usb 1-1: new high-speed USB device number",
    "EXT4-fs (vda): mounted filesystem with ordered data mode",
    "mmc0: new ultra high speed SDR104 SDHC card at address",
    "random: crng init done, entropy",
    "virtio_blk virtio0: [vda] logical blocks",
    "e1000 0000:00:03.0 eth0: (PCI:33MHz:32-bit)",
    "audit: type=1400 audit(0.0:2): apparmor",
    "loop: module loaded, Calibrating delay loop (skipped), value",
];

fn main() {
    let gigabytes = std::env::var("SEARCH_GB").ok().and_then(|n| n.parse().ok()).unwrap_or(4_u64);
    let dir = tempfile::tempdir().unwrap();
    let options = CaptureOptions { keep: u64::MAX, ..CaptureOptions::new(dir.path()) };
    let mut writer = Writer::open(&"bench".parse().unwrap(), options).unwrap();
    let mut random = Random(1);
    let begin = Instant::now();
    let (mut text, mut time_us) = (String::new(), 1_795_000_000_000_000);
    while writer.head() < gigabytes * 1_000_000_000 {
        text.clear();
        boot(&mut text, &mut random);
        if writer.head() < gigabytes * 500_000_000
            && writer.head() + text.len() as u64 >= gigabytes * 500_000_000
        {
            text.push_str("[  123.456789] Internal error: Oops: 96000004 [#1] PREEMPT SMP\r\n");
        }
        for line in text.as_bytes().chunks(256) {
            writer.append(time_us, line);
            time_us += 22_000;
        }
    }
    let filled = begin.elapsed();
    let begin = Instant::now();
    if let Some(work) = writer.housekeeping() {
        work.run();
    }
    println!("| what | figure |\n|---|---|");
    println!("| bytes of the console | {:.2} GB |", writer.head() as f64 / 1e9);
    println!("| written | {:.1} s |", filled.as_secs_f64());
    println!("| indexed and compressed | {:.1} s |", begin.elapsed().as_secs_f64());
    for suffix in ["raw.zst", "grams", "idx"] {
        println!("| files .{suffix} | {:.1} MB |", size(dir.path(), suffix) as f64 / 1e6);
    }
    for (pattern, fold) in [
        ("Oops", false),
        ("oops", true),
        ("Internal error: Oops: [0-9a-f]+", false),
        ("Kernel panic", false),
        ("kernel panic", true),
        ("BUG: |Oops|panic", false),
        ("RESULT=fail .*no such", false),
        ("no[a-z]*thing", false),
    ] {
        search(writer.store(), writer.head(), pattern, fold);
    }
    for segment in std::fs::read_dir(dir.path().join("bench")).unwrap() {
        let path = segment.unwrap().path();
        if path.extension().is_some_and(|suffix| suffix == "grams") {
            std::fs::remove_file(path).unwrap();
        }
    }
    println!("| without the index | |");
    search(writer.store(), writer.head(), "Oops", false);
}

fn search(store: &Arc<Store>, head: u64, pattern: &str, fold: bool) {
    let compiled = Arc::new(Pattern::new(pattern, fold).unwrap());
    let begin = Instant::now();
    let mut search = Search::new(store.clone(), compiled, 0, head);
    let mut found = 0;
    while let Some(more) = search.step() {
        found += more.len();
    }
    let (took, read) = (begin.elapsed().as_secs_f64(), search.read() as f64 / 1e6);
    let fold = if fold { " -i" } else { "" };
    println!(
        "| `{}`{fold} | {:.0} ms, {found} lines, {read:.0} MB read |",
        pattern.replace('|', "\\|"),
        took * 1e3
    );
}

/// One boot and the tests that ran then.
fn boot(text: &mut String, random: &mut Random) {
    let mut time = 0;
    text.push_str("\r\nU-Boot 2023.01+dfsg-2+deb12u1 (Sep 10 2024 - 14:02:11 +0000)\r\n\r\n");
    for line in 0..300 + random.below(600) {
        time += random.below(50_000);
        let stamp = (time / 1_000_000, time % 1_000_000);
        let test = TESTS[random.below(24) as usize];
        let number = random.below(99);
        let _ = match random.below(10) {
            _ if line < 200 => {
                let device = DEVICES[(line % 8) as usize];
                let (a, b) = (random.below(1 << 32), random.below(1 << 16));
                write!(text, "[{:5}.{:06}] {device} {a:08x} {b}\r\n", stamp.0, stamp.1)
            }
            0..5 => {
                let result = if random.below(20) == 0 { "fail" } else { "pass" };
                write!(
                    text,
                    "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID={test}{number:02} RESULT={result}>\r\n"
                )
            }
            5..7 => {
                let (value, errno) = (random.below(1 << 20), random.below(133));
                write!(
                    text,
                    "{test}{number:02}    1  TPASS  :  {test}() returned {value}, errno={errno}\r\n"
                )
            }
            7 => write!(
                text,
                "tst_test.c:{}: TINFO: Timeout per run is 0h {number:02}m\r\n",
                random.below(1700)
            ),
            _ => {
                let device = DEVICES[random.below(8) as usize];
                write!(
                    text,
                    "[{:5}.{:06}] {device} {:08x}\r\n",
                    stamp.0,
                    stamp.1,
                    random.below(1 << 32)
                )
            }
        };
    }
}

fn size(dir: &Path, suffix: &str) -> u64 {
    let files = std::fs::read_dir(dir.join("bench")).unwrap().map(|entry| entry.unwrap());
    let files = files.filter(|file| file.file_name().to_string_lossy().ends_with(suffix));
    files.map(|file| file.metadata().unwrap().len()).sum()
}

/// A linear congruential generator: the record is the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}
