//! `-L` and `-J`: a channel to an address in a board's network.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use russh::server::{ChannelOpenHandle, Msg};
use russh::{Channel, ChannelOpenFailure, ChannelWriteHalf};
use tokio::io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::pump::{Input, pump};
use super::room::Room;
use crate::config::ssh::Forward;
use crate::model::Name;

/// How long a board may take to answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// After so long without a byte either way, both ends count as waiting for each other.
const STUCK: Duration = Duration::from_millis(250);
/// So much is carried at a time, in bytes.
const PIECE: usize = 32 * 1024;

/// Connects, and carries bytes both ways until both ends are done, or its user is not taken there any more.
///
/// What the board does not take waits in the connection's room, and when that is full its client is not
/// listened to: neither here nor on its other channels. A board that itself takes nothing until its own words
/// are taken would wait for ever then, for the client says behind all that it has taken them. So in such a
/// case it is listened to for a while ([`unlock`]).
pub(super) async fn run(
    forward: &Forward,
    user: &Name,
    channel: Channel<Msg>,
    reply: ChannelOpenHandle,
    room: Room,
    lost: impl Future<Output = ()>,
) {
    let (board, to) = (&forward.board, &forward.to);
    let connected = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(to)).await;
    let connected = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    let board_end = match connected.and_then(|end| end.set_nodelay(true).map(|()| end)) {
        Ok(end) => end,
        Err(error) => {
            tracing::info!(%user, %board, %to, %error, "not forwarded");
            return reply.reject(ChannelOpenFailure::ConnectFailed).await;
        }
    };
    tracing::info!(%user, %board, %to, "forwarded");
    reply.accept().await;
    let (from, client) = channel.split();
    let (pump, input, _) = pump(from, room.clone());
    let flow = Flow::default();
    // Either end may go as it likes.
    tokio::select! {
        _ = flow.carry(input, board_end, &client) => {}
        _ = pump.run() => {}
        () = lost => tracing::info!(%user, %board, %to, "forwarded no more"),
        () = unlock(&flow, &room) => {
            tracing::info!(%user, %board, %to, "a forwarding was ended: its client and the board both \
                wait for the other to read, and too much waits in between");
        }
    }
    let _ = client.close().await;
}

/// How it stands with the two ways.
#[derive(Default)]
struct Flow {
    up: Way,
    down: Way,
    /// How many pieces have been carried.
    carried: watch::Sender<u64>,
}

#[derive(Default)]
struct Way {
    /// Whether an end has yet to take what is there for it.
    waits: AtomicBool,
}

impl Flow {
    async fn carry(
        &self,
        mut input: Input,
        mut board: TcpStream,
        client: &ChannelWriteHalf<Msg>,
    ) -> io::Result<()> {
        let (mut from_board, mut to_board) = board.split();
        let up = async {
            let mut buffer = vec![0; PIECE];
            while let length @ 1.. = input.read(&mut buffer).await? {
                self.put(&self.up, &mut to_board, &buffer[..length]).await?;
            }
            to_board.shutdown().await
        };
        let down = async {
            let (mut to_client, mut buffer) = (Box::pin(client.make_writer()), vec![0; PIECE]);
            while let length @ 1.. = from_board.read(&mut buffer).await? {
                self.put(&self.down, &mut to_client, &buffer[..length]).await?;
            }
            client.eof().await.map_err(io::Error::other)
        };
        tokio::try_join!(up, down).map(drop)
    }

    async fn put(
        &self,
        way: &Way,
        to: &mut (impl AsyncWrite + Unpin),
        bytes: &[u8],
    ) -> io::Result<()> {
        way.waits.store(true, Ordering::Relaxed);
        to.write_all(bytes).await?;
        way.waits.store(false, Ordering::Relaxed);
        self.carried.send_modify(|carried| *carried = carried.wrapping_add(1));
        Ok(())
    }

    fn both_wait(&self) -> bool {
        [&self.up, &self.down].iter().all(|way| way.waits.load(Ordering::Relaxed))
    }
}

/// Has the connection read on whenever both ways of a flow stand still because it is not. Returns when that
/// has brought so much that no more is read in any case.
async fn unlock(flow: &Flow, room: &Room) {
    loop {
        room.held().await;
        let before = *flow.carried.borrow();
        tokio::time::sleep(STUCK).await;
        let mut carried = flow.carried.subscribe();
        if !flow.both_wait() || *carried.borrow() != before {
            continue;
        }
        let press = room.press();
        tokio::select! {
            () = press.overfull() => return,
            _ = carried.wait_for(|carried| *carried != before) => {}
        }
    }
}
