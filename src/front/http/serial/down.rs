//! What an attached client is sent: the stream, its events, and answers.

use axum::body::Bytes;
use futures_util::{FutureExt as _, SinkExt as _};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::super::websocket::{Error, Message, Sender};
use super::attach::text;
use super::drawing::{Drawing, Next, next};
use crate::console::{Item, Stream};
use crate::front::hand_over::HandOver;
use crate::wire::attach::FromServer;
use crate::wire::view::ToPage;

/// How often a client hears from us even when there is nothing to say. It may wait long for an answer
/// of its own: what it types is taken only as fast as the board takes it.
const PING: Duration = Duration::from_secs(5);

/// The sending side.
pub(super) struct Down<'a> {
    pub(super) to: Sender,
    pub(super) answers: mpsc::Receiver<Message>,
    /// What shows it the screen, instead of the bytes.
    pub(super) drawing: Option<Drawing>,
    pub(super) hand_over: &'a HandOver,
}

impl Down<'_> {
    /// What the client gets: the stream and its events, and the answers to requests. When it is asked
    /// for, everything that it was to get is under way in the sender.
    pub(super) async fn run(mut self, out: &mut Stream) -> Result<Sender, Error> {
        let mut ping = tokio::time::interval(PING);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut flushed = false;
        loop {
            // Nothing more is taken while the client does not take what it has.
            let sends = !self.hand_over.is_asked();
            if flushed
                && sends
                && let Some(drawing) = &mut self.drawing
            {
                drawing.keep_up(out).await;
            }
            let takes = self.drawing.as_ref().is_none_or(Drawing::has_room);
            tokio::select! {
                () = self.hand_over.asked(), if sends => {}
                done = self.to.flush(), if sends && !flushed => {
                    done?;
                    flushed = true;
                    continue;
                }
                _ = ping.tick(), if sends && flushed => {
                    self.to.feed(Message::Ping(Bytes::new())).await?;
                }
                // After the last answer the client's half is done, and with it the session.
                answer = self.answers.recv(), if flushed || !sends => match answer {
                    Some(answer) => self.to.feed(answer).await?,
                    None if self.hand_over.is_asked() => {
                        // What the library holds goes to where it is kept.
                        let _ = self.to.flush().now_or_never().transpose()?;
                        return Ok(self.to);
                    }
                    None => {
                        self.to.close().await?;
                        return Ok(self.to);
                    }
                },
                next = next(&mut self.drawing), if sends && flushed => match next {
                    Next::Drawn(drawn) => self.to.feed(text(&ToPage::Draw(drawn))).await?,
                    Next::Resized => continue,
                },
                item = out.next(), if sends && flushed && takes => match item {
                    Some(item) => match &mut self.drawing {
                        Some(drawing) => match drawing.take(item).await {
                            Some(told) => self.to.feed(told).await?,
                            None => continue,
                        },
                        None => self.feed(item).await?,
                    },
                    None => {
                        self.to.close().await?;
                        return Ok(self.to);
                    }
                },
            }
            flushed = false;
        }
    }

    /// Never waits: the connection below takes everything.
    async fn feed(&mut self, item: Item) -> Result<(), Error> {
        let message = match item {
            Item::Pieces(pieces) => {
                for piece in pieces {
                    self.to.feed(Message::Binary(piece.encode())).await?;
                }
                return Ok(());
            }
            Item::Event(event) => FromServer::Event(event),
            Item::Gap { from, to } => FromServer::Gap { from, to },
            Item::Mode { mode, by, holder } => FromServer::Mode { mode, by, holder },
        };
        self.to.feed(text(&message)).await
    }
}
