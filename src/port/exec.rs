//! A program on a pty as a console: `exec:` ports.

use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{ControlError, HandedKind, HandedPort, Port};
use crate::sys::{Fd, PtyChild, spawn_on_pty};

/// A running program and the master end of its pty.
#[derive(Debug)]
pub(super) struct Exec {
    fd: Fd,
    child: PtyChild,
}

impl Exec {
    pub(super) fn start(program: &str, arguments: &[String]) -> io::Result<Self> {
        let (master, child) = spawn_on_pty(program, arguments)
            .map_err(|error| io::Error::new(error.kind(), format!("{program}: {error}")))?;
        Ok(Self { fd: Fd::new(master)?, child })
    }

    /// Goes on with a program that a process before us has started.
    pub(super) fn resume(master: OwnedFd, pid: i32) -> io::Result<Self> {
        Ok(Self { fd: Fd::new(master)?, child: PtyChild::adopt(pid)? })
    }
}

impl Port for Exec {
    fn set_break(&mut self, _: bool) -> Result<(), ControlError> {
        Err(ControlError::Unsupported("the port is a program on a pty, which carries no break"))
    }

    fn hand_over(self: Box<Self>) -> Option<HandedPort> {
        let pid = self.child.leave()?;
        Some(HandedPort { fd: self.fd.into_fd(), kind: HandedKind::Exec { pid } })
    }

    fn epitaph(&mut self) -> Option<String> {
        self.child.ended().map(|status| format!("the program ended ({status})"))
    }
}

impl AsyncRead for Exec {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.fd).poll_read(cx, buf)
    }
}

impl AsyncWrite for Exec {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.fd).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.fd).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.fd).poll_shutdown(cx)
    }
}
