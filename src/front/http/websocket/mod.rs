//! The WebSocket server: the handshake on a request, and a connection that can be handed over.

mod kept;

use std::io;

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, UPGRADE,
};
use axum::http::request::Parts as RequestParts;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::{ApiError, Socket};
use crate::model::{Failure, Kind};
use kept::{Kept, Parts};

pub(super) use tokio_tungstenite::tungstenite::protocol::CloseFrame;
pub(super) use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
pub(super) use tokio_tungstenite::tungstenite::{Error, Message};

/// What is spoken on the WebSocket, for clients that want it named.
const PROTOCOL: &str = "lava-attach";
/// What the library may read ahead, in bytes: people type little.
const READ_BUFFER: usize = 1024;

/// A client's WebSocket.
pub(super) type WebSocket = WebSocketStream<Kept<Socket>>;
pub(super) type Sender = SplitSink<WebSocket, Message>;
pub(super) type Receiver = SplitStream<WebSocket>;

/// A connection between two messages, and what is under way on it.
#[derive(Debug)]
pub(super) struct Paused {
    pub(super) socket: Socket,
    /// To be sent before anything else.
    pub(super) unsent: Bytes,
    /// Received, and not looked at.
    pub(super) unread: Bytes,
}

/// A request to speak WebSocket.
#[derive(Debug)]
pub(super) struct Handshake {
    accept: String,
    /// The client wants to hear what is spoken.
    names_protocol: bool,
    upgrade: OnUpgrade,
}

impl Handshake {
    /// The answer that agrees, and what gives the connection when it has been sent.
    pub(super) fn accept(self) -> (Response, impl Future<Output = io::Result<Paused>>) {
        let response = Response::builder()
            .status(StatusCode::SWITCHING_PROTOCOLS)
            .header(CONNECTION, "upgrade")
            .header(UPGRADE, "websocket")
            .header(SEC_WEBSOCKET_ACCEPT, self.accept);
        let response = match self.names_protocol {
            true => response.header(SEC_WEBSOCKET_PROTOCOL, PROTOCOL),
            false => response,
        };
        let response = response.body(Body::empty());
        let upgraded = async {
            let upgraded = self.upgrade.await.map_err(io::Error::other)?;
            let parts = upgraded.downcast::<TokioIo<Socket>>();
            let parts = parts.map_err(|_| io::Error::other("this is no connection of ours"))?;
            let socket = parts.io.into_inner();
            Ok(Paused { socket, unsent: Bytes::new(), unread: parts.read_buf })
        };
        (response.unwrap_or_default(), upgraded)
    }
}

impl<S: Sync> FromRequestParts<S> for Handshake {
    type Rejection = ApiError;

    /// RFC 6455 section 4.2.1.
    async fn from_request_parts(parts: &mut RequestParts, _: &S) -> Result<Self, ApiError> {
        let refused =
            |what: &str| Failure::new(Kind::User, format!("no WebSocket request: {what}"));
        if parts.method != Method::GET {
            return Err(refused("it is no GET").into());
        }
        if !says(&parts.headers, &CONNECTION, "upgrade")
            || !says(&parts.headers, &UPGRADE, "websocket")
        {
            return Err(refused("Connection: upgrade and Upgrade: websocket are missing").into());
        }
        if !says(&parts.headers, &HeaderName::from_static("sec-websocket-version"), "13") {
            return Err(refused("Sec-WebSocket-Version is not 13").into());
        }
        let key = parts.headers.get(SEC_WEBSOCKET_KEY);
        let key = key.ok_or_else(|| refused("Sec-WebSocket-Key is missing"))?;
        let accept = derive_accept_key(key.as_bytes());
        let upgrade = parts.extensions.remove::<OnUpgrade>();
        let upgrade = upgrade.ok_or_else(|| refused("this connection cannot be upgraded"))?;
        let names_protocol = says(&parts.headers, &SEC_WEBSOCKET_PROTOCOL, PROTOCOL);
        Ok(Self { accept, names_protocol, upgrade })
    }
}

/// Goes on where a connection was paused, or has just begun.
pub(super) async fn resume(paused: Paused, largest: usize) -> WebSocket {
    let Paused { socket, unsent, unread } = paused;
    let kept = Kept::new(Parts { stream: socket, unsent, unread }, 2 * largest);
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .max_message_size(Some(largest))
        .max_frame_size(Some(largest));
    WebSocketStream::from_raw_socket(kept, Role::Server, Some(config)).await
}

/// Pauses a connection. What was handed to the sender is sent later.
///
/// # Errors
/// Gives it back when nobody else could go on with it; [`farewell`] ends it.
pub(super) fn pause(sender: Sender, receiver: Receiver) -> Result<Paused, Option<Box<WebSocket>>> {
    let socket = sender.reunite(receiver).map_err(|_| None)?;
    if !socket.get_ref().stream().can_be_handed_over() {
        return Err(Some(Box::new(socket)));
    }
    let Parts { stream, unsent, unread } = socket.into_inner().into_parts();
    Ok(Paused { socket: stream, unsent, unread })
}

/// A connection whose halves are not needed any more.
pub(super) fn whole(sender: Sender, receiver: Receiver) -> Option<Box<WebSocket>> {
    sender.reunite(receiver).ok().map(Box::new)
}

/// Tells a client that the daemon is replaced. What it has sent before it heard of that still comes.
///
/// # Errors
/// When the connection is broken.
pub(super) async fn farewell(socket: &mut WebSocket) -> Result<(), Error> {
    let reason = "the daemon is replaced; come again".into();
    socket.close(Some(CloseFrame { code: CloseCode::Restart, reason })).await
}

fn says(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|said| said.trim().eq_ignore_ascii_case(word))
}
