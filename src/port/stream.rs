//! Sockets that pass a serial line's bytes through.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::net::{TcpStream, UnixStream};

use super::{ControlError, HandedKind, HandedPort, Port};
use crate::sys::keep_alive;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) async fn connect_tcp(address: &str) -> io::Result<TcpStream> {
    let stream = timely(address, TcpStream::connect(address)).await?;
    stream.set_nodelay(true)?;
    keep_alive(&stream)?;
    Ok(stream)
}

pub(super) async fn connect_unix(path: &Path) -> io::Result<UnixStream> {
    timely(&path.display().to_string(), UnixStream::connect(path)).await
}

async fn timely<T>(what: &str, connecting: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(CONNECT_TIMEOUT, connecting)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        .map_err(|error| io::Error::new(error.kind(), format!("{what}: {error}")))
}

impl Port for TcpStream {
    fn set_break(&mut self, _: bool) -> Result<(), ControlError> {
        Err(ControlError::Unsupported("the port is a plain TCP connection, which carries no break"))
    }

    fn hand_over(self: Box<Self>) -> Option<HandedPort> {
        let fd = self.into_std().ok()?.into();
        Some(HandedPort { fd, kind: HandedKind::Tcp })
    }
}

impl Port for UnixStream {
    fn set_break(&mut self, _: bool) -> Result<(), ControlError> {
        Err(ControlError::Unsupported("the port is a Unix socket, which carries no break"))
    }

    fn hand_over(self: Box<Self>) -> Option<HandedPort> {
        let fd = self.into_std().ok()?.into();
        Some(HandedPort { fd, kind: HandedKind::Unix })
    }
}
