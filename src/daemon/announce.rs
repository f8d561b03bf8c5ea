//! Tells a `lava-server` what a daemon serves, for as long as it serves it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::client::server::LabServer;
use crate::client::{Endpoint, Login};
use crate::config::{AnnounceConfig, HttpListen};
use crate::model::{AnnouncedOutlet, Announcement, DaemonKind, Failure, Kind, Name, units};

/// How often it is looked what has changed.
const LOOK: Duration = Duration::from_secs(1);
/// How long after a failure it is tried again.
const AGAIN: Duration = Duration::from_secs(3);

/// The consoles and the outlets that are served now, and when consoles were used last.
pub(super) type Served = (Vec<Name>, Vec<AnnouncedOutlet>, BTreeMap<Name, u64>);

/// What calls a daemon the same one for as long as its process lives.
static INSTANCE: LazyLock<String> =
    LazyLock::new(|| format!("{:x}-{:x}", units::now_us(), std::process::id()));

/// Where a daemon is for others.
#[derive(Debug)]
pub(super) struct Whereabouts {
    /// Where clients may find its consoles or outlets, as `http://farm1:7100/consoles`: first of all where it is
    /// announced.
    pub(super) places: Vec<String>,
    /// Who announces it.
    pub(super) announcer: Option<Announcer>,
}

impl Whereabouts {
    /// # Errors
    /// [`Kind::Config`] when it cannot be told where the daemon or the server is.
    pub(super) fn of(
        config: Option<&AnnounceConfig>,
        kind: DaemonKind,
        http: Option<(&HttpListen, SocketAddr)>,
        socket: &Path,
    ) -> Result<Self, Failure> {
        let announcer = config.map(|config| Announcer::new(config, kind, http, socket));
        let places = found_at(config, kind, http, socket);
        Ok(Self { places, announcer: announcer.transpose()? })
    }
}

/// Who announces a daemon.
#[derive(Debug, Clone)]
pub(super) struct Announcer {
    config: AnnounceConfig,
    server: LabServer,
    announcement: Announcement,
}

/// Two are one when they say of one place, to one server, that the daemon is there.
impl PartialEq for Announcer {
    fn eq(&self, other: &Self) -> bool {
        let place = |it: &Self| (it.announcement.host.clone(), it.announcement.url.clone());
        self.config == other.config && place(self) == place(other)
    }
}

/// Puts another announcer in the place of one; whether it is another one.
pub(super) fn replace(now: &mut Option<Announcer>, next: Option<Announcer>) -> bool {
    let other = *now != next;
    if other {
        *now = next;
    }
    other
}

/// Announces a daemon until `shutdown`, as whoever is named there says; another one, from when it is named.
pub(super) async fn announce(
    mut announcers: watch::Receiver<Option<Announcer>>,
    served: impl Fn() -> BoxFuture<'static, Served>,
    shutdown: CancellationToken,
) {
    loop {
        let announcer = announcers.borrow_and_update().clone();
        let announced = async {
            match announcer {
                Some(announcer) => announcer.run(&served).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => return,
            Ok(()) = announcers.changed() => {}
            () = announced => {}
        }
    }
}

impl Announcer {
    fn new(
        config: &AnnounceConfig,
        kind: DaemonKind,
        http: Option<(&HttpListen, SocketAddr)>,
        socket: &Path,
    ) -> Result<Self, Failure> {
        let wrong = |what: String| Failure::new(Kind::Config, what);
        let endpoint: Endpoint = config.url.parse().map_err(wrong)?;
        let host = match &config.host {
            Some(host) => host.clone(),
            None => own_name()?,
        };
        let url = match (&config.here, http) {
            (Some(here), _) => here.clone(),
            (None, Some(http)) => at(http, Some(&host)).remove(0),
            (None, None) => format!("unix:{}", socket.display()),
        };
        let login = Login::from(&config.login);
        let announcement = Announcement {
            kind,
            host,
            url,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            instance: INSTANCE.clone(),
            consoles: Vec::new(),
            outlets: Vec::new(),
            used: BTreeMap::new(),
        };
        let server = LabServer::new(endpoint, login);
        Ok(Self { config: config.clone(), server, announcement })
    }

    /// Announces what `served` says, for ever: at once when it has changed, and again before the server would
    /// take us for dead.
    async fn run(mut self, served: impl Fn() -> BoxFuture<'static, Served>) {
        let mut due = Instant::now();
        let mut silent = false;
        loop {
            let (consoles, outlets, used) = served().await;
            let before = &self.announcement;
            let changed = before.consoles != consoles || before.outlets != outlets;
            (self.announcement.consoles, self.announcement.outlets) = (consoles, outlets);
            // That is told with the next announcement.
            self.announcement.used = used;
            if due <= Instant::now() || changed && !silent {
                let told = self.server.announce(&self.announcement).await;
                let (server, url) = (self.config.url.as_str(), self.announcement.url.as_str());
                match told {
                    Ok(again) => {
                        if std::mem::take(&mut silent) {
                            tracing::info!(server, "announced again");
                        }
                        // Half of it is left for a failure.
                        due = Instant::now() + Duration::from_secs(again.again_s.max(2)) / 2;
                    }
                    Err(failure) => {
                        if !std::mem::replace(&mut silent, true) {
                            tracing::warn!(server, url, "not announced: {failure}");
                        }
                        due = Instant::now() + AGAIN;
                    }
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

fn found_at(
    config: Option<&AnnounceConfig>,
    kind: DaemonKind,
    http: Option<(&HttpListen, SocketAddr)>,
    socket: &Path,
) -> Vec<String> {
    let host = config.and_then(|config| config.host.clone()).or_else(|| own_name().ok());
    let here = config.and_then(|config| config.here.clone());
    let listens = http.into_iter().flat_map(|http| at(http, host.as_ref()));
    let all = here.into_iter().chain(listens).chain([format!("unix:{}", socket.display())]);
    all.map(|url| kind.place(&url)).collect()
}

/// The URLs of a listener, the one for everybody first; a listener at all addresses is known by the host's name.
fn at((http, address): (&HttpListen, SocketAddr), host: Option<&Name>) -> Vec<String> {
    let (scheme, port) = (if http.tls.is_some() { "https" } else { "http" }, address.port());
    let at = |host: &str| format!("{scheme}://{host}:{port}");
    let ip = address.ip();
    let mut all = match host.filter(|_| ip.is_unspecified()) {
        Some(host) => vec![at(host.as_str())],
        None => vec![format!("{scheme}://{address}")],
    };
    if ip.is_unspecified() {
        all.push(at("127.0.0.1"));
    }
    if ip.is_unspecified() || ip.is_loopback() {
        all.push(at("localhost"));
    }
    all.extend(http.names.iter().map(|name| at(name.as_str())));
    all
}

/// What this host calls itself, up to the first dot.
fn own_name() -> Result<Name, Failure> {
    let uname = rustix::system::uname();
    let name = uname.nodename().to_string_lossy();
    let short = name.split('.').next().unwrap_or_default();
    short.parse().map_err(|error| {
        let what = format!("this host is called {name:?}: {error}");
        Failure::new(Kind::Config, what).hint("say what it is called in the lab: [server] host")
    })
}
