//! pdudaemon's older protocol: `HOSTNAME PORT COMMAND [DELAY]`, answered by `ack` or `nack`.
//!
//! Its client, `pduclient`, ends the line with nothing, and waits: what has come when it pauses is the
//! request.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{Request, Target, failure_text};
use crate::front::accept;
use crate::front::http::Other;
use crate::power::Power;

/// The longest request, in bytes: pdudaemon's own.
const MAX_REQUEST: usize = 16 * 1024;
/// The most clients at a time; who comes after that is let go at once.
const MAX_CLIENTS: usize = 256;
/// A client that asks nothing for so long is let go.
const IDLE: Duration = Duration::from_secs(10);
/// A request without a line end has ended when nothing more has come for so long.
const PAUSE: Duration = Duration::from_millis(50);

/// Serves pdudaemon's clients until `shutdown`.
pub async fn serve(listener: Arc<TcpListener>, power: Arc<Power>, shutdown: CancellationToken) {
    let room = Arc::new(Semaphore::new(MAX_CLIENTS));
    let stop = shutdown.clone().cancelled_owned();
    accept::serve(listener, "pdudaemon", stop, |clients, stream, peer| {
        let Ok(room) = room.clone().try_acquire_owned() else {
            tracing::warn!(%peer, "a client of pdudaemon was let go: there are {MAX_CLIENTS} already");
            return;
        };
        let (power, shutdown) = (power.clone(), shutdown.clone());
        clients.spawn(async move {
            converse(stream, peer, &power, &shutdown).await;
            drop(room);
        });
    })
    .await;
}

/// The same for clients that have come to the port of pdudaemon's HTTP.
pub fn lines(power: Arc<Power>) -> Arc<Other> {
    let room = Arc::new(Semaphore::new(MAX_CLIENTS));
    Arc::new(Other(Box::new(move |stream, peer, shutdown| {
        let (power, room) = (power.clone(), room.clone());
        async move {
            match room.try_acquire() {
                Ok(_room) => converse(stream, peer, &power, &shutdown).await,
                Err(_) => tracing::warn!(%peer, "a client of pdudaemon was let go: there are {MAX_CLIENTS} already"),
            }
        }
        .boxed()
    })))
}

/// Serves one client.
async fn converse(
    stream: TcpStream,
    peer: SocketAddr,
    power: &Power,
    shutdown: &CancellationToken,
) {
    if let Err(error) = answer(stream, power, &peer.ip().to_string(), shutdown).await {
        tracing::debug!(%peer, %error, "a client of pdudaemon is gone");
    }
}

async fn answer(
    mut stream: TcpStream,
    power: &Power,
    address: &str,
    shutdown: &CancellationToken,
) -> io::Result<()> {
    let request = shutdown.run_until_cancelled(timeout(IDLE, read(&mut stream))).await;
    let Some(request) = request else { return Ok(()) };
    let request = request??;
    let answer = tokio::select! {
        answer = carry_out(&request, power, address) => answer,
        // Who has gone wants nothing any more. What is under way goes on to its end.
        () = gone(&mut stream) => return Ok(()),
    };
    timeout(IDLE, stream.write_all(answer.as_bytes())).await??;
    stream.shutdown().await
}

/// Waits until the client has gone. A script may close its side at once to say that this was all, and
/// reads on; so for one that had closed it before.
async fn gone(stream: &mut TcpStream) {
    let mut scratch = [0; 1024];
    let is_all =
        timeout(PAUSE, async { while matches!(stream.read(&mut scratch).await, Ok(1..)) {} });
    if is_all.await.is_ok() {
        return std::future::pending().await;
    }
    while matches!(stream.read(&mut scratch).await, Ok(1..)) {}
}

/// Reads one request.
async fn read(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut request = Vec::new();
    while request.len() < MAX_REQUEST && !request.contains(&b'\n') {
        let mut chunk = [0; 1024];
        let count = match request.is_empty() {
            true => stream.read(&mut chunk).await?,
            false => timeout(PAUSE, stream.read(&mut chunk)).await.unwrap_or(Ok(0))?,
        };
        if count == 0 {
            break;
        }
        request.extend_from_slice(&chunk[..count]);
    }
    Ok(request)
}

async fn carry_out(request: &[u8], power: &Power, address: &str) -> String {
    // As pdudaemon says it.
    let unexpected = || "Unexpected data\n".to_owned();
    let Ok(text) = std::str::from_utf8(request) else { return unexpected() };
    // What is behind the first line is no part of it, whoever may have written it.
    let line = text.trim().lines().next().unwrap_or_default();
    let words: Vec<&str> = line.trim().split(' ').collect();
    let (hostname, port, word, delay) = match words[..] {
        [hostname, port, word] => (hostname, port, word, None),
        [hostname, port, word, delay] => (hostname, port, word, Some(delay)),
        _ => return unexpected(),
    };
    match Request::new(power, word, Target::Port { hostname, port }, delay) {
        Err(why) => {
            tracing::info!(address, why, "a request of pdudaemon's protocol was refused");
            format!("nack: {why}\n")
        }
        Ok(request) => match request.carry_out(power, address).await {
            Ok(_) => "ack\n".to_owned(),
            Err(error) => format!("nack: {}\n", failure_text(error).0),
        },
    }
}
