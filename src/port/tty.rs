//! A serial line, or the slave end of a pty that stands for one.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use rustix::io::Errno;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{ControlError, HandedKind, HandedPort, Port};
use crate::adapter::{Roots, device_of};
use crate::model::line::{Framing, Inputs, LineErrors, LineSettings, Outputs};
use crate::sys::{
    Fd, flush_output, is_pty, line_errors, modem_inputs, open_tty, set_break, set_modem_outputs,
    set_tty,
};

/// An open serial line.
#[derive(Debug)]
pub(super) struct Tty(Fd);

impl Tty {
    pub(super) fn open(path: &Path, framing: Framing) -> io::Result<Self> {
        let mut place = path.display().to_string();
        let opened = device_of(&Roots::of_host(), path).and_then(|device| {
            if device != path {
                place = format!("{place} ({})", device.display());
            }
            Fd::new(open_tty(&device, framing)?)
        });
        opened.map(Self).map_err(|error| {
            let kind = error.kind();
            let what = match kind {
                io::ErrorKind::NotFound => format!("{place}: there is no such device"),
                _ => format!("{place}: {error}"),
            };
            io::Error::new(kind, what)
        })
    }

    /// Goes on with an open line.
    pub(super) fn resume(fd: OwnedFd) -> io::Result<Self> {
        Fd::new(fd).map(Self)
    }
}

impl Port for Tty {
    fn set_break(&mut self, on: bool) -> Result<(), ControlError> {
        if is_pty(&self.0) {
            return Err(ControlError::Unsupported("the port is a pty, which carries no break"));
        }
        Ok(set_break(&self.0, on)?)
    }

    fn set_line(&mut self, settings: LineSettings) -> Result<(), ControlError> {
        Ok(set_tty(&self.0, settings)?)
    }

    fn set_outputs(&mut self, outputs: Outputs) -> Result<(), ControlError> {
        set_modem_outputs(&self.0, outputs).map_err(|error| wires(error, NO_WIRES))
    }

    fn inputs(&mut self) -> Result<Inputs, ControlError> {
        modem_inputs(&self.0).map_err(|error| wires(error, NO_WIRES))
    }

    fn errors(&mut self) -> Result<LineErrors, ControlError> {
        line_errors(&self.0).map_err(|error| wires(error, "the driver does not count errors"))
    }

    fn purge_output(&mut self) -> Result<(), ControlError> {
        Ok(flush_output(&self.0)?)
    }

    fn hand_over(self: Box<Self>) -> Option<HandedPort> {
        Some(HandedPort { fd: self.0.into_fd(), kind: HandedKind::Tty })
    }
}

const NO_WIRES: &str = "the port has no modem lines";

/// A pty and some adapters have no such wires: ENOTTY or EINVAL tells.
fn wires(error: io::Error, missing: &'static str) -> ControlError {
    let missing_says = [Errno::NOTTY, Errno::INVAL].map(|errno| Some(errno.raw_os_error()));
    if missing_says.contains(&error.raw_os_error()) {
        ControlError::Unsupported(missing)
    } else {
        ControlError::Io(error)
    }
}

impl AsyncRead for Tty {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Tty {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
