//! `lava-power`: binds its listeners, then serves outlets until it is told to end.

mod fronts;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde::de::IgnoredAny;
use tokio::net::{TcpListener, UnixListener};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::fronts::Fronts;
use super::announce::{Announcer, Served, Whereabouts, announce, replace};
use super::{RuntimeSocket, SHUTDOWN_LIMIT, Safety, bind, permit, runtime_dir};
use crate::client::{ConsoleRef, Http, Login};
use crate::config::power::PowerConfig;
use crate::config::{HttpListen, permit_all_power};
use crate::front::http::access::Access;
use crate::front::http::power::router;
use crate::front::http::{Listener, Tls, TlsConfig, serve};
use crate::model::{AnnouncedOutlet, DaemonKind, Failure, Kind, OutletInfo, What};
use crate::power::{Consoles, LeaseFiles, Note, Power, Surroundings, Usage};

/// How long a console may take to tell who holds it, and again to put an event on its timeline; the
/// board's power waits for both.
const CONSOLE_TIMEOUT: Duration = Duration::from_secs(1);
/// Kept back from the time that a daemon has to end in, for the process itself.
const EXIT_TIME: Duration = Duration::from_millis(500);

/// A `lava-power` whose listeners are bound, and which has not begun to serve.
#[derive(Debug)]
pub struct PowerDaemon {
    config: PowerConfig,
    http: Option<TcpListener>,
    tls: Tls,
    fronts: Fronts,
    socket: (RuntimeSocket, UnixListener),
    whereabouts: Whereabouts,
    /// What is read again on SIGHUP.
    files: Option<(Vec<PathBuf>, Signal)>,
}

/// Reads the files again, as often as it is told to.
struct Reload {
    paths: Vec<PathBuf>,
    hangups: Signal,
    /// As it is served.
    config: PowerConfig,
    address: Option<SocketAddr>,
    /// Our socket's.
    path: PathBuf,
    access: Access,
    tls: Tls,
    /// Who announces us now.
    announcers: watch::Sender<Option<Announcer>>,
}

impl PowerDaemon {
    /// Binds every listener of a configuration. No PDU is asked: one that is dead is no reason not
    /// to start.
    ///
    /// # Errors
    /// All that may not be where they are to be, or the first one that cannot be bound.
    pub async fn bind(config: PowerConfig) -> Result<Self, Failure> {
        permit_all_power(&config)?;
        let http = match &config.http {
            Some(http) => {
                let safety = Safety::of_http(http, &config.access);
                Some(bind("http", http.listen, safety).await?)
            }
            None => None,
        };
        let tls = Tls::new(TlsConfig::of(config.http.as_ref())?);
        let fronts = Fronts::bind(&config).await?;
        let socket = RuntimeSocket::bind(&runtime_dir(), "power")?;
        let bound = http.as_ref().and_then(|listener| listener.local_addr().ok());
        let (at, path) = (config.http.as_ref().zip(bound), socket.0.path());
        let whereabouts = Whereabouts::of(config.server.as_ref(), DaemonKind::Power, at, path)?;
        Ok(Self { config, http, tls, fronts, socket, whereabouts, files: None })
    }

    /// Reads rights and certificates again from these files on SIGHUP.
    ///
    /// # Errors
    /// When the signal cannot be handled.
    pub fn reading_again(self, paths: Vec<PathBuf>) -> Result<Self, Failure> {
        let hangups = signal(SignalKind::hangup());
        let hangups = hangups.map_err(|error| Failure::from_error(Kind::Infra, &error))?;
        Ok(Self { files: Some((paths, hangups)), ..self })
    }

    /// What is said when it is ready: `outlets=3 pdus=1 socket=… http=127.0.0.1:7200`.
    pub fn addresses(&self) -> String {
        let pdus = &self.config.pdus;
        let outlets = self.config.boards.len();
        let socket = self.socket.0.path().display();
        let http = self.http_address().map(|address| format!(" http={address}"));
        let (http, fronts) = (http.unwrap_or_default(), self.fronts.addresses());
        format!("outlets={outlets} pdus={} socket={socket}{http}{fronts}", pdus.len())
    }

    /// The address of the HTTP listener, if there is one.
    pub fn http_address(&self) -> Option<SocketAddr> {
        self.http.as_ref().and_then(|listener| listener.local_addr().ok())
    }

    /// Serves until `shutdown`; `ready` is called when clients are served.
    pub async fn run(self, shutdown: CancellationToken, ready: impl FnOnce()) {
        let (address, config) = (self.http_address(), self.config.clone());
        let access = Access::new(config.access.clone()).at(self.whereabouts.places);
        let announcers = watch::Sender::new(self.whereabouts.announcer);
        let announcer = announcers.subscribe();
        let (path, socket) = self.socket;
        let reload = self.files.map(|(paths, hangups)| {
            let (access, tls, path) = (access.clone(), self.tls.clone(), path.path().to_owned());
            Reload { paths, hangups, config, address, path, access, tls, announcers }
        });
        let insecure = self.config.http.as_ref().is_some_and(|http| http.insecure);
        let tcp = self.http.map(|listener| Listener::Tcp {
            listener: Arc::new(listener),
            tls: self.tls,
            insecure,
            other: None,
        });
        let listeners = tcp.into_iter().chain([Listener::Unix(Arc::new(socket))]);
        ready();
        let reloads = async {
            match reload {
                Some(reload) => reload.run().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = serve_all(self.config, access, listeners, self.fronts, announcer, shutdown) => {}
            () = reloads => {}
        }
    }
}

impl Reload {
    /// Never ends.
    async fn run(mut self) {
        while self.hangups.recv().await.is_some() {
            if let Err(failure) = self.read() {
                tracing::error!("nothing is changed: {failure}");
            }
        }
        std::future::pending::<()>().await;
    }

    /// Puts the rights, the certificate and the server of the files into effect.
    ///
    /// # Errors
    /// Everything that is wrong with the files; nothing is changed then.
    fn read(&self) -> Result<(), Failure> {
        let config = PowerConfig::read(&self.paths)?;
        let tls = TlsConfig::of(config.http.as_ref())?;
        if let (Some(address), Some(served)) = (self.address, &self.config.http) {
            // The listener stays where it is.
            let http = config.http.clone().unwrap_or_else(|| HttpListen::plain(address));
            let http = HttpListen { insecure: http.insecure && served.insecure, ..http };
            permit("http", address, Safety::of_http(&http, &config.access))?;
        }
        let others = |config: &PowerConfig| {
            let http = config.http.as_ref().map(|http| (http.listen, http.insecure));
            let (pdus, boards, budgets) = (&config.pdus, &config.boards, &config.budgets);
            let (consoles, interlock) = (&config.consoles, &config.interlock);
            let (folders, pdudaemon, powerman) =
                (&config.folders, &config.pdudaemon, &config.powerman);
            format!(
                "{http:?} {pdudaemon:?} {powerman:?} {consoles:?} {interlock:?} {folders:?} {budgets:?} {pdus:?} {boards:?}"
            )
        };
        let same = others(&config) == others(&self.config);
        let at = self.config.http.as_ref().zip(self.address);
        let whereabouts =
            Whereabouts::of(config.server.as_ref(), DaemonKind::Power, at, &self.path)?;
        self.access.set(config.access);
        self.access.move_to(whereabouts.places);
        self.tls.set(tls);
        self.announcers.send_if_modified(|now| replace(now, whereabouts.announcer));
        tracing::info!(
            "rights, certificates and [server] were read again; PDUs and outlets are as at the start"
        );
        if !same {
            tracing::warn!(
                "the files have other PDUs, outlets or addresses than are served: restart lava-power for them"
            );
        }
        Ok(())
    }
}

/// Serves a configuration's outlets on these listeners until `shutdown`, and is back within
/// [`SHUTDOWN_LIMIT`] of it. Operations under way are brought to an end first, so that no board is
/// left off by half a cycle.
pub async fn run(
    config: PowerConfig,
    listeners: impl IntoIterator<Item = Listener>,
    shutdown: CancellationToken,
) {
    let access = Access::new(config.access.clone());
    let nobody = watch::Sender::new(None).subscribe();
    serve_all(config, access, listeners, Fronts::default(), nobody, shutdown).await;
}

async fn serve_all(
    config: PowerConfig,
    access: Access,
    listeners: impl IntoIterator<Item = Listener>,
    fronts: Fronts,
    announcer: watch::Receiver<Option<Announcer>>,
    shutdown: CancellationToken,
) {
    let tasks = TaskTracker::new();
    let login = Login::from(&config.consoles);
    let surroundings = Surroundings {
        consoles: Arc::new(HttpConsoles { login }),
        leases: Arc::new(LeaseFiles::new(&config.folders.leases)),
        tasks: tasks.clone(),
        ending: shutdown.clone(),
    };
    let power = Arc::new(Power::start(&config, surroundings));
    fronts.serve(&power, &tasks, &shutdown);
    let announced = power.clone();
    let served = move || served(announced.clone()).boxed();
    tasks.spawn(announce(announcer, served, shutdown.clone()));
    let app = router(power, access);
    for listener in listeners {
        tasks.spawn(serve(listener, app.clone(), shutdown.clone()));
    }
    shutdown.cancelled().await;
    tasks.close();
    if tokio::time::timeout(SHUTDOWN_LIMIT - EXIT_TIME, tasks.wait()).await.is_err() {
        tracing::warn!("some clients or operations did not end in time");
    }
}

/// What a `lava-server` is told.
async fn served(power: Arc<Power>) -> Served {
    let mut leases = power.leases().await;
    let outlet = |outlet: &OutletInfo| {
        let OutletInfo { name, pdu, port, .. } = outlet.clone();
        let lease = leases.remove(&name);
        AnnouncedOutlet { name, pdu, port, lease }
    };
    (Vec::new(), power.outlets().map(outlet).collect(), BTreeMap::new())
}

/// Consoles behind the HTTP interface of their daemons.
#[derive(Debug)]
struct HttpConsoles {
    login: Login,
}

impl HttpConsoles {
    /// The console's daemon, and the console's path there.
    fn find(&self, console: &str) -> Result<(Http, String), Failure> {
        let ConsoleRef { endpoint, path, .. } =
            console.parse().map_err(|error: String| Failure::new(Kind::Config, error))?;
        let http = Http::new(endpoint).with_login(self.login.clone());
        Ok((http.with_timeout(CONSOLE_TIMEOUT), path))
    }
}

impl Consoles for HttpConsoles {
    fn record<'a>(&'a self, console: &'a str, note: &'a Note) -> BoxFuture<'a, ()> {
        async move {
            let recorded = async {
                let (http, path) = self.find(console)?;
                match &note.what {
                    What::Message { text } => {
                        let message = serde_json::json!({"user": note.who, "text": text});
                        http.post::<IgnoredAny>(&format!("{path}/message"), &message).await
                    }
                    _ => http.post::<IgnoredAny>(&format!("{path}/events"), note).await,
                }
            };
            if let Err(Failure { message, .. }) = recorded.await {
                let error = message;
                tracing::warn!(console, error, "the console was not told of a power operation");
            }
        }
        .boxed()
    }

    fn usage<'a>(&'a self, console: &'a str) -> BoxFuture<'a, Result<Usage, Failure>> {
        async move {
            let (http, path) = self.find(console)?;
            // As much of the console's status as matters here.
            http.get(&path).await
        }
        .boxed()
    }
}
