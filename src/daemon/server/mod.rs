//! `lava-server`: takes its database, binds its listener, then serves a lab until it is told to end. Where another
//! server has the database, it stands by until that one is gone.

pub mod backup;
mod lead;
mod standby;

use std::fs::{DirBuilder, File, TryLockError};
use std::os::unix::fs::DirBuilderExt as _;
use std::sync::Arc;

use tokio::net::{TcpListener, UnixListener};
use tokio_util::sync::CancellationToken;

use super::{RuntimeSocket, Safety, bind, permit, runtime_dir};
use crate::client::Endpoint;
use crate::config::server::ServerConfig;
use crate::front::http::{Listener, Tls, TlsConfig};
use crate::model::{Failure, Kind};
use crate::server::Images;
use crate::store::{Leader, Store, Turn};
use lead::{Lead, Over};
use standby::{first_turn, stand_by};

/// Says whose the folder is.
const LOCK: &str = "lock";

/// A `lava-server` that has its listener, and has not begun to serve.
#[derive(Debug)]
pub struct ServerDaemon {
    site: Site,
    /// It has the lab, or another server is said to have it.
    begun: Result<Lead, Leader>,
    socket: RuntimeSocket,
    _lock: File,
}

/// What stays the same, whoever has the lab.
#[derive(Debug)]
struct Site {
    config: ServerConfig,
    database: String,
    http: Arc<TcpListener>,
    unix: Arc<UnixListener>,
    tls: Tls,
}

impl ServerDaemon {
    /// Opens the database, which is made or brought up to date first, and binds the listeners. PostgreSQL may be
    /// another server's: then this one is to stand by.
    ///
    /// # Errors
    /// When one of them cannot be had, also after a while in which PostgreSQL may begin, or another server has the
    /// folder or the file of the database.
    pub async fn open(config: ServerConfig) -> Result<Self, Failure> {
        if let Some(Err(what)) = config.url.as_deref().map(str::parse::<Endpoint>) {
            return Err(Failure::new(Kind::Config, format!("[http] url: {what}")));
        }
        let tls = Tls::new(TlsConfig::of(Some(&config.http))?);
        let lock = lock(&config)?;
        let database = database_of(&config);
        let begun = match first_turn(&database).await? {
            Turn::Ours(hold) => Ok(Lead::open(&config, &database, hold).await?),
            Turn::Theirs(leader) => {
                if !database.starts_with("sqlite:") {
                    Images::check_place_of(&database, &config.images()).await?;
                }
                Err(leader)
            }
        };
        let safety = match &begun {
            Ok(lead) => Safety::of_http(&config.http, lead.access()),
            Err(_) if database.starts_with("sqlite:") => {
                let what = format!("another lava-server has the database {database}");
                return Err(
                    Failure::new(Kind::Infra, what).hint("name another one with --database")
                );
            }
            // Who is let in says the one that has the lab, which trusts nobody from afar who comes through us.
            Err(_) if config.http.insecure => Safety::Insecure,
            Err(_) => Safety::Http { login: true, tls: config.http.tls.is_some() },
        };
        let http = Arc::new(bind("http", config.http.listen, safety).await?);
        let (socket, unix) = RuntimeSocket::bind(&runtime_dir(), "server")?;
        let site = Site { config, database, http, unix: Arc::new(unix), tls };
        Ok(Self { site, begun, socket, _lock: lock })
    }

    /// What is said when it is ready: `http=127.0.0.1:7000 dir=…`, and of one that stands by `standby=true`.
    pub fn addresses(&self) -> String {
        let Site { config, http, .. } = &self.site;
        let http = http.local_addr().map(|address| format!("http={address} ")).unwrap_or_default();
        let (socket, dir) = (self.socket.path().display(), config.dir.display());
        let standby = if self.begun.is_err() { " standby=true" } else { "" };
        format!("{http}socket={socket} dir={dir}{standby}")
    }

    /// Serves until `shutdown`, and is back within [`super::SHUTDOWN_LIMIT`] of it; `ready` is called when
    /// clients are served.
    ///
    /// # Errors
    /// When it cannot go on: a part of it has ended that must not.
    pub async fn run(
        self,
        shutdown: CancellationToken,
        ready: impl FnOnce(),
    ) -> Result<(), Failure> {
        let Self { site, mut begun, socket: _socket, _lock } = self;
        let mut ready = Some(ready);
        let mut is_ready = || {
            if let Some(ready) = ready.take() {
                ready();
            }
        };
        loop {
            let lead = match begun {
                Ok(lead) => lead,
                Err(leader) => {
                    let Some(hold) = stand_by(&site, leader, &shutdown, &mut is_ready).await else {
                        return Ok(());
                    };
                    let lead = match Lead::open(&site.config, &site.database, hold).await {
                        // It was there a moment ago.
                        Err(failure) if failure.kind == Kind::Infra => {
                            tracing::error!("the lab cannot be had: {failure}");
                            begun = Err(Leader::default());
                            continue;
                        }
                        lead => lead?,
                    };
                    let safety = Safety::of_http(&site.config.http, lead.access());
                    permit("http", site.config.http.listen, safety)?;
                    lead
                }
            };
            match lead.serve(&site, &shutdown, &mut is_ready).await? {
                Over::Shutdown => return Ok(()),
                Over::Lost(why) => {
                    tracing::error!("the lab is left to whoever has the database next: {why}");
                    begun = Err(Leader::default());
                }
            }
        }
    }
}

impl Site {
    fn listeners(&self) -> [Listener; 2] {
        let (listener, tls) = (self.http.clone(), self.tls.clone());
        let insecure = self.config.http.insecure;
        let tcp = Listener::Tcp { listener, tls, insecure, other: None };
        [tcp, Listener::Unix(self.unix.clone())]
    }

    /// What it is called by those who stand by.
    fn name(&self) -> String {
        format!("lava-server at {} on {}", self.url(), host())
    }

    /// Where those who stand by find it.
    fn url(&self) -> String {
        if let Some(url) = &self.config.url {
            return url.clone();
        }
        let scheme = if self.config.http.tls.is_some() { "https" } else { "http" };
        let address = self.http.local_addr().map(|address| match address.ip().is_unspecified() {
            true => format!("{}:{}", host(), address.port()),
            false => address.to_string(),
        });
        format!("{scheme}://{}", address.unwrap_or_else(|_| "?".into()))
    }
}

/// What this host calls itself.
fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The URL of what a server remembers.
fn database_of(config: &ServerConfig) -> String {
    config.database.clone().unwrap_or_else(|| Store::file_url(&config.file()))
}

/// Makes the folder, and takes it for this process.
fn lock(config: &ServerConfig) -> Result<File, Failure> {
    let dir = &config.dir;
    let infra =
        |error: std::io::Error| Failure::new(Kind::Infra, format!("{}: {error}", dir.display()));
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(infra)?;
    let file = File::options().write(true).create(true).truncate(false).open(dir.join(LOCK));
    let file = file.map_err(infra)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let what = format!("another lava-server has the folder {}", dir.display());
            Err(Failure::new(Kind::Infra, what).hint("name another one with --dir"))
        }
        Err(TryLockError::Error(error)) => Err(infra(error)),
    }
}
