//! The transports behind a console: serial lines, programs on a pty, and sockets.

mod exec;
mod stream;
mod tty;

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::config::PortSpec;

/// An open transport. Reading 0 bytes or an error means that it is gone: drop it, and open it
/// again.
pub trait Port: AsyncRead + AsyncWrite + Send + Unpin {
    /// Begins or ends a break condition.
    ///
    /// # Errors
    /// [`ControlError::Unsupported`] where the transport has no such thing.
    fn set_break(&mut self, on: bool) -> Result<(), ControlError>;

    /// Why the port is gone, where it knows better than "end of file".
    fn epitaph(&mut self) -> Option<String> {
        None
    }
}

/// Why a control request on a port was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The transport cannot do this; an answer, not a fault.
    #[error("{0}")]
    Unsupported(&'static str),
    #[error("the port refused: {0}")]
    Io(#[from] io::Error),
}

/// Opens the port that a spec describes.
///
/// # Errors
/// One line that names the device and what the system said of it.
pub async fn open(spec: &PortSpec) -> Result<Box<dyn Port>, io::Error> {
    match spec {
        PortSpec::Tty { path, framing } => Ok(Box::new(tty::Tty::open(path, *framing)?)),
        PortSpec::Exec { program, arguments } => {
            Ok(Box::new(exec::Exec::start(program, arguments)?))
        }
        PortSpec::Tcp(address) => Ok(Box::new(stream::connect_tcp(address).await?)),
        PortSpec::Unix(path) => Ok(Box::new(stream::connect_unix(path).await?)),
    }
}
