//! `lava-serial`: binds everything, then serves until it is told to end. What it serves can change
//! while it runs: a changed configuration is read again on SIGHUP or `POST /reload`.

mod listeners;
mod plan;
mod serving;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::net::{TcpListener, UnixListener};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::listeners::Bound;
use self::plan::Plan;
use self::serving::Serving;
use super::{RuntimeSocket, runtime_dir};
use crate::config::serial::SerialConfig;
use crate::front::http::serial::{Changes, Reload, router};
use crate::front::http::{Listener, serve};
use crate::model::{Failure, Kind};

/// The ready line tells the addresses of at most this many consoles.
const TOLD: usize = 16;
/// How many requests to reload may wait for the one under way.
const RELOADS: usize = 8;

/// A `lava-serial` whose listeners are bound, and which has not begun to serve.
#[derive(Debug)]
pub struct Serial {
    /// The files that the configuration came from, to be read again; none if it came from elsewhere.
    paths: Vec<PathBuf>,
    plan: Plan,
    socket: (RuntimeSocket, UnixListener),
}

impl Serial {
    /// Binds every listener of a configuration, or none of them.
    ///
    /// # Errors
    /// The first one that cannot be bound.
    pub async fn bind(config: SerialConfig) -> Result<Self, Failure> {
        let paths = config.paths.clone();
        let plan = Plan::bind(config, &Bound::default()).await?;
        let socket = RuntimeSocket::bind(&runtime_dir(), "serial")?;
        Ok(Self { paths, plan, socket })
    }

    /// What is said when it is ready: `http=127.0.0.1:7100 panda01.raw=127.0.0.1:7101 …`.
    pub fn addresses(&self) -> String {
        let count = self.plan.consoles.len();
        let mut text = format!("consoles={count} socket={}", self.socket.0.path().display());
        let mut tell = |what: &str, listener: &TcpListener| {
            if let Ok(address) = listener.local_addr() {
                // Writing to a string does not fail.
                let _ = write!(text, " {what}={address}");
            }
        };
        if let Some(http) = &self.plan.http {
            tell("http", http);
        }
        for console in self.plan.consoles.iter().take(TOLD) {
            for (protocol, listener) in &console.lines {
                tell(&format!("{}.{protocol}", console.config.name), listener);
            }
        }
        text
    }

    /// The address of the HTTP listener, if there is one.
    pub fn http_address(&self) -> Option<SocketAddr> {
        self.plan.http.as_ref().and_then(|listener| listener.local_addr().ok())
    }

    /// Serves until `shutdown`; then everything is written and closed. `ready` is called when the
    /// consoles exist and clients are served.
    ///
    /// # Errors
    /// When a capture cannot be opened; nothing is served then.
    pub async fn run(
        self,
        shutdown: CancellationToken,
        ready: impl FnOnce(),
    ) -> Result<(), Failure> {
        let tasks = TaskTracker::new();
        let (reload, mut reloads) = mpsc::channel(RELOADS);
        let serving = Serving::new(tasks.clone(), shutdown.clone());
        let app = router(serving.roster().clone(), Reload::new(reload), tasks.clone());
        let mut serving = serving.with_http(app.clone());
        let started = self.plan.start(&serving)?;
        serving.carry_out(started).await;
        let (_socket, listener) = self.socket;
        tasks.spawn(serve(Listener::Unix(listener), app, shutdown.clone()));
        let mut hangups = hangups(&self.paths)?;
        ready();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = hangup(&mut hangups) => match reload_from(&self.paths, &mut serving).await {
                    Ok(changes) => tracing::info!("the configuration was read again: {changes}"),
                    Err(failure) => tracing::error!("nothing is changed: {failure}"),
                },
                Some(answer) = reloads.recv() => {
                    // Whoever asked may be gone by now.
                    let _ = answer.send(reload_from(&self.paths, &mut serving).await);
                }
            }
        }
        tasks.close();
        if tokio::time::timeout(super::SHUTDOWN_LIMIT, tasks.wait()).await.is_err() {
            tracing::warn!("some tasks did not end in time");
        }
        Ok(())
    }
}

/// Reads the configuration again and serves it: all of it, or nothing is changed. Consoles that are
/// configured as they were do not notice.
async fn reload_from(paths: &[PathBuf], serving: &mut Serving) -> Result<Changes, Failure> {
    if paths.is_empty() {
        let what = "it was started without --config: there is no file to read again";
        return Err(Failure::new(Kind::User, what));
    }
    let config = SerialConfig::read(paths)?;
    let plan = Plan::bind(config, &serving.bound()).await?;
    let started = plan.start(serving)?;
    Ok(serving.carry_out(started).await)
}

fn hangups(paths: &[PathBuf]) -> Result<Option<Signal>, Failure> {
    let hangups = (!paths.is_empty()).then(|| signal(SignalKind::hangup())).transpose();
    hangups.map_err(|error| Failure::from_error(Kind::Infra, &error))
}

/// Waits for SIGHUP; for ever when there is nothing to read again.
async fn hangup(hangups: &mut Option<Signal>) {
    let hung_up = match hangups {
        Some(hangups) => hangups.recv().await,
        None => None,
    };
    if hung_up.is_none() {
        std::future::pending::<()>().await;
    }
}
