//! One step at a port: what it takes is written, what it has is read.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::ReadBuf;

use crate::port::Port;

/// The most that is read at a time.
const READ: usize = 64 * 1024;
/// When a read gives so many bytes, another one follows at once.
const MUCH: usize = 1024;

/// What happened at the port in one step.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) wrote: usize,
    pub(super) read: Option<Bytes>,
    /// The other end has told something of the line.
    pub(super) news: bool,
    /// Why the port is gone, if it is.
    pub(super) gone: Option<String>,
}

impl Step {
    /// Whether so much has passed that others should have their turn.
    pub(super) fn is_much(&self) -> bool {
        self.wrote + self.read.as_ref().map_or(0, Bytes::len) >= MUCH
    }
}

/// Writes what it can of `input` and reads what there is, up to [`READ`] bytes.
pub(super) fn poll_port(port: &mut dyn Port, input: &[u8], cx: &mut Context<'_>) -> Poll<Step> {
    let mut step = Step { wrote: 0, read: None, news: false, gone: None };
    let mut port = Pin::new(port);
    if !input.is_empty() {
        match port.as_mut().poll_write(cx, input) {
            Poll::Ready(Ok(wrote)) => step.wrote = wrote,
            Poll::Ready(Err(error)) => step.gone = Some(gone(&error)),
            Poll::Pending => {}
        }
    }
    SCRATCH.with_borrow_mut(|scratch| {
        scratch.resize(READ, 0);
        let mut buffer = ReadBuf::new(scratch);
        loop {
            let before = buffer.filled().len();
            match port.as_mut().poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if buffer.filled().len() == before => {
                    step.gone.get_or_insert_with(|| "the other side closed it".to_owned());
                }
                // When little came there is hardly more yet; the next step will tell.
                Poll::Ready(Ok(()))
                    if buffer.remaining() > 0 && buffer.filled().len() - before >= MUCH =>
                {
                    continue;
                }
                Poll::Ready(Err(error)) => step.gone = Some(gone(&error)),
                Poll::Ready(Ok(())) | Poll::Pending => {}
            }
            break;
        }
        if !buffer.filled().is_empty() {
            step.read = Some(Bytes::copy_from_slice(buffer.filled()));
        }
    });
    step.news = port.news();
    let happened = step.wrote > 0 || step.read.is_some() || step.news || step.gone.is_some();
    if happened { Poll::Ready(step) } else { Poll::Pending }
}

thread_local! {
    /// Reads go here first, so that an idle console needs no buffer of its own.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

fn gone(error: &io::Error) -> String {
    // What a pty says when nobody has its other end open.
    if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) {
        return "the other side hung up".to_owned();
    }
    error.to_string()
}
