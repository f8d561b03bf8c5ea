//! Attached to a console: its bytes, each once, across restarts of its daemon.
//!
//! An [`Attachment`] is owned by one task, which waits for [`Attachment::next`] beside whatever
//! else it waits for. It runs no task of its own; nothing is received or sent while nobody waits.

mod cursor;
mod inbox;
mod item;
mod link;
mod sending;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio_tungstenite::tungstenite::Message;

use self::cursor::Cursor;
use self::inbox::Inbox;
pub use self::item::{From, Hello, Item, Options, Screen, SendError};
use self::link::{Incoming, Link};
use super::ConsoleRef;
use super::sockets::successors;
use crate::model::event::Mode;
use crate::model::{Failure, Kind, Point};
use crate::wire::attach::{Answer, FromServer, Query, Verb};

/// The pause before the first try to reconnect; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The longest pause between two tries to reconnect.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How long a request that is waited for may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

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
    /// What is to be typed and has not begun to leave, in pieces; requests that come behind it among them.
    typing: VecDeque<Message>,
    /// Requests that have not begun to leave, and go before all that.
    asking: VecDeque<Message>,
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
            asking: VecDeque::new(),
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
            // As with those that are on their way nobody answers them any more.
            self.typing.retain(Message::is_binary);
            self.asking.clear();
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
