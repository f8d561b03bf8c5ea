//! Consoles: one task owns a port; any number of sessions read its stream by offset.
//!
//! [`Console::start`] gives a handle and the future that owns the port ([`supervisor`]). Sessions
//! ([`Session`]) pull: each has its own offset, is woken by a watch value, and reads the [`ring`]
//! or, when it has fallen behind that, the capture. So a client that stopped reading costs nobody
//! anything and loses nothing.

mod alarm;
mod attendance;
mod cells;
mod down;
mod hand_over;
mod health;
mod input;
mod leasing;
mod line;
mod lines;
mod lock;
mod manners;
mod past;
mod pending;
mod receipt;
mod record;
mod request;
mod ring;
mod roster;
mod screen;
mod search;
mod send;
mod session;
mod signs;
mod state;
mod step;
mod supervisor;
mod tail;
mod terminal;
mod typing;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::capture::{self, Store};
use crate::config::{CaptureOptions, Manners, PortSpec};
use crate::model::line::{Line, LineSettings};
use crate::model::{Event, Health, Name, What, units, user_text};
use crate::wire::attach::{PortState, Session as SessionRow};
use crate::wire::feed::PowerTold;
use crate::wire::line::LineState;
use input::{Request, Typed};
use signs::Signs;
use state::State;

pub use attendance::Told;
pub use hand_over::{Handed, HandedState, SessionMark};
pub use line::LineChange;
pub use past::{Past, PastError};
pub use request::{Asker, RequestError};
pub use roster::Roster;
pub use screen::Screen;
pub use search::Search;
pub use session::{Attach, Item, Session, Stream, WriteError};
pub use terminal::{REPLAY, Terminal};

/// How many messages of typed bytes may wait for the port. Who types beyond that waits.
const TYPED: usize = 8;
/// How many requests may wait for the supervisor.
const REQUESTS: usize = 32;

/// How far a console's stream and its events have come. Readers are woken when it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Head {
    /// The offset that the next byte will have. Published only after the capture has the bytes.
    offset: u64,
    /// The number of events so far.
    events: u64,
}

/// How long a console lives, and where its work runs.
#[derive(Debug, Clone)]
pub struct Lifetime {
    /// Runs what blocks.
    pub tasks: TaskTracker,
    /// The console ends: everything is written, the port is closed.
    pub shutdown: CancellationToken,
    /// The console is given away: its owner gives the open port and all state.
    pub hand_over: CancellationToken,
}

/// A console: the handle that every listener and session shares.
#[derive(Debug)]
pub struct Console {
    name: Name,
    store: Arc<Store>,
    state: Mutex<State>,
    head: watch::Sender<Head>,
    /// Bytes for the board.
    typed: mpsc::Sender<Box<Typed>>,
    /// Everything else that the supervisor is asked for: it does not wait behind typed bytes.
    requests: mpsc::Sender<Request>,
    /// Has the supervisor look for events that are not captured, and for what was called back.
    news: Notify,
    /// Cancelled when the console is to end.
    shutdown: CancellationToken,
    /// How the line is set and what its wires say. Changed by the supervisor only.
    line: watch::Sender<Line>,
    /// Sessions follow it for their idle times; sent again unchanged, it has them see whether they were
    /// let go.
    manners: watch::Sender<Arc<Manners>>,
}

/// A console at one moment, as `GET /consoles` shows it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct Status {
    #[schema(value_type = String)]
    pub name: Name,
    /// The port's text form, as `tty:/dev/ttyUSB0,115200n8`; a program without its arguments.
    pub port: String,
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub state: PortState,
    /// The oldest offset that is held.
    pub first: u64,
    /// The offset that the next byte will have.
    pub head: u64,
    /// Why the capture cannot be written at the moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture_error: Option<String>,
    #[schema(value_type = Vec<Object>)]
    pub sessions: Vec<SessionRow>,
    #[schema(value_type = Option<Object>)]
    pub holder: Option<SessionRow>,
    /// How the line and the board are, as far as its bytes tell.
    pub health: Health,
    /// The line; where one console is asked for, not in a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<LineState>,
    /// The break sequences: name, and what is sent. Also where one console is asked for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = Object)]
    pub sequences: BTreeMap<Name, String>,
}

impl Console {
    /// Opens a console's capture, and gives its handle and the future that owns the port. The
    /// future ends soon after its shutdown, with everything written, or gives the console away. One
    /// that was given away by another process goes on where that ended.
    ///
    /// # Errors
    /// When the capture cannot be opened.
    pub fn start(
        name: Name,
        spec: PortSpec,
        options: CaptureOptions,
        lifetime: Lifetime,
        handed: Option<Handed>,
    ) -> Result<(Arc<Self>, impl Future<Output = Option<Handed>> + Send), capture::OpenError> {
        let mut writer = capture::Writer::open(&name, options)?;
        let (typed, typing) = mpsc::channel(TYPED);
        let (requests, asked) = mpsc::channel(REQUESTS);
        let settings = LineSettings { framing: spec.framing(), ..LineSettings::default() };
        let mut line = Line { settings, ..Line::default() };
        let mut state = State::new(&spec);
        let (mut resumed, mut signs) = (None, Signs::default());
        if let Some(Handed { state: handed, port }) = handed {
            handed.reserve_sessions();
            if handed.port == state.spec {
                line = handed.line;
                // What was told of a port that is lost is not told again.
                if let Some(closed @ PortState::Closed { .. }) = handed.port_state {
                    state.port = closed;
                }
                let (typed, down) = (handed.typed, handed.down);
                resumed = Some(supervisor::Resumed { port, typed, down });
            }
            (state.lock, state.events) = (handed.lock, handed.events);
            (state.vitals, signs) = (handed.vitals, handed.signs.checked());
            if let Some(gap) = writer.skip_to(handed.head, units::now_us()) {
                state.events.push(gap);
            }
        }
        let now_us = units::now_us();
        let silent_at = state.vitals.silent_in(now_us).map(|time| Instant::now() + time);
        let recorded = state.events.count();
        let head = Head { offset: writer.head(), events: state.events.count() };
        let console = Arc::new(Self {
            name,
            store: writer.store().clone(),
            state: Mutex::new(state),
            head: watch::Sender::new(head),
            typed,
            requests,
            news: Notify::new(),
            shutdown: lifetime.shutdown.clone(),
            line: watch::Sender::new(line),
            manners: watch::Sender::default(),
        });
        let supervisor = supervisor::Supervisor {
            console: console.clone(),
            spec,
            tend_at: Instant::now() + writer.tended_every(),
            writer,
            typed: typing,
            requests: asked,
            lifetime,
            down: None,
            unrecorded: None,
            signs,
            silent_at,
            recorded,
        };
        Ok((console, supervisor.run(resumed)))
    }

    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The offset that the next byte will have.
    pub fn head(&self) -> u64 {
        self.head.borrow().offset
    }

    pub fn status(&self) -> Status {
        let line = *self.line.borrow();
        let errors = line.known.errors.then_some(line.errors);
        let state = self.state();
        let head = self.head();
        Status {
            name: self.name.clone(),
            port: state.shown.clone(),
            state: state.port.clone(),
            first: self.store.first().unwrap_or(head),
            head,
            capture_error: state.capture_error.clone(),
            sessions: state.sessions(),
            holder: state.lock.holder(),
            health: state.vitals.health(units::now_us(), errors),
            line: None,
            sequences: BTreeMap::new(),
        }
    }

    /// What the timeline tells of the board's power.
    pub fn power_told(&self) -> PowerTold {
        self.state().vitals.power_told()
    }

    /// Gives the console another port: the present one is closed, and clients stay.
    ///
    /// # Errors
    /// When the console is shutting down.
    pub async fn change_port(&self, spec: PortSpec) -> Result<(), WriteError> {
        let request = Request::Port(Box::new(spec));
        self.requests.send(request).await.map_err(|_| WriteError::ShuttingDown)
    }

    /// Gives the capture other limits. It stays in its folder.
    ///
    /// # Errors
    /// When the console is shutting down.
    pub async fn change_capture(&self, options: CaptureOptions) -> Result<(), WriteError> {
        let request = Request::Capture(Box::new(options));
        self.requests.send(request).await.map_err(|_| WriteError::ShuttingDown)
    }

    pub fn is_open(&self) -> bool {
        self.state().port == PortState::Open
    }

    /// Has a lost port tried at once: its device may be back.
    pub fn retry(&self) {
        // With a full queue it is tried again soon anyway.
        let _ = self.requests.try_send(Request::Retry);
    }

    /// Has the supervisor see that something was called back.
    fn called_back(&self) {
        self.news.notify_one();
    }

    /// Ends the console: its clients are let go, its port is closed, and all is written.
    pub fn close(&self) {
        self.shutdown.cancel();
    }

    /// Puts an event on the timeline at the head: shown to everyone attached, and captured.
    ///
    /// # Errors
    /// When the console is shutting down.
    pub async fn event(&self, who: Option<String>, what: What) -> Result<Event, WriteError> {
        let who = who.map(|who| user_text(&who));
        if self.requests.is_closed() {
            return Err(WriteError::ShuttingDown);
        }
        Ok(self.publish(who, what))
    }

    /// Shows an event to everyone attached, and has the supervisor capture it.
    fn publish(&self, who: Option<String>, what: What) -> Event {
        let mut state = self.state();
        let offset = self.head.borrow().offset;
        let event = Event { offset, time_us: units::now_us(), who, what };
        if matches!(event.what, What::Power { .. }) {
            state.used_us = event.time_us;
        }
        state.events.push(event.clone());
        self.head.send_modify(|head| head.events += 1);
        self.news.notify_one();
        event
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change leaves the state whole, so that it may be used after a panic elsewhere.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
