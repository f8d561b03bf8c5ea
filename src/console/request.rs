//! Requests: what sessions, and others by HTTP, want of a console.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::Console;
use super::input::{Break, Request, Sequence};
use super::line::{LineChange, LineRequest};
use super::lock::SessionId;
use super::receipt::receipt;
use super::session::{Session, WriteError};
use crate::model::event::Mode;
use crate::model::keys::{BREAK_MS, MAX_BREAK_MS};
use crate::model::{Keys, Kind, Name, Step, What, units};
use crate::wire::attach::{Answer, PortState, Session as SessionRow, Verb};
use crate::wire::line::LineState;
use crate::wire::request::SendBreak;

/// The longest message or note, in bytes.
const MAX_TEXT: usize = 4096;
/// The break sequence that is sent when nothing is said about it.
const DEFAULT: &str = "default";

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    pub(super) console: &'a Arc<Console>,
    pub(super) user: &'a str,
    /// `None` for somebody who is not attached.
    pub(super) session: Option<SessionId>,
}

/// Why a request was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    #[error(transparent)]
    ReadOnly(#[from] WriteError),
    #[error("{0}")]
    Wrong(String),
    #[error("there is no session {0} on this console")]
    NoSession(SessionId),
    #[error("you do not hold the console")]
    NotHeld,
    #[error("nobody holds the console")]
    NobodyHolds,
    #[error("there is no break sequence {name}; {}", known(sequences))]
    NoSequence { name: Name, sequences: Vec<String> },
    /// What the port said.
    #[error("{0}")]
    Port(String),
    #[error("nothing is being sent")]
    NotSending,
}

impl RequestError {
    pub fn kind(&self) -> Kind {
        match self {
            Self::ReadOnly(WriteError::ShuttingDown) => Kind::Interrupted,
            Self::ReadOnly(WriteError::Closed(_)) | Self::Port(_) => Kind::Failed,
            Self::ReadOnly(_) | Self::NotHeld => Kind::Refused,
            Self::Wrong(_)
            | Self::NoSession(_)
            | Self::NobodyHolds
            | Self::NoSequence { .. }
            | Self::NotSending => Kind::User,
        }
    }
}

fn known(sequences: &[String]) -> String {
    match sequences {
        [] => "none is configured".into(),
        known => format!("there are {}", known.join(", ")),
    }
}

impl<'a> Asker<'a> {
    /// Somebody who is not attached.
    pub fn new(console: &'a Arc<Console>, user: &'a str) -> Self {
        Self { console, user, session: None }
    }

    pub fn of_session(session: &'a Session) -> Self {
        Self { console: session.console(), user: session.user(), session: Some(session.id()) }
    }

    /// Carries out a request. What takes a while, sending, is called back when `cancel` says so, and
    /// when this is dropped.
    ///
    /// # Errors
    /// Why it was not carried out.
    pub async fn carry_out(
        self,
        verb: Verb,
        cancel: &CancellationToken,
    ) -> Result<Answer, RequestError> {
        let console = self.console;
        if let Some(session) = self.session {
            console.state().attendance.touch(session);
        }
        match verb {
            Verb::Force(of) => self.force(of.session).await?,
            Verb::Release(of) => self.release(of.session).await?,
            Verb::Mode { mode } => self.set_mode(mode).await?,
            Verb::Break(asked) => self.send_break(asked, cancel).await?,
            Verb::Sequences => return Ok(Answer::Sequences { sequences: console.sequences() }),
            Verb::Message(text) => {
                let text = checked("a message", &text.text)?;
                self.tell(What::Message { text }).await?;
            }
            Verb::Note(text) => {
                let text = checked("a note", &text.text)?;
                self.tell(What::Note { text }).await?;
            }
            Verb::Who => return Ok(Answer::Sessions { sessions: console.state().sessions() }),
            Verb::Kick(kick) => self.kick(kick.session).await?,
            Verb::Line(asked) => {
                let wishes = asked.wishes().map_err(RequestError::Wrong)?;
                if !wishes.is_none() {
                    self.change_line(LineChange::Set(wishes)).await?;
                }
                return Ok(Answer::Line(console.line_now().await));
            }
            Verb::Close => self.set_down(true).await?,
            Verb::Open => self.set_down(false).await?,
            Verb::Send(send) => {
                let bytes = send.payload().map_err(RequestError::Wrong)?;
                return self.send(bytes, &send, cancel).await;
            }
            // Whoever serves the sessions knows what is being sent.
            Verb::Cancel { .. } => return Err(RequestError::NotSending),
        }
        Ok(Answer::Done)
    }

    async fn force(self, session: Option<SessionId>) -> Result<(), RequestError> {
        let id = self.meant(session)?;
        let (from, to) = {
            let mut state = self.console.state();
            let from = state.lock.force(id).map(|session| session.user);
            let to = Some(id).filter(|id| Some(*id) != self.session);
            (from, to.and_then(|id| Some(state.lock.asked(id)?.user.clone())))
        };
        self.tell(What::Forced { from, to }).await
    }

    async fn release(self, session: Option<SessionId>) -> Result<(), RequestError> {
        let id = match session.or(self.session) {
            Some(_) => self.meant(session)?,
            None => {
                let holder = self.console.state().lock.holder();
                holder.ok_or(RequestError::NobodyHolds)?.session
            }
        };
        // On a line of its own: the state must not be locked while the event is published.
        let passed = self.console.state().lock.release(id);
        let to = passed.ok_or(RequestError::NotHeld)?;
        self.tell(What::Released { to: to.map(|session| session.user) }).await
    }

    /// The session that is meant: the own one when none is named.
    fn meant(self, session: Option<SessionId>) -> Result<SessionId, RequestError> {
        let missing = || RequestError::Wrong("\"session\" is missing: whose it is to be".into());
        let id = session.or(self.session).ok_or_else(missing)?;
        let known = self.console.state().lock.asked(id).is_some();
        if known { Ok(id) } else { Err(RequestError::NoSession(id)) }
    }

    async fn set_mode(self, mode: Mode) -> Result<(), RequestError> {
        let id = self.meant(None)?;
        let (passed, now, holder, lease) = {
            let mut state = self.console.state();
            let passed = state.lock.set_mode(id, mode);
            (passed, state.lock.mode(id), state.lock.holder(), state.lock.lease().cloned())
        };
        self.tell(What::Mode { mode }).await?;
        if let Some(to) = passed {
            self.tell(What::Released { to: to.map(|session| session.user) }).await?;
        }
        match (holder, lease) {
            _ if now == mode => Ok(()),
            (Some(holder), _) => Err(WriteError::Held { holder: Box::new(holder) }.into()),
            (None, Some(lease)) => Err(WriteError::Leased { lease: Box::new(lease) }.into()),
            (None, None) => Ok(()),
        }
    }

    async fn kick(self, id: SessionId) -> Result<(), RequestError> {
        let row = self.console.state().lock.asked(id).cloned();
        let SessionRow { session, user, .. } = row.ok_or(RequestError::NoSession(id))?;
        self.console.state().attendance.end(id, format!("{} let you go", self.user));
        self.tell(What::Kicked { session, user }).await?;
        self.console.wake_sessions();
        Ok(())
    }

    async fn send_break(
        self,
        asked: SendBreak,
        cancel: &CancellationToken,
    ) -> Result<(), RequestError> {
        self.may_write()?;
        let found = self.sequence(&asked)?;
        let Some((name, keys)) = found else {
            let ms = asked.ms.unwrap_or(BREAK_MS);
            if !(1..=MAX_BREAK_MS).contains(&ms) {
                let what = format!("a break lasts 1 to {MAX_BREAK_MS} ms, not {ms}");
                return Err(RequestError::Wrong(what));
            }
            let who = self.user.to_owned();
            let answer = |answer| Request::Break(Box::new(Break { who, ms, answer }));
            return self.console.ask(answer).await.map_err(RequestError::Port);
        };
        let steps = keys.steps().iter().map(|step| match step {
            Step::Type(bytes) => bytes.len(),

            _ => 1,
        });
        let all = steps.sum();
        let (receipt, mut awaited) = receipt();
        let who = self.user.to_owned();
        let request = Sequence { who, name: Some(name), keys, receipt };
        self.console.request(Request::Sequence(Box::new(request))).await?;
        match self.settled(&mut awaited, all, cancel).await {
            settled if settled.done == all => Ok(()),
            settled => Err(RequestError::Port(
                settled.reason.unwrap_or_else(|| "the sequence was not sent to its end".into()),
            )),
        }
    }

    /// The sequence that is meant; `None` for a plain break.
    fn sequence(self, asked: &SendBreak) -> Result<Option<(Name, Keys)>, RequestError> {
        if asked.sequence.is_some() && asked.ms.is_some() {
            let what = "a break has either a length or the name of a sequence";
            return Err(RequestError::Wrong(what.into()));
        }
        if asked.ms.is_some() {
            return Ok(None);
        }
        self.console.with_manners(|manners| {
            let name = asked.sequence.as_ref().map_or(DEFAULT, Name::as_str);
            match (manners.breaks.get_key_value(name), &asked.sequence) {
                (Some((name, keys)), _) => Ok(Some((name.clone(), keys.clone()))),
                (None, None) => Ok(None),
                (None, Some(name)) => Err(RequestError::NoSequence {
                    name: name.clone(),
                    sequences: manners.breaks.keys().map(ToString::to_string).collect(),
                }),
            }
        })
    }

    /// Changes the line. What the port cannot do is remembered instead, and is no error.
    pub(super) async fn change_line(self, change: LineChange) -> Result<(), RequestError> {
        if change != LineChange::Watch {
            self.may_set()?;
        }
        let who = self.user.to_owned();
        let request = |answer| Request::Line(Box::new(LineRequest { who, change, answer }));
        self.console.ask(request).await.map_err(RequestError::Port)
    }

    /// Whether one who is not attached, or this session, may write now; and how often the lock was
    /// forced until now. Who has the console attached may also write from elsewhere.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn may_write(self) -> Result<u64, WriteError> {
        let forced = self.may_set()?;
        let mut state = self.console.state();
        state.used_us = units::now_us();
        if let Some(session) = self.session {
            state.lock.typed(session, units::now_us());
        }
        match &state.port {
            PortState::Open => Ok(forced),
            PortState::Starting => Err(WriteError::Closed("it is being opened".into())),
            PortState::Closed { reason } => Err(WriteError::Closed(reason.clone())),
        }
    }

    /// The same, also while the port is not open.
    pub(super) fn may_set(self) -> Result<u64, WriteError> {
        let state = self.console.state();
        let holder = state.lock.holder();
        let may = match (self.session, &holder) {
            (Some(session), _) => state.lock.mode(session) != Mode::Spy,
            (None, Some(holder)) => holder.user == self.user,
            (None, None) => state.lock.lease().is_none_or(|lease| lease.may_use(self.user)),
        };
        let asks = self.session.and_then(|session| state.lock.asked(session));
        let spy = asks.is_some_and(|session| session.mode == Mode::Spy);
        match (holder.map(Box::new), state.lock.lease()) {
            _ if may => Ok(state.lock.forced()),
            (Some(holder), _) => Err(WriteError::Held { holder }),
            (None, Some(lease)) if !spy => {
                Err(WriteError::Leased { lease: Box::new(lease.clone()) })
            }
            (None, _) => Err(WriteError::Spy),
        }
    }

    /// Publishes an event, and sees to it that it is captured.
    pub(super) async fn tell(self, what: What) -> Result<(), RequestError> {
        self.console.event(Some(self.user.to_owned()), what).await?;
        Ok(())
    }
}

/// A text that is fit for other people's terminals.
fn checked(what: &str, text: &str) -> Result<String, RequestError> {
    if text.len() > MAX_TEXT {
        return Err(RequestError::Wrong(format!("{what} has at most {MAX_TEXT} bytes")));
    }
    Ok(text.replace(char::is_control, " "))
}

impl Console {
    /// How the line is now: its wires are read for it, where the port has any.
    pub async fn line_now(self: &Arc<Self>) -> LineState {
        // While somebody watches, the wires are read.
        let watch = self.line.subscribe();
        let request = |answer| {
            let who = String::new();
            Request::Line(Box::new(LineRequest { who, change: LineChange::Watch, answer }))
        };
        if let Err(reason) = self.ask(request).await {
            tracing::debug!(console = %self.name, reason, "the line is not read");
        }
        let line = *watch.borrow();
        line.into()
    }

    /// Asks the supervisor for something that can go wrong.
    pub(super) async fn ask(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<(), String>>) -> Request,
    ) -> Result<(), String> {
        let gone = || WriteError::ShuttingDown.to_string();
        let (answer, answered) = oneshot::channel();
        self.requests.send(request(answer)).await.map_err(|_| gone())?;
        answered.await.unwrap_or_else(|_| Err(gone()))
    }

    async fn request(&self, request: Request) -> Result<(), WriteError> {
        self.requests.send(request).await.map_err(|_| WriteError::ShuttingDown)
    }
}
