//! Accepting connections, and what becomes of each as a whole.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use russh::server::Config;
use russh::{Disconnect, MethodKind, MethodSet, SshId};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::HostKey;
use super::connection::{Connection, Login, Person};
use super::doors::{Doors, Inside};
use super::line::{Line, hung_up};
use super::room::Room;
use super::turned;
use crate::client::lab::Lab;
use crate::config::runtime_dir;
use crate::config::ssh::{Forward, SshConfig};
use crate::front::accept;
use crate::sys::keep_alive;

/// How long somebody may take to log in.
const LOGIN_TIME: Duration = Duration::from_secs(30);
/// How long a client may take to go that was told to.
const GOODBYE: Duration = Duration::from_secs(1);
/// How many keys may be shown on one connection.
const KEYS_SHOWN: usize = 20;
/// What may be under way from a client of a channel's bytes. It bounds what comes before we hear that the
/// client has taken something, and how much it can upload in a round trip.
const WINDOW: u32 = 256 * 1024;
/// How many messages of a client's may wait for the task of their channel, which takes them at once.
const CHANNEL_BUFFER: usize = 64;
/// So many are told at a time why they are not listened to.
const TURNED: usize = 64;
/// What we say that we are.
const VERSION: &str = concat!("SSH-2.0-lavamux_", env!("CARGO_PKG_VERSION"));

/// Everything that serves somebody by SSH.
#[derive(Clone)]
pub struct SshServer(Arc<Inner>);

struct Inner {
    config: watch::Sender<Arc<SshConfig>>,
    ssh: Arc<Config>,
    doors: Doors,
    /// For those who are turned away.
    turned: Semaphore,
    /// The tasks of channels.
    tasks: TaskTracker,
}

impl SshServer {
    pub fn new(config: SshConfig, key: &HostKey) -> Self {
        let ssh = Config {
            server_id: SshId::Standard(VERSION.into()),
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
            turned: Semaphore::new(TURNED),
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

    pub(super) fn doors(&self) -> &Doors {
        &self.0.doors
    }

    /// Where boards are.
    pub(super) fn lab(&self) -> Lab {
        self.config().lab.clone().map_or_else(|| Lab::Host(runtime_dir()), Lab::File)
    }

    /// Waits until somebody is not taken any more where they were for a host and port.
    pub(super) async fn no_longer_forwards(
        &self,
        person: &Person,
        (host, port): (&str, u16),
        forward: &Forward,
    ) {
        let mut config = self.0.config.subscribe();
        let other =
            |config: &Arc<SshConfig>| config.forward(&person.user, host, port) != Some(forward);
        // It fails only without the sender, which lives as long as this.
        let _ = config.wait_for(other).await;
    }

    async fn welcome(self, stream: TcpStream, peer: SocketAddr, shutdown: CancellationToken) {
        let inside = match self.0.doors.enter(peer.ip(), Instant::now()) {
            Ok(inside) => Arc::new(inside),
            Err(turned) => {
                if self.0.doors.tells(Instant::now()) {
                    tracing::info!(%peer, %turned, "a connection was turned away");
                }
                if let Ok(_place) = self.0.turned.try_acquire() {
                    turned::away(stream, VERSION, turned).await;
                }
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
        let (closed, room) = (CancellationToken::new(), Room::default());
        let _ends = Ends(closed.clone(), room.clone());
        let leave = inside.leave();
        let (login, mut logins) = watch::channel(Login::default());
        let connection = Connection::new(self.clone(), peer, login, inside, closed, room.clone());
        let stream = Line::new(stream, room.clone());
        let starting = russh::server::run_stream(self.0.ssh.clone(), stream, connection);
        let started = tokio::select! {
            started = tokio::time::timeout(LOGIN_TIME, starting) => started.ok(),
            () = shutdown.cancelled() => return Ok(()),
            () = leave.cancelled() => {
                self.crowded(peer);
                None
            }
        };
        let mut running = match started {
            Some(Ok(running)) => running,
            ended => {
                self.told_of(&logins, peer);
                return ended.map_or(Ok(()), |started| started.map(drop));
            }
        };
        let handle = running.handle();
        let reason = tokio::select! {
            ended = &mut running => {
                self.told_of(&logins, peer);
                return ended;
            }
            () = hung_up(&line, &room) => {
                let _ = rustix::net::shutdown(&line, rustix::net::Shutdown::Both);
                return Ok(());
            }
            () = leave.cancelled() => {
                self.crowded(peer);
                "nobody has logged in, and others want to"
            }
            () = turned_away(logins.clone()) => "too many connections of yours are open",
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

    /// Tells of somebody who had to leave the door for somebody else.
    fn crowded(&self, peer: SocketAddr) {
        if self.0.doors.tells(Instant::now()) {
            tracing::warn!(%peer, "many connections are open on which nobody has logged in; the oldest \
                are closed for new ones");
        }
    }

    /// Counts a login that has failed.
    fn told_of(&self, logins: &watch::Receiver<Login>, peer: SocketAddr) {
        let Login { person: None, refused, crowd: false } = &*logins.borrow() else { return };
        let told = self.0.doors.failed(peer.ip(), refused.as_deref(), Instant::now());
        if let Some(key) = refused.as_ref().filter(|_| told) {
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

/// Ends all that belongs to a connection.
struct Ends(CancellationToken, Room);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.cancel();
        self.1.end();
    }
}

/// Waits until somebody has logged in who has too many connections already.
async fn turned_away(mut logins: watch::Receiver<Login>) {
    if logins.wait_for(|login| login.crowd).await.is_err() {
        std::future::pending::<()>().await;
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
