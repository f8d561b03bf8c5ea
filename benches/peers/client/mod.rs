//! The clients. They speak the servers' protocols themselves, so that no client program is
//! measured along with its server.

mod conman;
mod conserver;
mod echo;
mod readers;
mod websocket;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::{AddressFamily, SocketType, sockopt};

use crate::common::open_raw;

pub(crate) use echo::{Keys, round_trips};
pub(crate) use readers::{Readers, Reading};

/// How long a server may take for an answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// The longest line of a server's greeting, in bytes.
const MAX_LINE: usize = 4096;

/// Where a client attaches, and how.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// The terminal itself, with no server between.
    Tty(String),
    /// A TCP port that passes every byte as it is.
    Raw(u16),
    Conserver {
        port: u16,
        console: String,
    },
    Conman {
        port: u16,
        console: String,
        /// Only watches; otherwise it joins those who type.
        watches: bool,
    },
    /// lava-serial's WebSocket.
    Attach {
        port: u16,
        console: String,
    },
}

pub(crate) struct Client {
    fd: OwnedFd,
    websocket: Option<websocket::Decoder>,
}

impl Client {
    pub(crate) fn attach(target: &Target) -> Result<Self> {
        Self::attach_with(target, None)
    }

    /// Attaches with a TCP receive buffer of so many bytes.
    pub(crate) fn attach_with(target: &Target, buffer: Option<usize>) -> Result<Self> {
        let plain = |fd| Self { fd, websocket: None };
        match target {
            Target::Tty(path) => Ok(plain(open_raw(path)?)),
            Target::Raw(port) => Ok(plain(connect(*port, buffer)?)),
            Target::Conserver { port, console } => conserver::attach(*port, console, buffer),
            Target::Conman { port, console, watches } => {
                conman::attach(*port, console, *watches, buffer)
            }
            Target::Attach { port, console } => websocket::attach(*port, console, buffer),
        }
        .with_context(|| format!("attaching to {target:?}"))
    }

    /// Reads what there is of the console's output into the buffer, which may be nothing even if
    /// something came; `None` when the server has ended the connection.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<Option<usize>> {
        let read = rustix::io::read(&self.fd, &mut *buffer)?;
        Ok(match &mut self.websocket {
            _ if read == 0 => None,
            None => Some(read),
            Some(decoder) => Some(decoder.keep_output(&mut buffer[..read])),
        })
    }

    pub(crate) fn key(&mut self, key: u8) -> Result<()> {
        match self.websocket {
            None => self.send(&[key]),
            Some(_) => self.send(&websocket::typed(key)),
        }
    }

    /// Whether something can be read before so long has passed.
    fn readable(&self, within: Duration) -> Result<bool> {
        let mut fds = [PollFd::new(&self.fd, PollFlags::IN)];
        Ok(rustix::event::poll(&mut fds, Some(&Timespec::try_from(within)?))? > 0)
    }

    fn send(&self, bytes: &[u8]) -> Result<()> {
        ensure!(rustix::io::write(&self.fd, bytes)? == bytes.len(), "the server takes nothing");
        Ok(())
    }

    /// A line of a greeting, without its end. No byte behind it is taken.
    fn line(&self) -> Result<String> {
        let mut line = Vec::new();
        while line.last() != Some(&b'\n') {
            let mut byte = [0];
            let so_far = || String::from_utf8_lossy(&line).into_owned();
            if line.len() == MAX_LINE || !self.readable(PATIENCE)? {
                bail!("no line came, but {:?}", so_far());
            }
            if rustix::io::read(&self.fd, &mut byte)? == 0 {
                bail!("the connection ended after {:?}", so_far());
            }
            line.extend(byte);
        }
        Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    fn ask(&self, request: &str, expected: &str) -> Result<String> {
        self.send(request.as_bytes())?;
        self.expect(expected).with_context(|| format!("after {request:?}"))
    }

    /// A line of a greeting, which has this in it.
    fn expect(&self, expected: &str) -> Result<String> {
        let line = self.line()?;
        ensure!(line.contains(expected), "{expected:?} expected, and {line:?} came");
        Ok(line)
    }
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn connect(port: u16, buffer: Option<usize>) -> Result<OwnedFd> {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
    if let Some(bytes) = buffer {
        sockopt::set_socket_recv_buffer_size(&socket, bytes)?;
    }
    rustix::net::connect(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))?;
    sockopt::set_tcp_nodelay(&socket, true)?;
    Ok(socket)
}

/// A connection on which the protocol has still to be spoken.
fn greeted(port: u16, buffer: Option<usize>) -> Result<Client> {
    Ok(Client { fd: connect(port, buffer)?, websocket: None })
}
