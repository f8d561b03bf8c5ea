//! `lava-serial`: binds everything, then serves until it is told to end. What it serves can change
//! while it runs: a changed configuration is read again on SIGHUP or `POST /reload`.

mod handed;
mod hotplug;
mod listeners;
mod plan;
mod replace;
mod serving;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::{FutureExt as _, Stream, StreamExt as _};
use tokio::net::{TcpListener, UnixListener};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::handed::HandedSerial;
use self::hotplug::{Happened, Hotplug};
use self::plan::{Plan, Started};
pub use self::replace::{Left, left, serve, understands};
use self::serving::{Lives, Serving};
use super::announce::{Announcer, Served, Whereabouts, announce, replace};
use super::fd_store::Stored;
use super::page_key::page_key;
use super::{RuntimeSocket, runtime_dir};
use crate::config::serial::SerialConfig;
use crate::console::{Handed, Roster};
use crate::front::hand_over::{HandOver, HandedClient};
use crate::front::http::access::{Access, Pages};
use crate::front::http::serial::{Changes, Outlets, Reload, router};
use crate::front::http::{self, Listener, TlsConfig};
use crate::model::{DaemonKind, Failure, Kind, Name};

/// The ready line tells the addresses of at most this many consoles.
const TOLD: usize = 16;
/// How many requests to reload may wait for the one under way.
const RELOADS: usize = 8;

/// A `lava-serial` whose listeners are bound, and which has not begun to serve.
#[derive(Debug)]
pub struct Serial {
    config: SerialConfig,
    hotplug: Hotplug,
    plan: Plan,
    socket: (RuntimeSocket, UnixListener),
    consoles: BTreeMap<Name, Handed>,
    clients: Vec<HandedClient>,
    stored: Stored,
    hangups: Option<Signal>,
    whereabouts: Whereabouts,
}

/// Why serving has ended.
#[derive(Debug)]
pub enum Ended {
    /// Everything is written and closed.
    Done,
    /// Everything is to go on elsewhere.
    HandedOver(Box<HandedSerial>, Successor),
}

/// Who goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Successor {
    /// The program that is installed now, in this process.
    NextProgram,
    /// Another process, which the service manager starts.
    NextProcess,
}

impl Serial {
    /// Binds every listener of a configuration, or none of them. What another process has handed over
    /// is gone on with.
    ///
    /// # Errors
    /// The first one that cannot be bound, or a certificate that cannot be read.
    pub async fn bind(config: SerialConfig, handed: HandedSerial) -> Result<Self, Failure> {
        // One that comes from now on is not missed.
        let hangups = hangups(&config.paths)?;
        let HandedSerial {
            socket, mut bound, places, consoles, clients, finder, mut stored, ..
        } = handed;
        let unwanted = bound.keep(&config);
        stored.forget(unwanted.iter().filter_map(|purpose| places.get(purpose).copied()));
        let mut hotplug = Hotplug::new(finder);
        let tls = TlsConfig::of(config.http.as_ref())?;
        let plan = Plan::bind(&config, tls, &mut hotplug, &bound).await?;
        let socket = match socket {
            Some(socket) => socket,
            None => RuntimeSocket::bind(&runtime_dir(), "serial")?,
        };
        let whereabouts = whereabouts(&config, &plan, socket.0.path())?;
        Ok(Self { config, hotplug, plan, socket, consoles, clients, stored, hangups, whereabouts })
    }

    /// What is said when it is ready: `http=127.0.0.1:7100 panda01.raw=127.0.0.1:7101 …`.
    pub fn addresses(&self) -> String {
        let count = self.plan.consoles.len();
        let mut text = format!("consoles={count} socket={}", self.socket.0.path().display());
        let mut tell = |what: &str, listener: &TcpListener| {
            if let Ok(address) = listener.local_addr() {
                // Writing to a string does not fail.
                let _ = write!(text, " {what}={address}");
            }
        };
        if let Some(http) = &self.plan.http {
            tell("http", http);
        }
        if let Some((_, registry)) = &self.plan.conmux {
            tell("conmux-registry", registry);
        }
        for console in self.plan.consoles.iter().take(TOLD) {
            for (protocol, listener) in &console.lines {
                tell(&format!("{}.{protocol}", console.config.name), listener);
            }
        }
        text
    }

    /// The address of the HTTP listener, if there is one.
    pub fn http_address(&self) -> Option<SocketAddr> {
        self.plan.http.as_ref().and_then(|listener| listener.local_addr().ok())
    }

    /// Serves until `shutdown`, or until there is somebody who goes on: then nothing is closed. Another
    /// program does so only with a configuration that can be served. `ready` is called when the consoles
    /// exist and clients are served.
    ///
    /// # Errors
    /// When a capture cannot be opened; nothing is served then.
    pub async fn run(
        mut self,
        shutdown: CancellationToken,
        successors: impl Stream<Item = Successor>,
        ready: impl FnOnce(),
    ) -> Result<Ended, Failure> {
        let lives = Lives {
            tasks: TaskTracker::new(),
            clients: TaskTracker::new(),
            shutdown: shutdown.clone(),
            hand_over: HandOver::default(),
            consoles: CancellationToken::new(),
        };
        let (reload, mut reloads) = mpsc::channel(RELOADS);
        let roster = Arc::<Roster>::default();
        let (clients, roster_served) = (lives.clients.clone(), roster.clone());
        let pages = Pages::new(|| page_key(&runtime_dir()));
        let access =
            Access::with_pages(self.plan.access.clone(), pages).at(self.whereabouts.places);
        let outlets = Outlets::default();
        let app = router(
            roster.clone(),
            access.clone(),
            outlets.clone(),
            Reload::new(reload),
            lives.hand_over.clone(),
            clients.clone(),
        );
        let serving = Serving::new(roster, app.clone(), access, outlets, lives.clone());
        let (socket, listener) = self.socket;
        let announcers = watch::Sender::new(self.whereabouts.announcer);
        let mut running = Running {
            config: self.config,
            hotplug: self.hotplug,
            serving,
            socket: socket.path().to_owned(),
            announcers,
        };
        let started = running.start(self.plan, &mut self.consoles)?;
        // What nobody wants any more is closed before a port is opened: they may be of one device.
        self.consoles.into_values().for_each(Handed::close);
        self.stored.release();
        running.carry_out(started).await;
        running.serving.take_up(self.clients);
        let (listener, local) = (Arc::new(listener), shutdown.child_token());
        let served = move || std::future::ready(served(&roster_served)).boxed();
        clients.spawn(announce(running.announcers.subscribe(), served, local.clone()));
        clients.spawn(http::serve(Listener::Unix(listener.clone()), app, local.clone()));
        let mut successors = std::pin::pin!(successors.fuse());
        ready();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                Some(successor) = successors.next() => {
                    if let Err(failure) = running.prepare(successor).await {
                        tracing::error!("the installed program does not go on: {failure}");
                        continue;
                    }
                    local.cancel();
                    let mut handed = running.serving.give_away().await;
                    handed.config = Some(running.config);
                    handed.finder = running.hotplug.into_finder();
                    // Its task has ended, and with it the other owner of the listener.
                    handed.socket = Arc::into_inner(listener).map(|listener| (socket, listener));
                    return Ok(Ended::HandedOver(Box::new(handed), successor));
                }
                () = hangup(&mut self.hangups) => match running.reload().await {
                    Ok(changes) => tracing::info!("the configuration was read again: {changes}"),
                    Err(failure) => tracing::error!("nothing is changed: {failure}"),
                },
                Some(answer) = reloads.recv() => {
                    // Whoever asked may be gone by now.
                    let _ = answer.send(running.reload().await);
                }
                happened = running.hotplug.happened() => match happened {
                    Happened::Devices => running.serving.retry(),
                    Happened::Look => running.look_again().await,
                },
            }
        }
        let ended = async {
            for tasks in [&lives.clients, &lives.tasks] {
                tasks.close();
                tasks.wait().await;
            }
        };
        if tokio::time::timeout(super::SHUTDOWN_LIMIT, ended).await.is_err() {
            tracing::warn!("some tasks did not end in time");
        }
        Ok(Ended::Done)
    }
}

/// When a console was used is told so exactly, in microseconds: each change is news for a server.
const USED_US: u64 = 10_000_000;

/// What a `lava-server` is told.
fn served(roster: &Roster) -> Served {
    let all = roster.all();
    let used = all.iter().filter_map(|console| Some((console.name().clone(), console.used_us()?)));
    let used = used.map(|(name, used_us)| (name, used_us / USED_US * USED_US)).collect();
    (all.iter().map(|console| console.name().clone()).collect(), Vec::new(), used)
}

/// What is served, and why.
struct Running {
    /// As it was read last.
    config: SerialConfig,
    hotplug: Hotplug,
    serving: Serving,
    /// Our socket's path.
    socket: PathBuf,
    /// Who announces us now.
    announcers: watch::Sender<Option<Announcer>>,
}

/// Where the consoles of a configuration are whose listeners are bound.
fn whereabouts(config: &SerialConfig, plan: &Plan, socket: &Path) -> Result<Whereabouts, Failure> {
    let bound = plan.http.as_ref().and_then(|listener| listener.local_addr().ok());
    let http = config.http.as_ref().zip(bound);
    Whereabouts::of(config.server.as_ref(), DaemonKind::Serial, http, socket)
}

impl Running {
    /// Serves a plan: all of it, or nothing is changed.
    async fn serve(&mut self, plan: Plan) -> Result<Changes, Failure> {
        let started = self.start(plan, &mut BTreeMap::new())?;
        Ok(self.carry_out(started).await)
    }

    fn start(
        &mut self,
        plan: Plan,
        handed: &mut BTreeMap<Name, Handed>,
    ) -> Result<Started, Failure> {
        let started = plan.start(&mut self.hotplug, &self.serving, handed)?;
        self.hotplug.looked();
        Ok(started)
    }

    async fn carry_out(&mut self, started: Started) -> Changes {
        let changes = self.serving.carry_out(started).await;
        self.hotplug.watch(self.serving.devices());
        changes
    }

    /// Has another program find a configuration that can be served: this one serves it already.
    async fn prepare(&mut self, successor: Successor) -> Result<(), Failure> {
        if successor == Successor::NextProgram && !self.config.paths.is_empty() {
            self.reload().await?;
        }
        Ok(())
    }

    /// Reads the configuration again and serves it: all of it, or nothing is changed. Consoles that
    /// are configured as they were do not notice.
    async fn reload(&mut self) -> Result<Changes, Failure> {
        if self.config.paths.is_empty() {
            let what = "it was started without --config: there is no file to read again";
            return Err(Failure::new(Kind::User, what));
        }
        let config = self.config.read_again()?;
        let tls = TlsConfig::of(config.http.as_ref())?;
        let plan = Plan::bind(&config, tls, &mut self.hotplug, &self.serving.bound()).await?;
        let Whereabouts { places, announcer } = whereabouts(&config, &plan, &self.socket)?;
        let changes = self.serve(plan).await?;
        self.config = config;
        self.serving.move_to(places);
        self.announcers.send_if_modified(|now| replace(now, announcer));
        Ok(changes)
    }

    /// Serves the adapters that have come.
    async fn look_again(&mut self) {
        if self.config.discover.is_none() {
            return;
        }
        let (bound, tls) = (self.serving.bound(), self.serving.tls());
        let plan = Plan::bind(&self.config, tls, &mut self.hotplug, &bound).await;
        match async { self.serve(plan?).await }.await {
            Ok(changes) if changes.is_none() => {}
            Ok(changes) => tracing::info!("the adapters have changed: {changes}"),
            Err(failure) => tracing::error!("adapters that have come are not served: {failure}"),
        }
    }
}

fn hangups(paths: &[PathBuf]) -> Result<Option<Signal>, Failure> {
    let hangups = (!paths.is_empty()).then(|| signal(SignalKind::hangup())).transpose();
    hangups.map_err(|error| Failure::from_error(Kind::Infra, &error))
}

/// Waits for SIGHUP; for ever when there is nothing to read again.
async fn hangup(hangups: &mut Option<Signal>) {
    let hung_up = match hangups {
        Some(hangups) => hangups.recv().await,
        None => None,
    };
    if hung_up.is_none() {
        std::future::pending::<()>().await;
    }
}
