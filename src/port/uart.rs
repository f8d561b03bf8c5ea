//! `sim:uart`: a UART without hardware, with a loop-back plug: TX to RX, RTS to CTS, DTR to DSR and
//! CD. What is written comes back at once, whatever the baud rate.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{ControlError, Port};
use crate::model::line::{Inputs, LineErrors, LineSettings, Outputs};

/// Bytes between TX and RX at most; the writer waits then.
const WIRE: usize = 64 * 1024;

/// The UART and its plug.
#[derive(Debug, Default)]
pub(super) struct Uart {
    wire: VecDeque<u8>,
    settings: LineSettings,
    outputs: Outputs,
    errors: LineErrors,
    breaking: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Port for Uart {
    /// A break comes back as one.
    fn set_break(&mut self, on: bool) -> Result<(), ControlError> {
        if on && !self.breaking {
            self.errors.breaks += 1;
        }
        self.breaking = on;
        Ok(())
    }

    fn set_line(&mut self, settings: LineSettings) -> Result<(), ControlError> {
        self.settings = settings;
        Ok(())
    }

    fn set_outputs(&mut self, outputs: Outputs) -> Result<(), ControlError> {
        self.outputs = outputs;
        Ok(())
    }

    fn inputs(&mut self) -> Result<Inputs, ControlError> {
        let Outputs { dtr, rts } = self.outputs;
        Ok(Inputs { cts: rts, dsr: dtr, ri: false, cd: dtr })
    }

    fn errors(&mut self) -> Result<LineErrors, ControlError> {
        Ok(self.errors)
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
        let (wire, _) = self.wire.as_slices();
        let count = wire.len().min(buf.remaining());
        if count == 0 {
            self.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        buf.put_slice(&wire[..count]);
        self.wire.drain(..count);
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
        let count = bytes.len().min(WIRE - self.wire.len());
        if count == 0 && !bytes.is_empty() {
            self.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        // Fewer data bits than 8 lose the upper ones.
        let mask = u8::MAX >> (8 - self.settings.framing.data_bits.clamp(5, 8));
        self.wire.extend(bytes[..count].iter().map(|byte| byte & mask));
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
