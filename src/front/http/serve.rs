//! Accepts HTTP connections and closes those that misbehave.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::access::Origin;
use super::either::{Other, speaks_http};
use super::tls::{Tls, TlsConfig};
use super::{Encrypted, Socket};
use crate::sys::keep_alive;

/// A client has this long to send its whole request header.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// … and as long for shaking hands before that.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// So many connections of a listener are served at a time; more wait. An attached WebSocket does not count, nor
/// does who has left its [`Place`].
const MAX_CONNECTIONS: usize = 1024;
/// The largest request header, in bytes; also what an idle connection may buffer.
const MAX_HEADER: usize = 16 * 1024;

/// Where HTTP is listened for.
#[derive(Debug)]
pub enum Listener {
    Tcp {
        listener: Arc<TcpListener>,
        tls: Tls,
        /// It is for everyone, wherever it is.
        insecure: bool,
        /// Who serves those that speak something else. Not with TLS.
        other: Option<Arc<Other>>,
    },
    Unix(Arc<UnixListener>),
}

/// A connection of which nothing was read yet.
#[derive(Debug)]
enum Accepted {
    Tcp { stream: TcpStream, address: SocketAddr, may_be_open: bool },
    Unix(UnixStream, u32),
}

/// A connection, and who serves it.
enum Begun {
    Http((Socket, Peer, Origin)),
    Other(Arc<Other>, TcpStream, SocketAddr),
}

/// Who is at the other end of a connection, as text; an extension of every request.
#[derive(Debug, Clone)]
pub struct Peer(pub String);

/// A connection's place among those that are served; an extension of every request. Who answers for as long as the
/// client likes leaves it, and sees to a bound of its own.
#[derive(Debug, Clone)]
pub struct Place(Arc<Mutex<Option<OwnedSemaphorePermit>>>);

impl Place {
    /// The connection ends with this request.
    pub fn leave(&self) {
        drop(self.0.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// Requests of the connection are to end; an extension of every request. One that goes on for as long as its
/// client likes heeds it.
#[derive(Debug, Clone)]
pub struct Ending(pub CancellationToken);

impl Peer {
    /// The name of somebody who says none: an address without its port, which is another one each time.
    pub fn host(&self) -> String {
        let address = self.0.parse::<SocketAddr>();
        address.map_or_else(|_| self.0.clone(), |address| address.ip().to_canonical().to_string())
    }
}

impl Listener {
    async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp { listener, insecure, .. } => {
                let (stream, address) = listener.accept().await?;
                stream.set_nodelay(true)?;
                keep_alive(&stream)?;
                let may_be_open = *insecure || listener.local_addr()?.ip().is_loopback();
                Ok(Accepted::Tcp { stream, address, may_be_open })
            }
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                let uid = stream.peer_cred()?.uid();
                Ok(Accepted::Unix(stream, uid))
            }
        }
    }

    /// Whether it is for everyone, wherever they are.
    fn is_insecure(&self) -> bool {
        matches!(self, Self::Tcp { insecure: true, .. })
    }

    fn other(&self) -> Option<Arc<Other>> {
        match self {
            Self::Tcp { other, .. } => other.clone(),
            Self::Unix(_) => None,
        }
    }

    fn tls(&self) -> Option<TlsConfig> {
        match self {
            Self::Tcp { tls, .. } => tls.now(),
            Self::Unix(_) => None,
        }
    }
}

impl Accepted {
    /// Shakes hands if that is to be, or finds out who is to serve it.
    async fn begin(self, tls: Option<TlsConfig>, other: Option<Arc<Other>>) -> io::Result<Begun> {
        let (stream, address, may_be_open) = match self {
            Self::Tcp { stream, address, may_be_open } => (stream, address, may_be_open),
            Self::Unix(stream, uid) => {
                let peer = Peer("unix".into());
                return Ok(Begun::Http((Socket::Unix(stream), peer, Origin::Unix { uid })));
            }
        };
        if let Some(other) = other
            && !speaks_http(&stream).await?
        {
            return Ok(Begun::Other(other, stream, address));
        }
        let peer = Peer(address.to_string());
        let address = address.ip();
        let Some(tls) = tls else {
            let origin = Origin::Tcp { address, may_be_open, certificate: Vec::new() };
            return Ok(Begun::Http((Socket::Tcp(stream), peer, origin)));
        };
        let shaken = tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await;
        let (stream, certificate) = shaken.map_err(|_| io::ErrorKind::TimedOut)??;
        let origin = Origin::Tcp { address, may_be_open, certificate };
        Ok(Begun::Http((Socket::Tls(stream), peer, origin)))
    }
}

/// Serves `app` on a listener until `shutdown`; then lets requests under way finish.
pub async fn serve(listener: Listener, app: Router, shutdown: CancellationToken) {
    let connections = TaskTracker::new();
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let accepted = async {
            // It is never closed.
            let room = room.clone().acquire_owned().await.map_err(io::Error::other)?;
            Ok::<_, io::Error>((listener.accept().await?, room))
        };
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = accepted => accepted,
        };
        match accepted {
            Ok((accepted, room)) => {
                let (tls, app, shutdown) = (listener.tls(), app.clone(), shutdown.clone());
                let (other, everyone) = (listener.other(), listener.is_insecure());
                let place = Place(Arc::new(Mutex::new(Some(room))));
                connections.spawn(async move {
                    let began = tokio::select! {
                        () = shutdown.cancelled() => return,
                        began = accepted.begin(tls, other) => began,
                    };
                    match began {
                        Ok(Begun::Http(began)) => {
                            connection(began, everyone, &place, app, shutdown).await;
                        }
                        Ok(Begun::Other(other, stream, address)) => {
                            (other.0)(stream, address, shutdown).await;
                        }
                        Err(error) => tracing::debug!(%error, "no connection was made"),
                    }
                    place.leave();
                });
            }
            // Out of file descriptors: wait for some to come free instead of spinning.
            Err(error) => {
                tracing::warn!(%error, "cannot accept an HTTP connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    // Whoever goes on with it need not wait for the last request here.
    drop(listener);
    connections.close();
    connections.wait().await;
}

async fn connection(
    (stream, peer, origin): (Socket, Peer, Origin),
    everyone: bool,
    place: &Place,
    app: Router,
    shutdown: CancellationToken,
) {
    // Said of each request instead of in a layer, for which each connection would have all routes of its own.
    let said = (peer, origin, place.clone(), Ending(shutdown.clone()));
    let encrypted = Encrypted(matches!(stream, Socket::Tls(_)));
    let app = TowerToHyperService::new(app);
    let service = service_fn(move |mut request: Request<Incoming>| {
        let (peer, origin, place, ending) = said.clone();
        let origin = origin.of_request(request.headers(), everyone);
        let of_request = request.extensions_mut();
        of_request.insert(peer);
        of_request.insert(origin);
        of_request.insert(place);
        of_request.insert(ending);
        of_request.insert(encrypted);
        app.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEADER)
        .serve_connection(TokioIo::new(stream), service)
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
