//! A console behind a plain telnet port, as `telnet HOST PORT` in a device dictionary says.
//!
//! Only what a serial console needs: both sides binary where the server likes that, the server
//! echoes, no go-ahead; every other option is refused. There are no offsets, and the times are ours.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Connection, Incoming};
use crate::dispatch::error::Error;
use crate::model::units::now_us;

const IAC: u8 = 255;
const DONT: u8 = 254;
const DO: u8 = 253;
const WONT: u8 = 252;
const WILL: u8 = 251;
const SB: u8 = 250;
const SE: u8 = 240;
/// The options that we agree to: binary, echo, suppress go-ahead.
const AGREED: [u8; 3] = [0, 1, 3];

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long to try again after the server has closed the connection, and how often.
const RECONNECT_LIMIT: Duration = Duration::from_secs(5);
const RECONNECT_PAUSE: Duration = Duration::from_millis(100);
const READ_SIZE: usize = 16 * 1024;

/// A telnet connection that is made anew when the server closes it.
#[derive(Debug)]
pub struct Telnet {
    address: String,
    stream: TcpStream,
    codec: Codec,
    ready: VecDeque<Incoming>,
    /// A break in the connection has been told, its end not yet.
    lost: bool,
}

impl Telnet {
    /// Connects to `HOST:PORT`.
    ///
    /// # Errors
    /// [`Error::Infrastructure`] with what the system said.
    pub async fn connect(address: String) -> Result<Self, Error> {
        let stream = connect(&address).await?;
        let codec = Codec::default();
        Ok(Self { address, stream, codec, ready: VecDeque::new(), lost: false })
    }

    async fn read(&mut self) -> Result<Incoming, Error> {
        loop {
            if let Some(incoming) = self.ready.pop_front() {
                return Ok(incoming);
            }
            if self.lost {
                self.stream = self.reconnect().await?;
                self.codec = Codec::default();
                self.lost = false;
                return Ok(Incoming::PortOpen);
            }
            let mut buffer = BytesMut::with_capacity(READ_SIZE);
            match self.stream.read_buf(&mut buffer).await {
                Ok(0) => self.lose("the server closed the connection"),
                Err(error) => self.lose(&error.to_string()),
                Ok(_) => {
                    let (bytes, answer) = self.codec.receive(&buffer);
                    if !bytes.is_empty() {
                        let bytes = Bytes::from(bytes);
                        let piece = Incoming::Bytes { offset: None, time_us: now_us(), bytes };
                        self.ready.push_back(piece);
                    }
                    if !answer.is_empty()
                        && let Err(error) = self.stream.write_all(&answer).await
                    {
                        self.lose(&error.to_string());
                    }
                }
            }
        }
    }

    fn lose(&mut self, reason: &str) {
        self.lost = true;
        self.ready.push_back(Incoming::PortLost { reason: format!("{}: {reason}", self.address) });
    }

    async fn reconnect(&self) -> Result<TcpStream, Error> {
        let until = tokio::time::Instant::now() + RECONNECT_LIMIT;
        loop {
            match connect(&self.address).await {
                Err(error) if tokio::time::Instant::now() >= until => return Err(error),
                Err(_) => tokio::time::sleep(RECONNECT_PAUSE).await,
                Ok(stream) => return Ok(stream),
            }
        }
    }
}

async fn connect(address: &str) -> Result<TcpStream, Error> {
    let connecting = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await;
    let failed = |what: &dyn std::fmt::Display| {
        Error::Infrastructure(format!("cannot connect to the console at {address}: {what}"))
    };
    let stream = connecting.map_err(|_| failed(&"timed out"))?.map_err(|error| failed(&error))?;
    stream.set_nodelay(true).map_err(|error| failed(&error))?;
    Ok(stream)
}

impl Connection for Telnet {
    fn next(&mut self) -> BoxFuture<'_, Result<Incoming, Error>> {
        Box::pin(self.read())
    }

    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            let mut escaped = Vec::with_capacity(bytes.len());
            for byte in bytes {
                escaped.extend(std::iter::repeat_n(byte, if byte == IAC { 2 } else { 1 }));
            }
            if let Err(error) = self.stream.write_all(&escaped).await {
                self.lose(&error.to_string());
            }
            Ok(())
        })
    }
}

/// The telnet protocol without a socket.
#[derive(Debug, Default)]
struct Codec {
    state: State,
    /// The (verb, option) pairs that were answered: each is answered once, so that no two sides can
    /// keep each other busy.
    answered: Vec<(u8, u8)>,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Data,
    Iac,
    Verb(u8),
    Sub,
    SubIac,
}

impl Codec {
    /// Splits what was received into the console's bytes and the answer to send.
    fn receive(&mut self, received: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let (mut data, mut answer) = (Vec::with_capacity(received.len()), Vec::new());
        for &byte in received {
            self.state = match (&self.state, byte) {
                (State::Data, IAC) => State::Iac,
                (State::Data, byte) => {
                    data.push(byte);
                    State::Data
                }
                (State::Iac, IAC) => {
                    data.push(IAC);
                    State::Data
                }
                (State::Iac, verb @ WILL..=DONT) => State::Verb(verb),
                (State::Iac, SB) => State::Sub,
                (State::Iac, _) => State::Data,
                (State::Verb(verb), option) => {
                    self.negotiate(*verb, option, &mut answer);
                    State::Data
                }
                (State::Sub, IAC) => State::SubIac,
                (State::SubIac, SE) => State::Data,
                (State::Sub | State::SubIac, _) => State::Sub,
            };
        }
        (data, answer)
    }

    fn negotiate(&mut self, verb: u8, option: u8, answer: &mut Vec<u8>) {
        let reply = match (verb, AGREED.contains(&option)) {
            (WILL, true) => DO,
            (WILL, false) => DONT,
            // The server's side may echo; ours never does.
            (DO, true) if option != 1 => WILL,
            (DO, _) => WONT,
            _ => return,
        };
        if !self.answered.contains(&(verb, option)) {
            self.answered.push((verb, option));
            answer.extend([IAC, reply, option]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_pass_and_options_are_answered_once() {
        let mut codec = Codec::default();
        let (data, answer) =
            codec.receive(&[b'a', IAC, WILL, 1, IAC, DO, 31, IAC, IAC, b'b', IAC, WILL, 1]);
        assert_eq!(data, [b'a', IAC, b'b']);
        assert_eq!(answer, [IAC, DO, 1, IAC, WONT, 31]);
    }

    #[test]
    fn a_sequence_may_come_in_pieces() {
        let mut codec = Codec::default();
        assert_eq!(codec.receive(&[b'x', IAC]), (vec![b'x'], vec![]));
        assert_eq!(codec.receive(&[SB, 24, 1, IAC]), (vec![], vec![]));
        assert_eq!(codec.receive(&[SE, b'y']), (vec![b'y'], vec![]));
    }
}
