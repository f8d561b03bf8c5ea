//! `lava-server`: opens its database, binds its listener, then serves a lab until it is told to end.

use std::fs::{DirBuilder, File, TryLockError};
use std::os::unix::fs::DirBuilderExt as _;
use std::sync::Arc;

use tokio::net::{TcpListener, UnixListener};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{RuntimeSocket, SHUTDOWN_LIMIT, Safety, bind, runtime_dir};
use crate::client::Login;
use crate::config::server::ServerConfig;
use crate::front::http::server::{Doors, router};
use crate::front::http::{Listener, Tls, TlsConfig, serve};
use crate::model::{Failure, Kind};
use crate::server::{Images, Server};
use crate::store::Store;

/// So often it is looked which tokens are over.
const LOOK_AT_TOKENS: std::time::Duration = std::time::Duration::from_secs(10);
/// Says whose the folder is.
const LOCK: &str = "lock";

/// A `lava-server` that has its lab and its listener, and has not begun to serve.
#[derive(Debug)]
pub struct ServerDaemon {
    config: ServerConfig,
    server: Server,
    images: Images,
    doors: Doors,
    http: TcpListener,
    socket: (RuntimeSocket, UnixListener),
    tls: Tls,
    _lock: File,
}

impl ServerDaemon {
    /// Opens the database, which is made or brought up to date first, and binds the listeners.
    ///
    /// # Errors
    /// When one of them cannot be had, or another server has the folder.
    pub async fn open(config: ServerConfig) -> Result<Self, Failure> {
        let tls = Tls::new(TlsConfig::of(Some(&config.http))?);
        let lock = lock(&config)?;
        let url = config.database.clone().unwrap_or_else(|| Store::file_url(&config.file()));
        let store = Store::open(&url).await?;
        let token_file = config.daemons.token_file.clone();
        let login = Login { token_file, ca: config.daemons.ca.clone(), behalf: None };
        let images = Images::open(store.clone(), config.images())?;
        let server = Server::load(store, login).await.map_err(Failure::from)?;
        let doors = Doors::new(config.access.clone());
        let access = doors.refresh(&server).await?;
        let safety = Safety::of_http(&config.http, &access);
        let http = bind("http", config.http.listen, safety).await?;
        let socket = RuntimeSocket::bind(&runtime_dir(), "server")?;
        Ok(Self { config, server, images, doors, http, socket, tls, _lock: lock })
    }

    /// What is said when it is ready: `http=127.0.0.1:7000 dir=…`.
    pub fn addresses(&self) -> String {
        let http = self.http.local_addr().map(|address| format!("http={address} "));
        let socket = self.socket.0.path().display();
        format!("{}socket={socket} dir={}", http.unwrap_or_default(), self.config.dir.display())
    }

    /// Serves until `shutdown`, and is back within [`SHUTDOWN_LIMIT`] of it; `ready` is called when
    /// clients are served.
    pub async fn run(self, shutdown: CancellationToken, ready: impl FnOnce()) {
        let Self { config, server, images, doors, http, socket, tls, _lock } = self;
        let tasks = TaskTracker::new();
        let app = router(server.clone(), images.clone(), doors.clone(), tasks.clone());
        let insecure = config.http.insecure;
        let tcp = Listener::Tcp { listener: Arc::new(http), tls, insecure, other: None };
        let (_socket, unix) = socket;
        for listener in [tcp, Listener::Unix(Arc::new(unix))] {
            tasks.spawn(serve(listener, app.clone(), shutdown.clone()));
        }
        let (queue, outlets) = (server.clone(), server.clone());
        let (of_queue, of_outlets) = (shutdown.clone(), shutdown.clone());
        let of_images = shutdown.clone();
        tasks.spawn(async move { images.tidy(of_images).await });
        tasks.spawn(async move { queue.run(of_queue).await });
        tasks.spawn(async move { outlets.tell_outlets(of_outlets).await });
        let (users, of_users) = (server.clone(), shutdown.clone());
        tasks.spawn(async move { keep_doors(&doors, &users, of_users).await });
        tasks.close();
        ready();
        shutdown.cancelled().await;
        if tokio::time::timeout(SHUTDOWN_LIMIT / 2, tasks.wait()).await.is_err() {
            tracing::warn!("some clients did not end in time");
        }
        if tokio::time::timeout(SHUTDOWN_LIMIT / 4, server.close()).await.is_err() {
            tracing::warn!("the database was not closed in time");
        }
    }
}

/// Shuts the doors to those whose tokens are over.
async fn keep_doors(doors: &Doors, server: &Server, shutdown: CancellationToken) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(LOOK_AT_TOKENS) => {}
        }
        if let Err(failure) = doors.refresh(server).await {
            tracing::error!("who is let in is as it was: {failure}");
        }
    }
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
