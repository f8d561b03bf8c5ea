//! The transports behind a console: serial lines, programs on a pty, sockets, telnet servers with
//! and without RFC 2217, and a simulated UART.

mod exec;
mod handed;
mod stream;
mod telnet;
mod tty;
mod uart;

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::config::PortSpec;
use crate::model::line::{Inputs, LineErrors, LineSettings, Outputs};

pub use handed::{HandedKind, HandedPort, resume};
pub use telnet::TelnetPortState;

/// An open transport. Reading 0 bytes or an error means that it is gone: drop it, and open it
/// again.
pub trait Port: AsyncRead + AsyncWrite + Send + Unpin {
    /// Begins or ends a break condition.
    ///
    /// # Errors
    /// [`ControlError::Unsupported`] where the transport has no such thing.
    fn set_break(&mut self, on: bool) -> Result<(), ControlError>;

    /// Sets the line. It was opened as its spec says, without flow control.
    ///
    /// # Errors
    /// [`ControlError::Unsupported`] where there is no line to set.
    fn set_line(&mut self, _: LineSettings) -> Result<(), ControlError> {
        Err(NO_LINE)
    }

    /// Drives DTR and RTS. Both are on when a port is opened.
    ///
    /// # Errors
    /// [`ControlError::Unsupported`] where there are no such wires.
    fn set_outputs(&mut self, _: Outputs) -> Result<(), ControlError> {
        Err(NO_LINE)
    }

    /// What CTS, DSR, RI and CD say.
    ///
    /// # Errors
    /// [`ControlError::Unsupported`] where there are no such wires.
    fn inputs(&mut self) -> Result<Inputs, ControlError> {
        Err(NO_LINE)
    }

    /// What the line has counted.
    ///
    /// # Errors
    /// [`ControlError::Unsupported`] where nothing is counted.
    fn errors(&mut self) -> Result<LineErrors, ControlError> {
        Err(NO_LINE)
    }

    /// Forgets what was written and is not sent yet.
    ///
    /// # Errors
    /// [`ControlError::Unsupported`] where it cannot be taken back.
    fn purge_output(&mut self) -> Result<(), ControlError> {
        Err(NO_LINE)
    }

    /// Whether the other end has told something of the line since this was asked last, so that it is
    /// time to look at [`Port::line`], [`Port::inputs`] and [`Port::errors`].
    fn news(&mut self) -> bool {
        false
    }

    /// How the line is set where somebody else has the last word on it. `None` where it is as it was
    /// asked for.
    fn line(&mut self) -> Option<(LineSettings, Outputs)> {
        None
    }

    /// Gives the open port away, for another process to go on with; `None` where that cannot be done.
    fn hand_over(self: Box<Self>) -> Option<HandedPort> {
        None
    }

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

const NO_LINE: ControlError = ControlError::Unsupported("the port is no serial line");

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
        PortSpec::Telnet(address) => Ok(Box::new(telnet::TelnetPort::telnet(address).await?)),
        PortSpec::Rfc2217 { address, framing } => {
            Ok(Box::new(telnet::TelnetPort::rfc2217(address, *framing).await?))
        }
        PortSpec::Unix(path) => Ok(Box::new(stream::connect_unix(path).await?)),
        PortSpec::SimUart { timed, control } => {
            Ok(Box::new(uart::Uart::open(*timed, control.as_deref()).await?))
        }
    }
}
