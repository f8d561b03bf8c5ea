//! conmux's registry: names to addresses, one line asked and one answered.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::Directory;
use crate::front::accept;
use crate::wire::conmux::{Reply, Request, Requests};

/// How much is read at a time, in bytes.
const READ: usize = 4 * 1024;
/// A client that asks nothing for so long is let go.
const IDLE: Duration = Duration::from_secs(600);

/// Serves the registry until `close`.
pub async fn serve_registry(
    listener: Arc<TcpListener>,
    directory: Arc<Directory>,
    close: CancellationToken,
) {
    let stop = close.clone().cancelled_owned();
    accept::serve(listener, "conmux's registry", stop, |clients, stream, peer| {
        let (directory, close) = (directory.clone(), close.clone());
        clients.spawn(async move {
            let ended = tokio::select! {
                () = close.cancelled() => return,
                ended = answer_all(stream, &directory) => ended,
            };
            if let Err(error) = ended {
                tracing::debug!(%peer, %error, "a client of the registry is gone");
            }
        });
    })
    .await;
}

async fn answer_all(mut stream: TcpStream, directory: &Directory) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let reached = stream.local_addr()?;
    let (mut requests, mut buffer) = (Requests::default(), BytesMut::new());
    loop {
        buffer.reserve(READ);
        if timeout(IDLE, stream.read_buf(&mut buffer)).await?? == 0 {
            return Ok(());
        }
        while !buffer.is_empty() {
            let (used, request) = requests.feed(&buffer).map_err(io::Error::other)?;
            buffer.advance(used);
            if let Some(request) = request {
                let line = answer(directory, &request, reached).encode(request.short);
                timeout(IDLE, stream.write_all(line.as_bytes())).await??;
            }
        }
    }
}

fn answer(directory: &Directory, request: &Request, reached: SocketAddr) -> Reply {
    let get = |key| request.get(key).unwrap_or_default();
    let reply = match request.verb.as_str() {
        "LOOKUP" => match directory.find(get("service"), reached) {
            Some(location) => Reply::new("OK").with("result", location),
            None => Reply::new("ENOENT entry not found"),
        },
        "LIST" => Reply::new("OK").with("result", directory.list(reached)),
        "ADD" => match directory.add(get("service"), get("location")) {
            Ok(()) => Reply::new("OK"),
            Err(error) => Reply::new(error.to_string()),
        },
        _ => Reply::new("ENOSYS"),
    };
    reply.with("title", "registry")
}
