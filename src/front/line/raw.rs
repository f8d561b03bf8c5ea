//! A console as a plain TCP stream: every byte passes untouched, and nothing is added.

use std::collections::VecDeque;
use std::io;

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};

use super::{read_some, write_some};
use crate::console::{Item, Session, Stream, Told, WriteError};
use crate::front::hand_over::{Ended, HandOver};

/// Bytes under way, in both directions.
#[derive(Debug, Default)]
pub(super) struct UnderWay {
    /// Typed, and not taken yet.
    pub(super) typing: Bytes,
    /// For the client, and not sent yet.
    pub(super) unsent: VecDeque<Bytes>,
}

/// Serves a client until it closes its side, or is asked for.
pub(super) async fn serve(
    stream: &mut TcpStream,
    out: &mut Stream,
    under_way: &mut UnderWay,
    hand_over: &HandOver,
) -> io::Result<Ended> {
    let session = out.session().clone();
    let (from, to) = stream.split();
    let UnderWay { typing, unsent } = under_way;
    tokio::select! {
        ended = up(from, &session, typing) => ended.map(|()| Ended::Over),
        ended = down(to, out, unsent) => ended.map(|()| Ended::Over),
        () = hand_over.asked() => Ok(Ended::Asked),
        // A raw port has no way to tell why.
        () = ended(&session) => Ok(Ended::Over),
    }
}

/// Waits until the client is to be let go.
async fn ended(session: &Session) {
    while let Told::Notice(_) = session.told().await {}
}

/// What the client types. Cancel safe.
async fn up(mut from: ReadHalf<'_>, session: &Session, typing: &mut Bytes) -> io::Result<()> {
    loop {
        match session.write(typing).await {
            Err(WriteError::ShuttingDown) => return Ok(()),
            Err(error) => {
                // A raw port has no way to tell; the events and other clients do.
                tracing::debug!(user = session.user(), %error, "input is dropped");
                typing.clear();
            }
            Ok(()) => {}
        }
        *typing = read_some(&mut from).await?;
        if typing.is_empty() {
            return Ok(());
        }
    }
}

/// What the board says. Cancel safe.
async fn down(
    mut to: WriteHalf<'_>,
    out: &mut Stream,
    unsent: &mut VecDeque<Bytes>,
) -> io::Result<()> {
    loop {
        while !unsent.is_empty() {
            write_some(&mut to, unsent).await?;
        }
        match out.next().await {
            Some(Item::Pieces(pieces)) => {
                unsent.extend(pieces.into_iter().map(|piece| piece.bytes));
            }
            Some(_) => {}
            None => return Ok(()),
        }
    }
}
