//! Accepts HTTP connections and closes those that misbehave.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, UnixListener};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Socket;
use crate::sys::keep_alive;

/// A client has this long to send its whole request header.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest request header, in bytes; also what an idle connection may buffer.
const MAX_HEADER: usize = 16 * 1024;

/// Where HTTP is listened for.
#[derive(Debug)]
pub enum Listener {
    Tcp(Arc<TcpListener>),
    Unix(Arc<UnixListener>),
}

/// Who is at the other end of a connection, as text; an extension of every request.
#[derive(Debug, Clone)]
pub struct Peer(pub String);

impl Listener {
    async fn accept(&self) -> io::Result<(Socket, Peer)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                stream.set_nodelay(true)?;
                keep_alive(&stream)?;
                Ok((Socket::Tcp(stream), Peer(address.to_string())))
            }
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok((Socket::Unix(stream), Peer("unix".into())))
            }
        }
    }
}

/// Serves `app` on a listener until `shutdown`; then lets requests under way finish.
pub async fn serve(listener: Listener, app: Router, shutdown: CancellationToken) {
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let connection = connection(stream, peer, app.clone(), shutdown.clone());
                connections.spawn(connection);
            }
            // Out of file descriptors: wait for some to come free instead of spinning.
            Err(error) => {
                tracing::warn!(%error, "cannot accept an HTTP connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    connections.close();
    connections.wait().await;
}

async fn connection(stream: Socket, peer: Peer, app: Router, shutdown: CancellationToken) {
    let app = app.layer(axum::Extension(peer));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEADER)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(app))
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let served = tokio::select! {
        served = &mut connection => served,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "an HTTP connection was closed");
    }
}
