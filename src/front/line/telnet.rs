//! A console for telnet clients, people and programs.

use std::io;
use std::sync::{Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::READ;
use crate::console::{Item, Session, Stream};
use crate::model::What;
use crate::wire::attach::{Answer, Verb};
use crate::wire::telnet::{Received, Telnet};

/// How many answers may wait to be sent. A client that does not read them is not read either.
const ANSWERS: usize = 8;

/// Serves a client until it closes its side.
pub(super) async fn serve(mut stream: TcpStream, mut out: Stream) -> io::Result<()> {
    let session = out.session().clone();
    let (mut from, mut to) = stream.split();
    let telnet = Mutex::new(Telnet::new());
    // Never held across an await; a panic elsewhere leaves the codec usable.
    let codec = || telnet.lock().unwrap_or_else(PoisonError::into_inner);
    let (answer, mut answers) = mpsc::channel::<Bytes>(ANSWERS);
    let offers = codec().answers();
    to.write_all(&offers).await?;

    let up = async {
        let mut buffer = BytesMut::new();
        loop {
            buffer.clear();
            buffer.reserve(READ);
            if from.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
            let (received, replies) = {
                let mut codec = codec();
                (codec.decode(&buffer).map_err(io::Error::other)?, codec.answers())
            };
            let mut notices = BytesMut::from(&replies[..]);
            for received in received {
                if let Err(reason) = act(&session, received).await {
                    notices.extend_from_slice(format!("\r\n[{reason}]\r\n").as_bytes());
                }
            }
            if !notices.is_empty() && answer.send(notices.freeze()).await.is_err() {
                return Ok(());
            }
        }
    };
    let down = async {
        let mut buffer = BytesMut::new();
        loop {
            tokio::select! {
                Some(answer) = answers.recv() => to.write_all(&answer).await?,
                item = out.next() => {
                    let Some(item) = item else { return Ok(()) };
                    encode(&item, &mut codec(), &mut buffer);
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

async fn act(session: &Session, received: Received) -> Result<(), String> {
    match received {
        Received::Data(bytes) => session.write(bytes).await.map_err(|error| error.to_string()),
        Received::Break => match session.request(Verb::Break { ms: None }).await {
            Answer::Refused { reason } => Err(format!("no break: {reason}")),
            _ => Ok(()),
        },
        Received::ComPort | Received::Subnegotiation(_) => Ok(()),
    }
}

/// The board's bytes; of the events only what is meant for people to read.
fn encode(item: &Item, codec: &mut Telnet, out: &mut BytesMut) {
    match item {
        Item::Pieces(pieces) => {
            for piece in pieces {
                codec.encode(&piece.bytes, out);
            }
        }
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
