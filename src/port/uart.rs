//! `sim:uart`: the simulated UART of [`crate::sim::uart`] as a port.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{ControlError, Port};
use crate::model::line::{Inputs, LineErrors, LineSettings, Outputs};
use crate::sim::uart;

/// The UART, and whoever waits for it.
#[derive(Debug, Default)]
pub(super) struct Uart {
    uart: uart::Uart,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Port for Uart {
    fn set_break(&mut self, on: bool) -> Result<(), ControlError> {
        self.uart.set_break(on);
        Ok(())
    }

    fn set_line(&mut self, settings: LineSettings) -> Result<(), ControlError> {
        self.uart.set_line(settings);
        Ok(())
    }

    fn set_outputs(&mut self, outputs: Outputs) -> Result<(), ControlError> {
        self.uart.set_outputs(outputs);
        Ok(())
    }

    fn inputs(&mut self) -> Result<Inputs, ControlError> {
        Ok(self.uart.inputs())
    }

    fn errors(&mut self) -> Result<LineErrors, ControlError> {
        Ok(self.uart.errors())
    }

    /// Nothing waits to be sent: what was written has been received.
    fn purge_output(&mut self) -> Result<(), ControlError> {
        Ok(())
    }
}

impl AsyncRead for Uart {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let bytes: Vec<u8> = self.uart.read(buf.remaining()).collect();
        if bytes.is_empty() {
            self.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        buf.put_slice(&bytes);
        if let Some(writer) = self.writer.take() {
            writer.wake();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Uart {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let count = self.uart.write(bytes);
        if count == 0 && !bytes.is_empty() {
            self.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
