//! A connection under a WebSocket that keeps what is under way, so that it can be handed over.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::wire::websocket::Boundary;

/// How much is read from a client at a time, in bytes.
const READ: usize = 4 * 1024;
/// A client that has so much to take is not read before it has taken it, in bytes: pings are answered,
/// and the answers are kept here. More than the writer gives at a time.
const MAX_UNSENT: usize = 1024 * 1024;

/// A connection that takes all that is written to it, and is given messages one after the other.
///
/// The library above it then never holds anything but the message that it is reading, whose bytes
/// are kept here as well. What has not left yet is here, too; the writer flushes before it writes
/// more, which bounds it; and who does not take the answers to its pings is not read.
#[derive(Debug)]
pub(in crate::front::http) struct Kept<S> {
    stream: S,
    /// Written, and not sent yet.
    unsent: BytesMut,
    /// Received, and not given to the library yet.
    unread: BytesMut,
    boundary: Boundary,
    /// What was given to the library of a message that is not whole.
    message: BytesMut,
    /// How long that may become, in bytes.
    largest: usize,
}

/// A connection between two messages.
#[derive(Debug)]
pub(super) struct Parts<S> {
    pub(super) stream: S,
    pub(super) unsent: Bytes,
    /// Where the next message begins: bytes that were received already.
    pub(super) unread: Bytes,
}

impl<S> Kept<S> {
    /// Messages have at most `largest` bytes, with all that frames add to them.
    pub(super) fn new(parts: Parts<S>, largest: usize) -> Self {
        let Parts { stream, unsent, unread } = parts;
        Self {
            stream,
            unsent: unsent.into(),
            unread: unread.into(),
            boundary: Boundary::default(),
            message: BytesMut::new(),
            largest,
        }
    }

    pub(super) fn stream(&self) -> &S {
        &self.stream
    }

    /// The connection and everything that is under way on it.
    pub(super) fn into_parts(mut self) -> Parts<S> {
        self.message.extend_from_slice(&self.unread);
        let (unsent, unread) = (self.unsent.freeze(), self.message.freeze());
        Parts { stream: self.stream, unsent, unread }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Kept<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.unsent.len() > MAX_UNSENT {
            ready!(Pin::new(&mut *this).poll_flush(cx))?;
        }
        if this.unread.is_empty() {
            // An idle client needs no buffer.
            let mut scratch = [0; READ];
            let mut received = ReadBuf::new(&mut scratch);
            ready!(Pin::new(&mut this.stream).poll_read(cx, &mut received))?;
            if received.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            this.unread = BytesMut::from(received.filled());
        }
        let count = this.boundary.wanted().min(buf.remaining()).min(this.unread.len());
        let given = this.unread.split_to(count);
        this.boundary.took(&given);
        buf.put_slice(&given);
        if this.boundary.is_between_messages() {
            this.message = BytesMut::new();
        } else {
            this.message.extend_from_slice(&given);
            // The library counts what a message says, but not parts that are empty.
            if this.message.len() > this.largest {
                let what =
                    format!("a message of more than {} bytes, frames included", this.largest);
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, what)));
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Kept<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let sent = if this.unsent.is_empty() {
            match Pin::new(&mut this.stream).poll_write(cx, bytes) {
                Poll::Ready(sent) => sent?,
                Poll::Pending => 0,
            }
        } else {
            0
        };
        this.unsent.extend_from_slice(&bytes[sent..]);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while !this.unsent.is_empty() {
            let sent = ready!(Pin::new(&mut this.stream).poll_write(cx, &this.unsent))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            this.unsent.advance(sent);
        }
        this.unsent = BytesMut::new();
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
