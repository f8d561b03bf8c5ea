//! A console behind a plain telnet port, as `telnet HOST PORT` in a device dictionary says.
//!
//! We ask the server for nothing, and agree to what a serial console needs: binary, its echo, no
//! go-ahead ([`crate::wire::telnet`]). There are no offsets, and the times are ours.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Connection, Incoming};
use crate::dispatch::error::Error;
use crate::model::units::now_us;
use crate::wire::telnet::{self as wire, Received};

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
    codec: wire::Telnet,
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
        let codec = wire::Telnet::answering_client(false);
        Ok(Self { address, stream, codec, ready: VecDeque::new(), lost: false })
    }

    async fn read(&mut self) -> Result<Incoming, Error> {
        loop {
            if let Some(incoming) = self.ready.pop_front() {
                return Ok(incoming);
            }
            if self.lost {
                self.stream = self.reconnect().await?;
                self.codec = wire::Telnet::answering_client(false);
                self.lost = false;
                return Ok(Incoming::PortOpen);
            }
            let mut buffer = BytesMut::with_capacity(READ_SIZE);
            match self.stream.read_buf(&mut buffer).await {
                Ok(0) => self.lose("the server closed the connection"),
                Err(error) => self.lose(&error.to_string()),
                Ok(_) => self.receive(&buffer).await,
            }
        }
    }

    async fn receive(&mut self, buffer: &[u8]) {
        let received = match self.codec.decode(buffer) {
            Ok(received) => received,
            Err(error) => return self.lose(&error.to_string()),
        };
        for received in received {
            if let Received::Data(bytes) = received {
                let piece = Incoming::Bytes { offset: None, time_us: now_us(), bytes };
                self.ready.push_back(piece);
            }
        }
        let answers = self.codec.answers();
        if let Err(error) = self.stream.write_all(&answers).await {
            self.lose(&error.to_string());
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
            let mut escaped = BytesMut::new();
            self.codec.encode(&bytes, &mut escaped);
            if let Err(error) = self.stream.write_all(&escaped).await {
                self.lose(&error.to_string());
            }
            Ok(())
        })
    }
}
