//! The lab of `lava demo`: simulated boards, and lava-serial and lava-power for them, in one process.

mod folder;
mod ports;

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::power::PowerDaemon;
use super::runtime_dir;
use super::serial::{HandedSerial, Serial};
use crate::client::{Endpoint, Http};
use crate::config::lab::LoginFiles;
use crate::config::power::{
    BoardConfig, Driver, FeedConfig, InterlockConfig, OffOrder, OutletConfig, PduConfig,
    PowerConfig,
};
use crate::config::serial::{ConsoleConfig, SerialConfig};
use crate::config::{AccessConfig, CaptureOptions, HttpListen, Manners, PortSpec};
use crate::console::Status;
use crate::model::{Failure, Kind, Name};
use crate::sim::board::Board;
use crate::sim::machine::Sockets;
use crate::sim::qemu::Qemu;
use crate::wire::attach::PortState;
use folder::Folder;
pub use ports::{MAX_BASE, Ports};

pub const BOARDS: [&str; 2] = ["panda01", "panda02"];
const PDU: &str = "pdu01";

/// How long everything may take to answer.
const READY_LIMIT: Duration = Duration::from_secs(20);
const READY_POLL: Duration = Duration::from_millis(20);
/// How long the PDU may take, and how long a cycle keeps a board off.
const PDU_TIMEOUT: Duration = Duration::from_secs(3);
const OFF_TIME: Duration = Duration::from_secs(1);

/// What a lab is to be like.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Where its files are; a fresh temporary folder without it.
    pub dir: Option<PathBuf>,
    /// The first of its TCP ports; free ones are looked for without it.
    pub port_base: Option<u16>,
    /// U-Boot in QEMU instead of virtual boards.
    pub qemu: bool,
}

/// A running lab. [`Lab::stop`] ends it and removes all that it made.
#[derive(Debug)]
pub struct Lab {
    ports: Ports,
    qemu: bool,
    services: TaskTracker,
    machines: TaskTracker,
    /// Ends the services. The machines go when these are gone: a power cycle under way wants one.
    shutdown: CancellationToken,
    machines_shutdown: CancellationToken,
    /// What lava-serial came to.
    serial: JoinHandle<Result<(), Failure>>,
    // Removed last, in this order.
    _runtime_dir: MadeDir,
    folder: Folder,
}

/// A board and its two sockets, not served yet.
struct Rack {
    board: &'static str,
    sockets: Sockets,
}

/// Listeners that are bound, and what will serve them.
struct Bound {
    ports: Ports,
    serial: Serial,
    power: PowerDaemon,
}

/// A folder that is removed when dropped, unless it was there before or is in use by others.
#[derive(Debug)]
struct MadeDir(Option<PathBuf>);

impl Lab {
    /// Starts everything, and is back when all of it answers, unless `interrupted` before that.
    ///
    /// # Errors
    /// What could not be started; nothing of the lab is left then.
    pub async fn start(
        options: &Options,
        interrupted: &CancellationToken,
    ) -> Result<Self, Failure> {
        let sockets: Vec<String> = BOARDS.iter().flat_map(|board| Sockets::names(board)).collect();
        let folder = Folder::take(options.dir.as_deref(), &sockets)?;
        let qemu = options.qemu.then(|| Qemu::new(folder.tftp())).transpose()?;
        let _runtime_dir = MadeDir::new(runtime_dir());
        let mut racks = Vec::new();
        for board in BOARDS {
            racks.push(Rack { board, sockets: Sockets::bind(folder.path(), board)? });
        }
        let bound = Bound::bind(options.port_base, &folder, &racks).await?;
        // From here on nothing fails until the lab exists and can be stopped.
        let (services, machines) = (TaskTracker::new(), TaskTracker::new());
        let (shutdown, machines_shutdown) = (CancellationToken::new(), CancellationToken::new());
        for Rack { board, sockets } in racks {
            let shutdown = machines_shutdown.clone();
            match &qemu {
                Some(qemu) => machines.spawn(sockets.serve(qemu.clone(), shutdown)),
                None => {
                    let board = Board::new(board, Some(folder.tftp()));
                    machines.spawn(sockets.serve(board, shutdown))
                }
            };
        }
        let ports = bound.ports;
        let serial = bound.serve(&services, &shutdown);
        let qemu = qemu.is_some();
        let mut lab = Self {
            ports,
            qemu,
            services,
            machines,
            shutdown,
            machines_shutdown,
            serial,
            _runtime_dir,
            folder,
        };
        match lab.get_ready(interrupted).await {
            Ok(()) => Ok(lab),
            Err(failure) => {
                lab.stop().await;
                Err(failure)
            }
        }
    }

    /// Ends everything in order and removes what the lab made.
    pub async fn stop(self) {
        self.shutdown.cancel();
        self.services.close();
        self.services.wait().await;
        self.machines_shutdown.cancel();
        self.machines.close();
        self.machines.wait().await;
    }

    pub fn ports(&self) -> Ports {
        self.ports
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The folder that the boards' TFTP reads.
    pub fn tftp(&self) -> PathBuf {
        self.folder.tftp()
    }

    /// The inventory that clients use.
    pub fn inventory(&self) -> PathBuf {
        self.folder.inventory()
    }

    /// Where a job's results go that are not to be kept. Not made yet.
    pub fn job_folder(&self) -> PathBuf {
        self.folder.job()
    }

    pub fn is_qemu(&self) -> bool {
        self.qemu
    }

    /// Waits until everything answers, switches virtual boards on, and writes the inventory.
    async fn get_ready(&mut self, interrupted: &CancellationToken) -> Result<(), Failure> {
        let ports = self.ports;
        let ready = tokio::time::timeout(READY_LIMIT, async {
            while !answers(ports).await? {
                tokio::time::sleep(READY_POLL).await;
            }
            Ok(())
        });
        tokio::select! {
            ready = ready => ready.unwrap_or_else(|_| {
                let what = format!("the demo's own services did not answer in {READY_LIMIT:?}");
                Err(Failure::new(Kind::Infra, what))
            })?,
            () = interrupted.cancelled() => {
                return Err(Failure::new(Kind::Interrupted, "interrupted"));
            }
            // It only ends by itself when something is wrong.
            ended = &mut self.serial => {
                let ended = ended.map_err(|error| Failure::from_error(Kind::Bug, &error))?;
                return ended.and(Err(Failure::new(Kind::Bug, "lava-serial has ended")));
            }
        }
        if !self.qemu {
            // A board that is on shows more at first sight. U-Boot in QEMU would burn a core.
            let power = Http::new(Endpoint::Tcp(self.ports.power().to_string()));
            for board in BOARDS {
                let request = serde_json::json!({ "user": "lava demo" });
                let path = format!("/outlets/{board}/on");
                power.post::<serde::de::IgnoredAny>(&path, &request).await?;
            }
        }
        let board = |board: &&str| {
            let (console, outlet) = (self.ports.console_url(board), self.ports.outlet_url(board));
            format!(
                "\n[[board]]\nname = \"{board}\"\nconsole = \"{console}\"\noutlet = \"{outlet}\"\n"
            )
        };
        self.folder.write_inventory(&BOARDS.iter().map(board).collect::<String>())
    }
}

impl Bound {
    /// Binds all listeners, at the first ports where that can be done.
    async fn bind(base: Option<u16>, folder: &Folder, racks: &[Rack]) -> Result<Self, Failure> {
        let mut refused = None;
        for ports in Ports::candidates(base) {
            let serial =
                Serial::bind(serial_config(ports, folder, racks)?, HandedSerial::default()).await;
            let power = PowerDaemon::bind(power_config(ports, folder, racks)?).await;
            match (serial, power) {
                (Ok(serial), Ok(power)) => return Ok(Self { ports, serial, power }),
                (Err(failure), _) | (_, Err(failure)) => refused = Some(failure),
            }
        }
        Err(refused.unwrap_or_else(|| Failure::new(Kind::Bug, "there are no ports to try")))
    }

    /// Serves until `shutdown`; gives what lava-serial comes to.
    fn serve(
        self,
        services: &TaskTracker,
        shutdown: &CancellationToken,
    ) -> JoinHandle<Result<(), Failure>> {
        services.spawn(self.power.run(shutdown.clone(), || {}));
        let serial = self.serial.run(shutdown.clone(), futures_util::stream::pending(), || {});
        services.spawn(async { serial.await.map(drop) })
    }
}

impl MadeDir {
    fn new(path: PathBuf) -> Self {
        Self(Some(path).filter(|path| !path.exists()))
    }
}

impl Drop for MadeDir {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            let _ = std::fs::remove_dir(path);
        }
    }
}

/// Whether both services answer and every console is connected to its board.
async fn answers(ports: Ports) -> Result<bool, Failure> {
    let power = Http::new(Endpoint::Tcp(ports.power().to_string()));
    power.get_bytes("/healthz").await?;
    let serial = Http::new(Endpoint::Tcp(ports.serial().to_string()));
    let consoles: Vec<Status> = serial.get("/consoles").await?;
    Ok(consoles.iter().all(|console| console.state == PortState::Open))
}

fn serial_config(ports: Ports, folder: &Folder, racks: &[Rack]) -> Result<SerialConfig, Failure> {
    let mut consoles = Vec::new();
    for (number, rack) in racks.iter().enumerate() {
        consoles.push(ConsoleConfig {
            name: name(rack.board)?,
            port: PortSpec::Unix(rack.sockets.line.clone()),
            raw: Some(ports.raw(number)),
            telnet: Some(ports.telnet(number)),
            conmux: None,
            outlet: None,
            insecure: false,
            capture: CaptureOptions::new(folder.captures()),
            manners: Manners::default(),
        });
    }
    let http = Some(HttpListen::plain(ports.serial()));
    Ok(SerialConfig { http, consoles, ..SerialConfig::default() })
}

fn power_config(ports: Ports, folder: &Folder, racks: &[Rack]) -> Result<PowerConfig, Failure> {
    let (mut outlets, mut boards) = (Vec::new(), Vec::new());
    for (number, rack) in racks.iter().enumerate() {
        let (board, port) = (name(rack.board)?, (number + 1).to_string());
        boards.push(BoardConfig {
            name: board.clone(),
            console: Some(ports.console_url(rack.board)),
            off_time: OFF_TIME,
            feeds: vec![FeedConfig { pdu: name(PDU)?, port: port.clone(), delay: Duration::ZERO }],
            off_order: OffOrder::default(),
            shared: false,
        });
        let board_socket = Some(rack.sockets.control.clone());
        outlets.push(OutletConfig { name: board, port, board: board_socket });
    }
    let (timeout, verify) = (PDU_TIMEOUT, PDU_TIMEOUT);
    let (name, driver, meter_every) = (name(PDU)?, Driver::Sim, Duration::ZERO);
    let pdu = PduConfig { name, driver, timeout, verify, meter_every, outlets };
    let http = Some(HttpListen::plain(ports.power()));
    Ok(PowerConfig {
        http,
        pdudaemon: None,
        powerman: None,
        access: AccessConfig::default(),
        server: None,
        consoles: LoginFiles::default(),
        interlock: InterlockConfig::default(),
        folders: folder.power(),
        budgets: Vec::new(),
        pdus: vec![pdu],
        boards,
    })
}

fn name(text: &str) -> Result<Name, Failure> {
    text.parse().map_err(|error| Failure::from_error(Kind::Bug, &error))
}
