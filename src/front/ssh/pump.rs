//! What a client sends on a channel, taken apart: what is typed, and the size of its window.

use std::io;
use std::num::NonZeroU16;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes};
use russh::{ChannelMsg, ChannelReadHalf, Sig};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::{mpsc, watch};

/// How many messages of typed bytes may wait. While there is no room, the client's whole connection is not
/// read any more.
const WAITING: usize = 16;

/// Rows and columns of a terminal.
pub(super) type Size = Option<(NonZeroU16, NonZeroU16)>;

/// What is typed, as a stream; it ends when the client says so.
pub(super) struct Input {
    typed: mpsc::Receiver<Bytes>,
    current: Bytes,
}

/// What reads the channel.
pub(super) struct Pump {
    from: ChannelReadHalf,
    /// `None` once the client has said that no more comes.
    typed: Option<mpsc::Sender<Bytes>>,
    size: watch::Sender<Size>,
}

/// Why nothing more is to be done on a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    /// The client has closed it, or is gone.
    Closed,
    /// The client sent a signal.
    Interrupted,
}

pub(super) fn pump(from: ChannelReadHalf, size: Size) -> (Pump, Input, watch::Receiver<Size>) {
    let (typing, typed) = mpsc::channel(WAITING);
    let (size, sizes) = watch::channel(size);
    let pump = Pump { from, typed: Some(typing), size };
    (pump, Input { typed, current: Bytes::new() }, sizes)
}

impl Pump {
    /// Reads until the channel is over.
    pub(super) async fn run(mut self) -> Over {
        while let Some(message) = self.from.wait().await {
            match message {
                ChannelMsg::Data { data } => {
                    if let Some(typed) = &self.typed
                        && typed.send(data).await.is_err()
                    {
                        // Nobody wants what is typed; what comes is still to be read.
                        self.typed = None;
                    }
                }
                ChannelMsg::Eof => self.typed = None,
                ChannelMsg::WindowChange { col_width, row_height, .. } => {
                    let number = |n: u32| NonZeroU16::new(u16::try_from(n).ok()?);
                    if let Some(size) = number(row_height).zip(number(col_width)) {
                        self.size.send_replace(Some(size));
                    }
                }
                ChannelMsg::Signal { signal: Sig::INT | Sig::TERM | Sig::HUP } => {
                    return Over::Interrupted;
                }
                ChannelMsg::Close => break,
                _ => {}
            }
        }
        Over::Closed
    }
}

impl AsyncRead for Input {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.current.is_empty() {
            match std::task::ready!(self.typed.poll_recv(cx)) {
                Some(bytes) => self.current = bytes,
                None => return Poll::Ready(Ok(())),
            }
        }
        let length = self.current.len().min(buf.remaining());
        buf.put_slice(&self.current[..length]);
        self.current.advance(length);
        Poll::Ready(Ok(()))
    }
}
