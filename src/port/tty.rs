//! A serial line, or the slave end of a pty that stands for one.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{ControlError, Port};
use crate::sys::{Fd, Framing, is_pty, open_tty, set_break};

/// An open serial line.
#[derive(Debug)]
pub(super) struct Tty(Fd);

impl Tty {
    pub(super) fn open(path: &Path, framing: Framing) -> io::Result<Self> {
        let named =
            |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        Fd::new(open_tty(path, framing).map_err(named)?).map(Self).map_err(named)
    }
}

impl Port for Tty {
    fn set_break(&mut self, on: bool) -> Result<(), ControlError> {
        if is_pty(&self.0) {
            return Err(ControlError::Unsupported("the port is a pty, which carries no break"));
        }
        Ok(set_break(&self.0, on)?)
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
