//! A console for telnet clients: people, and programs that speak RFC 2217.

use std::io;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::mpsc;

use super::com_port::{ComPort, ComPortState};
use super::read_some;
use crate::console::{Item, Session, Stream, Told};
use crate::front::hand_over::{Ended, HandOver};
use crate::model::What;
use crate::wire::attach::{Answer, Verb};
use crate::wire::request::SendBreak;
use crate::wire::rfc2217::{COM_PORT, Purge, Request};
use crate::wire::telnet::{Received, Telnet};

/// How many orders may wait for the sending side. A client that does not read them is not read
/// either.
const ORDERS: usize = 8;
/// So much may wait to be sent while more is ordered, in bytes.
const MAX_UNSENT: usize = 64 * 1024;
/// How long a client that is let go may take to read why.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What telnet remembers of a connection.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TelnetState {
    telnet: Telnet,
    /// There once the client has agreed to the option.
    com_port: Option<ComPortState>,
    /// The client wants no bytes of the board at the moment.
    suspended: bool,
}

/// A connection, and what is under way on it.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) state: TelnetState,
    /// Typed, and not taken yet.
    pub(super) typing: Bytes,
    /// For the client, and not sent yet.
    pub(super) unsent: BytesMut,
}

/// What the receiving side has the sending side do.
#[derive(Debug)]
enum Order {
    Send(Bytes),
    /// Forget the bytes of the board that the client has not got yet.
    Skip,
    /// Send no bytes of the board, or send them again.
    Suspend(bool),
    /// Tell a person something; a program takes everything for the board's.
    Tell(String),
    /// Send what is left, and end.
    End,
}

/// The receiving side of a connection.
struct Receiver<'a> {
    session: &'a Session,
    telnet: &'a Mutex<Telnet>,
    orders: mpsc::Sender<Order>,
    /// There once the client has agreed to the option.
    com_port: Option<ComPort>,
    /// Typed, and not taken yet.
    typing: BytesMut,
    hand_over: &'a HandOver,
}

/// The sending side.
struct Sender<'a> {
    telnet: &'a Mutex<Telnet>,
    orders: mpsc::Receiver<Order>,
    suspended: bool,
    /// For the client, and not sent yet.
    unsent: &'a mut BytesMut,
    hand_over: &'a HandOver,
}

/// The sending side is gone, and with it the client.
struct Gone;

impl Connection {
    /// A client that has just come.
    pub(super) fn new() -> Self {
        let mut telnet = Telnet::server();
        let unsent = BytesMut::from(&telnet.answers()[..]);
        let state = TelnetState { telnet, com_port: None, suspended: false };
        Self { state, typing: Bytes::new(), unsent }
    }

    /// Serves a client until it closes its side, or is asked for: then nothing is half done.
    pub(super) async fn serve(
        &mut self,
        stream: &mut TcpStream,
        out: &mut Stream,
        hand_over: &HandOver,
    ) -> io::Result<Ended> {
        let session = out.session().clone();
        let (from, to) = stream.split();
        let TelnetState { telnet, com_port, suspended } = self.state.clone();
        let telnet = Mutex::new(telnet);
        let (order, orders) = mpsc::channel(ORDERS);
        let last = order.downgrade();
        let com_port = match com_port {
            Some(state) => Some(ComPort::resume(&session, state).await),
            None => None,
        };
        let receiver = Receiver {
            session: &session,
            telnet: &telnet,
            orders: order,
            com_port,
            typing: BytesMut::from(&std::mem::take(&mut self.typing)[..]),
            hand_over,
        };
        let unsent = &mut self.unsent;
        let sender = Sender { telnet: &telnet, orders, suspended, unsent, hand_over };
        let (com_port, typing, suspended) = {
            let (mut up, mut down) = (pin!(receiver.run(from)), pin!(sender.run(to, out)));
            tokio::select! {
                ended = &mut up => {
                    let Some((com_port, typing)) = ended? else { return Ok(Ended::Over) };
                    // The sending side takes what it was still ordered, and ends.
                    (com_port, typing, down.await?)
                }
                ended = &mut down => return ended.map(|_| Ended::Over),
                () = tell(&session, last) => {
                    // The client has so long to take it.
                    let _ = tokio::time::timeout(LAST_WORDS, down).await;
                    return Ok(Ended::Over);
                }
            }
        };
        self.typing = typing.freeze();
        let telnet = telnet.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.state = TelnetState { telnet, com_port: com_port.map(ComPort::into_state), suspended };
        Ok(Ended::Asked)
    }
}

/// Tells a person what the daemon has to say, until the client is to be let go.
async fn tell(session: &Session, orders: mpsc::WeakSender<Order>) {
    loop {
        let told = session.told().await;
        // Without the receiving side the client is going already.
        let Some(orders) = orders.upgrade() else { return std::future::pending().await };
        let (said, ended) = match told {
            Told::Notice(said) => (said, false),
            Told::Ended(said) => (said, true),
        };
        let _ = orders.try_send(Order::Tell(said));
        if ended {
            let _ = orders.try_send(Order::End);
            return;
        }
    }
}

/// Never held across an await; a panic elsewhere leaves the codec usable.
fn lock(telnet: &Mutex<Telnet>) -> MutexGuard<'_, Telnet> {
    telnet.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sender<'_> {
    /// Sends until the console or the client is gone, or the receiving side has nothing more to order.
    /// Tells whether the client had sending suspended.
    async fn run(mut self, mut to: WriteHalf<'_>, out: &mut Stream) -> io::Result<bool> {
        loop {
            let sends = !self.hand_over.is_asked();
            let idle = self.unsent.is_empty() && !self.suspended;
            // Before it is handed over all that was ordered has to be there.
            let takes = !sends || self.unsent.len() < MAX_UNSENT;
            tokio::select! {
                order = self.orders.recv(), if takes => match order {
                    Some(Order::Send(bytes)) => self.unsent.extend_from_slice(&bytes),
                    Some(Order::Skip) => out.skip_to_head(),
                    Some(Order::Suspend(now)) => self.suspended = now,
                    Some(Order::Tell(said)) => tell_person(&said, &lock(self.telnet), self.unsent),
                    Some(Order::End) => {
                        to.write_all(self.unsent).await?;
                        return Ok(self.suspended);
                    }
                    None => return Ok(self.suspended),
                },
                written = to.write_buf(&mut *self.unsent), if sends && !self.unsent.is_empty() => {
                    if written? == 0 {
                        return Err(io::ErrorKind::WriteZero.into());
                    }
                }
                item = out.next(), if sends && idle => {
                    let Some(item) = item else { return Ok(self.suspended) };
                    encode(&item, &mut lock(self.telnet), self.unsent);
                }
                () = self.hand_over.asked(), if sends => {}
            }
        }
    }
}

impl Receiver<'_> {
    /// Receives until the client has closed its side, or is asked for. Gives what is left then.
    async fn run(
        mut self,
        mut from: ReadHalf<'_>,
    ) -> io::Result<Option<(Option<ComPort>, BytesMut)>> {
        loop {
            let mut out = BytesMut::new();
            self.type_out(&mut out).await;
            if self.hand_over.is_asked() {
                return Ok(Some((self.com_port, self.typing)));
            }
            let sent = self.send(out).await;
            let received = tokio::select! {
                read = read_some(&mut from) => Some(read?),
                () = changed(&mut self.com_port) => None,
                () = self.hand_over.asked() => continue,
            };
            let gone = received.as_ref().is_some_and(Bytes::is_empty) || sent.is_err();
            if gone || self.received(&received.unwrap_or_default()).await?.is_err() {
                return Ok(None);
            }
        }
    }

    /// Types what waits to be typed, unless the client is asked for meanwhile.
    async fn type_out(&mut self, out: &mut BytesMut) {
        let mut bytes = self.typing.split().freeze();
        tokio::select! {
            typed = self.session.write(&mut bytes) => {
                self.explain(typed.map_err(|error| error.to_string()), out);
            }
            () = self.hand_over.asked() => self.typing = bytes.into(),
        }
    }

    async fn received(&mut self, bytes: &[u8]) -> io::Result<Result<(), Gone>> {
        let (received, replies) = {
            let mut telnet = lock(self.telnet);
            (telnet.decode(bytes).map_err(io::Error::other)?, telnet.answers())
        };
        let mut out = BytesMut::from(&replies[..]);
        for received in received {
            // What was typed before comes first.
            if !matches!(received, Received::Data(_)) && !self.typing.is_empty() {
                self.type_out(&mut out).await;
            }
            match received {
                Received::Data(bytes) => self.typing.extend_from_slice(&bytes),
                Received::Break => {
                    let sent = send_break(self.session).await;
                    self.explain(sent, &mut out);
                }
                Received::ComPort => {
                    self.com_port = Some(ComPort::begin(self.session, &mut out).await);
                }
                Received::Subnegotiation(bytes) => {
                    if let Err(gone) = self.subnegotiation(&bytes, &mut out).await {
                        return Ok(Err(gone));
                    }
                }
            }
        }
        if let Some(com_port) = &mut self.com_port {
            com_port.notify(&mut out);
        }
        Ok(self.send(out).await)
    }

    /// Tells a person why something was not done. A program that wants a serial port takes everything
    /// for the board's.
    fn explain(&self, done: Result<(), String>, out: &mut BytesMut) {
        if let (Err(reason), None) = (done, &self.com_port) {
            out.extend_from_slice(format!("\r\n[{reason}]\r\n").as_bytes());
        }
    }

    /// A sub-option of a client that has agreed to them.
    async fn subnegotiation(&mut self, bytes: &[u8], out: &mut BytesMut) -> Result<(), Gone> {
        let Some((&COM_PORT, sub_option)) = bytes.split_first() else { return Ok(()) };
        let (Some(com_port), Some(request)) = (&mut self.com_port, Request::decode(sub_option))
        else {
            return Ok(());
        };
        let order = match request {
            Request::Purge(Purge::Received | Purge::Both) => Some(Order::Skip),
            Request::Suspend => Some(Order::Suspend(true)),
            Request::Resume => Some(Order::Suspend(false)),
            _ => None,
        };
        com_port.answer(self.session, request, out).await;
        match order {
            Some(order) => self.orders.send(order).await.map_err(|_| Gone),
            None => Ok(()),
        }
    }

    async fn send(&mut self, out: BytesMut) -> Result<(), Gone> {
        if out.is_empty() {
            return Ok(());
        }
        self.orders.send(Order::Send(out.freeze())).await.map_err(|_| Gone)
    }
}

async fn changed(com_port: &mut Option<ComPort>) {
    match com_port {
        Some(com_port) => com_port.changed().await,
        None => std::future::pending().await,
    }
}

async fn send_break(session: &Session) -> Result<(), String> {
    match session.request(Verb::Break(SendBreak::default())).await {
        Answer::Refused { reason } => Err(format!("no break: {reason}")),
        _ => Ok(()),
    }
}

fn tell_person(said: &str, codec: &Telnet, out: &mut BytesMut) {
    if !codec.is_com_port() {
        out.extend_from_slice(format!("\r\n[{said}]\r\n").as_bytes());
    }
}

/// The board's bytes; and for people what is meant for them to read.
fn encode(item: &Item, codec: &mut Telnet, out: &mut BytesMut) {
    match item {
        Item::Pieces(pieces) => {
            for piece in pieces {
                codec.encode(&piece.bytes, out);
            }
        }
        Item::Event(_) | Item::Gap { .. } if codec.is_com_port() => {}
        Item::Event(event) => {
            if let (What::Message { text }, Some(who)) = (&event.what, &event.who) {
                codec.encode(format!("\r\n[{who}: {text}]\r\n").as_bytes(), out);
            }
        }
        Item::Gap { from, to } => {
            let lost = to - from;
            codec.encode(format!("\r\n[{lost} bytes are not held any more]\r\n").as_bytes(), out);
        }
        Item::Mode { .. } => {}
    }
}
