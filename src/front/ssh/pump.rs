//! What a client sends on a channel, taken apart: what is typed, and the size of its window.

use std::io;
use std::num::NonZeroU16;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes};
use russh::{ChannelMsg, ChannelReadHalf, Sig};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

/// How many bytes that a client has sent may wait, and in how many messages. While there is no room, the
/// client's whole connection is not read any more: the library gives channels no other way to slow one down.
/// So there is more room than a client that waits for answers ever needs.
const WAITING_BYTES: usize = 1024 * 1024;
const WAITING: usize = 4096;

/// Rows and columns of a terminal.
pub(super) type Size = Option<(NonZeroU16, NonZeroU16)>;

/// What is typed, as a stream; it ends when the client says so.
pub(super) struct Input {
    typed: mpsc::Receiver<Typed>,
    current: Option<Typed>,
}

/// Bytes, and their part of the room.
type Typed = (Bytes, OwnedSemaphorePermit);

/// What reads the channel.
pub(super) struct Pump {
    from: ChannelReadHalf,
    /// `None` once the client has said that no more comes.
    typed: Option<mpsc::Sender<Typed>>,
    room: Arc<Semaphore>,
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
    let room = Arc::new(Semaphore::new(WAITING_BYTES));
    let pump = Pump { from, typed: Some(typing), room, size };
    (pump, Input { typed, current: None }, sizes)
}

impl Pump {
    /// Reads until the channel is over.
    pub(super) async fn run(mut self) -> Over {
        while let Some(message) = self.from.wait().await {
            match message {
                // An empty message would look like the end.
                ChannelMsg::Data { data } if data.is_empty() => {}
                ChannelMsg::Data { data } => self.take(data).await,
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

    async fn take(&mut self, data: Bytes) {
        let Some(typed) = &self.typed else { return };
        let length = u32::try_from(data.len().min(WAITING_BYTES)).unwrap_or(u32::MAX);
        let sent = tokio::select! {
            room = self.room.clone().acquire_many_owned(length) => match room {
                Ok(room) => typed.send((data, room)).await.is_ok(),
                Err(_) => false,
            },
            () = typed.closed() => false,
        };
        if !sent {
            // Nobody wants what is typed; what comes is still to be read.
            self.typed = None;
        }
    }
}

impl AsyncRead for Input {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (mut bytes, room) = match self.current.take() {
            Some(current) => current,
            None => match std::task::ready!(self.typed.poll_recv(cx)) {
                Some(next) => next,
                None => return Poll::Ready(Ok(())),
            },
        };
        let length = bytes.len().min(buf.remaining());
        buf.put_slice(&bytes[..length]);
        bytes.advance(length);
        self.current = (!bytes.is_empty()).then_some((bytes, room));
        Poll::Ready(Ok(()))
    }
}
