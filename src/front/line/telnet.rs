//! A console for telnet clients: people, and programs that speak RFC 2217.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::ReadHalf;
use tokio::sync::mpsc;

use super::READ;
use super::com_port::ComPort;
use crate::console::{Item, Session, Stream};
use crate::model::What;
use crate::wire::attach::{Answer, Verb};
use crate::wire::rfc2217::{COM_PORT, Purge, Request};
use crate::wire::telnet::{Received, Telnet};

/// How many orders may wait for the sending side. A client that does not read them is not read
/// either.
const ORDERS: usize = 8;

/// What the receiving side has the sending side do.
#[derive(Debug)]
enum Order {
    Send(Bytes),
    /// Forget the bytes of the board that the client has not got yet.
    Skip,
    /// Send no bytes of the board, or send them again.
    Suspend(bool),
}

/// The receiving side of a connection.
struct Receiver<'a> {
    session: &'a Session,
    telnet: &'a Mutex<Telnet>,
    orders: mpsc::Sender<Order>,
    /// There once the client has agreed to the option.
    com_port: Option<ComPort>,
}

/// The sending side is gone, and with it the client.
struct Gone;

/// Serves a client until it closes its side.
pub(super) async fn serve(mut stream: TcpStream, mut out: Stream) -> io::Result<()> {
    let session = out.session().clone();
    let (from, mut to) = stream.split();
    let telnet = Mutex::new(Telnet::server());
    let (order, mut orders) = mpsc::channel(ORDERS);
    let offers = lock(&telnet).answers();
    to.write_all(&offers).await?;

    let receiver = Receiver { session: &session, telnet: &telnet, orders: order, com_port: None };
    let up = receiver.run(from);
    let down = async {
        let mut buffer = BytesMut::new();
        let mut suspended = false;
        loop {
            tokio::select! {
                Some(order) = orders.recv() => match order {
                    Order::Send(bytes) => to.write_all(&bytes).await?,
                    Order::Skip => out.skip_to_head(),
                    Order::Suspend(now) => suspended = now,
                },
                item = out.next(), if !suspended => {
                    let Some(item) = item else { return Ok(()) };
                    encode(&item, &mut lock(&telnet), &mut buffer);
                    to.write_all(&buffer.split()).await?;
                }
            }
        }
    };
    tokio::select! {
        ended = up => ended,
        ended = down => ended,
    }
}

/// Never held across an await; a panic elsewhere leaves the codec usable.
fn lock(telnet: &Mutex<Telnet>) -> MutexGuard<'_, Telnet> {
    telnet.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Receiver<'_> {
    async fn run(mut self, mut from: ReadHalf<'_>) -> io::Result<()> {
        let mut buffer = BytesMut::new();
        loop {
            buffer.clear();
            buffer.reserve(READ);
            tokio::select! {
                read = from.read_buf(&mut buffer) => {
                    if read? == 0 {
                        return Ok(());
                    }
                }
                () = changed(&mut self.com_port) => {}
            }
            if self.received(&buffer).await?.is_err() {
                return Ok(());
            }
        }
    }

    async fn received(&mut self, bytes: &[u8]) -> io::Result<Result<(), Gone>> {
        let (received, replies) = {
            let mut telnet = lock(self.telnet);
            (telnet.decode(bytes).map_err(io::Error::other)?, telnet.answers())
        };
        let mut out = BytesMut::from(&replies[..]);
        for received in received {
            let done = match received {
                Received::Data(bytes) => {
                    self.session.write(bytes).await.map_err(|error| error.to_string())
                }
                Received::Break => send_break(self.session).await,
                Received::ComPort => {
                    self.com_port = Some(ComPort::begin(self.session, &mut out).await);
                    Ok(())
                }
                Received::Subnegotiation(bytes) => {
                    if let Err(gone) = self.subnegotiation(&bytes, &mut out).await {
                        return Ok(Err(gone));
                    }
                    Ok(())
                }
            };
            // A program that wants a serial port takes everything for the board's.
            if let (Err(reason), None) = (done, &self.com_port) {
                out.extend_from_slice(format!("\r\n[{reason}]\r\n").as_bytes());
            }
        }
        if let Some(com_port) = &mut self.com_port {
            com_port.notify(&mut out);
        }
        Ok(self.send(out).await)
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
    match session.request(Verb::Break { ms: None }).await {
        Answer::Refused { reason } => Err(format!("no break: {reason}")),
        _ => Ok(()),
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
