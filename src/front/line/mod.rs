//! Consoles on plain TCP ports: raw, and telnet. Neither can authenticate anybody.

mod com_port;
mod raw;
mod telnet;

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::serial::Protocol;
use crate::console::{Attach, Console};
use crate::model::event::Mode;
use crate::sys::keep_alive;

/// How much is read from a client at a time, in bytes.
const READ: usize = 4 * 1024;
/// How many pieces go into one write.
const SLICES: usize = 64;

/// Serves one console on one listener until `shutdown`.
pub async fn serve(
    listener: Arc<TcpListener>,
    protocol: Protocol,
    console: Arc<Console>,
    shutdown: CancellationToken,
) {
    let clients = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (console, shutdown) = (console.clone(), shutdown.clone());
                clients.spawn(async move {
                    let client = client(stream, peer.to_string(), protocol, &console);
                    let ended = tokio::select! {
                        () = shutdown.cancelled() => Ok(()),
                        ended = client => ended,
                    };
                    if let Err(error) = ended {
                        tracing::debug!(console = %console.name(), %peer, %error, "a client is gone");
                    }
                });
            }
            // Out of file descriptors: wait for some to come free instead of spinning.
            Err(error) => {
                tracing::warn!(console = %console.name(), %error, "cannot accept a client");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    clients.close();
    clients.wait().await;
}

async fn client(
    stream: TcpStream,
    peer: String,
    protocol: Protocol,
    console: &Arc<Console>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    keep_alive(&stream)?;
    let via = protocol.as_str();
    let user = format!("{via}:{peer}");
    let (_, out) = console.attach(Attach { user, via, peer, mode: Mode::Rw, from: None });
    match protocol {
        Protocol::Raw => raw::serve(stream, out).await,
        Protocol::Telnet => telnet::serve(stream, out).await,
    }
}

/// Writes all of `pieces`, with as few system calls as it takes.
async fn write_all(
    to: &mut (impl AsyncWrite + Unpin),
    mut pieces: VecDeque<Bytes>,
) -> io::Result<()> {
    while !pieces.is_empty() {
        let slices: Vec<IoSlice<'_>> =
            pieces.iter().take(SLICES).map(|bytes| IoSlice::new(bytes)).collect();
        let mut written = to.write_vectored(&slices).await?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        while let Some(first) = pieces.front_mut() {
            let part = written.min(first.len());
            first.advance(part);
            written -= part;
            if !first.is_empty() {
                break;
            }
            pieces.pop_front();
        }
    }
    Ok(())
}
