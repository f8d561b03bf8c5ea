//! Attached to a console: its bytes, each once, across restarts of its daemon.
//!
//! An [`Attachment`] is owned by one task, which waits for [`Attachment::next`] beside whatever
//! else it waits for. It runs no task of its own; nothing is received or sent while nobody waits.

mod cursor;
mod inbox;
mod item;
mod link;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio_tungstenite::tungstenite::Message;

use self::cursor::Cursor;
use self::inbox::Inbox;
pub use self::item::{From, Hello, Item, Options, Screen, SendError};
use self::link::{Incoming, Link};
use super::ConsoleRef;
use super::sockets::successors;
use crate::model::event::Mode;
use crate::model::{Failure, Kind, Point};
use crate::wire::attach::{Answer, FromServer, Query, Request, Verb};

/// The pause before the first try to reconnect; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The longest pause between two tries to reconnect.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// What is typed leaves in pieces of at most so many bytes: what is asked for meanwhile has to wait for
/// the board to take one.
const PIECE: usize = 1024;
/// A daemon that takes no input for so long counts as lost, when we do not hear from it either.
const SEND_TIMEOUT: Duration = Duration::from_secs(if cfg!(test) { 4 } else { 30 });
/// How long a request that is waited for may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a goodbye may take.
const DETACH_TIMEOUT: Duration = Duration::from_secs(2);

/// A console that we are attached to. Dropping it leaves without a goodbye.
pub struct Attachment {
    console: ConsoleRef,
    options: Options,
    /// The mode to ask for when reconnecting: what this session had last.
    wanted: Mode,
    mode: Mode,
    hello: Hello,
    cursor: Cursor,
    state: State,
    inbox: Inbox,
    /// What is to be typed and has not begun to leave, in pieces; requests among them.
    typing: VecDeque<Message>,
    last_id: u64,
}

enum State {
    Attached(Box<Link>),
    Away {
        /// How many tries have failed since the last good connection.
        failed: u32,
        /// The next try, its pause included. Kept here so that a dropped wait does not restart it.
        opening: Pin<Box<dyn Future<Output = Reopened> + Send>>,
    },
    /// The daemon has let this session go.
    Ended,
}

type Opened = Result<(Box<Link>, Hello), Failure>;
/// With where the console is now.
type Reopened = Result<(Box<Link>, Hello, ConsoleRef), Failure>;

impl Attachment {
    /// Attaches. Only this first time a failure is an answer: later the connection is made again
    /// for as long as the attachment lives.
    ///
    /// # Errors
    /// The daemon's own failure where it refused (an unknown console is [`Kind::User`]); else
    /// [`Kind::Lab`]. Cancel safe.
    pub async fn open(console: ConsoleRef, options: Options) -> Result<Self, Failure> {
        let from = match &options.from {
            From::Head => "head".to_owned(),
            From::Screen => "screen".to_owned(),
            From::Past(point) => point.to_string(),
        };
        let (rows, cols) = options.size.unzip();
        let (mode, user, stay) = (options.mode, options.user.clone(), options.stay);
        let query = Query { mode, from: Some(from), user, rows, cols, stay };
        let (link, hello) = Link::open(&console, &query).await?;
        let mut inbox = Inbox::default();
        let mut cursor = Cursor::new(&hello);
        if let From::Past(Point::Offset(asked)) = options.from {
            cursor = Cursor::new(&Hello { from: asked.min(hello.from), ..hello.clone() });
            cursor.skip_to(hello.from, &mut inbox);
        }
        Ok(Self {
            console,
            wanted: options.mode,
            mode: hello.mode,
            options,
            hello,
            cursor,
            state: State::Attached(link),
            inbox,
            typing: VecDeque::new(),
            last_id: 0,
        })
    }

    /// How the console stood when the present (or last) connection began.
    pub fn hello(&self) -> &Hello {
        &self.hello
    }

    pub fn console(&self) -> &ConsoleRef {
        &self.console
    }

    /// The mode of this session as last heard of.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The offset of the next byte to be received.
    pub fn offset(&self) -> u64 {
        self.cursor.next()
    }

    pub fn is_attached(&self) -> bool {
        matches!(self.state, State::Attached(_))
    }

    /// The next thing from the console. Waits for ever on a quiet one; never ends by itself.
    ///
    /// Cancel safe: nothing is lost when the wait is dropped, and a try to reconnect goes on.
    pub async fn next(&mut self) -> Item {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    /// [`Self::next`], or nothing once all has left that waited to be typed when this was called: whoever
    /// keeps something back until then goes on, however quiet the board is. Cancel safe.
    pub async fn next_or_typed(&mut self) -> Option<Item> {
        let types = !self.typing.is_empty();
        std::future::poll_fn(|cx| match self.poll_next(cx) {
            Poll::Ready(item) => Poll::Ready(Some(item)),
            Poll::Pending if types && self.typing.is_empty() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await
    }

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

    /// Makes a request; [`Item::Answer`] with this id will answer it. Cancel safe like
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

    fn request_of(&mut self, verb: Verb) -> Result<(u64, Message), SendError> {
        self.last_id += 1;
        let request = Request { id: self.last_id, verb };
        let text = serde_json::to_string(&request).map_err(|e| SendError::Lost(e.to_string()))?;
        Ok((request.id, Message::Text(text.into())))
    }

    /// Makes a request and waits for its answer. What arrives before it is kept for
    /// [`Self::next`], so use [`Self::ask`] where a board may print without end.
    ///
    /// # Errors
    /// As [`Self::type_bytes`], and when the answer takes longer than 30 s.
    pub async fn request(&mut self, verb: Verb) -> Result<Answer, SendError> {
        let id = self.ask(verb).await?;
        let answer = std::future::poll_fn(|cx| self.poll_answer(cx, id));
        tokio::time::timeout(ANSWER_TIMEOUT, answer).await.unwrap_or(Err(SendError::NoAnswer))
    }

    /// Leaves, after the daemon has taken everything that was sent (within 2 s). Nothing can be
    /// sent or received any more.
    pub async fn detach(self) {
        if let State::Attached(link) = self.state {
            let _ = tokio::time::timeout(DETACH_TIMEOUT, link.close()).await;
        }
    }

    /// [`Self::next`] for whoever waits for several.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Item> {
        loop {
            if let Some(item) = self.inbox.pop() {
                return Poll::Ready(item);
            }
            ready!(self.poll_step(cx));
        }
    }

    fn poll_answer(&mut self, cx: &mut Context<'_>, id: u64) -> Poll<Result<Answer, SendError>> {
        let mut seen = 0;
        loop {
            let told = self.inbox.after(seen).position(|item| match item {
                Item::Answer { id: answered, .. } => *answered == id,
                Item::Lost { .. } => true,
                _ => false,
            });
            if let Some(Item::Lost { reason }) =
                told.and_then(|at| self.inbox.after(seen + at).next())
            {
                return Poll::Ready(Err(SendError::Lost(reason.clone())));
            }
            if let Some(Item::Answer { answer, .. }) =
                told.and_then(|at| self.inbox.remove(seen + at))
            {
                return Poll::Ready(Ok(answer));
            }
            seen = self.inbox.len();
            if self.inbox.is_full() {
                return Poll::Ready(Err(SendError::NoAnswer));
            }
            ready!(self.poll_step(cx));
        }
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

    /// Gets on with typing; ready when all of it has been handed over, or the connection is lost.
    fn poll_typing(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let (Some(first), State::Attached(link)) = (self.typing.front(), &mut self.state) {
            let mut message = Some(first.clone());
            let sent = link.poll_send(cx, &mut message);
            if message.is_none() {
                self.typing.pop_front();
            }
            if let Err(reason) = ready!(sent) {
                self.lose(reason);
            }
        }
        Poll::Ready(())
    }

    /// Receives one message, or gets on with reconnecting. What comes of it is put into the inbox.
    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // Whether there is more of it makes no difference to what is received.
        let _ = self.poll_typing(cx);
        match &mut self.state {
            State::Attached(link) => match ready!(link.poll_receive(cx)) {
                Ok(incoming) => self.accept(incoming),
                Err(reason) => self.lose(reason),
            },
            State::Away { failed, opening } => match ready!(opening.as_mut().poll(cx)) {
                Ok((link, hello, console)) => {
                    self.console = console;
                    self.state = State::Attached(link);
                    self.mode = hello.mode;
                    self.cursor.resume(&hello, &mut self.inbox);
                    self.hello = hello;
                }
                Err(_) => {
                    let failed = *failed + 1;
                    self.reopen(failed);
                }
            },
            State::Ended => return Poll::Pending,
        }
        Poll::Ready(())
    }

    fn accept(&mut self, incoming: Incoming) {
        let out = &mut self.inbox;
        match incoming {
            Incoming::Frame(frame) => self.cursor.frame(frame, out),
            Incoming::Message(message) => match message {
                FromServer::Event(event) => self.cursor.event(event, out),
                FromServer::Gap { to, .. } => self.cursor.skip_to(to, out),
                FromServer::Reply { id, answer } => out.push(Item::Answer { id, answer }),
                FromServer::Screen { offset, rows, cols, draw } => {
                    self.cursor.screen(offset);
                    out.push(Item::Screen(Screen { offset, rows, cols, draw }));
                }
                FromServer::Mode { mode, by, holder } => {
                    self.mode = mode;
                    self.wanted = match mode {
                        // Somebody took the lock: do not take it back only because of a restart.
                        Mode::Spy if self.options.mode == Mode::Spy => Mode::Spy,
                        Mode::Spy => Mode::Rw,
                        given => given,
                    };
                    out.push(Item::Mode { mode, by, holder });
                }
                FromServer::Notice { text } => out.push(Item::Notice(text)),
                FromServer::Ended { reason } => {
                    out.push(Item::Ended { reason });
                    self.state = State::Ended;
                }
                FromServer::Hello { .. } => self.lose("the daemon said hello twice".into()),
            },
        }
    }

    fn lose(&mut self, reason: String) {
        if self.is_attached() {
            self.typing.retain(Message::is_binary);
            self.inbox.push(Item::Lost { reason });
            self.reopen(0);
        }
    }

    fn reopen(&mut self, failed: u32) {
        let mut console = self.console.clone();
        let query = Query {
            mode: self.wanted,
            from: Some(self.cursor.next().to_string()),
            user: self.options.user.clone(),
            stay: self.options.stay,
            ..Query::default()
        };
        let pause = (FIRST_PAUSE * 2_u32.pow(failed.min(8))).min(LONGEST_PAUSE);
        let opening = Box::pin(async move {
            tokio::time::sleep(pause).await;
            let mut opened = Err(Failure::new(Kind::Bug, "a daemon without an address"));
            for endpoint in successors(&console.endpoint) {
                console.endpoint = endpoint;
                opened = Link::open(&console, &query).await;
                if opened.is_ok() {
                    break;
                }
            }
            opened.map(|(link, hello)| (link, hello, console))
        });
        self.state = State::Away { failed, opening };
    }
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attachment")
            .field("console", &self.console)
            .field("mode", &self.mode)
            .field("offset", &self.offset())
            .field("attached", &self.is_attached())
            .finish_non_exhaustive()
    }
}
