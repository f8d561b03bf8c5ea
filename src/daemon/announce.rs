//! Tells a `lava-server` what a daemon serves, for as long as it serves it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use futures_util::future::BoxFuture;
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

/// Who announces a daemon.
#[derive(Debug)]
pub(super) struct Announcer {
    server: LabServer,
    url: String,
    announcement: Announcement,
}

impl Announcer {
    /// # Errors
    /// [`Kind::Config`] when it cannot be told where the daemon or the server is.
    pub(super) fn new(
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
            instance: format!("{:x}-{:x}", units::now_us(), std::process::id()),
            consoles: Vec::new(),
            outlets: Vec::new(),
            used: BTreeMap::new(),
        };
        Ok(Self { server: LabServer::new(endpoint, login), url: config.url.clone(), announcement })
    }

    /// Announces what `served` says until `shutdown`: at once when it has changed, and again before the
    /// server would take us for dead.
    pub(super) async fn run(
        mut self,
        served: impl Fn() -> BoxFuture<'static, Served>,
        shutdown: CancellationToken,
    ) {
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
                let told = tokio::select! {
                    told = self.server.announce(&self.announcement) => told,
                    () = shutdown.cancelled() => return,
                };
                let (server, url) = (self.url.as_str(), self.announcement.url.as_str());
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
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }
}

/// Where clients may find a daemon's consoles or outlets, as `http://farm1:7100/consoles`: first of all where it is
/// announced.
pub(super) fn found_at(
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
