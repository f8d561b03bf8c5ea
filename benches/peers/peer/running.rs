//! A peer that serves the farm's boards: fresh processes for every measurement.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::ops::Range;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::{Peer, Site};
use crate::client::{Client, Target};
use crate::farm::{Does, Farm};
use crate::usage;

/// How long a start may take: conserver needs most of a minute for 1,000 consoles.
const START: Duration = Duration::from_secs(180);
/// How often it is tried whether it listens.
const TRY: Duration = Duration::from_millis(2);
/// How long it may take after SIGTERM.
const END: Duration = Duration::from_secs(10);
/// From a client's attaching to the first byte that counts: ser2net, for one, opens a console's
/// terminal only then, and discards what is in it.
const SETTLED: Duration = Duration::from_millis(300);
/// TCP ports are taken from here, below those that the kernel gives out.
const PORTS: Range<u16> = 20_000..32_000;

pub(crate) struct Running<'a> {
    peer: &'a dyn Peer,
    /// Ends before the boards do.
    daemon: Option<Child>,
    /// From its start to listening for all consoles.
    pub start: Duration,
    farm: Farm,
    site: Site,
}

impl<'a> Running<'a> {
    /// Starts so many boards and the peer, and waits until it listens.
    pub(crate) fn start(peer: &'a dyn Peer, consoles: usize) -> Result<Self> {
        let farm = Farm::start(consoles)?;
        let site = Site {
            dir: tempfile::tempdir()?,
            first_port: free_ports(consoles + 1)?,
            ttys: farm.ttys.clone(),
        };
        let command = peer.command(&site)?;
        let mut running = Self { peer, daemon: None, start: Duration::ZERO, farm, site };
        if let Some(command) = command {
            running.run(command)?;
        }
        Ok(running)
    }

    pub(crate) fn target(&self, console: usize, client: usize) -> Target {
        self.peer.target(&self.site, console, client)
    }

    /// Attaches so many clients to one console.
    pub(crate) fn attach(&self, console: usize, clients: usize) -> Result<Vec<Client>> {
        (0..clients).map(|client| Client::attach(&self.target(console, client))).collect()
    }

    /// Waits until what has just been attached is served.
    pub(crate) fn settle(&self) {
        std::thread::sleep(SETTLED);
    }

    pub(crate) fn tell(&mut self, boards: Range<usize>, does: Does) -> Result<()> {
        self.farm.tell(boards, does)
    }

    pub(crate) fn printed(&mut self, board: usize) -> Result<u64> {
        self.farm.printed(board)
    }

    /// The CPU time it has used so far, and `None` if there is no process.
    pub(crate) fn cpu(&self) -> Option<Duration> {
        self.daemon.as_ref().map(|daemon| usage::cpu(daemon.id()))
    }

    /// Its memory in MiB.
    pub(crate) fn pss(&self) -> Option<f64> {
        self.daemon.as_ref().map(|daemon| usage::pss(daemon.id()))
    }

    /// Fails if somebody else has the boards' terminals open, who takes some of what they print:
    /// a console server that was left behind and finds its terminal's name again, most likely.
    pub(crate) fn alone(&self) -> Result<()> {
        match usage::stranger(std::process::id(), &self.site.ttys) {
            Some(stranger) => bail!("{stranger} has one of the terminals open as well"),
            None => Ok(()),
        }
    }

    fn run(&mut self, mut command: Command) -> Result<()> {
        let log = self.site.dir().join("daemon.log");
        let out = File::create(&log)?;
        command.stdin(Stdio::null()).stderr(out.try_clone()?).stdout(out).process_group(0);
        let begin = Instant::now();
        let daemon = self.daemon.insert(command.spawn().with_context(|| format!("{command:?}"))?);
        let port = self.peer.last_port(&self.site);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            let ended = daemon.try_wait()?;
            if ended.is_some() || begin.elapsed() > START {
                let said = std::fs::read_to_string(&log)?;
                let ended = ended.map_or("not ended".to_owned(), |status| status.to_string());
                bail!("it does not listen after {:?} ({ended}): {said}", begin.elapsed());
            }
            std::thread::sleep(TRY);
        }
        self.start = begin.elapsed();
        Ok(())
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let Some(daemon) = &mut self.daemon else { return };
        let Some(group) = i32::try_from(daemon.id()).ok().and_then(Pid::from_raw) else { return };
        let mut runs = || daemon.try_wait().is_ok_and(|ended| ended.is_none());
        if runs() {
            let _ = kill_process(group, Signal::TERM);
        }
        let begin = Instant::now();
        while begin.elapsed() < END && runs() {
            std::thread::sleep(TRY);
        }
        // Its own processes, if it left any.
        let _ = kill_process_group(group, Signal::KILL);
        let _ = daemon.wait();
    }
}

/// The first of so many ports in a row that nobody listens on. No two starts get the same ones, so
/// that no connection of an earlier one is in the way.
fn free_ports(count: usize) -> Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let count = u16::try_from(count)?;
    let room = PORTS.end - PORTS.start - count;
    for _ in 0..PORTS.len() {
        let offset = NEXT.fetch_add(count, Ordering::Relaxed);
        // Benches that run at the same time begin at different places.
        let first = PORTS.start + (offset.wrapping_add(std::process::id() as u16)) % room;
        let free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        if (first..first + count).all(free) {
            return Ok(first);
        }
    }
    bail!("no {count} TCP ports in a row are free in {PORTS:?}")
}
