//! The connection itself, as the library has it: read only while there is room for what the client sends.

use std::io;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::room::Room;

/// How often it is looked whether a client is still there whose connection is not read.
const LOOK: Duration = Duration::from_secs(1);

/// A client's connection.
pub(super) struct Line {
    stream: TcpStream,
    room: Room,
}

impl Line {
    pub(super) fn new(stream: TcpStream, room: Room) -> Self {
        Self { stream, room }
    }
}

/// Waits until a client has hung up whose connection is not read: for who is gone nothing is typed that
/// they had sent ahead. While it is read, the library notices by itself.
pub(super) async fn hung_up(line: impl AsFd, room: &Room) {
    loop {
        room.held().await;
        tokio::time::sleep(LOOK).await;
        let mut looked = [PollFd::new(&line, PollFlags::RDHUP)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        // RDHUP, HUP or ERR: nothing else is told here.
        if poll(&mut looked, Some(&now)).is_ok_and(|found| found > 0) {
            return;
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match ready!(self.room.poll_reads(cx)) {
            true => Pin::new(&mut self.stream).poll_read(cx, buf),
            // As if the client had hung up.
            false => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.room.is_over() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
