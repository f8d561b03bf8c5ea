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
use crate::config::server::ServerConfig;
use crate::front::http::{Listener, Tls, TlsConfig};
use crate::model::{Failure, Kind};
use crate::store::{Store, Turn};
use lead::{Lead, Over};
use standby::{first_turn, stand_by};

/// Who has the lab, as long as nobody has said where that one is.
const ANOTHER: &str = "another lava-server";
/// Says whose the folder is.
const LOCK: &str = "lock";

/// A `lava-server` that has its listener, and has not begun to serve.
#[derive(Debug)]
pub struct ServerDaemon {
    site: Site,
    /// It has the lab, or another server is said to have it.
    begun: Result<Lead, String>,
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
        let tls = Tls::new(TlsConfig::of(Some(&config.http))?);
        let lock = lock(&config)?;
        let database = database_of(&config);
        let begun = match first_turn(&database).await? {
            Turn::Ours(hold) => Ok(Lead::open(&config, &database, hold).await?),
            Turn::Theirs(leader) => Err(leader.unwrap_or_else(|| ANOTHER.into())),
        };
        let safety = match &begun {
            Ok(lead) => Safety::of_http(&config.http, lead.access()),
            Err(_) if database.starts_with("sqlite:") => {
                let what = format!("another lava-server has the database {database}");
                return Err(
                    Failure::new(Kind::Infra, what).hint("name another one with --database")
                );
            }
            // Nothing is told there but who leads. Before more is, it is looked whether it may be.
            Err(_) => Safety::Insecure,
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
                            begun = Err(ANOTHER.into());
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
                    begun = Err(ANOTHER.into());
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

    /// Where clients find it, for those who stand by.
    fn place(&self) -> String {
        let scheme = if self.config.http.tls.is_some() { "https" } else { "http" };
        let address = self.http.local_addr().map_or_else(|_| "?".into(), |it| it.to_string());
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        format!("lava-server at {scheme}://{address} on {host}")
    }
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
