//! `GET /consoles/{name}/attach`: a console on a WebSocket. [`crate::wire::attach`] has the protocol.

use std::io;
use std::num::NonZeroU16;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::Path;
use axum::response::Response;
use futures_util::{SinkExt as _, StreamExt as _};
use serde::Serialize;
use tokio::sync::{mpsc, watch};
use tokio_util::task::TaskTracker;

use super::super::access::{Access, Standing};
use super::super::websocket::{
    self, CloseCode, CloseFrame, Error, Handshake, Message, Paused, Receiver, WebSocket,
};
use super::super::{ApiError, Params, Peer, Socket};
use super::consoles::Consoles;
use super::down::Down;
use super::drawing::{Drawing, Size};
use super::jobs::Jobs;
use super::past::offset_of;
use super::rights;
use crate::console::{Attach, Console, Session, Stream, Told};
use crate::front::hand_over::{ClientState, HandOver, HandedClient, ProtocolState};
use crate::model::Right;
use crate::wire::attach::{self, FromServer, MAX_CLIENT_MESSAGE, Request, Verb};
use crate::wire::view::SetSize;

/// How many answers may wait to be sent. A client that does not read them is not read either.
const ANSWERS: usize = 16;
/// How long the last answers may take to be sent to a client that is leaving.
const LAST_ANSWERS: Duration = Duration::from_secs(5);
/// How long a client that the next process cannot go on with may take to go.
const GOODBYE: Duration = Duration::from_secs(1);
/// The size of a screen when the client does not tell.
const SCREEN: (NonZeroU16, NonZeroU16) =
    (NonZeroU16::new(24).unwrap(), NonZeroU16::new(80).unwrap());

pub(super) async fn attach(
    consoles: Consoles,
    Path(name): Path<String>,
    Params(query): Params<attach::Query>,
    Extension(peer): Extension<Peer>,
    Extension(tasks): Extension<TaskTracker>,
    Extension(hand_over): Extension<HandOver>,
    handshake: Handshake,
) -> Result<Response, ApiError> {
    let console = consoles.find(&name)?;
    let caller = consoles.caller().clone();
    let (from, screen) = begin(&console, &query).await?;
    let stay = query.stay;
    let user = caller.user(query.user, || format!("websocket:{}", peer.0));
    let mode = rights::mode(query.mode, caller.on(&name));
    let attach = Attach { user, via: "websocket", peer: peer.0, mode, from, stay };
    let standing = caller.standing(console.name().clone());
    let begin =
        Begin { attach, standing, before: None, after: screen.as_ref().map(text), drawing: None };
    Ok(begin.spawn(console, handshake, &tasks, hand_over))
}

/// A client that is about to attach.
pub(super) struct Begin {
    pub(super) attach: Attach,
    pub(super) standing: Standing,
    /// What is said before the hello, and after it.
    pub(super) before: Option<Message>,
    pub(super) after: Option<Message>,
    pub(super) drawing: Option<Drawing>,
}

impl Begin {
    /// Attaches it when the answer has been sent, which this gives.
    pub(super) fn spawn(
        self,
        console: Arc<Console>,
        handshake: Handshake,
        tasks: &TaskTracker,
        hand_over: HandOver,
    ) -> Response {
        let Self { attach, standing, before, after, drawing } = self;
        let (response, upgraded) = handshake.accept();
        tasks.spawn(async move {
            let socket = match upgraded.await {
                Ok(socket) => socket,
                Err(error) => {
                    tracing::debug!(console = %console.name(), %error, "a client did not attach");
                    return;
                }
            };
            let (session, out) = console.attach(attach);
            let hello = text(&hello(&session, &out));
            let greeting = before.into_iter().chain([hello]).chain(after).collect();
            let typing = Bytes::new();
            AttachedClient { socket, out, standing, typing, greeting, drawing }
                .run(hand_over)
                .await;
        });
        response
    }
}

/// Where the stream is to begin, and the screen if it was asked for.
async fn begin(
    console: &Console,
    query: &attach::Query,
) -> Result<(Option<u64>, Option<FromServer>), ApiError> {
    match query.from.as_deref() {
        None | Some("head") => Ok((None, None)),
        Some("screen") => {
            let (rows, cols) = (query.rows.unwrap_or(SCREEN.0), query.cols.unwrap_or(SCREEN.1));
            let screen = console.screen(rows, cols).await?;
            let offset = screen.offset;
            Ok((Some(offset), Some(FromServer::Screen { offset, rows, cols, draw: screen.draw })))
        }
        Some(from) => Ok((Some(offset_of(console, "from", from).await?), None)),
    }
}

/// A client and its session.
#[derive(Debug)]
pub struct AttachedClient {
    socket: Paused,
    out: Stream,
    standing: Standing,
    /// Typed, and not taken yet.
    typing: Bytes,
    /// What is said first.
    greeting: Vec<Message>,
    /// It is shown the screen, and not the bytes.
    drawing: Option<Drawing>,
}

/// The receiving side of a connection.
struct Up<'a> {
    from: Receiver,
    session: &'a Session,
    standing: Standing,
    answers: mpsc::Sender<Message>,
    /// Typed, and not taken yet.
    typing: Bytes,
    /// Takes the size of the client's screen, if it has one of ours.
    size: Option<watch::Sender<Size>>,
    hand_over: &'a HandOver,
}

impl AttachedClient {
    /// Goes on with a client of another process; `None` when it is no WebSocket, or its session is not
    /// known.
    ///
    /// # Errors
    /// When it is no connection.
    pub fn resume(
        console: &Arc<Console>,
        client: HandedClient,
        access: &Access,
    ) -> io::Result<Option<Self>> {
        let ClientState { session, who, protocol, typing, unsent, .. } = client.state;
        let ProtocolState::WebSocket { unread } = protocol else { return Ok(None) };
        let socket = Paused { socket: Socket::from_fd(client.fd)?, unsent, unread };
        let out = console.rejoin(session).map(|(_, out)| out);
        let standing = access.caller(who).standing(console.name().clone());
        let greeting = Vec::new();
        Ok(out.map(|out| Self { socket, out, standing, typing, greeting, drawing: None }))
    }

    /// Serves the client until it goes, until the console shuts down, or until it is asked for.
    pub async fn run(self, hand_over: HandOver) {
        let name = self.out.session().console().name().clone();
        if let Err(error) = self.serve(&hand_over).await {
            tracing::debug!(console = %name, %error, "an attached client is gone");
        }
    }

    async fn serve(self, hand_over: &HandOver) -> Result<(), Error> {
        let Self { socket, mut out, standing, typing, greeting, drawing } = self;
        let who = standing.caller().who().clone();
        let session = out.session().clone();
        let (mut to, from) = websocket::resume(socket, MAX_CLIENT_MESSAGE).await.split();
        for message in greeting {
            to.feed(message).await?;
        }
        let (answers, answered) = mpsc::channel(ANSWERS);
        let last = answers.downgrade();
        let (size, drawn) = (drawing.as_ref().map(Drawing::size), drawing.is_some());
        let up = Up { from, session: &session, standing, answers, typing, size, hand_over };
        let down = Down { to, answers: answered, drawing, hand_over };
        let ((from, typing), to) = {
            let (mut up, mut down) = (pin!(up.run()), pin!(down.run(&mut out)));
            tokio::select! {
                ended = &mut down => return ended.map(|_| ()),
                () = tell(&session, last) => {
                    // The client goes by itself when it has heard of it, or is let go.
                    let gone = futures_util::future::select(up, down);
                    let _ = tokio::time::timeout(LAST_ANSWERS, gone).await;
                    return Ok(());
                }
                ended = &mut up => {
                    if hand_over.is_asked() {
                        (ended?, down.await?)
                    } else {
                        // The answers that are left are still sent, unless nobody takes them.
                        let _ = tokio::time::timeout(LAST_ANSWERS, down).await;
                        return ended.map(|_| ());
                    }
                }
            }
        };
        let paused = match drawn {
            // What is on its screen is not handed over: it comes again, and says what it has.
            true => Err(websocket::whole(to, from)),
            false => websocket::pause(to, from),
        };
        let Paused { socket, unsent, unread } = match paused {
            Ok(paused) => paused,
            Err(None) => return Ok(()),
            Err(Some(socket)) => {
                let goodbye = goodbye(socket, &session, typing);
                return tokio::time::timeout(GOODBYE, goodbye).await.unwrap_or(Ok(()));
            }
        };
        let console = session.console().name().clone();
        let protocol = ProtocolState::WebSocket { unread };
        let session = out.leave();
        let state = ClientState { console, session, who, protocol, typing, unsent };
        let fd = socket.into_fd().map_err(Error::Io)?;
        hand_over.give(HandedClient { fd, state });
        Ok(())
    }
}

/// Tells the client what the daemon has to say, until it is to be let go.
async fn tell(session: &Session, answers: mpsc::WeakSender<Message>) {
    loop {
        let told = session.told().await;
        // Without the sender the client is going already.
        let Some(answers) = answers.upgrade() else { return std::future::pending().await };
        match told {
            Told::Notice(notice) => {
                // A client that reads nothing is told nothing, and can still be let go.
                let _ = answers.try_send(text(&FromServer::Notice { text: notice }));
            }
            Told::Ended(reason) => {
                // A client that reads nothing goes without a word.
                let _ = answers.try_send(text(&FromServer::Ended { reason }));
                return;
            }
        }
    }
}

/// Lets a client go whom the next process cannot go on with. What it has typed is still typed.
async fn goodbye(
    mut socket: Box<WebSocket>,
    session: &Session,
    mut typing: Bytes,
) -> Result<(), Error> {
    // What cannot be typed now could not be later; there is nobody to tell any more.
    let _ = session.write(&mut typing).await;
    websocket::farewell(&mut socket).await?;
    while let Some(message) = socket.next().await {
        if let Message::Binary(mut bytes) = message? {
            let _ = session.write(&mut bytes).await;
        }
    }
    Ok(())
}

fn hello(session: &Session, out: &Stream) -> FromServer {
    let status = session.console().status();
    FromServer::Hello {
        console: status.name,
        session: session.id(),
        mode: out.mode(),
        from: out.offset(),
        head: status.head,
        port: status.state,
        others: status.sessions.into_iter().filter(|s| s.session != session.id()).collect(),
        holder: status.holder,
    }
}

impl Up<'_> {
    /// What the client sends: bytes to type, and requests. Gives what is left when it is asked for.
    async fn run(mut self) -> Result<(Receiver, Bytes), Error> {
        let mut jobs = Jobs::new(self.session);
        loop {
            let typed = tokio::select! {
                typed = self.session.write(&mut self.typing) => typed,
                done = jobs.next() => {
                    self.answer_all(done).await;
                    continue;
                }
                right = self.standing.changed() => match self.heed(right) {
                    true => continue,
                    false => break,
                },
                () = self.hand_over.asked() => break,
            };
            if let Err(error) = typed {
                self.typing.clear();
                // The bytes have no id to answer to; 0 is none that a request has.
                let answer = attach::Answer::Refused { reason: error.to_string() };
                if !self.answer_all([FromServer::Reply { id: 0, answer }]).await {
                    break;
                }
            }
            let message = tokio::select! {
                message = self.from.next() => message,
                done = jobs.next() => {
                    self.answer_all(done).await;
                    continue;
                }
                right = self.standing.changed() => match self.heed(right) {
                    true => continue,
                    false => break,
                },
                () = self.hand_over.asked() => break,
            };
            let answer = match message.transpose()? {
                // Whatever its mode is: somebody else may have given it the lock.
                Some(Message::Binary(_)) if !self.standing.may(Right::Write) => {
                    let reason = "read-only: you do not have the right to write here".to_owned();
                    let answer = attach::Answer::Refused { reason };
                    Some(FromServer::Reply { id: 0, answer })
                }
                Some(Message::Binary(bytes)) => {
                    self.typing = bytes;
                    continue;
                }
                Some(Message::Text(request)) if self.resized(&request) => continue,
                Some(Message::Text(request)) => match serde_json::from_str::<Request>(&request) {
                    Ok(Request { id, verb }) => match self.refusal(&verb) {
                        Some(reason) => {
                            let answer = attach::Answer::Refused { reason };
                            Some(FromServer::Reply { id, answer })
                        }
                        None => jobs.ask(id, verb).await,
                    },
                    Err(error) => {
                        let reason = format!("not a request: {error}").into();
                        let frame = CloseFrame { code: CloseCode::Invalid, reason };
                        // It may be gone already.
                        let _ = self.answers.send(Message::Close(Some(frame))).await;
                        break;
                    }
                },
                Some(Message::Close(_)) | None => break,
                Some(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => continue,
            };
            if !self.answer_all(answer).await {
                break;
            }
        }
        if self.hand_over.is_asked() {
            self.answer_all(jobs.stop().await).await;
        }
        Ok((self.from, self.typing))
    }

    /// Whether a request was to give the client's screen another size; then it has it.
    fn resized(&self, request: &str) -> bool {
        let Some(size) = &self.size else { return false };
        let asked = serde_json::from_str::<SetSize>(request).map(Size::from);
        asked.is_ok_and(|asked| size.send(asked).is_ok())
    }

    /// Has answers sent; false when nobody sends them any more.
    async fn answer_all(&self, answers: impl IntoIterator<Item = FromServer>) -> bool {
        for answer in answers {
            if self.answers.send(text(&answer)).await.is_err() {
                return false;
            }
        }
        true
    }

    /// Does what a change of the client's rights asks for; false when it is to go.
    fn heed(&self, right: Option<Right>) -> bool {
        if right >= Some(Right::Write) {
            return true;
        }
        self.session.restrict();
        if right >= Some(Right::Spy) {
            return true;
        }
        let reason = "you may not read this console any more".to_owned();
        let frame = CloseFrame { code: CloseCode::Policy, reason: reason.clone().into() };
        // Who does not read its answers goes without a word.
        let _ = self.answers.try_send(text(&FromServer::Ended { reason }));
        let _ = self.answers.try_send(Message::Close(Some(frame)));
        false
    }

    /// Why a request is not carried out, if it is not.
    fn refusal(&self, verb: &Verb) -> Option<String> {
        let needed = rights::of_verb(verb);
        let why = || format!("this needs the right to {needed} here, which you do not have");
        (!self.standing.may(needed)).then(why)
    }
}

pub(super) fn text(message: &impl Serialize) -> Message {
    // Plain structs of numbers and texts cannot fail to serialize.
    Message::text(serde_json::to_string(message).unwrap_or_default())
}
