//! What is served at the moment, and how it becomes what a plan says.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::handed::HandedSerial;
use super::listeners::{Bound, Purpose};
use super::plan::{New, Planned, Started};
use crate::capture::OpenError;
use crate::config::conmux::ConmuxListen;
use crate::config::serial::{ConsoleConfig, Protocol};
use crate::config::{HttpListen, PortSpec};
use crate::console::{Console, Handed, Lifetime, Roster};
use crate::front::conmux::{self, Directory, Means};
use crate::front::hand_over::{HandOver, HandedClient, ProtocolState};
use crate::front::http::access::Access;
use crate::front::http::serial::{AttachedClient, Changes, Outlets};
use crate::front::http::{App, Listener, Tls, TlsConfig, serve};
use crate::front::line;
use crate::model::Name;

/// How long clients may take to come to rest before they are given away.
const REST_LIMIT: Duration = Duration::from_secs(2);

/// The consoles and listeners of a process.
pub(super) struct Serving {
    roster: Arc<Roster>,
    consoles: BTreeMap<Name, Served>,
    http: Option<(HttpListen, Door)>,
    registry: Option<(SocketAddr, Door)>,
    /// What the registry tells.
    directory: Arc<Directory>,
    tls: Tls,
    /// What is served by HTTP, and to whom.
    app: App,
    access: Access,
    /// … and with which outlets.
    outlets: Outlets,
    /// conmux's clients, who do not log in, may control consoles and power.
    conmux_control: bool,
    lives: Lives,
}

/// How long everything here lives.
#[derive(Debug, Clone)]
pub(super) struct Lives {
    /// Runs the consoles, and what blocks.
    pub(super) tasks: TaskTracker,
    /// Runs what serves clients.
    pub(super) clients: TaskTracker,
    /// Everything ends.
    pub(super) shutdown: CancellationToken,
    /// Clients are given away; and when all are, the consoles.
    pub(super) hand_over: HandOver,
    pub(super) consoles: CancellationToken,
}

/// A console that is served.
struct Served {
    config: ConsoleConfig,
    console: Arc<Console>,
    /// Ends when the port is closed and all is written.
    owner: JoinHandle<Option<Handed>>,
    lines: BTreeMap<Protocol, Door>,
    /// What conmux's clients have beside it.
    means: watch::Sender<Means>,
}

/// A listener and what is served at it. Its clients go with it.
struct Door {
    listener: Arc<TcpListener>,
    close: CancellationToken,
}

impl Serving {
    /// Serves nothing so far; `app` is to serve `roster` by HTTP, to those whom `access` lets in.
    pub(super) fn new(
        roster: Arc<Roster>,
        app: App,
        access: Access,
        outlets: Outlets,
        lives: Lives,
    ) -> Self {
        let directory = Arc::default();
        Self {
            roster,
            consoles: BTreeMap::new(),
            http: None,
            registry: None,
            directory,
            tls: Tls::default(),
            app,
            access,
            outlets,
            conmux_control: false,
            lives,
        }
    }

    /// Clients find the consoles at these places from now on.
    pub(super) fn move_to(&self, places: Vec<String>) {
        self.access.move_to(places);
    }

    /// How TLS is spoken.
    pub(super) fn tls(&self) -> Option<TlsConfig> {
        self.tls.now()
    }

    /// The folder that the console of a name records in; `None` when there is no such console.
    pub(super) fn records_in(&self, name: &Name) -> Option<&Path> {
        self.consoles.get(name).map(|served| served.config.capture.dir.as_path())
    }

    /// Opens a console's capture.
    ///
    /// # Errors
    /// As [`Console::start`].
    pub(super) fn start(
        &self,
        config: &ConsoleConfig,
        handed: Option<Handed>,
    ) -> Result<(Arc<Console>, impl Future<Output = Option<Handed>> + Send + use<>), OpenError>
    {
        Console::start(
            config.name.clone(),
            config.port.clone(),
            config.capture.clone(),
            Lifetime {
                tasks: self.lives.tasks.clone(),
                shutdown: self.lives.shutdown.child_token(),
                hand_over: self.lives.consoles.clone(),
            },
            handed,
        )
    }

    /// The listeners that are bound, for the next plan to keep.
    pub(super) fn bound(&self) -> Bound {
        let mut bound = Bound::default();
        if let Some((config, door)) = &self.http {
            bound.add(Purpose::Http, config.listen, door.listener.clone());
        }
        if let Some((address, door)) = &self.registry {
            bound.add(Purpose::ConmuxRegistry, *address, door.listener.clone());
        }
        for (name, served) in &self.consoles {
            for (protocol, address) in served.config.lines() {
                if let Some(door) = served.lines.get(&protocol) {
                    let purpose = Purpose::Line(name.clone(), protocol);
                    bound.add(purpose, address, door.listener.clone());
                }
            }
        }
        bound
    }

    /// The devices of the consoles that are serial lines.
    pub(super) fn devices(&self) -> Vec<PathBuf> {
        let ports = self.consoles.values().map(|served| &served.config.port);
        let devices = ports.filter_map(|port| match port {
            PortSpec::Tty { path, .. } => Some(path.clone()),
            _ => None,
        });
        devices.collect()
    }

    /// Has the serial lines tried that are not open: their devices may be back.
    pub(super) fn retry(&self) {
        for served in self.consoles.values() {
            if matches!(served.config.port, PortSpec::Tty { .. }) && !served.console.is_open() {
                tracing::debug!(console = %served.config.name, "its device may be back");
                served.console.retry();
            }
        }
    }

    /// Serves what is planned. Nothing can fail here; who is not concerned does not notice.
    pub(super) async fn carry_out(&mut self, started: Started) -> Changes {
        let Started { plan, mut new } = started;
        let mut changes = Changes::default();
        let control = plan.conmux.as_ref().and_then(|(conmux, _)| conmux.control);
        self.conmux_control = control.unwrap_or(plan.access.is_open());
        self.access.set(plan.access);
        self.tls.set(plan.tls);
        let gone = self.consoles.keys().filter(|name| {
            new.contains_key(*name) || !plan.consoles.iter().any(|it| it.config.name == **name)
        });
        for name in gone.cloned().collect::<Vec<_>>() {
            self.close(&name).await;
            if !new.contains_key(&name) {
                changes.removed.push(name.to_string());
            }
        }
        match (plan.http, plan.http_config) {
            (Some(listener), Some(config)) => self.open_http(listener, config),
            _ => self.close_http(),
        }
        // First everybody lets go of the listeners that have moved, then their new owners begin.
        for Planned { config, lines, .. } in &plan.consoles {
            if let Some(served) = self.consoles.get_mut(&config.name) {
                served.keep_doors(lines);
            }
        }
        for Planned { config, lines, .. } in plan.consoles {
            let name = config.name.clone();
            match new.remove(&name) {
                Some(new) => {
                    changes.added.push(name.to_string());
                    self.open(config, new);
                }
                None if self.change(&name, config).await => changes.changed.push(name.to_string()),
                None => changes.unchanged += 1,
            }
            self.open_doors(&name, lines);
        }
        let outlet = |served: &Served| served.config.outlet.clone();
        let outlets =
            self.consoles.iter().filter_map(|(name, it)| Some((name.clone(), outlet(it)?)));
        self.outlets.set(outlets.collect());
        match plan.conmux {
            Some((config, listener)) => self.open_registry(listener, config),
            None => self.close_registry(),
        }
        changes
    }

    fn open(&mut self, config: ConsoleConfig, new: New) {
        let New { console, owner } = new;
        self.roster.insert(console.clone());
        let owner = self.lives.tasks.spawn(owner);
        let name = config.name.clone();
        let means = watch::Sender::new(self.means(&config));
        let lines = BTreeMap::new();
        self.consoles.insert(name, Served { config, console, owner, lines, means });
    }

    /// Ends a console and waits until its capture is free.
    async fn close(&mut self, name: &Name) {
        let Some(served) = self.consoles.remove(name) else { return };
        self.roster.remove(name);
        for door in served.lines.values() {
            door.close.cancel();
        }
        served.console.close();
        // It ends by itself; a panic of its own was logged.
        let _ = served.owner.await;
    }

    /// Makes a console what its configuration says, and tells whether that is anything new.
    async fn change(&mut self, name: &Name, config: ConsoleConfig) -> bool {
        let means = self.means(&config);
        let Some(served) = self.consoles.get_mut(name) else { return false };
        let before = std::mem::replace(&mut served.config, config);
        let config = &served.config;
        served.means.send_replace(means);
        if config.port != before.port {
            // It fails only while everything shuts down. So below.
            let _ = served.console.change_port(config.port.clone()).await;
        }
        if config.manners != before.manners {
            served.console.set_manners(config.manners.clone());
        }
        if config.capture != before.capture {
            let _ = served.console.change_capture(config.capture.clone()).await;
        }
        *config != before
    }

    fn means(&self, config: &ConsoleConfig) -> Means {
        Means { outlet: config.outlet.clone(), control: self.conmux_control }
    }

    fn open_doors(&mut self, name: &Name, lines: BTreeMap<Protocol, Arc<TcpListener>>) {
        let Some(served) = self.consoles.get_mut(name) else { return };
        for (protocol, listener) in lines {
            served.lines.entry(protocol).or_insert_with(|| {
                let Lives { clients, shutdown, hand_over, .. } = &self.lives;
                let close = shutdown.child_token();
                clients.spawn(line::serve(
                    listener.clone(),
                    protocol,
                    served.console.clone(),
                    served.means.subscribe(),
                    close.clone(),
                    hand_over.clone(),
                ));
                Door { listener, close }
            });
        }
    }

    fn open_http(&mut self, listener: Arc<TcpListener>, config: HttpListen) {
        let same = |(present, door): &(HttpListen, Door)| {
            present.insecure == config.insecure && Arc::ptr_eq(&door.listener, &listener)
        };
        if self.http.as_ref().is_some_and(same) {
            return;
        }
        self.close_http();
        let close = self.lives.shutdown.child_token();
        let tls = self.tls.clone();
        let door = Listener::Tcp {
            listener: listener.clone(),
            tls,
            insecure: config.insecure,
            other: None,
        };
        self.lives.clients.spawn(serve(door, self.app.clone(), close.clone()));
        self.http = Some((config, Door { listener, close }));
    }

    fn open_registry(&mut self, listener: Arc<TcpListener>, config: ConmuxListen) {
        let own = self.consoles.iter().filter_map(|(name, served)| {
            let door = served.lines.get(&Protocol::Conmux)?;
            Some((name.to_string(), door.listener.local_addr().ok()?))
        });
        self.directory.set(own.collect(), config.entries);
        if self.registry.as_ref().is_some_and(|(_, door)| Arc::ptr_eq(&door.listener, &listener)) {
            return;
        }
        self.close_registry();
        let close = self.lives.shutdown.child_token();
        let directory = self.directory.clone();
        let served = conmux::serve_registry(listener.clone(), directory, close.clone());
        self.lives.clients.spawn(served);
        self.registry = Some((config.registry, Door { listener, close }));
    }

    fn close_registry(&mut self) {
        if let Some((_, door)) = self.registry.take() {
            door.close.cancel();
        }
    }

    /// Goes on with clients of another process; those that cannot be gone on with are let go.
    pub(super) fn take_up(&self, clients: Vec<HandedClient>) {
        let mut present = BTreeMap::<Name, Vec<u64>>::new();
        for client in clients {
            let Some(served) = self.consoles.get(&client.state.console) else { continue };
            let session = client.state.session.session();
            let console = served.console.name().clone();
            match self.take_up_one(served, client) {
                Ok(true) => present.entry(console).or_default().push(session),
                Ok(false) => {}
                Err(error) => tracing::warn!(%console, %error, "a client is lost"),
            }
        }
        for (name, served) in &self.consoles {
            served.console.forget_absent(present.get(name).map_or(&[], Vec::as_slice));
        }
    }

    /// Whether the client is served now.
    fn take_up_one(&self, served: &Served, client: HandedClient) -> std::io::Result<bool> {
        let hand_over = self.lives.hand_over.clone();
        let protocol = match client.state.protocol {
            ProtocolState::Raw => Protocol::Raw,
            ProtocolState::Telnet(_) => Protocol::Telnet,
            ProtocolState::Conmux(_) => Protocol::Conmux,
            ProtocolState::WebSocket { .. } => {
                let client = AttachedClient::resume(&served.console, client, &self.access)?;
                let client = client.map(|client| client.run(hand_over));
                return Ok(client.map(|client| self.lives.clients.spawn(client)).is_some());
            }
        };
        // Its door may not be there any more.
        let Some(door) = served.lines.get(&protocol) else { return Ok(false) };
        if protocol == Protocol::Conmux {
            let client = conmux::Client::resume(&served.console, client)?;
            let means = served.means.subscribe();
            let client = client.map(|client| client.run(means, door.close.clone(), hand_over));
            return Ok(client.map(|client| self.lives.clients.spawn(client)).is_some());
        }
        let client = line::Client::resume(&served.console, client)?;
        let client = client.map(|client| client.run(door.close.clone(), hand_over));
        Ok(client.map(|client| self.lives.clients.spawn(client)).is_some())
    }

    /// Gives everything away, for another process to go on with: first the clients, then, when the
    /// last of them has come to rest, the consoles.
    pub(super) async fn give_away(mut self) -> HandedSerial {
        let bound = self.bound();
        self.close_http();
        self.close_registry();
        self.lives.hand_over.ask();
        self.lives.clients.close();
        if tokio::time::timeout(REST_LIMIT, self.lives.clients.wait()).await.is_err() {
            tracing::warn!("some requests did not end in time, and are broken off");
        }
        self.lives.consoles.cancel();
        let mut consoles = BTreeMap::new();
        for (name, served) in self.consoles {
            // A console whose owner has panicked is opened anew.
            if let Ok(Some(handed)) = served.owner.await {
                consoles.insert(name, handed);
            }
        }
        let clients = self.lives.hand_over.take();
        HandedSerial { bound, consoles, clients, ..HandedSerial::default() }
    }

    /// Requests under way and attached clients are served to their end.
    fn close_http(&mut self) {
        if let Some((_, door)) = self.http.take() {
            door.close.cancel();
        }
    }
}

impl Served {
    /// Closes the doors whose listeners are not planned for them.
    fn keep_doors(&mut self, planned: &BTreeMap<Protocol, Arc<TcpListener>>) {
        self.lines.retain(|protocol, door| {
            let kept =
                planned.get(protocol).is_some_and(|listener| Arc::ptr_eq(listener, &door.listener));
            if !kept {
                door.close.cancel();
            }
            kept
        });
    }
}
