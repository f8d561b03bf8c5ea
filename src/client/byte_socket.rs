//! A WebSocket of a service that is not ours, whose messages are the bytes of a terminal.

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::Stream;
use super::service::Service;

/// The largest message that is taken, in bytes.
const MAX_MESSAGE: usize = 16 * 1024 * 1024;

/// An open one.
pub struct ByteSocket {
    socket: WebSocketStream<Box<dyn Stream>>,
    /// Who is at its other end, as `HOST:PORT`: its URL may have a key in it.
    service: String,
}

impl ByteSocket {
    /// Opens it: `wss://HOST/PATH`, or `ws://` on this host.
    ///
    /// # Errors
    /// Why it cannot be opened, without its URL.
    pub async fn open(url: &str) -> Result<Self, String> {
        let at = Service::parse(url)?;
        let service = at.authority();
        let failed = |error: Error| match error {
            Error::Http(answer) => format!("{service} refuses a WebSocket: {}", answer.status()),
            error => format!("no WebSocket with {service}: {error}"),
        };
        let stream = at.connect().await?;
        let request = url.into_client_request().map_err(failed)?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE));
        let opening = tokio_tungstenite::client_async_with_config(request, stream, Some(config));
        let (socket, _) = opening.await.map_err(failed)?;
        Ok(Self { socket, service: at.authority() })
    }

    /// What comes next. Cancel safe.
    ///
    /// # Errors
    /// Why nothing will come any more.
    pub async fn next(&mut self) -> Result<Bytes, String> {
        loop {
            let service = &self.service;
            match self.socket.next().await {
                Some(Ok(Message::Binary(bytes))) => return Ok(bytes),
                Some(Ok(Message::Text(text))) => return Ok(text.into()),
                // What is a ping is answered by the library.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Close(frame))) => {
                    let reason = frame.map(|frame| frame.reason.to_string()).unwrap_or_default();
                    return Err(match reason.as_str() {
                        "" => format!("{service} has closed the console"),
                        reason => format!("{service} has closed the console: {reason}"),
                    });
                }
                Some(Err(error)) => return Err(format!("{service}: {error}")),
                None => return Err(format!("{service} has closed the console")),
            }
        }
    }

    /// Sends bytes as one message.
    ///
    /// # Errors
    /// Why they may not have arrived.
    pub async fn send(&mut self, bytes: Bytes) -> Result<(), String> {
        let sent = self.socket.send(Message::Binary(bytes)).await;
        sent.map_err(|error| format!("{}: {error}", self.service))
    }
}

impl std::fmt::Debug for ByteSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ByteSocket with {}", self.service)
    }
}
