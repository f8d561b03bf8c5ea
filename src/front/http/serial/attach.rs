//! `GET /consoles/{name}/attach`: a console on a WebSocket. [`crate::wire::attach`] has the protocol.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Path, State};
use axum::response::Response;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tokio_util::task::TaskTracker;

use super::super::{ApiError, Params, Peer};
use super::{Consoles, find, from_text};
use crate::console::{Attach, Console, Item, Session, Stream};
use crate::wire::attach::{self, FromServer, MAX_CLIENT_MESSAGE, Request};

/// How many answers may wait to be sent. A client that does not read them is not read either.
const ANSWERS: usize = 16;
/// What a connection may buffer for reading, in bytes: people type little.
const READ_BUFFER: usize = 4 * 1024;
/// How long the last answers may take to be sent to a client that is leaving.
const LAST_ANSWERS: Duration = Duration::from_secs(5);
/// How often a client hears from us even when there is nothing to say. It may wait long for an answer
/// of its own: what it types is taken only as fast as the board takes it.
const PING: Duration = Duration::from_secs(5);
/// The size of a screen when the client does not tell.
const SCREEN: (NonZeroU16, NonZeroU16) =
    (NonZeroU16::new(24).unwrap(), NonZeroU16::new(80).unwrap());

pub(super) async fn attach(
    State(consoles): State<Consoles>,
    Path(name): Path<String>,
    Params(query): Params<attach::Query>,
    Extension(peer): Extension<Peer>,
    Extension(tasks): Extension<TaskTracker>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, ApiError> {
    let console = find(&consoles, &name)?;
    let (from, screen) = begin(&console, &query).await?;
    let user = query.user.unwrap_or_else(|| format!("websocket:{}", peer.0));
    let attach = Attach { user, via: "websocket", peer: peer.0, mode: query.mode, from };
    let upgrade = upgrade
        .max_message_size(MAX_CLIENT_MESSAGE)
        .max_frame_size(MAX_CLIENT_MESSAGE)
        .read_buffer_size(READ_BUFFER);
    Ok(upgrade.on_upgrade(move |socket| {
        // axum spawns it; the tracker sees to it that it is waited for.
        tasks.track_future(async move {
            let name = console.name().clone();
            if let Err(error) = serve(socket, &console, attach, screen).await {
                tracing::debug!(console = %name, %error, "an attached client is gone");
            }
        })
    }))
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
        Some(from) => Ok((Some(from_text(console, from).await?), None)),
    }
}

async fn serve(
    socket: WebSocket,
    console: &Arc<Console>,
    attach: Attach,
    screen: Option<FromServer>,
) -> Result<(), axum::Error> {
    let (session, out) = console.attach(attach);
    let (mut to, from) = socket.split();
    to.send(text(&hello(&session, &out))).await?;
    if let Some(screen) = screen {
        to.send(text(&screen)).await?;
    }
    let (answer, answers) = mpsc::channel(ANSWERS);
    let mut up = std::pin::pin!(up(from, &session, answer));
    let mut down = std::pin::pin!(down(out, answers, to));
    tokio::select! {
        ended = &mut down => ended,
        ended = &mut up => {
            // The answers that are left are still sent, unless nobody takes them.
            let _ = tokio::time::timeout(LAST_ANSWERS, down).await;
            ended
        }
    }
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

/// What the client sends: bytes to type, and requests.
async fn up(
    mut from: SplitStream<WebSocket>,
    session: &Session,
    answers: mpsc::Sender<Message>,
) -> Result<(), axum::Error> {
    while let Some(message) = from.next().await {
        let answer = match message? {
            Message::Binary(bytes) => match session.write(bytes).await {
                Ok(()) => continue,
                // The bytes have no id to answer to; 0 is none that a request has.
                Err(error) => FromServer::Reply {
                    id: 0,
                    answer: attach::Answer::Refused { reason: error.to_string() },
                },
            },
            Message::Text(request) => match serde_json::from_str::<Request>(&request) {
                Ok(Request { id, verb }) => {
                    FromServer::Reply { id, answer: session.request(verb).await }
                }
                Err(error) => {
                    let reason = format!("not a request: {error}");
                    let frame = CloseFrame { code: close_code::INVALID, reason: reason.into() };
                    // It may be gone already.
                    let _ = answers.send(Message::Close(Some(frame))).await;
                    return Ok(());
                }
            },
            Message::Close(_) => return Ok(()),
            Message::Ping(_) | Message::Pong(_) => continue,
        };
        if answers.send(text(&answer)).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// What the client gets: the stream and its events, and the answers to requests.
async fn down(
    mut out: Stream,
    mut answers: mpsc::Receiver<Message>,
    mut to: SplitSink<WebSocket, Message>,
) -> Result<(), axum::Error> {
    let mut ping = tokio::time::interval(PING);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ping.tick() => to.send(Message::Ping(Bytes::new())).await?,
            // After the last answer the client's half is done, and with it the session.
            answer = answers.recv() => match answer {
                Some(answer) => to.send(answer).await?,
                None => return to.close().await,
            },
            item = out.next() => match item {
                Some(Item::Pieces(pieces)) => {
                    for piece in pieces {
                        to.feed(Message::Binary(piece.encode())).await?;
                    }
                    to.flush().await?;
                }
                Some(Item::Event(event)) => to.send(text(&FromServer::Event(event))).await?,
                Some(Item::Gap { from, to: end }) => {
                    to.send(text(&FromServer::Gap { from, to: end })).await?;
                }
                Some(Item::Mode { mode, by, holder }) => {
                    to.send(text(&FromServer::Mode { mode, by, holder })).await?;
                }
                None => return to.close().await,
            },
        }
    }
}

fn text(message: &FromServer) -> Message {
    // Plain structs of numbers and texts cannot fail to serialize.
    let json = serde_json::to_string(message).unwrap_or_default();
    Message::Text(Utf8Bytes::from(json))
}
