//! Consoles on plain TCP ports: raw, telnet, and as conmux's clients want them. None can authenticate
//! anybody.

mod com_port;
mod raw;
mod telnet;

pub use telnet::TelnetState;

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, ready};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::tcp::ReadHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::config::serial::Protocol;
use crate::console::{Attach, Console, Stream};
use crate::front::accept;
use crate::front::conmux::{self, MeansNow};
use crate::front::hand_over::{ClientState, Ended, HandOver, HandedClient, ProtocolState};
use crate::front::http::access::Who;
use crate::model::event::Mode;
use crate::sys::keep_alive;

/// How much is read from a client at a time, in bytes.
const READ: usize = 4 * 1024;
/// How many pieces go into one write.
const SLICES: usize = 64;

/// Serves one console on one listener until `shutdown`, or until its clients are asked for.
pub async fn serve(
    listener: Arc<TcpListener>,
    protocol: Protocol,
    console: Arc<Console>,
    means: MeansNow,
    shutdown: CancellationToken,
    hand_over: HandOver,
) {
    let stop = async {
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = hand_over.asked() => {}
        }
    };
    let what = format!("{protocol} of {}", console.name());
    accept::serve(listener, &what, stop, |clients, stream, peer| {
        let (shutdown, hand_over) = (shutdown.clone(), hand_over.clone());
        let (via, peer) = (protocol.as_str(), peer.to_string());
        let spoken = match protocol {
            Protocol::Raw => Spoken::Raw(raw::UnderWay::default()),
            Protocol::Telnet => Spoken::Telnet(Box::new(telnet::Connection::new())),
            Protocol::Conmux => {
                let (console, means) = (console.clone(), means.clone());
                let client = conmux::serve(stream, peer, console, means, shutdown, hand_over);
                clients.spawn(client);
                return;
            }
        };
        match Client::begin(stream, via, &peer, spoken, &console) {
            Ok(client) => {
                clients.spawn(client.run(shutdown, hand_over));
            }
            Err(error) => {
                tracing::debug!(console = %console.name(), %peer, %error, "a client is gone");
            }
        }
    })
    .await;
}

/// A client and its session.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    out: Stream,
    spoken: Spoken,
}

/// What is spoken with a client, and what is under way.
#[derive(Debug)]
enum Spoken {
    Raw(raw::UnderWay),
    Telnet(Box<telnet::Connection>),
}

impl Client {
    /// A client that has just come.
    fn begin(
        stream: TcpStream,
        via: &'static str,
        peer: &str,
        spoken: Spoken,
        console: &Arc<Console>,
    ) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        keep_alive(&stream)?;
        let (user, peer) = (format!("{via}:{peer}"), peer.to_owned());
        let (_, out) =
            console.attach(Attach { user, via, peer, mode: Mode::Rw, from: None, stay: false });
        Ok(Self { stream, out, spoken })
    }

    /// Goes on with a client of another process; `None` when it is none of these protocols, or its
    /// session is not known.
    ///
    /// # Errors
    /// When it is no connection.
    pub fn resume(console: &Arc<Console>, client: HandedClient) -> io::Result<Option<Self>> {
        let ClientState { session, protocol, typing, unsent, .. } = client.state;
        let spoken = match protocol {
            ProtocolState::Raw => {
                let unsent = (!unsent.is_empty()).then_some(unsent).into_iter().collect();
                Spoken::Raw(raw::UnderWay { typing, unsent })
            }
            ProtocolState::Telnet(state) => {
                let unsent = unsent.into();
                Spoken::Telnet(Box::new(telnet::Connection { state, typing, unsent }))
            }
            ProtocolState::Conmux(_) | ProtocolState::WebSocket { .. } => return Ok(None),
        };
        rustix::io::ioctl_fionbio(&client.fd, true)?;
        let stream = TcpStream::from_std(client.fd.into())?;
        Ok(console.rejoin(session).map(|(_, out)| Self { stream, out, spoken }))
    }

    /// Serves the client until it goes, until `shutdown`, or until it is asked for.
    pub async fn run(mut self, shutdown: CancellationToken, hand_over: HandOver) {
        let served = async {
            match &mut self.spoken {
                Spoken::Raw(under_way) => {
                    raw::serve(&mut self.stream, &mut self.out, under_way, &hand_over).await
                }
                Spoken::Telnet(connection) => {
                    // In a box: it is larger than what a raw client needs.
                    Box::pin(connection.serve(&mut self.stream, &mut self.out, &hand_over)).await
                }
            }
        };
        let ended = tokio::select! {
            () = shutdown.cancelled() => return,
            ended = served => ended,
        };
        match ended {
            Ok(Ended::Asked) => self.give(&hand_over),
            Ok(Ended::Over) => {}
            Err(error) => {
                let session = self.out.session();
                let console = session.console().name();
                tracing::debug!(%console, user = session.user(), %error, "a client is gone");
            }
        }
    }

    fn give(self, hand_over: &HandOver) {
        let Ok(stream) = self.stream.into_std() else { return };
        let (protocol, typing, unsent) = match self.spoken {
            Spoken::Raw(raw::UnderWay { typing, unsent }) => {
                let unsent = unsent.iter().flatten().copied().collect();
                (ProtocolState::Raw, typing, unsent)
            }
            Spoken::Telnet(connection) => {
                let telnet::Connection { state, typing, unsent } = *connection;
                (ProtocolState::Telnet(state), typing, unsent.freeze())
            }
        };
        let console = self.out.session().console().name().clone();
        let session = self.out.leave();
        let state = ClientState { console, session, who: Who::Anyone, protocol, typing, unsent };
        hand_over.give(HandedClient { fd: stream.into(), state });
    }
}

/// Reads what there is; nothing is the end. Cancel safe. No buffer is held while nothing comes.
async fn read_some(from: &mut ReadHalf<'_>) -> io::Result<Bytes> {
    std::future::poll_fn(|cx| {
        let mut scratch = [0; READ];
        let mut buffer = ReadBuf::new(&mut scratch);
        ready!(Pin::new(&mut *from).poll_read(cx, &mut buffer))?;
        Poll::Ready(Ok(Bytes::copy_from_slice(buffer.filled())))
    })
    .await
}

/// Writes what it can of `pieces`, and takes that out of them. Cancel safe.
async fn write_some(
    to: &mut (impl AsyncWrite + Unpin),
    pieces: &mut VecDeque<Bytes>,
) -> io::Result<()> {
    let slices: Vec<IoSlice<'_>> =
        pieces.iter().take(SLICES).map(|bytes| IoSlice::new(bytes)).collect();
    let mut written = to.write_vectored(&slices).await?;
    if written == 0 {
        return Err(io::ErrorKind::WriteZero.into());
    }
    while let Some(first) = pieces.front_mut() {
        let part = written.min(first.len());
        first.advance(part);
        written -= part;
        if !first.is_empty() {
            break;
        }
        pieces.pop_front();
    }
    Ok(())
}
