//! `-L` and `-J`: a channel to an address in a board's network.

use std::time::Duration;

use russh::server::{ChannelOpenHandle, Msg};
use russh::{Channel, ChannelOpenFailure};
use tokio::net::TcpStream;

use crate::config::ssh::Forward;
use crate::model::Name;

/// How long a board may take to answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Connects, and carries bytes both ways until both ends are done. What the board does not take holds up
/// its client's connection, and nobody else's.
pub(super) async fn run(
    forward: &Forward,
    user: &Name,
    channel: Channel<Msg>,
    reply: ChannelOpenHandle,
) {
    let (board, to) = (&forward.board, &forward.to);
    let connected = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(to)).await;
    let connected = connected.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
    let mut board_end = match connected.and_then(|end| end.set_nodelay(true).map(|()| end)) {
        Ok(end) => end,
        Err(error) => {
            tracing::info!(%user, %board, %to, %error, "not forwarded");
            return reply.reject(ChannelOpenFailure::ConnectFailed).await;
        }
    };
    tracing::info!(%user, %board, %to, "forwarded");
    reply.accept().await;
    let mut client_end = channel.into_stream();
    // Either end may go as it likes.
    let _ = tokio::io::copy_bidirectional(&mut client_end, &mut board_end).await;
}
