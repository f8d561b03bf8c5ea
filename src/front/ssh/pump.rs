//! What a client sends on a channel, taken apart: what is typed, and the size of its window.
//!
//! A pump takes whatever comes at once, from the opening of its channel on: the library delivers to all
//! channels of a connection in turn, and would wait for one that takes nothing. How much may wait is the
//! matter of the connection's [`Room`].

use std::collections::VecDeque;
use std::io;
use std::num::NonZeroU16;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Buf as _, Bytes};
use russh::{ChannelMsg, ChannelReadHalf, Sig};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::watch;

use super::room::Room;

/// Rows and columns of a terminal.
pub(super) type Size = Option<(NonZeroU16, NonZeroU16)>;

/// What is typed, as a stream; it ends when the client says so.
pub(super) struct Input(Arc<Waiting>);

/// What reads the channel.
pub(super) struct Pump {
    from: ChannelReadHalf,
    waiting: Arc<Waiting>,
    size: watch::Sender<Size>,
}

/// What is typed and not taken.
struct Waiting {
    queue: Mutex<Queue>,
    room: Room,
}

#[derive(Default)]
struct Queue {
    pieces: VecDeque<Bytes>,
    /// No more comes.
    ended: bool,
    /// Nobody wants any.
    unwanted: bool,
    reader: Option<Waker>,
}

/// Why nothing more is to be done on a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    /// The client has closed it, or is gone.
    Closed,
    /// The client sent a signal.
    Interrupted,
}

pub(super) fn pump(from: ChannelReadHalf, room: Room) -> (Pump, Input, watch::Receiver<Size>) {
    let waiting = Arc::new(Waiting { queue: Mutex::default(), room });
    let (size, sizes) = watch::channel(None);
    (Pump { from, waiting: waiting.clone(), size }, Input(waiting), sizes)
}

impl Pump {
    /// Reads until the channel is over.
    pub(super) async fn run(mut self) -> Over {
        while let Some(message) = self.from.wait().await {
            match message {
                ChannelMsg::Data { data } => self.waiting.push(data),
                ChannelMsg::Eof => self.waiting.end(),
                ChannelMsg::RequestPty { col_width, row_height, .. }
                | ChannelMsg::WindowChange { col_width, row_height, .. } => {
                    if let size @ Some(_) = size(col_width, row_height) {
                        self.size.send_replace(size);
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

impl Drop for Pump {
    fn drop(&mut self) {
        self.waiting.end();
    }
}

/// A size of which nothing is zero.
pub(super) fn size(columns: u32, rows: u32) -> Size {
    let some = |number: u32| NonZeroU16::new(u16::try_from(number).ok()?);
    Some((some(rows)?, some(columns)?))
}

impl Waiting {
    fn push(&self, piece: Bytes) {
        let mut queue = self.queue();
        if queue.ended || queue.unwanted || piece.is_empty() {
            return;
        }
        self.room.fill(piece.len());
        queue.pieces.push_back(piece);
        queue.wake();
    }

    fn end(&self) {
        let mut queue = self.queue();
        queue.ended = true;
        queue.wake();
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn wake(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

impl AsyncRead for Input {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut queue = self.0.queue();
        let Some(first) = queue.pieces.front_mut() else {
            if queue.ended {
                return Poll::Ready(Ok(()));
            }
            queue.reader = Some(cx.waker().clone());
            return Poll::Pending;
        };
        let length = first.len().min(buf.remaining());
        buf.put_slice(&first[..length]);
        first.advance(length);
        let whole = first.is_empty();
        if whole {
            queue.pieces.pop_front();
        }
        self.0.room.free(length, whole);
        Poll::Ready(Ok(()))
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        let mut queue = self.0.queue();
        queue.unwanted = true;
        for piece in std::mem::take(&mut queue.pieces) {
            self.0.room.free(piece.len(), true);
        }
    }
}
