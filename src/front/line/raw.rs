//! A console as a plain TCP stream: every byte passes untouched, and nothing is added.

use std::io;

use bytes::BytesMut;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use super::{READ, write_all};
use crate::console::{Item, Stream, WriteError};

/// Serves a client until it closes its side.
pub(super) async fn serve(mut stream: TcpStream, mut out: Stream) -> io::Result<()> {
    let session = out.session().clone();
    let (mut from, mut to) = stream.split();
    let up = async {
        let mut buffer = BytesMut::new();
        loop {
            buffer.reserve(READ);
            if from.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
            match session.write(buffer.split().freeze()).await {
                Err(WriteError::ShuttingDown) => return Ok(()),
                // A raw port has no way to tell; the events and other clients do.
                Err(error) => tracing::debug!(user = session.user(), %error, "input is dropped"),
                Ok(()) => {}
            }
        }
    };
    let down = async {
        while let Some(item) = out.next().await {
            if let Item::Pieces(pieces) = item {
                write_all(&mut to, pieces.into_iter().map(|piece| piece.bytes).collect()).await?;
            }
        }
        Ok(())
    };
    tokio::select! {
        ended = up => ended,
        ended = down => ended,
    }
}
