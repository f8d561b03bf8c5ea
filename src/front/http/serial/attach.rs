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
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tokio_util::task::TaskTracker;

use super::super::access::{Access, Standing};
use super::super::websocket::{
    self, CloseCode, CloseFrame, Error, Handshake, Message, Paused, Receiver, Sender, WebSocket,
};
use super::super::{ApiError, Params, Peer, Socket};
use super::consoles::Consoles;
use super::jobs::Jobs;
use super::past::offset_of;
use super::rights;
use crate::console::{Attach, Console, Item, Session, Stream, Told};
use crate::front::hand_over::{ClientState, HandOver, HandedClient, ProtocolState};
use crate::model::Right;
use crate::wire::attach::{self, FromServer, MAX_CLIENT_MESSAGE, Request, Verb};

/// How many answers may wait to be sent. A client that does not read them is not read either.
const ANSWERS: usize = 16;
/// How long the last answers may take to be sent to a client that is leaving.
const LAST_ANSWERS: Duration = Duration::from_secs(5);
/// How long a client that the next process cannot go on with may take to go.
const GOODBYE: Duration = Duration::from_secs(1);
/// How often a client hears from us even when there is nothing to say. It may wait long for an answer
/// of its own: what it types is taken only as fast as the board takes it.
const PING: Duration = Duration::from_secs(5);
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
        let greeting = std::iter::once(hello).chain(screen.as_ref().map(text)).collect();
        let standing = caller.standing(console.name().clone());
        let client = AttachedClient { socket, out, standing, typing: Bytes::new(), greeting };
        client.run(hand_over).await;
    });
    Ok(response)
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
}

/// The receiving side of a connection.
struct Up<'a> {
    from: Receiver,
    session: &'a Session,
    standing: Standing,
    answers: mpsc::Sender<Message>,
    /// Typed, and not taken yet.
    typing: Bytes,
    hand_over: &'a HandOver,
}

/// The sending side.
struct Down<'a> {
    to: Sender,
    answers: mpsc::Receiver<Message>,
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
        Ok(out.map(|out| Self { socket, out, standing, typing, greeting: Vec::new() }))
    }

    /// Serves the client until it goes, until the console shuts down, or until it is asked for.
    pub async fn run(self, hand_over: HandOver) {
        let name = self.out.session().console().name().clone();
        if let Err(error) = self.serve(&hand_over).await {
            tracing::debug!(console = %name, %error, "an attached client is gone");
        }
    }

    async fn serve(self, hand_over: &HandOver) -> Result<(), Error> {
        let Self { socket, mut out, standing, typing, greeting } = self;
        let who = standing.caller().who().clone();
        let session = out.session().clone();
        let (mut to, from) = websocket::resume(socket, MAX_CLIENT_MESSAGE).await.split();
        for message in greeting {
            to.feed(message).await?;
        }
        let (answers, answered) = mpsc::channel(ANSWERS);
        let last = answers.downgrade();
        let up = Up { from, session: &session, standing, answers, typing, hand_over };
        let down = Down { to, answers: answered, hand_over };
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
        let Paused { socket, unsent, unread } = match websocket::pause(to, from) {
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

impl Down<'_> {
    /// What the client gets: the stream and its events, and the answers to requests. When it is asked
    /// for, everything that it was to get is under way in the sender.
    async fn run(mut self, out: &mut Stream) -> Result<Sender, Error> {
        let mut ping = tokio::time::interval(PING);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut flushed = false;
        loop {
            // Nothing more is taken while the client does not take what it has.
            let sends = !self.hand_over.is_asked();
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
                item = out.next(), if sends && flushed => match item {
                    Some(item) => self.feed(item).await?,
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

fn text(message: &FromServer) -> Message {
    // Plain structs of numbers and texts cannot fail to serialize.
    Message::text(serde_json::to_string(message).unwrap_or_default())
}
