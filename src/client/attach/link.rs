//! One WebSocket connection to a console: opened, kept alive, lost.

use std::fmt::Write as _;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use hyper::header::AUTHORIZATION;
use tokio::time::{Interval, MissedTickBehavior};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::{Hello, Opened};
use crate::client::resource::percent_encoded;
use crate::client::{ConsoleRef, ErrorBody, Stream};
use crate::model::{Behalf, Failure, Kind};
use crate::wire::attach::{FromServer, MAX_CLIENT_MESSAGE, Query};
use crate::wire::frame::Frame;

/// The largest message that is taken from a daemon, in bytes.
const MAX_SERVER_MESSAGE: usize = 16 * 1024 * 1024;
/// How long the daemon may take from the connection to its Hello.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
/// After so long without a word the daemon is pinged; after as long again it is given up.
const QUIET: Duration = Duration::from_secs(10);

/// What a daemon sends.
#[derive(Debug)]
pub(super) enum Incoming {
    Frame(Frame),
    Message(FromServer),
}

/// An open connection. Its errors are reasons for a person to read; after one it is of no use.
pub(super) struct Link {
    socket: WebSocketStream<Box<dyn Stream>>,
    /// Something was handed to the socket that may not have left it yet.
    unflushed: bool,
    tick: Interval,
    /// Whether anything came since the last tick.
    heard: bool,
    pinged: bool,
}

impl Link {
    /// Connects and waits for the daemon's Hello.
    ///
    /// # Errors
    /// The daemon's own failure where it refused; else [`Kind::Lab`].
    pub(super) async fn open(console: &ConsoleRef, query: &Query) -> Opened {
        let opening = async {
            let mut link = Self::connect(console, query).await?;
            let first = std::future::poll_fn(|cx| link.poll_receive(cx)).await;
            match first.map(Hello::of) {
                Ok(Some(hello)) => Ok((Box::new(link), hello)),
                Ok(None) => Err(lab(console, "did not begin with a hello")),
                Err(reason) => Err(lab(console, &format!("closed at once: {reason}"))),
            }
        };
        tokio::time::timeout(HELLO_TIMEOUT, opening).await.unwrap_or_else(|_| {
            Err(lab(console, &format!("did not answer within {} s", HELLO_TIMEOUT.as_secs())))
        })
    }

    async fn connect(console: &ConsoleRef, query: &Query) -> Result<Self, Failure> {
        let stream = console.endpoint.connect(&console.login).await?;
        let host = console.endpoint.host();
        let url = format!("ws://{host}{}/attach?{}", console.path, encode(query));
        let request = url.into_client_request();
        let mut request = request.map_err(|error| Failure::from_error(Kind::User, &error))?;
        if let Some(token) = console.endpoint.authorization(&console.login)? {
            request.headers_mut().insert(AUTHORIZATION, token);
        }
        if let Some(behalf) = console.login.behalf()? {
            request.headers_mut().insert(Behalf::HEADER, behalf);
        }
        let config = WebSocketConfig::default()
            .read_buffer_size(64 * 1024)
            .max_write_buffer_size(4 * MAX_CLIENT_MESSAGE)
            .max_message_size(Some(MAX_SERVER_MESSAGE))
            .max_frame_size(Some(MAX_SERVER_MESSAGE));
        let upgrading = tokio_tungstenite::client_async_with_config(request, stream, Some(config));
        let (socket, _) = upgrading.await.map_err(|error| refusal(console, error))?;
        let mut tick = tokio::time::interval(QUIET);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tick.reset();
        Ok(Self { socket, unflushed: false, tick, heard: false, pinged: false })
    }

    /// The next thing that the daemon sends; what was handed over for sending is sent meanwhile.
    pub(super) fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<Incoming, String>> {
        if let Poll::Ready(Err(reason)) = self.poll_sent(cx) {
            return Poll::Ready(Err(reason));
        }
        // What has arrived counts before what the clock says: we may have been stopped for an hour.
        while let Poll::Ready(message) = self.socket.poll_next_unpin(cx) {
            self.heard = true;
            match message {
                Some(Ok(Message::Binary(message))) => {
                    let frame = Frame::decode(message);
                    return Poll::Ready(
                        frame.map(Incoming::Frame).map_err(|error| error.to_string()),
                    );
                }
                Some(Ok(Message::Text(text))) => {
                    let message = serde_json::from_str(&text).map(Incoming::Message);
                    return Poll::Ready(message.map_err(|error| {
                        format!("the daemon sent a message that is not understood: {error}")
                    }));
                }
                Some(Ok(Message::Close(frame))) => {
                    let reason = frame.map(|frame| frame.reason.to_string()).unwrap_or_default();
                    return Poll::Ready(Err(match reason.as_str() {
                        "" => "the daemon closed the connection".into(),
                        reason => format!("the daemon closed the connection: {reason}"),
                    }));
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Err(error)) => return Poll::Ready(Err(reason_of(&error))),
                None => return Poll::Ready(Err("the connection was closed".into())),
            }
        }
        self.poll_alive(cx)
    }

    fn poll_alive<T>(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, String>> {
        while self.tick.poll_tick(cx).is_ready() {
            if std::mem::take(&mut self.heard) {
                self.pinged = false;
            } else if self.pinged {
                let quiet = 2 * QUIET.as_secs();
                return Poll::Ready(Err(format!("the daemon was silent for {quiet} s")));
            } else {
                self.pinged = true;
                if let Poll::Ready(Err(reason)) =
                    self.poll_send(cx, &mut Some(Message::Ping(Bytes::new())))
                {
                    return Poll::Ready(Err(reason));
                }
            }
        }
        Poll::Pending
    }

    /// Takes the message for sending once there is room for it; [`Self::poll_sent`] sees it leave.
    pub(super) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        message: &mut Option<Message>,
    ) -> Poll<Result<(), String>> {
        std::task::ready!(self.socket.poll_ready_unpin(cx)).map_err(|error| reason_of(&error))?;
        if let Some(message) = message.take() {
            self.socket.start_send_unpin(message).map_err(|error| reason_of(&error))?;
            self.unflushed = true;
        }
        match self.poll_sent(cx) {
            Poll::Ready(Err(reason)) => Poll::Ready(Err(reason)),
            _ => Poll::Ready(Ok(())),
        }
    }

    /// Ready when everything handed over has left for the daemon.
    pub(super) fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), String>> {
        if self.unflushed {
            std::task::ready!(self.socket.poll_flush_unpin(cx)).map_err(|e| reason_of(&e))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Says goodbye and waits until the daemon has taken everything that was sent before.
    pub(super) async fn close(mut self) {
        if self.socket.close(None).await.is_ok() {
            while let Some(Ok(_)) = self.socket.next().await {}
        }
    }
}

fn encode(query: &Query) -> String {
    let Query { mode, from, user, rows, cols, stay } = query;
    let mut text = format!("mode={mode}");
    for (key, value) in [("rows", rows), ("cols", cols)] {
        let _ = value.map(|value| write!(text, "&{key}={value}"));
    }
    for (key, value) in [("from", from), ("user", user)] {
        let Some(value) = value else { continue };
        let _ = write!(text, "&{key}={}", percent_encoded(value));
    }
    if *stay {
        text += "&stay=true";
    }
    text
}

fn refusal(console: &ConsoleRef, error: Error) -> Failure {
    let Error::Http(response) = error else {
        return lab(console, &format!("cannot be attached to: {}", reason_of(&error)));
    };
    let (head, body) = response.into_parts();
    let body = body.unwrap_or_default();
    match serde_json::from_slice::<ErrorBody>(&body) {
        Ok(body) => body.failure(head.status, &console.endpoint),
        Err(_) => lab(console, &format!("answered {}", head.status)),
    }
}

fn lab(console: &ConsoleRef, what: &str) -> Failure {
    Failure::new(Kind::Lab, format!("{console} {what}"))
}

fn reason_of(error: &Error) -> String {
    match error {
        Error::ConnectionClosed | Error::AlreadyClosed | Error::Protocol(_) => {
            "the connection was closed".into()
        }
        Error::Io(error) => error.to_string(),
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::Mode;

    #[test]
    fn a_query_is_safe_in_a_url() {
        let query = Query {
            mode: Mode::Spy,
            from: Some("2026-11-21T11:00:00+01:00".into()),
            user: Some("zoë&co".into()),
            stay: true,
            ..Query::default()
        };
        assert_eq!(
            encode(&query),
            "mode=spy&from=2026-11-21T11%3A00%3A00%2B01%3A00&user=zo%C3%AB%26co&stay=true"
        );
    }
}
