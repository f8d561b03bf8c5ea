//! `sim:uart`: the simulated UART of [`crate::sim::uart`] as a port, and the control socket that
//! stands for its cable.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::stream::connect_unix;
use super::{ControlError, Port};
use crate::model::line::{Inputs, LineErrors, LineSettings, Outputs};
use crate::sim::uart::{self, MAX_LINE, OrderError};

/// The UART, and whoever waits for it.
#[derive(Debug)]
pub(super) struct Uart {
    uart: uart::Uart,
    control: Option<Control>,
    /// Until something has left or come.
    timer: Option<Pin<Box<Sleep>>>,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// The socket that gives orders and takes reports, both as lines.
#[derive(Debug)]
struct Control {
    stream: UnixStream,
    /// The beginning of a line.
    line: Vec<u8>,
    reports: Vec<u8>,
}

impl Uart {
    /// Plugs the adapter in: without somebody who listens there is none.
    pub(super) async fn open(timed: bool, control: Option<&Path>) -> io::Result<Self> {
        let control = match control {
            Some(path) => Some(Control::plug_into(path).await?),
            None => None,
        };
        let uart = uart::Uart::new(timed);
        Ok(Self { uart, control, timer: None, reader: None, writer: None })
    }

    /// Brings the UART up to now, and sees to it that we are woken when there is more to do.
    fn poll_advance(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if let Some(control) = &mut self.control {
            control.poll_orders(&mut self.uart, cx)?;
        }
        loop {
            let Some(next) = self.uart.advance(Instant::now()) else {
                self.timer = None;
                break;
            };
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(next)));
            if timer.deadline() != next {
                timer.as_mut().reset(next);
            }
            if timer.as_mut().poll(cx).is_pending() {
                break;
            }
        }
        if let Some(control) = &mut self.control {
            control.poll_reports(&mut self.uart, cx)?;
        }
        Ok(())
    }
}

impl Control {
    async fn plug_into(path: &Path) -> io::Result<Self> {
        let stream = connect_unix(path).await.map_err(|error| {
            io::Error::new(error.kind(), format!("the adapter is not plugged in: {error}"))
        })?;
        Ok(Self { stream, line: Vec::new(), reports: Vec::new() })
    }

    /// Has the orders carried out that have come.
    fn poll_orders(&mut self, uart: &mut uart::Uart, cx: &mut Context<'_>) -> io::Result<()> {
        let mut buffer = [0; MAX_LINE];
        loop {
            let mut buffer = ReadBuf::new(&mut buffer);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    self.orders(buffer.filled(), uart);
                }
                Poll::Ready(_) => return Err(unplugged()),
            }
        }
    }

    fn orders(&mut self, bytes: &[u8], uart: &mut uart::Uart) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = MAX_LINE.saturating_sub(self.line.len());
            self.line.extend_from_slice(&part[..part.len().min(room)]);
            if part.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                let text = str::from_utf8(&line).ok().filter(|_| line.ends_with(b"\n"));
                uart.order(text.ok_or(OrderError::Line), Instant::now());
            }
        }
    }

    fn poll_reports(&mut self, uart: &mut uart::Uart, cx: &mut Context<'_>) -> io::Result<()> {
        loop {
            if self.reports.is_empty() {
                self.reports = uart.take_reports().into_bytes();
            }
            if self.reports.is_empty() {
                return Ok(());
            }
            match Pin::new(&mut self.stream).poll_write(cx, &self.reports) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Ok(count)) => drop(self.reports.drain(..count)),
                Poll::Ready(Err(_)) => return Err(unplugged()),
            }
        }
    }
}

fn unplugged() -> io::Error {
    io::Error::other("the adapter was unplugged")
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

    fn purge_output(&mut self) -> Result<(), ControlError> {
        self.uart.purge();
        Ok(())
    }

    fn news(&mut self) -> bool {
        self.uart.news()
    }
}

impl AsyncRead for Uart {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_advance(cx)?;
        let bytes: Vec<u8> = self.uart.read(buf.remaining()).collect();
        if self.uart.is_writable()
            && let Some(writer) = self.writer.take()
        {
            writer.wake();
        }
        if bytes.is_empty() {
            self.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        buf.put_slice(&bytes);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Uart {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let count = self.uart.write(bytes, Instant::now());
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
