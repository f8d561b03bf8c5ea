//! The sending side of a client: what the board says, what happens, and what the client is answered.

use std::io;

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::tcp::WriteHalf;
use tokio::sync::mpsc;

use super::client::Kind;
use super::notice;
use crate::console::{Item, Stream};
use crate::front::hand_over::HandOver;
use crate::model::event::Mode;

/// So much may wait to be sent while more is ordered, in bytes.
const MAX_UNSENT: usize = 64 * 1024;
/// So much is still taken from the console for a client that has closed its side.
const LAST_ITEMS: usize = 16;

/// What the receiving side has the sending side do.
#[derive(Debug)]
pub(super) enum Order {
    Send(Bytes),
    /// The client leaves: what is there is still sent.
    Quit,
}

pub(super) struct Sender<'a> {
    pub(super) kind: Kind,
    pub(super) orders: mpsc::Receiver<Order>,
    /// For the client, and not sent yet.
    pub(super) unsent: &'a mut BytesMut,
    pub(super) hand_over: &'a HandOver,
}

impl Sender<'_> {
    /// Sends until the console or the client is gone, or nobody has anything more to order.
    pub(super) async fn run(mut self, mut to: WriteHalf<'_>, out: &mut Stream) -> io::Result<()> {
        let mut ends = false;
        loop {
            let sends = !self.hand_over.is_asked();
            if ends && (self.unsent.is_empty() || !sends) {
                return Ok(());
            }
            let idle = self.unsent.is_empty();
            // Before it is handed over all that was ordered has to be there.
            let takes = !ends && (!sends || self.unsent.len() < MAX_UNSENT);
            tokio::select! {
                // An answer comes before the events that it causes.
                biased;
                order = self.orders.recv(), if takes => match order {
                    Some(Order::Send(bytes)) => self.unsent.extend_from_slice(&bytes),
                    Some(Order::Quit) => ends = true,
                    None => {
                        ends = true;
                        self.put_last(out);
                    }
                },
                written = to.write_buf(self.unsent), if sends && !self.unsent.is_empty() => {
                    if written? == 0 {
                        return Err(io::ErrorKind::WriteZero.into());
                    }
                }
                item = out.next(), if sends && idle => {
                    let Some(item) = item else { return Ok(()) };
                    self.put(&item, out);
                }
                () = self.hand_over.asked(), if sends => {}
            }
        }
    }

    /// What a command has done is on the timeline before it ends.
    fn put_last(&mut self, out: &mut Stream) {
        for _ in 0..LAST_ITEMS {
            let Some(Some(item)) = out.next().now_or_never() else { break };
            self.put(&item, out);
        }
    }

    fn put(&mut self, item: &Item, out: &Stream) {
        let told = match item {
            Item::Pieces(pieces) => {
                for piece in pieces {
                    self.unsent.extend_from_slice(&piece.bytes);
                }
                return;
            }
            Item::Event(event) => notice::event(out.session().console().name(), event),
            Item::Gap { from, to } => Some(notice::gap(to - from)),
            // Who may type again finds out, and is told who made it so.
            Item::Mode { mode: Mode::Rw, .. } => None,
            Item::Mode { .. } if self.kind == Kind::Status => None,
            Item::Mode { mode, holder, .. } => Some(notice::mode(*mode, holder.as_ref())),
        };
        self.unsent.extend_from_slice(told.unwrap_or_default().as_bytes());
    }
}
