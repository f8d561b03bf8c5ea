//! What goes to the daemon: typing and requests. Some is waited for, and some leaves by itself.

use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio_tungstenite::tungstenite::Message;

use super::{Attachment, SendError, State};
use crate::wire::attach::{Request, Verb};

/// What is typed leaves in pieces of at most so many bytes: what is asked for meanwhile has to wait for
/// the board to take one.
const PIECE: usize = 1024;
/// A daemon that takes no input for so long counts as lost, when we do not hear from it either.
pub(super) const SEND_TIMEOUT: Duration = Duration::from_secs(if cfg!(test) { 4 } else { 30 });
/// So many requests may wait to leave.
pub(super) const MAX_ASKING: usize = 16;
/// How long a goodbye may take.
const DETACH_TIMEOUT: Duration = Duration::from_secs(2);

impl Attachment {
    /// Types bytes at the board; done when they have left for the daemon.
    ///
    /// Not cancel safe: when dropped, a part of the bytes may have been sent. What arrives
    /// meanwhile is kept for [`Self::next`].
    ///
    /// # Errors
    /// When not attached, or when the connection is lost meanwhile; [`Self::next`] then reports it.
    pub async fn type_bytes(&mut self, bytes: &[u8]) -> Result<(), SendError> {
        for piece in bytes.chunks(PIECE) {
            self.send(Message::Binary(Bytes::copy_from_slice(piece))).await?;
        }
        Ok(())
    }

    /// Types bytes at the board without waiting for it: they leave as fast as the board takes them,
    /// while [`Self::next`] is waited for. What has not begun to leave when the connection is lost
    /// waits for the next one. The caller sees to it that it does not grow without end.
    pub fn type_later(&mut self, mut bytes: Bytes) {
        while !bytes.is_empty() {
            self.typing.push_back(Message::Binary(bytes.split_to(bytes.len().min(PIECE))));
        }
    }

    /// How many bytes wait to be typed.
    pub fn untyped(&self) -> usize {
        self.typing.iter().filter(|it| it.is_binary()).map(Message::len).sum()
    }

    /// Whether something waits that can leave.
    pub fn has_to_type(&self) -> bool {
        !self.typing.is_empty() && self.is_attached()
    }

    /// Has leave what waits to be typed, and receives nothing meanwhile. Cancel safe.
    pub async fn type_on(&mut self) {
        std::future::poll_fn(|cx| self.poll_typing(cx)).await;
    }

    /// Types nothing of what waits to be typed.
    pub fn forget_typing(&mut self) {
        self.typing.clear();
    }

    /// Makes a request; [`super::Item::Answer`] with this id will answer it. Cancel safe like
    /// [`Self::type_bytes`]: not.
    ///
    /// # Errors
    /// As [`Self::type_bytes`].
    pub async fn ask(&mut self, verb: Verb) -> Result<u64, SendError> {
        let (id, message) = self.request_of(verb)?;
        self.send(message).await?;
        Ok(id)
    }

    /// Makes a request without waiting for it to leave: that comes as with [`Self::type_later`], behind what
    /// was typed before. It is not made when the connection is lost before that.
    ///
    /// # Errors
    /// When not attached.
    pub fn ask_later(&mut self, verb: Verb) -> Result<u64, SendError> {
        let (id, message) = self.request_of(verb)?;
        if !self.is_attached() {
            return Err(SendError::Away);
        }
        self.typing.push_back(message);
        Ok(id)
    }

    /// The same, but it leaves before what waits to be typed.
    ///
    /// # Errors
    /// When not attached, or when 16 of them wait already.
    pub fn ask_first(&mut self, verb: Verb) -> Result<u64, SendError> {
        if !self.is_attached() {
            return Err(SendError::Away);
        }
        if self.asking.len() == MAX_ASKING {
            return Err(SendError::Behind);
        }
        let (id, message) = self.request_of(verb)?;
        self.asking.push_back(message);
        Ok(id)
    }

    fn request_of(&mut self, verb: Verb) -> Result<(u64, Message), SendError> {
        self.last_id += 1;
        let request = Request { id: self.last_id, verb };
        let text = serde_json::to_string(&request).map_err(|e| SendError::Lost(e.to_string()))?;
        Ok((request.id, Message::Text(text.into())))
    }

    /// Leaves, after what waits has left and the daemon has taken everything (within 2 s). Nothing can be
    /// sent or received any more.
    pub async fn detach(mut self) {
        let goodbye = async {
            std::future::poll_fn(|cx| self.poll_last(cx)).await;
            if let State::Attached(link) = self.state {
                link.close().await;
            }
        };
        let _ = tokio::time::timeout(DETACH_TIMEOUT, goodbye).await;
    }

    /// Sends one message, and receives into the inbox until it has left: a daemon may read only as
    /// fast as its client does.
    async fn send(&mut self, message: Message) -> Result<(), SendError> {
        let mut message = Some(message);
        loop {
            let sending = std::future::poll_fn(|cx| self.poll_send(cx, &mut message));
            if let Ok(sent) = tokio::time::timeout(SEND_TIMEOUT, sending).await {
                return sent;
            }
            // While we hear from the daemon it is only its board that is slow. Whether it is there at
            // all is seen while receiving, which a full inbox prevents.
            if self.inbox.is_full() {
                let reason = format!("the daemon took no input for {} s", SEND_TIMEOUT.as_secs());
                self.lose(reason.clone());
                return Err(SendError::Lost(reason));
            }
        }
    }

    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        message: &mut Option<Message>,
    ) -> Poll<Result<(), SendError>> {
        loop {
            // What was typed before comes first.
            let typed = self.poll_typing(cx).is_ready();
            let State::Attached(link) = &mut self.state else {
                return Poll::Ready(Err(SendError::Away));
            };
            let taken = message.is_none();
            let sent = match taken {
                _ if !typed => Poll::Pending,
                true => link.poll_sent(cx),
                false => link.poll_send(cx, message),
            };
            match sent {
                Poll::Ready(Err(reason)) => {
                    self.lose(reason.clone());
                    return Poll::Ready(Err(SendError::Lost(reason)));
                }
                Poll::Ready(Ok(())) if taken => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(())) => {}
                Poll::Pending if self.inbox.is_full() => return Poll::Pending,
                Poll::Pending => ready!(self.poll_step(cx)),
            }
        }
    }

    /// Gets on with what leaves by itself; ready when all of it has been handed over, or the connection is
    /// lost.
    pub(super) fn poll_typing(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let State::Attached(link) = &mut self.state {
            let asked = self.asking.front().cloned();
            let asks = asked.is_some();
            let mut message = asked.or_else(|| self.typing.front().cloned());
            if message.is_none() {
                break;
            }
            let sent = link.poll_send(cx, &mut message);
            match message {
                None if asks => drop(self.asking.pop_front()),
                None => drop(self.typing.pop_front()),
                Some(_) => {}
            }
            if let Err(reason) = ready!(sent) {
                self.lose(reason);
            }
        }
        Poll::Ready(())
    }

    /// The same for who leaves: nobody looks at what still comes, but a daemon may read only as fast as its
    /// client does.
    fn poll_last(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.poll_typing(cx).is_pending() {
            while self.inbox.pop().is_some() {}
            ready!(self.poll_step(cx));
        }
        Poll::Ready(())
    }
}
