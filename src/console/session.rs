//! A client's part in a console.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use tokio::sync::{oneshot, watch};

use super::input::{Break, MAX_BREAK_MS, Request, Typed};
use super::line::{LineChange, LineRequest};
use super::lock::SessionId;
use super::ring::Held;
use super::{Console, Head};
use crate::capture::{Piece, Read, Reader};
use crate::model::event::Mode;
use crate::model::line::Line;
use crate::model::{Event, What, units, user_text};
use crate::wire::attach::{Answer, PortState, Session as SessionRow, Verb};

/// At most about this many bytes are given at a time.
const BATCH: usize = 256 * 1024;
/// The longest message to everyone, in bytes.
const MAX_MESSAGE: usize = 4096;
/// The break that is sent when no length is given, in milliseconds, as Linux' tcsendbreak does.
const DEFAULT_BREAK_MS: u64 = 250;
/// Typed bytes go to the port in messages of at most this length, which bounds its queue.
const MAX_INPUT: usize = 1024;

/// The number of the next session of this process.
pub(super) static NEXT_SESSION: AtomicU64 = AtomicU64::new(1);

/// Who attaches, and how.
#[derive(Debug, Clone)]
pub struct Attach {
    pub user: String,
    /// `websocket`, `telnet` or `raw`.
    pub via: &'static str,
    pub peer: String,
    pub mode: Mode,
    /// The offset of the first byte to read; the head when `None` or beyond it.
    pub from: Option<u64>,
}

/// An attached client: writes and requests. The session ends when this and its [`Stream`] are
/// dropped.
#[derive(Debug)]
pub struct Session {
    console: Arc<Console>,
    id: SessionId,
    user: String,
    /// Nobody is told when it is dropped: it is taken up again elsewhere.
    left: AtomicBool,
}

/// The reading half of a session.
#[derive(Debug)]
pub struct Stream {
    pub(super) session: Arc<Session>,
    pub(super) head: watch::Receiver<Head>,
    /// The offset of the next byte to give.
    pub(super) offset: u64,
    /// The number of the next event to give.
    pub(super) event: u64,
    /// The mode that the client knows of.
    pub(super) mode: Mode,
    /// Taken while it is reading, and made when first needed.
    pub(super) reader: Option<Reader>,
    pub(super) ready: VecDeque<Item>,
}

/// What comes out of a console for one client, in the order of the timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    Pieces(Vec<Piece>),
    Event(Event),
    /// The bytes from `from` to `to` are not held any more.
    Gap {
        from: u64,
        to: u64,
    },
    /// The session's own mode has changed.
    Mode {
        mode: Mode,
        by: Option<String>,
        holder: Option<SessionRow>,
    },
}

/// Why typed bytes were not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    #[error("read-only: {} has the console", holder.user)]
    Held { holder: Box<SessionRow> },
    #[error("read-only: attached as a spy")]
    Spy,
    #[error("the port is not open: {0}")]
    Closed(String),
    #[error("the console is shutting down")]
    ShuttingDown,
}

impl Console {
    /// Attaches a client. Everyone else sees that it came.
    pub fn attach(self: &Arc<Self>, attach: Attach) -> (Arc<Session>, Stream) {
        let id = NEXT_SESSION.fetch_add(1, Ordering::Relaxed);
        let user = user_text(&attach.user);
        let session = Arc::new(Session::new(self.clone(), id, user.clone()));
        let mode = {
            let mut state = self.state();
            state.lock.attach(SessionRow {
                session: id,
                user,
                mode: attach.mode,
                via: attach.via.to_owned(),
                peer: attach.peer,
                since_us: units::now_us(),
            });
            state.lock.mode(id)
        };
        session.announce(What::Attach { mode });
        let head = self.head.subscribe();
        let now = *head.borrow();
        let stream = Stream {
            session: session.clone(),
            head,
            offset: attach.from.map_or(now.offset, |from| from.min(now.offset)),
            event: now.events,
            mode,
            reader: None,
            ready: VecDeque::new(),
        };
        (session, stream)
    }
}

impl Session {
    pub(super) fn new(console: Arc<Console>, id: SessionId, user: String) -> Self {
        Self { console, id, user, left: AtomicBool::new(false) }
    }

    /// Has nobody told when it is dropped.
    pub(super) fn leave(&self) {
        self.left.store(true, Ordering::Relaxed);
    }

    pub fn id(&self) -> u64 {
        self.id
    }

    pub fn user(&self) -> &str {
        &self.user
    }

    pub fn console(&self) -> &Arc<Console> {
        &self.console
    }

    pub fn mode(&self) -> Mode {
        self.console.state().lock.mode(self.id)
    }

    /// Types bytes to the board, and takes them out of `bytes` as they are accepted. Waits while the
    /// port's queue is full.
    ///
    /// Cancel safe: what is left in `bytes` was not typed.
    ///
    /// # Errors
    /// When this session may not write now, or there is nothing to write to.
    pub async fn write(&self, bytes: &mut Bytes) -> Result<(), WriteError> {
        while !bytes.is_empty() {
            let room = self.console.typed.reserve().await;
            let room = room.map_err(|_| WriteError::ShuttingDown)?;
            let forced = self.may_write()?;
            let part = bytes.split_to(bytes.len().min(MAX_INPUT));
            room.send(Box::new(Typed { who: self.user.clone(), bytes: part, forced }));
        }
        Ok(())
    }

    /// Whether this session may write now, and how often the lock was forced until now.
    fn may_write(&self) -> Result<u64, WriteError> {
        {
            let state = self.console.state();
            if state.lock.mode(self.id) == Mode::Spy {
                let holder = state.lock.holder().map(Box::new);
                return Err(holder.map_or(WriteError::Spy, |holder| WriteError::Held { holder }));
            }
            match &state.port {
                PortState::Open => Ok(state.lock.forced()),
                PortState::Starting => Err(WriteError::Closed("it is being opened".into())),
                PortState::Closed { reason } => Err(WriteError::Closed(reason.clone())),
            }
        }
    }

    /// Carries out a request and answers it.
    pub async fn request(&self, verb: Verb) -> Answer {
        let refused = |reason: String| Answer::Refused { reason };
        match verb {
            Verb::Force => {
                let from = self.console.state().lock.force(self.id);
                self.announce(What::Forced { from: from.map(|session| session.user) });
                Answer::Done
            }
            Verb::Release => {
                // On a line of its own: the state must not be locked while the event is published.
                let passed = self.console.state().lock.release(self.id);
                let Some(to) = passed else {
                    return refused("you do not hold the console".into());
                };
                self.announce(What::Released { to: to.map(|session| session.user) });
                Answer::Done
            }
            Verb::Break { ms } => {
                if self.mode() == Mode::Spy {
                    return refused("read-only: a break needs the right to write".into());
                }
                match self.console.send_break(&self.user, ms).await {
                    Ok(()) => Answer::Done,
                    Err(reason) => refused(reason),
                }
            }
            Verb::Message { text } => match self.console.message(&self.user, text).await {
                Ok(_) => Answer::Done,
                Err(reason) => refused(reason),
            },
            Verb::Who => Answer::Sessions { sessions: self.console.state().lock.sessions() },
        }
    }

    /// How the line is set, and what its wires said last.
    pub fn line(&self) -> Line {
        *self.console.line.borrow()
    }

    /// Changes the line. What the port cannot do is remembered instead, and is no error.
    ///
    /// # Errors
    /// Why it was not done: this session may not write now, or the port refused.
    pub async fn change_line(&self, change: LineChange) -> Result<(), String> {
        if self.mode() == Mode::Spy && change != LineChange::Watch {
            return Err("read-only: to set the line needs the right to write".into());
        }
        let (answer, answered) = oneshot::channel();
        let request = LineRequest { who: self.user.clone(), change, answer };
        let gone = || "the console is shutting down".to_owned();
        let sent = self.console.requests.send(Request::Line(Box::new(request))).await;
        sent.map_err(|_| gone())?;
        answered.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Follows the line: from now on its wires are read again and again where the port has any.
    pub async fn watch_line(&self) -> watch::Receiver<Line> {
        let watch = self.console.line.subscribe();
        if let Err(reason) = self.change_line(LineChange::Watch).await {
            tracing::debug!(console = %self.console.name, reason, "the line is not watched");
        }
        watch
    }

    /// Publishes an event of this session and sees to it that it is captured.
    fn announce(&self, what: What) {
        let event = self.console.publish(Some(self.user.clone()), what);
        // With a full queue the event is shown but not captured: better than to wait for a port.
        if self.console.requests.try_send(Request::Record(Box::new(event))).is_err() {
            tracing::debug!(console = %self.console.name, "an event was not captured");
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if *self.left.get_mut() {
            return;
        }
        let passed = self.console.state().lock.detach(self.id);
        self.announce(What::Detach);
        if let Some(to) = passed {
            self.announce(What::Released { to: to.map(|session| session.user) });
        }
    }
}

impl Console {
    /// Sends a break of `ms` milliseconds (250 when `None`).
    ///
    /// # Errors
    /// Why it was not sent.
    pub async fn send_break(&self, who: &str, ms: Option<u64>) -> Result<(), String> {
        let ms = ms.unwrap_or(DEFAULT_BREAK_MS);
        if !(1..=MAX_BREAK_MS).contains(&ms) {
            return Err(format!("a break lasts 1 to {MAX_BREAK_MS} ms, not {ms}"));
        }
        let (answer, answered) = oneshot::channel();
        let request = Request::Break(Box::new(Break { who: who.to_owned(), ms, answer }));
        let gone = |_| "the console is shutting down".to_owned();
        self.requests.send(request).await.map_err(gone)?;
        answered.await.unwrap_or_else(|_| Err("the port is not open".into()))
    }

    /// Tells everyone on this console something.
    ///
    /// # Errors
    /// Why it was not told.
    pub async fn message(&self, who: &str, text: String) -> Result<Event, String> {
        if text.len() > MAX_MESSAGE {
            return Err(format!("a message has at most {MAX_MESSAGE} bytes"));
        }
        let text = text.replace(char::is_control, " ");
        let event = self.event(Some(who.to_owned()), What::Message { text }).await;
        event.map_err(|error| error.to_string())
    }
}

impl Stream {
    pub fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// The offset of the next byte.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The mode that the client was last told.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Goes on at the head: the bytes before it are not given any more.
    pub fn skip_to_head(&mut self) {
        self.offset = self.head.borrow().offset;
    }

    /// Waits for the next item; `None` when the console has shut down. Cancel safe.
    pub async fn next(&mut self) -> Option<Item> {
        loop {
            let now = *self.head.borrow_and_update();
            if let Some(item) = self.ready.pop_front() {
                return Some(item);
            }
            if self.event == now.events && self.offset >= now.offset {
                tokio::select! {
                    () = self.session.console.shutdown.cancelled() => return None,
                    changed = self.head.changed() => changed.ok()?,
                }
                continue;
            }
            match self.take(now.offset) {
                Taken::Item(item) => return Some(item),
                Taken::Behind { to } => return Some(self.catch_up(to).await),
                Taken::Nothing => {}
            }
        }
    }

    /// Takes what can be had without waiting.
    fn take(&mut self, head: u64) -> Taken {
        let console = self.session.console.clone();
        let state = console.state();
        let event = state.events.at(self.event);
        let to = match event {
            Some((_, event)) if event.offset > self.offset => head.min(event.offset),
            Some((number, event)) => {
                self.event = number + 1;
                let by = event.who.clone();
                let mode = state.lock.mode(self.session.id);
                if mode != self.mode {
                    self.mode = mode;
                    self.ready.push_back(Item::Mode { mode, by, holder: state.lock.holder() });
                }
                return Taken::Item(Item::Event(event.clone()));
            }
            None => head,
        };
        if self.offset >= to {
            return Taken::Nothing;
        }
        match state.ring.read(self.offset, to, BATCH) {
            Held::Pieces(pieces) => {
                // It has caught up, and lets go of the files.
                self.reader = None;
                self.offset = pieces.last().map_or(self.offset, Piece::end);
                Taken::Item(Item::Pieces(pieces))
            }
            Held::Before(first) => Taken::Behind { to: to.min(first) },
        }
    }

    /// Reads the capture from the own offset up to `to`, where the ring begins.
    async fn catch_up(&mut self, to: u64) -> Item {
        let from = self.offset;
        let store = &self.session.console.store;
        let mut reader = self.reader.take().unwrap_or_else(|| Reader::new(store.clone()));
        let read = tokio::task::spawn_blocking(move || {
            let read = reader.read(from, to, BATCH);
            (reader, read)
        });
        let read = match read.await {
            Ok((reader, read)) => {
                self.reader = Some(reader);
                read
            }
            Err(panicked) => {
                tracing::error!(console = %self.session.console.name, %panicked, "cannot read");
                Read::Gap { to }
            }
        };
        match read {
            Read::Pieces(pieces) => {
                self.offset = pieces.last().map_or(from, Piece::end);
                Item::Pieces(pieces)
            }
            Read::Gap { to } => {
                self.offset = to;
                Item::Gap { from, to }
            }
        }
    }
}

enum Taken {
    Item(Item),
    /// The bytes up to `to` are not in the ring any more.
    Behind {
        to: u64,
    },
    Nothing,
}
