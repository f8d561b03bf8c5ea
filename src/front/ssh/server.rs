//! Accepting connections, and what becomes of each as a whole.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use russh::server::Config;
use russh::{Disconnect, MethodKind, MethodSet, SshId};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::HostKey;
use super::connection::{Connection, Login};
use super::doors::{Doors, Inside};
use crate::client::lab::Lab;
use crate::config::runtime_dir;
use crate::config::ssh::SshConfig;
use crate::front::accept;
use crate::sys::keep_alive;

/// How long somebody may take to log in.
const LOGIN_TIME: Duration = Duration::from_secs(30);
/// How long a client may take to go that was told to.
const GOODBYE: Duration = Duration::from_secs(1);
/// How many keys may be shown on one connection.
const KEYS_SHOWN: usize = 20;
/// What may be under way to a client of a channel's bytes, and from it, before it has to say that it took
/// them.
const WINDOW: u32 = 1024 * 1024;
/// How many messages of a client's may wait for the task of their channel.
const CHANNEL_BUFFER: usize = 64;

/// Everything that serves somebody by SSH.
#[derive(Clone)]
pub struct SshServer(Arc<Inner>);

struct Inner {
    config: watch::Sender<Arc<SshConfig>>,
    ssh: Arc<Config>,
    doors: Doors,
    /// The tasks of channels.
    tasks: TaskTracker,
}

impl SshServer {
    pub fn new(config: SshConfig, key: &HostKey) -> Self {
        let version = concat!("SSH-2.0-lavamux_", env!("CARGO_PKG_VERSION"));
        let ssh = Config {
            server_id: SshId::Standard(version.into()),
            methods: MethodSet::from(&[MethodKind::PublicKey][..]),
            // A key that is not known is no guess, and who shows too many is not listened to.
            auth_rejection_time: Duration::ZERO,
            keys: vec![key.private()],
            window_size: WINDOW,
            channel_buffer_size: CHANNEL_BUFFER,
            max_auth_attempts: KEYS_SHOWN,
            // A console may be quiet for days, and its client stopped. Who is gone is noticed by TCP.
            inactivity_timeout: None,
            keepalive_interval: None,
            nodelay: true,
            ..Config::default()
        };
        Self(Arc::new(Inner {
            config: watch::Sender::new(Arc::new(config)),
            ssh: Arc::new(ssh),
            doors: Doors::default(),
            tasks: TaskTracker::new(),
        }))
    }

    /// From now on these users, keys, rights and forwards count. Who has lost any is let go.
    pub fn set(&self, config: SshConfig) {
        self.0.config.send_replace(Arc::new(config));
    }

    /// Serves a listener until `shutdown`, and returns when everybody has gone.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) {
        let stop = shutdown.clone();
        accept::serve(Arc::new(listener), "ssh", stop.cancelled(), |clients, stream, peer| {
            let (server, shutdown) = (self.clone(), shutdown.clone());
            clients.spawn(async move { server.welcome(stream, peer, shutdown).await });
        })
        .await;
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    pub(super) fn config(&self) -> Arc<SshConfig> {
        self.0.config.borrow().clone()
    }

    pub(super) fn tasks(&self) -> &TaskTracker {
        &self.0.tasks
    }

    /// Where boards are.
    pub(super) fn lab(&self) -> Lab {
        self.config().lab.clone().map_or_else(|| Lab::Host(runtime_dir()), Lab::File)
    }

    async fn welcome(self, mut stream: TcpStream, peer: SocketAddr, shutdown: CancellationToken) {
        let inside = match self.0.doors.enter(peer.ip(), Instant::now()) {
            Ok(inside) => Arc::new(inside),
            Err(turned) => {
                tracing::debug!(%peer, %turned, "a connection was turned away");
                // RFC 4253, section 4.2: lines before the version are for people to read.
                let _ = stream.write_all(format!("{turned}\r\n").as_bytes()).await;
                return;
            }
        };
        if let Err(error) = self.talk(stream, peer, inside, shutdown).await {
            tracing::debug!(%peer, %error, "a connection ended");
        }
    }

    async fn talk(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        inside: Arc<Inside>,
        shutdown: CancellationToken,
    ) -> Result<(), russh::Error> {
        stream.set_nodelay(true)?;
        keep_alive(&stream)?;
        // The library keeps the stream to itself; this ends it.
        let line = rustix::io::dup(&stream).map_err(std::io::Error::from)?;
        let closed = CancellationToken::new();
        let _ends = closed.clone().drop_guard();
        let (login, mut logins) = watch::channel(Login::default());
        let connection = Connection::new(self.clone(), peer, login, inside, closed);
        let starting = russh::server::run_stream(self.0.ssh.clone(), stream, connection);
        let mut running = match tokio::time::timeout(LOGIN_TIME, starting).await {
            Ok(running) => running?,
            Err(_) => return Ok(()),
        };
        let handle = running.handle();
        let reason = tokio::select! {
            ended = &mut running => {
                self.told_of(&logins, peer);
                return ended;
            }
            () = shutdown.cancelled() => "this lab's lava-ssh is stopped or restarted",
            () = too_late(logins.clone()) => "nobody has logged in",
            () = self.rights_lost(&mut logins) => "your keys or rights have changed; log in again",
        };
        let goodbye = async {
            let _ =
                handle.disconnect(Disconnect::ByApplication, reason.into(), String::new()).await;
            let _ = (&mut running).await;
        };
        let _ = tokio::time::timeout(GOODBYE, goodbye).await;
        let _ = rustix::net::shutdown(&line, rustix::net::Shutdown::Both);
        self.told_of(&logins, peer);
        Ok(())
    }

    /// Counts a login that has failed.
    fn told_of(&self, logins: &watch::Receiver<Login>, peer: SocketAddr) {
        let Login { person: None, refused: Some(key) } = &*logins.borrow() else { return };
        if self.0.doors.failed(peer.ip(), Instant::now()).is_told() {
            tracing::warn!(%peer, %key, "a login was refused: no user has this key");
        }
    }

    /// Waits until whoever has logged in is not what they were any more.
    async fn rights_lost(&self, logins: &mut watch::Receiver<Login>) {
        let known = logins.wait_for(|login| login.person.is_some()).await;
        let known = known.ok().and_then(|login| login.person.clone());
        let Some(person) = known else { return std::future::pending().await };
        let mut config = self.0.config.subscribe();
        // It fails only without the sender, which lives as long as this.
        let _ = config.wait_for(|config| !person.is_the_same_in(config)).await;
    }
}

/// Waits until the time to log in is over, unless somebody has.
async fn too_late(mut logins: watch::Receiver<Login>) {
    let logged_in = logins.wait_for(|login| login.person.is_some());
    if tokio::time::timeout(LOGIN_TIME, logged_in).await.is_ok() {
        std::future::pending::<()>().await;
    }
}

impl std::fmt::Debug for SshServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SshServer").field("config", &self.config()).finish_non_exhaustive()
    }
}
