//! `lava-serial`: binds everything, then serves until it is told to end.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use tokio::net::{TcpListener, UnixListener};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{RuntimeSocket, bind, runtime_dir};
use crate::config::serial::{ConsoleConfig, SerialConfig};
use crate::console::Console;
use crate::front::http::serial::router;
use crate::front::http::{Listener, serve};
use crate::front::line::{self, Protocol};
use crate::model::{Failure, Kind};

/// The ready line tells the addresses of at most this many consoles.
const TOLD: usize = 16;

/// A `lava-serial` whose listeners are bound, and which has not begun to serve.
#[derive(Debug)]
pub struct Serial {
    config: SerialConfig,
    http: Option<TcpListener>,
    socket: (RuntimeSocket, UnixListener),
    lines: Vec<Lines>,
}

/// The listeners of one console.
#[derive(Debug)]
struct Lines {
    raw: Option<TcpListener>,
    telnet: Option<TcpListener>,
}

impl Serial {
    /// Binds every listener of a configuration, or none of them.
    ///
    /// # Errors
    /// The first one that cannot be bound.
    pub async fn bind(config: SerialConfig) -> Result<Self, Failure> {
        let http = match &config.http {
            Some(http) => Some(bind("http", http.listen, http.insecure).await?),
            None => None,
        };
        let mut lines = Vec::with_capacity(config.consoles.len());
        for console in &config.consoles {
            lines.push(Lines::bind(console).await?);
        }
        let socket = RuntimeSocket::bind(&runtime_dir(), "serial")?;
        Ok(Self { config, http, socket, lines })
    }

    /// What is said when it is ready: `http=127.0.0.1:7100 panda01.raw=127.0.0.1:7101 …`.
    pub fn addresses(&self) -> String {
        let mut text =
            format!("consoles={} socket={}", self.lines.len(), self.socket.0.path().display());
        let mut tell = |what: &str, listener: &Option<TcpListener>| {
            if let Some(Ok(address)) = listener.as_ref().map(TcpListener::local_addr) {
                // Writing to a string does not fail.
                let _ = write!(text, " {what}={address}");
            }
        };
        tell("http", &self.http);
        for (console, lines) in self.config.consoles.iter().zip(&self.lines).take(TOLD) {
            tell(&format!("{}.raw", console.name), &lines.raw);
            tell(&format!("{}.telnet", console.name), &lines.telnet);
        }
        text
    }

    /// The address of the HTTP listener, if there is one.
    pub fn http_address(&self) -> Option<std::net::SocketAddr> {
        self.http.as_ref().and_then(|listener| listener.local_addr().ok())
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
        let mut consoles = BTreeMap::new();
        let mut owners = Vec::new();
        for console in self.config.consoles {
            let name = console.name.clone();
            let options = self.config.capture.clone();
            let started = Console::start(
                name.clone(),
                console.port,
                options,
                tasks.clone(),
                shutdown.clone(),
            );
            let (console, owner) =
                started.map_err(|error| Failure::from_error(Kind::Infra, &error))?;
            consoles.insert(name, console.clone());
            owners.push((console, owner));
        }
        for ((console, owner), lines) in owners.into_iter().zip(self.lines) {
            tasks.spawn(owner);
            for (listener, protocol) in
                [(lines.raw, Protocol::Raw), (lines.telnet, Protocol::Telnet)]
            {
                if let Some(listener) = listener {
                    tasks.spawn(line::serve(listener, protocol, console.clone(), shutdown.clone()));
                }
            }
        }
        let app = router(Arc::new(consoles), tasks.clone());
        if let Some(http) = self.http {
            tasks.spawn(serve(Listener::Tcp(http), app.clone(), shutdown.clone()));
        }
        let (_socket, listener) = self.socket;
        tasks.spawn(serve(Listener::Unix(listener), app, shutdown.clone()));
        ready();
        shutdown.cancelled().await;
        tasks.close();
        if tokio::time::timeout(super::SHUTDOWN_LIMIT, tasks.wait()).await.is_err() {
            tracing::warn!("some tasks did not end in time");
        }
        Ok(())
    }
}

impl Lines {
    async fn bind(console: &ConsoleConfig) -> Result<Self, Failure> {
        let listener = async |protocol: &str, address| match address {
            Some(address) => {
                let purpose = format!("{protocol} of {}", console.name);
                bind(&purpose, address, console.insecure).await.map(Some)
            }
            None => Ok(None),
        };
        Ok(Self {
            raw: listener("raw", console.raw).await?,
            telnet: listener("telnet", console.telnet).await?,
        })
    }
}
