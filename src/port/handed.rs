//! An open port on its way from one process to the next.

use std::io;
use std::os::fd::OwnedFd;

use serde::{Deserialize, Serialize};
use tokio::net::{TcpStream, UnixStream};

use super::telnet::{TelnetPort, TelnetPortState};
use super::{Port, exec, tty};

/// An open port without an owner. What comes from the board meanwhile waits in the system's buffers.
#[derive(Debug)]
pub struct HandedPort {
    pub fd: OwnedFd,
    pub kind: HandedKind,
}

/// What the descriptor is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HandedKind {
    Tty,
    /// The master end of a pty, and the process at its other end.
    Exec {
        pid: i32,
    },
    Tcp,
    Unix,
    /// A telnet server, with or without RFC 2217.
    Telnet(Box<TelnetPortState>),
}

/// Goes on with an open port.
///
/// # Errors
/// When the descriptor is not what it was said to be.
pub fn resume(handed: HandedPort) -> io::Result<Box<dyn Port>> {
    let HandedPort { fd, kind } = handed;
    rustix::io::ioctl_fionbio(&fd, true)?;
    Ok(match kind {
        HandedKind::Tty => Box::new(tty::Tty::resume(fd)?),
        HandedKind::Exec { pid } => Box::new(exec::Exec::resume(fd, pid)?),
        HandedKind::Tcp => Box::new(TcpStream::from_std(fd.into())?),
        HandedKind::Unix => Box::new(UnixStream::from_std(fd.into())?),
        HandedKind::Telnet(state) => {
            Box::new(TelnetPort::resume(TcpStream::from_std(fd.into())?, *state))
        }
    })
}
