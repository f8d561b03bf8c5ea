//! How long an echo takes through `lava-ssh` and `lava-serial`, beside sshd and socat at a board of the same
//! kind: `cargo bench --bench ssh`.
//!
//! Both boards are a `cat` behind a pty that socat makes. OpenSSH's client types a byte and waits for it,
//! in rounds that alternate between the two, so that both have the machine as it is. Needs openssh-client,
//! openssh-server and socat. `SSH_ROUNDS` is how often (2000 when it is not set); benches/README.md keeps
//! the figures.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program that prints a table")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// Bytes typed before anything is measured.
const WARM_UP: usize = 200;
/// How long a program may take to be there.
const PATIENCE: Duration = Duration::from_secs(20);

fn main() {
    let rounds = std::env::var("SSH_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(2000);
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench { dir: dir.path().to_owned() };
    bench.key("host");
    bench.key("user");
    let (_ours, _theirs) = (bench.board("ours"), bench.board("theirs"));
    let (_serial, _lava, lava_port) = bench.lava();
    let (_sshd, sshd_port) = bench.sshd();
    let socat = format!("exec socat - FILE:{},raw,echo=0", bench.path("theirs"));
    let mut lava = bench.typist(lava_port, "board");
    let mut plain = bench.typist(sshd_port, &socat);
    let (mut through_lava, mut through_sshd) = (Vec::new(), Vec::new());
    for round in 0..WARM_UP + rounds {
        for (typist, times) in [(&mut lava, &mut through_lava), (&mut plain, &mut through_sshd)] {
            let took = typist.echo();
            if round >= WARM_UP {
                times.push(took);
            }
        }
    }
    println!("| echo of a byte through | median | 90 % | 99 % |\n|---|---|---|---|");
    let ours = row("lava-ssh and lava-serial", &mut through_lava);
    let theirs = row("sshd and socat", &mut through_sshd);
    println!("\n{:.2} times sshd and socat (median of {rounds})", ours / theirs);
}

/// Prints a row, and gives the median in seconds.
fn row(name: &str, times: &mut [Duration]) -> f64 {
    times.sort();
    let at = |part: usize| times[(times.len() - 1) * part / 100].as_secs_f64();
    println!(
        "| {name} | {:.0} µs | {:.0} µs | {:.0} µs |",
        at(50) * 1e6,
        at(90) * 1e6,
        at(99) * 1e6
    );
    at(50)
}

struct Bench {
    dir: PathBuf,
}

/// A program; killed when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// OpenSSH's client at a board.
struct Typist {
    _ssh: Running,
    keys: ChildStdin,
    screen: ChildStdout,
}

impl Typist {
    /// How long a byte takes to come back.
    fn echo(&mut self) -> Duration {
        let begin = Instant::now();
        self.keys.write_all(b"x").unwrap();
        self.screen.read_exact(&mut [0]).unwrap();
        begin.elapsed()
    }
}

impl Bench {
    fn path(&self, name: &str) -> String {
        self.dir.join(name).display().to_string()
    }

    fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.dir.join(name), text).unwrap();
        self.path(name)
    }

    fn key(&self, name: &str) {
        let args = ["-q", "-t", "ed25519", "-N", "", "-f"];
        let made = Command::new("ssh-keygen").args(args).arg(self.path(name)).status().unwrap();
        assert!(made.success());
    }

    /// A pty that says back what it hears.
    fn board(&self, name: &str) -> Running {
        let pty = format!("PTY,link={},raw,echo=0", self.path(name));
        let running = Running(Command::new("socat").arg(pty).arg("EXEC:cat").spawn().unwrap());
        wait_for(|| Path::new(&self.path(name)).exists());
        running
    }

    /// Our two programs, and the port of `lava-ssh`.
    fn lava(&self) -> (Running, Running, u16) {
        let port = format!("tty:{},115200n8", self.path("ours"));
        let serial = self.write(
            "serial.toml",
            &format!(
                "[capture]\ndir = {:?}\n[[console]]\nname = \"board\"\nport = {port:?}\n",
                self.path("captures")
            ),
        );
        let ssh = self.write(
            "ssh.toml",
            "[ssh]\nlisten = \"127.0.0.1:0\"\nhost_key = \"host_key\"\n[[user]]\nname = \"user\"\n\
             keys_file = \"user.pub\"\nwrite = \"*\"\n",
        );
        let (serial, _) = self.daemon(env!("CARGO_BIN_EXE_lava-serial"), &serial);
        let (ssh, ready) = self.daemon(env!("CARGO_BIN_EXE_lava-ssh"), &ssh);
        let address = ready.split_whitespace().find_map(|word| word.strip_prefix("ssh="));
        let port = address.and_then(|address| address.rsplit_once(':')).unwrap().1;
        (serial, ssh, port.parse().unwrap())
    }

    /// A daemon of ours, and its ready line.
    fn daemon(&self, program: &str, config: &str) -> (Running, String) {
        let mut command = Command::new(program);
        command.args(["--config", config]).env("LAVA_RUNTIME_DIR", self.path("run"));
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        (Running(child), ready)
    }

    /// A sshd of our own, and its port.
    fn sshd(&self) -> (Running, u16) {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = self.write(
            "sshd_config",
            &format!(
                "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\n\
                 StrictModes no\nUsePAM no\nPidFile none\nPermitRootLogin yes\n",
                self.path("host"),
                self.path("user.pub")
            ),
        );
        let _ = std::fs::create_dir_all("/run/sshd");
        let mut command = Command::new("/usr/sbin/sshd");
        command.args(["-D", "-f", &config]).stderr(Stdio::null());
        let running = Running(command.spawn().unwrap());
        wait_for(|| TcpStream::connect(("127.0.0.1", port)).is_ok());
        (running, port)
    }

    /// Somebody who is at a board when this returns.
    fn typist(&self, port: u16, command: &str) -> Typist {
        let mut ssh = Command::new("ssh");
        ssh.args(["-F", "none", "-T", "-p", &port.to_string(), "-i", &self.path("user")]);
        for option in [
            "BatchMode=yes",
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "LogLevel=ERROR",
        ] {
            ssh.args(["-o", option]);
        }
        ssh.args(["127.0.0.1", command]);
        ssh.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = ssh.spawn().unwrap();
        let (keys, screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut typist = Typist { _ssh: Running(child), keys, screen };
        typist.echo();
        typist
    }
}

fn wait_for(happened: impl Fn() -> bool) {
    let begin = Instant::now();
    while !happened() {
        assert!(begin.elapsed() < PATIENCE, "a program is not there");
        std::thread::sleep(Duration::from_millis(20));
    }
}
