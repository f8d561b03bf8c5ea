//! A telnet server in front of a serial line: `telnet:` and `rfc2217:` ports.
//!
//! Each method that changes the line only queues what is to be sent; the answers come with the
//! data. A server without RFC 2217 makes no difference to the bytes: its line cannot be set.

mod com_port;

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::stream::connect_tcp;
use super::{ControlError, HandedKind, HandedPort, NO_LINE, Port};
use crate::model::latin1;
use crate::model::line::{Framing, Inputs, LineErrors, LineSettings, Outputs};
use crate::wire::rfc2217::{Answer, COM_PORT};
use crate::wire::telnet::{Received, Telnet};
use com_port::ComPort;

/// How long the server has to answer our offers before typed bytes are sent all the same.
const SETTLE: Duration = Duration::from_secs(1);
/// The most that is read or encoded at a time, in bytes.
const READ: usize = 8 * 1024;
/// What may wait to be sent, in bytes: more is a server that asks and does not listen.
const OUTGOING: usize = 64 * 1024;

/// A connection to the server.
#[derive(Debug)]
pub(super) struct TelnetPort {
    stream: TcpStream,
    telnet: Telnet,
    /// How an `rfc2217:` port is set when it is opened; `None` leaves it as the server has it.
    framing: Option<Framing>,
    /// There when the port is `rfc2217:`.
    com_port: Option<ComPort>,
    /// The board's bytes that nobody has read yet; at most what [`READ`] gave.
    incoming: VecDeque<Bytes>,
    outgoing: BytesMut,
    /// Whoever waits for the server to resume.
    writer: Option<Waker>,
}

/// A connection without its socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TelnetPortState {
    telnet: Telnet,
    framing: Option<Framing>,
    com_port: Option<ComPort>,
    #[serde(with = "latin1")]
    incoming: Bytes,
    #[serde(with = "latin1")]
    outgoing: Bytes,
}

impl TelnetPort {
    /// Goes on with a connection.
    pub(super) fn resume(stream: TcpStream, state: TelnetPortState) -> Self {
        let TelnetPortState { telnet, framing, com_port, incoming, outgoing } = state;
        let incoming = (!incoming.is_empty()).then_some(incoming).into_iter().collect();
        let outgoing = outgoing.into();
        Self { stream, telnet, framing, com_port, incoming, outgoing, writer: None }
    }

    /// Connects to a server for its bytes and breaks only.
    pub(super) async fn telnet(address: &str) -> io::Result<Self> {
        Self::connect(address, None, None).await
    }

    /// Connects to a server that may have RFC 2217, and sets its line where `framing` is given.
    pub(super) async fn rfc2217(address: &str, framing: Option<Framing>) -> io::Result<Self> {
        let port = Self::connect(address, Some(ComPort::default()), framing).await?;
        if !port.telnet.is_com_port() {
            tracing::warn!(address, "the server has not agreed to RFC 2217: it sets no line");
        }
        Ok(port)
    }

    async fn connect(
        address: &str,
        com_port: Option<ComPort>,
        framing: Option<Framing>,
    ) -> io::Result<Self> {
        let stream = connect_tcp(address).await?;
        let mut telnet = Telnet::client(com_port.is_some());
        let outgoing = BytesMut::from(&telnet.answers()[..]);
        let incoming = VecDeque::new();
        let mut port = Self { stream, telnet, framing, com_port, incoming, outgoing, writer: None };
        // Typed bytes have to wait, since it is not known how the server will read a CR.
        let settled = tokio::time::timeout(SETTLE, port.settle()).await;
        settled.unwrap_or(Ok(()))?;
        Ok(port)
    }

    /// Reads until the server has answered our offers, and perhaps some of the board's bytes.
    async fn settle(&mut self) -> io::Result<()> {
        let mut received = 0;
        while !self.telnet.is_settled() && received < READ {
            match std::future::poll_fn(|cx| self.poll_receive(cx)).await? {
                0 => break,
                count => received += count,
            }
        }
        Ok(())
    }

    /// Sends what waits, then receives what there is, and gives the number of bytes: 0 is the end.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Err(error)) = self.poll_send(cx) {
            return Poll::Ready(Err(error));
        }
        let mut buffer = [0; READ];
        let mut buffer = ReadBuf::new(&mut buffer);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
        self.received(buffer.filled())?;
        if let Poll::Ready(Err(error)) = self.poll_send(cx) {
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(buffer.filled().len()))
    }

    fn received(&mut self, bytes: &[u8]) -> io::Result<()> {
        let received = self.telnet.decode(bytes).map_err(io::Error::other)?;
        self.outgoing.extend_from_slice(&self.telnet.answers());
        for received in received {
            match (received, &mut self.com_port) {
                (Received::Data(bytes), _) => self.incoming.push_back(bytes),
                (Received::ComPort, Some(com_port)) => {
                    com_port.begin(self.framing, &mut self.outgoing);
                }
                (Received::Subnegotiation(bytes), Some(com_port)) => {
                    if let Some((&COM_PORT, sub_option)) = bytes.split_first()
                        && let Some(answer) = Answer::decode(sub_option)
                    {
                        com_port.answered(answer);
                    }
                }
                // A server's BRK has no meaning, nor has an option that we refused.
                (Received::Break | Received::ComPort | Received::Subnegotiation(_), _) => {}
            }
        }
        if !self.is_suspended()
            && let Some(writer) = self.writer.take()
        {
            writer.wake();
        }
        if self.outgoing.len() > OUTGOING {
            return Err(io::Error::other("the server does not read the answers to what it asks"));
        }
        Ok(())
    }

    /// Sends all that waits.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outgoing.is_empty() {
            let sent = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.outgoing))?;
            self.outgoing.advance(sent);
        }
        Poll::Ready(Ok(()))
    }

    fn is_suspended(&self) -> bool {
        self.com_port.as_ref().is_some_and(ComPort::is_suspended)
    }

    /// The server's line, if it has one for us; and where requests go.
    fn line_end(&mut self) -> Result<(&mut ComPort, &mut BytesMut), ControlError> {
        if self.outgoing.len() > OUTGOING {
            let stuck = "the server does not read";
            return Err(io::Error::new(io::ErrorKind::WouldBlock, stuck).into());
        }
        let com_port = self.com_port.as_mut().ok_or(NO_LINE)?;
        if !self.telnet.is_com_port() {
            return Err(ControlError::Unsupported("the server has not agreed to RFC 2217"));
        }
        Ok((com_port, &mut self.outgoing))
    }
}

impl Port for TelnetPort {
    /// Without RFC 2217 the server chooses how long a break is.
    fn set_break(&mut self, on: bool) -> Result<(), ControlError> {
        match self.line_end() {
            Ok((com_port, out)) => com_port.set_break(on, out),
            Err(ControlError::Unsupported(_)) if on => Telnet::encode_break(&mut self.outgoing),
            Err(ControlError::Unsupported(_)) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn set_line(&mut self, settings: LineSettings) -> Result<(), ControlError> {
        let (com_port, out) = self.line_end()?;
        com_port.set_line(settings, out);
        Ok(())
    }

    fn set_outputs(&mut self, outputs: Outputs) -> Result<(), ControlError> {
        let (com_port, out) = self.line_end()?;
        com_port.set_outputs(outputs, out);
        Ok(())
    }

    fn inputs(&mut self) -> Result<Inputs, ControlError> {
        Ok(self.line_end()?.0.inputs())
    }

    fn errors(&mut self) -> Result<LineErrors, ControlError> {
        Ok(self.line_end()?.0.errors())
    }

    fn purge_output(&mut self) -> Result<(), ControlError> {
        let (com_port, out) = self.line_end()?;
        com_port.purge(out);
        Ok(())
    }

    fn hand_over(self: Box<Self>) -> Option<HandedPort> {
        let fd = self.stream.into_std().ok()?.into();
        let state = TelnetPortState {
            telnet: self.telnet,
            framing: self.framing,
            com_port: self.com_port,
            incoming: self.incoming.iter().flatten().copied().collect(),
            outgoing: self.outgoing.freeze(),
        };
        Some(HandedPort { fd, kind: HandedKind::Telnet(Box::new(state)) })
    }

    fn news(&mut self) -> bool {
        self.com_port.as_mut().is_some_and(ComPort::news)
    }

    fn line(&mut self) -> Option<(LineSettings, Outputs)> {
        Some(self.line_end().ok()?.0.line())
    }
}

impl AsyncRead for TelnetPort {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            if let Some(bytes) = self.incoming.front_mut() {
                buf.put_slice(&bytes.split_to(bytes.len().min(buf.remaining())));
                if bytes.is_empty() {
                    self.incoming.pop_front();
                }
                return Poll::Ready(Ok(()));
            }
            if ready!(self.poll_receive(cx))? == 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncWrite for TelnetPort {
    /// Takes no more before all that was taken has gone.
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_suspended() {
            self.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        ready!(self.poll_send(cx))?;
        let count = bytes.len().min(READ);
        let Self { telnet, outgoing, .. } = &mut *self;
        telnet.encode(&bytes[..count], outgoing);
        match self.poll_send(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(count)),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_send(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
