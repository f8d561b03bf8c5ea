//! A client's part in a console.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::input::Typed;
use super::line::LineChange;
use super::lock::SessionId;
use super::request::Asker;
use super::ring::Held;
use super::{Console, Head};
use crate::capture::{Piece, Read, Reader};
use crate::model::event::Mode;
use crate::model::line::Line;
use crate::model::{Event, Lease, What, units, user_text};
use crate::wire::attach::{Answer, Session as SessionRow, Verb};

/// At most about this many bytes are given at a time.
const BATCH: usize = 256 * 1024;

/// The number of the next session of this process.
pub(super) static NEXT_SESSION: AtomicU64 = AtomicU64::new(1);

/// Who attaches, and how.
#[derive(Debug, Clone)]
pub struct Attach {
    pub user: String,
    /// `websocket`, `browser`, `telnet`, `raw` or `conmux`.
    pub via: &'static str,
    pub peer: String,
    pub mode: Mode,
    /// The offset of the first byte to read; the head when `None` or beyond it.
    pub from: Option<u64>,
    /// It is not let go for being idle.
    pub stay: bool,
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
    #[error(
        "read-only: the board is leased by {} until {}", lease.holder,
        units::time_text(lease.until_us)
    )]
    Leased { lease: Box<Lease> },
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
                idle_s: 0,
                typed_us: None,
                stay: attach.stay,
            });
            state.attendance.touch(id);
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
            let part = bytes.split_to(bytes.len().min(self.console.piece()));
            room.send(Box::new(Typed::new(self.user.clone(), part, forced)));
        }
        Ok(())
    }

    /// Whether this session may write now, and how often the lock was forced until now.
    fn may_write(&self) -> Result<u64, WriteError> {
        self.console.state().attendance.touch(self.id);
        Asker::of_session(self).may_write()
    }

    /// Carries out a request and answers it.
    pub async fn request(&self, verb: Verb) -> Answer {
        self.carry_out(verb, &CancellationToken::new()).await
    }

    /// The same; what takes a while is called back when `cancel` says so, and when this is dropped.
    pub async fn carry_out(&self, verb: Verb, cancel: &CancellationToken) -> Answer {
        let answer = Asker::of_session(self).carry_out(verb, cancel).await;
        answer.unwrap_or_else(|error| Answer::Refused { reason: error.to_string() })
    }

    /// The session may only look from now on: everyone is told, and what it held goes to the next.
    pub fn restrict(&self) {
        let passed = {
            let mut state = self.console.state();
            let asked = state.lock.asked(self.id).map(|session| session.mode);
            if asked.is_none_or(|mode| mode == Mode::Spy) {
                return;
            }
            state.lock.set_mode(self.id, Mode::Spy)
        };
        self.announce(What::Mode { mode: Mode::Spy });
        if let Some(to) = passed {
            self.announce(What::Released { to: to.map(|session| session.user) });
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
        let changed = Asker::of_session(self).change_line(change).await;
        changed.map_err(|error| error.to_string())
    }

    /// Follows the line: from now on its wires are read again and again where the port has any.
    pub async fn watch_line(&self) -> watch::Receiver<Line> {
        let watch = self.console.line.subscribe();
        if let Err(reason) = self.change_line(LineChange::Watch).await {
            tracing::debug!(console = %self.console.name, reason, "the line is not watched");
        }
        watch
    }

    /// Publishes an event of this session.
    pub(super) fn announce(&self, what: What) {
        self.console.publish(Some(self.user.clone()), what);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if *self.left.get_mut() {
            return;
        }
        let passed = {
            let mut state = self.console.state();
            state.attendance.leave(self.id);
            state.lock.detach(self.id)
        };
        self.announce(What::Detach);
        if let Some(to) = passed {
            self.announce(What::Released { to: to.map(|session| session.user) });
        }
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

    /// How far it is behind the head, in bytes.
    pub fn behind(&self) -> u64 {
        self.head.borrow().offset.saturating_sub(self.offset)
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
                let mode = state.lock.mode(self.session.id);
                if mode != self.mode {
                    self.mode = mode;
                    let holder = state.lock.holder();
                    // The lock may have changed hands since this event, which is another's then.
                    let by = match (&event.what, &holder) {
                        (What::Forced { .. } | What::Released { .. }, _) | (_, None) => {
                            event.who.clone()
                        }
                        (_, Some(holder)) => Some(holder.user.clone()),
                    };
                    self.ready.push_back(Item::Mode { mode, by, holder });
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

#[cfg(test)]
mod tests {
    use tokio_util::task::TaskTracker;

    use super::*;
    use crate::config::CaptureOptions;
    use crate::console::Lifetime;
    use crate::wire::request::OfSession;

    #[tokio::test]
    async fn whoever_takes_the_console_is_named_also_when_another_does_something_just_before() {
        let dir = tempfile::tempdir().unwrap();
        let options = CaptureOptions::new(dir.path());
        let lifetime = Lifetime {
            tasks: TaskTracker::new(),
            shutdown: CancellationToken::new(),
            hand_over: CancellationToken::new(),
        };
        let (name, port) = ("panda01".parse().unwrap(), "sim:uart".parse().unwrap());
        let (console, _owner) = Console::start(name, port, options, lifetime, None).unwrap();
        let attach = |user: &str, mode| {
            let (user, peer) = (user.to_owned(), String::new());
            console.attach(Attach { user, via: "raw", peer, mode, from: None, stay: false })
        };
        let (_job, mut heard) = attach("job:7", Mode::Exclusive);
        let (alice, _) = attach("alice", Mode::Rw);
        // The job has not heard of this yet when the console is taken from it.
        let note = What::Note { text: "the job begins".into() };
        console.event(Some("job:7".into()), note).await.unwrap();
        assert_eq!(alice.request(Verb::Force(OfSession::default())).await, Answer::Done);
        let by = loop {
            if let Some(Item::Mode { mode, by, .. }) = heard.next().await {
                assert_eq!(mode, Mode::Spy);
                break by;
            }
        };
        assert_eq!(by.as_deref(), Some("alice"));
    }
}
