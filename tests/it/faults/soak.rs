//! Many consoles in one process, each with a capture and a client at 115200 baud. Some have a disk of
//! their own that is soon full: they go on, and what is missing on it is told.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::load::Boards;
use super::{captured, gaps, printed, status};
use crate::common::{Daemon, TestLab, own_host};

/// The raw port of the first console.
const FIRST_PORT: u16 = 10_000;
/// One console of so many has a small disk.
const SMALL: usize = 10;

struct Soak {
    /// Where the consoles' raw ports are.
    host: Ipv4Addr,
    consoles: usize,
    time: Duration,
    /// The size of a small disk, and what is taken of it until half of the time has passed, in KiB.
    disk: u64,
    ballast: u64,
}

#[test]
fn twenty_consoles_miss_nothing_in_ten_seconds() {
    let soak = Soak {
        host: own_host(),
        consoles: 20,
        time: Duration::from_secs(10),
        disk: 400,
        ballast: 360,
    };
    soak.run();
}

/// `cargo nextest run --run-ignored only a_thousand`; `LAVA_SOAK=CONSOLESxSECONDS` makes it another.
/// benches/README.md has its figures.
#[test]
#[ignore = "takes ten minutes"]
fn a_thousand_consoles_miss_nothing_in_ten_minutes() {
    let wanted = std::env::var("LAVA_SOAK").unwrap_or_else(|_| "1000x600".into());
    let (consoles, seconds) = wanted.split_once('x').unwrap();
    let time = Duration::from_secs(seconds.parse().unwrap());
    // What a line prints in a third of the time, in KiB.
    let disk = (11 * time.as_secs() / 3).max(300);
    let (host, consoles) = (own_host(), consoles.parse().unwrap());
    Soak { host, consoles, time, disk, ballast: disk / 2 }.run();
}

impl Soak {
    fn run(&self) {
        let lab = TestLab::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let boards = runtime.block_on(async { Boards::bind(&lab.path("boards"), self.consoles) });
        let serial = self.serial(&lab);
        let address = serial.address("http");
        let raw = (0..self.consoles).map(|number| self.raw(number)).collect();
        let room = std::thread::spawn({
            let (half, pid) = (self.time / 2, serial.pid());
            let ballast: Vec<PathBuf> = self.small().map(|n| ballast(&lab, n)).collect();
            move || {
                std::thread::sleep(half);
                // As the daemon sees them: the disks are mounted for it alone.
                for file in ballast {
                    std::fs::remove_file(format!("/proc/{pid}/root{}", file.display())).unwrap();
                }
            }
        });
        let before = cpu_seconds(serial.pid());
        let outcome = runtime.block_on(boards.print(raw, self.time));
        let cpu = cpu_seconds(serial.pid()) - before;
        room.join().unwrap();
        eprintln!(
            "{} consoles, {} bytes each: {:.1} s of CPU, {} MB resident, at worst {:?} behind",
            self.consoles,
            outcome.each,
            cpu,
            serial.memory() / 1_000_000,
            outcome.behind
        );
        assert!(outcome.wrong.is_empty(), "{:#?}", outcome.wrong);
        let mut missing = 0;
        for number in 0..self.consoles {
            missing += self.check(address, number, outcome.each);
        }
        let small = self.small().count();
        eprintln!("all is captured but {missing} bytes of the {small} on small disks");
    }

    fn raw(&self, number: usize) -> SocketAddr {
        (self.host, FIRST_PORT + u16::try_from(number).unwrap()).into()
    }

    fn small(&self) -> impl Iterator<Item = usize> + use<> {
        (0..self.consoles).step_by(SMALL)
    }

    /// What is captured is right, and all of it but the gaps that are told. Gives how much is missing.
    #[track_caller]
    fn check(&self, address: SocketAddr, number: usize, total: u64) -> u64 {
        let name = name(number);
        assert_eq!(status(address, &name)["head"], total, "{name}");
        let told = gaps(address, &name);
        let is_small = number.is_multiple_of(SMALL);
        assert_eq!(told.is_empty(), !is_small, "{name}: {told:?}");
        let (mut at, mut missing) = (0, 0);
        let mut runs = captured(address, &name, total);
        // The disk may be full at the end, so that the last gap is not over.
        runs.push((total, Vec::new()));
        for (offset, bytes) in runs {
            let end = offset + bytes.len() as u64;
            let open = offset == total && is_small;
            assert!(
                offset == at || open || told.contains(&(at..offset)),
                "{name}: {at} to {offset}: {told:?}"
            );
            assert!(bytes == printed(number, offset..end), "{name}: {offset} to {end}");
            missing += offset - at;
            at = end;
        }
        missing
    }

    /// A daemon that has the small disks to itself.
    fn serial(&self, lab: &TestLab) -> Daemon {
        let mut config = format!(
            "[http]\nlisten = \"127.0.0.1:0\"\n[capture]\ndir = \"{}\"\n",
            lab.path("capture").display()
        );
        for number in 0..self.consoles {
            let (name, board) = (name(number), lab.path("boards").join(number.to_string()));
            config += &format!(
                "[[console]]\nname = \"{name}\"\nport = \"unix:{}\"\nraw = \"{}\"\n",
                board.display(),
                self.raw(number)
            );
        }
        let config = lab.write("serial.toml", &config);
        let mut script = String::new();
        for number in self.small() {
            let folder = lab.path("capture").join(name(number));
            std::fs::create_dir_all(&folder).unwrap();
            script += &format!(
                "mount -t tmpfs -o size={}k none {} && head -c {}K /dev/zero > {} && ",
                self.disk,
                folder.display(),
                self.ballast,
                ballast(lab, number).display(),
            );
        }
        script += &format!("exec {} --config {config}", env!("CARGO_BIN_EXE_lava-serial"));
        let mut unshare = lab.tool("unshare");
        if !rustix::process::getuid().is_root() {
            unshare.arg("--map-root-user");
        }
        Daemon::start("lava-serial", unshare.args(["--mount", "sh", "-c", &script]))
    }
}

/// What a process has used of the processors so far.
fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks = |at: usize| fields.split_whitespace().nth(at).unwrap().parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) / 100.0
}

fn name(number: usize) -> String {
    format!("board{number:04}")
}

fn ballast(lab: &TestLab, number: usize) -> PathBuf {
    lab.path("capture").join(name(number)).join("ballast")
}
