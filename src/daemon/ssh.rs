//! `lava-ssh`: binds its listeners, then serves users until it is told to end.

use std::path::PathBuf;

use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{SHUTDOWN_LIMIT, Safety, bind};
use crate::config::ssh::SshConfig;
use crate::front::ssh::{HostKey, SshServer};
use crate::model::{Failure, Kind};

/// A `lava-ssh` whose listeners are bound, and which has not begun to serve.
#[derive(Debug)]
pub struct SshDaemon {
    config: SshConfig,
    key: HostKey,
    listeners: Vec<TcpListener>,
    /// What is read again on SIGHUP.
    paths: Vec<PathBuf>,
    hangups: Signal,
}

impl SshDaemon {
    /// Binds the listeners of a configuration, and reads the host key, or makes it. The configuration is
    /// read from these paths again on SIGHUP.
    ///
    /// # Errors
    /// When the key is none or a listener cannot be bound.
    pub async fn bind(config: SshConfig, paths: Vec<PathBuf>) -> Result<Self, Failure> {
        let hangups = signal(SignalKind::hangup());
        let hangups = hangups.map_err(|error| Failure::from_error(Kind::Infra, &error))?;
        let key = HostKey::load_or_make(&config.host_key)?;
        let mut listeners = Vec::new();
        for address in &config.listen {
            // People log in there, and nobody reads along.
            let safety = Safety::Http { login: true, tls: true };
            listeners.push(bind("ssh", *address, safety).await?);
        }
        Ok(Self { config, key, listeners, paths, hangups })
    }

    /// What is said when it is ready: `users=3 ssh=127.0.0.1:2222 host_key=SHA256:…`.
    pub fn addresses(&self) -> String {
        let mut text = format!("users={}", self.config.users.len());
        for address in self.listeners.iter().filter_map(|listener| listener.local_addr().ok()) {
            text.push_str(&format!(" ssh={address}"));
        }
        format!("{text} host_key={}", self.key.fingerprint())
    }

    /// Serves until `shutdown`, and is back within [`SHUTDOWN_LIMIT`] of it; `ready` is called when users
    /// are served.
    pub async fn run(self, shutdown: CancellationToken, ready: impl FnOnce()) {
        let Self { config, key, listeners, paths, mut hangups } = self;
        let server = SshServer::new(config.clone(), &key);
        let tasks = TaskTracker::new();
        for listener in listeners {
            tasks.spawn(server.clone().serve(listener, shutdown.clone()));
        }
        tasks.close();
        ready();
        let reloads = async {
            while hangups.recv().await.is_some() {
                reload(&server, &config, &paths);
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = reloads => {}
        }
        if tokio::time::timeout(SHUTDOWN_LIMIT / 2, tasks.wait()).await.is_err() {
            tracing::warn!("some clients did not end in time");
        }
    }
}

/// Puts the users, keys, rights and forwards of the files into effect; when anything is wrong with them,
/// nothing is changed.
fn reload(server: &SshServer, begun: &SshConfig, paths: &[PathBuf]) {
    let config = match SshConfig::read(paths) {
        Ok(config) => config,
        Err(failure) => {
            tracing::error!("nothing is changed: {failure}");
            return;
        }
    };
    if (&config.listen, &config.host_key) != (&begun.listen, &begun.host_key) {
        tracing::warn!("other addresses or another host key are taken at a restart of lava-ssh");
    }
    tracing::info!(users = config.users.len(), "users, keys and rights were read again");
    server.set(config);
}
