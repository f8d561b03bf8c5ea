//! The task that owns a console's port.
//!
//! It reads, stamps, appends to the capture, and only then publishes; and it writes what sessions
//! typed. When the port is gone it opens it again, and the console and its sessions stay.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use tokio::io::ReadBuf;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Console;
use super::input::{Request, Typed};
use super::line::{LineChange, Wires};
use crate::capture::Writer;
use crate::config::PortSpec;
use crate::model::{Event, What, units};
use crate::port::{self, Port};
use crate::wire::attach::PortState;

/// The most that is read at a time.
const READ: usize = 64 * 1024;
/// The most typed bytes that wait inside for the port to take them.
const PENDING: usize = 4 * 1024;
/// Typed bytes that the port did not take for this long are dropped.
const WRITE_LIMIT: Duration = Duration::from_secs(10);
/// How often the capture is synced: what a power loss can cost.
const SYNC: Duration = Duration::from_secs(1);
/// The first and the longest wait before a lost port is opened again.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
/// A port that was open for this long is opened again without a wait.
const STEADY: Duration = Duration::from_secs(5);

pub(super) struct Supervisor {
    pub(super) console: Arc<Console>,
    pub(super) spec: PortSpec,
    pub(super) writer: Writer,
    pub(super) typed: mpsc::Receiver<Typed>,
    pub(super) requests: mpsc::Receiver<Request>,
    pub(super) tasks: TaskTracker,
}

/// What happened at the port in one step.
struct Step {
    wrote: usize,
    read: Option<Bytes>,
    /// The other end has told something of the line.
    news: bool,
    /// Why the port is gone, if it is.
    gone: Option<String>,
}

/// Typed bytes on their way to the port.
#[derive(Default)]
struct Pending {
    parts: VecDeque<(String, Bytes)>,
    bytes: usize,
    /// When the port last took something, or the first part came.
    since: Option<Instant>,
}

impl Supervisor {
    pub(super) async fn run(mut self, shutdown: CancellationToken) {
        self.keep_house();
        let mut wait = BACK_OFF.0;
        loop {
            let opened = tokio::select! {
                () = shutdown.cancelled() => break,
                opened = port::open(&self.spec) => opened,
            };
            let reason = match opened {
                Ok(port) => {
                    self.console.state().port = PortState::Open;
                    let settings = self.spec.to_string();
                    self.event(None, What::PortOpen { settings });
                    let since = Instant::now();
                    let Some(reason) = self.serve(port, &shutdown).await else { break };
                    if since.elapsed() >= STEADY {
                        wait = BACK_OFF.0;
                    }
                    reason
                }
                Err(error) => error.to_string(),
            };
            self.lost(reason);
            if !self.sit_out(Instant::now() + wait, &shutdown).await {
                break;
            }
            wait = (wait * 2).min(BACK_OFF.1);
        }
        while let Ok(Request::Record(event)) = self.requests.try_recv() {
            self.writer.record(&event);
        }
        self.sync();
    }

    /// Notes that the port is gone; said once for each reason, however often it is tried.
    fn lost(&mut self, reason: String) {
        let closed = PortState::Closed { reason: reason.clone() };
        let before = std::mem::replace(&mut self.console.state().port, closed.clone());
        if before != closed {
            tracing::warn!(console = %self.console.name, %reason, "the port is gone");
            self.event(None, What::PortLost { reason });
        }
    }

    /// Waits until it is time to open the port again, while requests are answered. `false` when the
    /// console shuts down.
    async fn sit_out(&mut self, until: Instant, shutdown: &CancellationToken) -> bool {
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return false,
                () = sleep_until(until) => return true,
                Some(typed) = self.typed.recv() => self.drop_input(typed.who, typed.bytes.len()),
                Some(request) = self.requests.recv() => match request {
                    Request::Record(event) => self.writer.record(&event),
                    Request::Break(request) => {
                        let _ = request.answer.send(Err("the port is not open".into()));
                    }
                    Request::Line(request) => {
                        self.line_request(None, &mut Wires::default(), *request);
                    }
                },
            }
        }
    }

    /// Serves an open port until it is gone, and tells why; `None` when the console shuts down.
    async fn serve(&mut self, port: Box<dyn Port>, shutdown: &CancellationToken) -> Option<String> {
        let mut pending = Pending::default();
        let reason = self.serve_with(port, &mut pending, shutdown).await;
        self.drop_pending(&mut pending);
        reason
    }

    async fn serve_with(
        &mut self,
        mut port: Box<dyn Port>,
        pending: &mut Pending,
        shutdown: &CancellationToken,
    ) -> Option<String> {
        let mut wires = self.restore_line(&mut *port);
        let mut sync_at: Option<Instant> = None;
        loop {
            tokio::select! {
                // Requests before the port: a flood from the board must not keep people from typing.
                biased;
                () = shutdown.cancelled() => return None,
                () = at(wires.break_end()) => self.end_break(&mut *port, &mut wires),
                () = at(wires.poll_at()) => self.poll_line(&mut *port, &mut wires),
                () = at(sync_at) => {
                    sync_at = None;
                    self.sync();
                    self.console.state().ring.trim(units::now_us());
                }
                () = at(pending.since.map(|since| since + WRITE_LIMIT)) => {
                    self.drop_pending(pending);
                }
                Some(typed) = self.typed.recv(), if pending.bytes < PENDING => {
                    self.accept(typed, pending);
                }
                Some(request) = self.requests.recv() => match request {
                    Request::Record(event) => self.writer.record(&event),
                    Request::Break(request) => {
                        self.begin_break(&mut *port, &mut wires, *request);
                    }
                    Request::Line(request) => {
                        if request.change == LineChange::PurgeTyped {
                            self.purge_typed(&request.who, pending);
                        }
                        self.line_request(Some(&mut *port), &mut wires, *request);
                    }
                },
                step = std::future::poll_fn(|cx| poll_port(&mut *port, pending.front(), cx)) => {
                    if let Some((who, bytes)) = pending.took(step.wrote) {
                        self.record_input(who, &bytes);
                    }
                    if let Some(bytes) = step.read {
                        self.append(bytes);
                        sync_at.get_or_insert_with(|| Instant::now() + SYNC);
                    }
                    if step.news {
                        self.poll_line(&mut *port, &mut wires);
                    }
                    if let Some(reason) = step.gone {
                        let reason = port.epitaph().unwrap_or(reason);
                        return Some(reason);
                    }
                    // Let the readers have it before more is read.
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    /// The life of a byte: stamped, captured, then published.
    fn append(&mut self, bytes: Bytes) {
        let time_us = units::now_us();
        let offset = self.writer.head();
        let gap = self.writer.append(time_us, &bytes);
        let mut state = self.console.state();
        state.ring.push(offset, time_us, bytes);
        if state.capture_error.as_deref() != self.writer.broken() {
            state.capture_error = self.writer.broken().map(str::to_owned);
        }
        let events = gap.map_or(0, |gap| {
            state.events.push(gap);
            1
        });
        self.console.head.send_modify(|head| {
            head.offset = self.writer.head();
            head.events += events;
        });
        drop(state);
        self.keep_house();
    }

    /// Takes typed bytes on their way, unless who typed them has lost the lock since.
    fn accept(&mut self, typed: Typed, pending: &mut Pending) {
        if typed.forced == self.console.state().lock.forced() {
            pending.push(typed.who, typed.bytes);
        } else {
            self.drop_input(typed.who, typed.bytes.len());
        }
    }

    /// Forgets what somebody typed, also where it still waits for room.
    fn purge_typed(&mut self, who: &str, pending: &mut Pending) {
        let mut forgotten = pending.forget(who);
        while pending.bytes < PENDING
            && let Ok(typed) = self.typed.try_recv()
        {
            self.accept(typed, pending);
            forgotten += pending.forget(who);
        }
        if forgotten > 0 {
            self.drop_input(who.to_owned(), forgotten);
        }
    }

    /// Tells that accepted input did not reach the board.
    fn drop_input(&mut self, who: String, bytes: usize) {
        self.event(Some(who), What::InputDropped { bytes: bytes as u64 });
    }

    fn drop_pending(&mut self, pending: &mut Pending) {
        for (who, bytes) in pending.take_all() {
            self.drop_input(who, bytes.len());
        }
    }

    /// Publishes an event and captures it.
    pub(super) fn event(&mut self, who: Option<String>, what: What) {
        let event = self.console.publish(who, what);
        self.writer.record(&event);
    }

    /// Captures who typed what. It is not shown to sessions: they see the board's echo.
    fn record_input(&mut self, who: String, bytes: &[u8]) {
        let text = bytes.iter().copied().map(char::from).collect();
        let offset = self.writer.head();
        let event =
            Event { offset, time_us: units::now_us(), who: Some(who), what: What::Input { text } };
        self.writer.record(&event);
    }

    fn sync(&mut self) {
        if let Some(file) = self.writer.unsynced() {
            let name = self.console.name.clone();
            self.tasks.spawn_blocking(move || {
                if let Err(error) = file.sync_data() {
                    tracing::error!(console = %name, %error, "the capture could not be synced");
                }
            });
        }
    }

    fn keep_house(&mut self) {
        if let Some(work) = self.writer.housekeeping() {
            self.tasks.spawn_blocking(move || work.run());
        }
    }
}

impl Pending {
    fn push(&mut self, who: String, bytes: Bytes) {
        self.since.get_or_insert_with(Instant::now);
        self.bytes += bytes.len();
        self.parts.push_back((who, bytes));
    }

    fn front(&self) -> &[u8] {
        self.parts.front().map_or(&[], |(_, bytes)| bytes)
    }

    /// Notes that the port took bytes, and gives who typed them.
    fn took(&mut self, count: usize) -> Option<(String, Bytes)> {
        let (who, bytes) = self.parts.front_mut().filter(|_| count > 0)?;
        let taken = bytes.slice(..count);
        let who = who.clone();
        bytes.advance(count);
        if bytes.is_empty() {
            self.parts.pop_front();
        }
        self.bytes -= count;
        self.since = (!self.parts.is_empty()).then(Instant::now);
        Some((who, taken))
    }

    /// Forgets what somebody typed, and tells how many bytes that were.
    fn forget(&mut self, who: &str) -> usize {
        let before = self.bytes;
        self.parts.retain(|(typist, _)| typist != who);
        self.bytes = self.parts.iter().map(|(_, bytes)| bytes.len()).sum();
        if self.parts.is_empty() {
            self.since = None;
        }
        before - self.bytes
    }

    fn take_all(&mut self) -> VecDeque<(String, Bytes)> {
        std::mem::take(self).parts
    }
}

/// Writes what it can of `input` and reads what there is, up to [`READ`] bytes.
fn poll_port(port: &mut dyn Port, input: &[u8], cx: &mut Context<'_>) -> Poll<Step> {
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
                Poll::Ready(Ok(())) if buffer.remaining() > 0 => continue,
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

/// Waits for a time; for ever when there is none.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}
