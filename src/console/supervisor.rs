//! The task that owns a console's port.
//!
//! It reads, stamps, appends to the capture, and only then publishes; and it writes what sessions
//! typed. When the port is gone it opens it again, and the console and its sessions stay.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::alarm::Alarm;
use super::hand_over::HandedState;
use super::input::{Request, Typed};
use super::line::{LineChange, Wires};
use super::pending::{Part, Pending};
use super::signs::Signs;
use super::step::poll_port;
use super::typing::Unrecorded;
use super::{Console, Handed, Lifetime};
use crate::capture::Writer;
use crate::config::PortSpec;
use crate::model::line::LineSettings;
use crate::model::{What, units};
use crate::port::{self, HandedPort, Port};
use crate::wire::attach::PortState;

/// How often the capture is synced: what a power loss can cost.
const SYNC: Duration = Duration::from_secs(1);
/// The first and the longest wait before a lost port is opened again.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
/// Why a port is not open that somebody has closed.
const CLOSED: &str = "somebody has closed it";
/// A port that was open for this long is opened again without a wait.
const STEADY: Duration = Duration::from_secs(5);

pub(super) struct Supervisor {
    pub(super) console: Arc<Console>,
    pub(super) spec: PortSpec,
    pub(super) writer: Writer,
    pub(super) typed: mpsc::Receiver<Box<Typed>>,
    pub(super) requests: mpsc::Receiver<Request>,
    pub(super) lifetime: Lifetime,
    /// When the capture is tended next.
    pub(super) tend_at: Instant,
    /// Who has closed the port, if somebody has.
    pub(super) down: Option<String>,
    /// Input that the port took, and the capture has not got yet.
    pub(super) unrecorded: Option<Unrecorded>,
    /// What the board's words tell of it.
    pub(super) signs: Signs,
    /// When a board that was switched on ought to have printed something.
    pub(super) silent_at: Option<Instant>,
    /// The number of the next event to capture.
    pub(super) recorded: u64,
}

/// How waiting without a port ended.
enum Idle<T> {
    Done(T),
    /// The port is to be opened now, perhaps another one.
    Retry,
    HandOver,
    ShuttingDown,
}

/// A port that another process has had, and what it was still to be given.
pub(super) struct Resumed {
    pub(super) port: Option<HandedPort>,
    pub(super) typed: Vec<Part>,
    pub(super) down: Option<String>,
}

/// Why a port is not served any more.
enum Ended {
    Gone(String),
    HandOver,
    ShuttingDown,
}

/// The same, with what is left of it.
enum Served {
    Gone(String),
    HandOver(Box<dyn Port>, Pending),
    ShuttingDown,
}

impl Supervisor {
    /// Owns the port until the console shuts down, or is given away: the port and all state then.
    pub(super) async fn run(mut self, resumed: Option<Resumed>) -> Option<Handed> {
        self.keep_house();
        let mut wait = BACK_OFF.0;
        let mut resumed = self.resume(resumed);
        let handed = loop {
            let spec = self.spec.clone();
            let (opened, pending) = match resumed.take() {
                Some((port, pending)) => (Ok(port), pending),
                None if self.down.is_some() => {
                    match self.idle(std::future::pending::<()>()).await {
                        Idle::Done(()) | Idle::Retry => continue,
                        Idle::HandOver => break Some((None, Pending::default())),
                        Idle::ShuttingDown => break None,
                    }
                }
                None => match self.idle(Box::pin(port::open(&spec))).await {
                    Idle::Done(opened) => (opened, Pending::default()),
                    Idle::Retry => continue,
                    Idle::HandOver => break Some((None, Pending::default())),
                    Idle::ShuttingDown => break None,
                },
            };
            let reason = match opened {
                Ok(port) => {
                    let since = Instant::now();
                    let reason = match self.serve(port, pending).await {
                        Served::Gone(reason) => reason,
                        Served::HandOver(port, pending) => break Some((Some(port), pending)),
                        Served::ShuttingDown => break None,
                    };
                    if since.elapsed() >= STEADY || self.spec != spec {
                        wait = BACK_OFF.0;
                    }
                    reason
                }
                Err(error) => error.to_string(),
            };
            self.lost(reason);
            match self.idle(tokio::time::sleep(wait)).await {
                Idle::Done(()) => wait = (wait * 2).min(BACK_OFF.1),
                Idle::Retry => wait = BACK_OFF.0,
                Idle::HandOver => break Some((None, Pending::default())),
                Idle::ShuttingDown => break None,
            }
        };
        self.record_events();
        let handed = handed.map(|(port, pending)| self.give_away(port, pending));
        self.sync();
        handed
    }

    /// The port that was handed over, if it can be gone on with.
    fn resume(&mut self, resumed: Option<Resumed>) -> Option<(Box<dyn Port>, Pending)> {
        let Resumed { port, typed, down } = resumed?;
        if down.is_some() {
            self.console.state().port = PortState::Closed { reason: CLOSED.into() };
            self.down = down;
        }
        let mut pending: Pending = typed.into_iter().collect();
        match port.map(port::resume) {
            Some(Ok(port)) => {
                self.console.state().port = PortState::Open;
                Some((port, pending))
            }
            Some(Err(error)) => {
                let console = &self.console.name;
                tracing::warn!(%console, %error, "a port that was handed over is opened anew");
                self.drop_pending(&mut pending);
                None
            }
            None => {
                self.drop_pending(&mut pending);
                None
            }
        }
    }

    /// Everything that the next owner needs.
    fn give_away(&mut self, port: Option<Box<dyn Port>>, mut pending: Pending) -> Handed {
        while let Ok(typed) = self.typed.try_recv() {
            self.accept(*typed, &mut pending);
        }
        pending.drop_called_back();
        // What was dropped is told of before the events are given away.
        self.record_events();
        let typed = pending.into_parts();
        let state = self.console.state();
        let state = HandedState {
            port: state.spec.clone(),
            port_state: Some(state.port.clone()),
            down: self.down.clone(),
            head: self.writer.head(),
            line: *self.console.line.borrow(),
            lock: state.lock.clone(),
            events: state.events.clone(),
            typed,
            vitals: state.vitals.clone(),
            signs: std::mem::take(&mut self.signs),
        };
        Handed { state, port: port.and_then(Port::hand_over) }
    }

    /// Notes that the port is gone; said once for each reason, however often it is tried.
    fn lost(&mut self, reason: String) {
        let closed = PortState::Closed { reason: reason.clone() };
        let before = std::mem::replace(&mut self.console.state().port, closed.clone());
        if self.down.is_some() {
            self.event(self.down.clone(), What::PortDown);
        } else if before != closed {
            tracing::warn!(console = %self.console.name, %reason, "the port is gone");
            self.event(None, What::PortLost { reason });
        }
    }

    /// Answers requests, while there is no port, until `waited_for` is done.
    async fn idle<T>(&mut self, waited_for: impl Future<Output = T>) -> Idle<T> {
        let mut waited_for = std::pin::pin!(waited_for);
        let console = self.console.clone();
        let Lifetime { shutdown, hand_over, .. } = self.lifetime.clone();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return Idle::ShuttingDown,
                () = hand_over.cancelled() => return Idle::HandOver,
                () = sleep_until(self.tend_at) => self.tend(),
                done = &mut waited_for => return Idle::Done(done),
                () = console.news.notified() => self.record_events(),
                Some(typed) = self.typed.recv() => self.drop_typed(*typed),
                Some(request) = self.requests.recv() => match request {
                    Request::Break(request) => {
                        let _ = request.answer.send(Err("the port is not open".into()));
                    }
                    Request::Sequence(request) => {
                        request.receipt.refused("the port is not open".into());
                    }
                    Request::Line(request) => {
                        self.line_request(None, &mut Wires::default(), *request);
                    }
                    Request::Port(spec) => {
                        self.change_port(*spec);
                        return Idle::Retry;
                    }
                    Request::Capture(options) => self.change_capture(*options),
                    Request::Retry => return Idle::Retry,
                    Request::Down(request) => {
                        if self.set_down(*request) {
                            if self.down.is_some() {
                                self.lost(CLOSED.into());
                            }
                            return Idle::Retry;
                        }
                    }
                },
            }
        }
    }

    /// From now on another port is served, set as its spec says.
    fn change_port(&mut self, spec: PortSpec) {
        {
            let mut state = self.console.state();
            (state.spec, state.shown) = (spec.to_string(), spec.shown());
        }
        let settings = LineSettings { framing: spec.framing(), ..LineSettings::default() };
        self.console.line.send_modify(|line| line.settings = settings);
        self.spec = spec;
    }

    /// Serves an open port for as long as it is there and ours. It may be one that was served before.
    async fn serve(&mut self, mut port: Box<dyn Port>, mut pending: Pending) -> Served {
        let known = self.console.state().port == PortState::Open;
        let mut wires = Wires::default();
        if known {
            self.poll_line(&mut *port, &mut wires);
        } else {
            self.console.state().port = PortState::Open;
            let settings = self.spec.shown();
            self.event(None, What::PortOpen { settings });
            wires = self.restore_line(&mut *port);
            self.greet(&mut pending);
        }
        match self.serve_with(&mut *port, &mut pending, &mut wires).await {
            Ended::HandOver => {
                self.end_break(&mut *port, &mut wires);
                self.end_pulse(&mut *port, &mut wires);
                self.flush_input();
                Served::HandOver(port, pending)
            }
            Ended::Gone(reason) => {
                self.drop_pending(&mut pending);
                Served::Gone(reason)
            }
            Ended::ShuttingDown => {
                self.drop_pending(&mut pending);
                Served::ShuttingDown
            }
        }
    }

    async fn serve_with(
        &mut self,
        port: &mut dyn Port,
        pending: &mut Pending,
        wires: &mut Wires,
    ) -> Ended {
        let console = self.console.clone();
        let Lifetime { shutdown, hand_over, .. } = self.lifetime.clone();
        let mut ending = std::pin::pin!(async {
            tokio::select! {
                () = shutdown.cancelled() => Ended::ShuttingDown,
                () = hand_over.cancelled() => Ended::HandOver,
            }
        });
        let mut sync_at: Option<Instant> = None;
        let mut alarm = Alarm::new(self.tend_at);
        let mut news = std::pin::pin!(console.news.notified());
        loop {
            self.send_breaks(port, wires, pending);
            alarm.set(self.next_due(wires, pending, sync_at));
            tokio::select! {
                // Requests before the port: a flood from the board must not keep people from typing.
                biased;
                ended = &mut ending => return ended,
                () = alarm.rings() => self.do_what_is_due(port, wires, pending, &mut sync_at),
                () = &mut news => {
                    news.set(console.news.notified());
                    self.record_events();
                    self.drop_called_back(pending);
                }
                Some(typed) = self.typed.recv(), if self.has_room(pending) => {
                    self.accept(*typed, pending);
                }
                Some(request) = self.requests.recv() => match request {
                    Request::Break(request) => {
                        self.begin_break(port, wires, *request);
                    }
                    Request::Sequence(request) => self.begin_sequence(*request, pending),
                    Request::Line(request) => {
                        if request.change == LineChange::PurgeTyped {
                            self.purge_typed(&request.who, pending);
                        }
                        self.line_request(Some(port), wires, *request);
                    }
                    Request::Port(spec) => {
                        self.change_port(*spec);
                        return Ended::Gone("another port is configured".into());
                    }
                    Request::Capture(options) => self.change_capture(*options),
                    Request::Retry => {}
                    Request::Down(request) => {
                        if self.set_down(*request) {
                            return Ended::Gone(CLOSED.into());
                        }
                    }
                },
                step = std::future::poll_fn(|cx| poll_port(port, pending.front(), cx)) => {
                    if let Some(taken) = pending.took(step.wrote, Instant::now()) {
                        self.record_input(taken);
                    }
                    let much = step.is_much();
                    if step.wrote > 0 || step.read.is_some() {
                        wires.heard();
                    }
                    if let Some(bytes) = step.read {
                        self.append(bytes);
                        sync_at.get_or_insert_with(|| Instant::now() + SYNC);
                    }
                    if step.news {
                        self.poll_line(port, wires);
                    }
                    if let Some(reason) = step.gone {
                        let reason = port.epitaph().unwrap_or(reason);
                        return Ended::Gone(reason);
                    }
                    if much {
                        // Let the readers have it before more is read or written.
                        tokio::task::yield_now().await;
                        self.settle();
                    }
                }
                // The echo of what was typed does not wait for the record of it.
                () = tokio::task::yield_now(), if self.writer.is_unsettled() => self.settle(),
            }
        }
    }

    /// When [`Self::do_what_is_due`] has something to do.
    fn next_due(&self, wires: &Wires, pending: &Pending, sync_at: Option<Instant>) -> Instant {
        let times = [
            wires.break_end(),
            wires.poll_at(),
            sync_at,
            self.silent_at,
            pending.give_up_at(self.write_limit()),
            self.due(wires, pending),
        ];
        times.into_iter().flatten().fold(self.tend_at, Instant::min)
    }

    fn do_what_is_due(
        &mut self,
        port: &mut dyn Port,
        wires: &mut Wires,
        pending: &mut Pending,
        sync_at: &mut Option<Instant>,
    ) {
        let now = Instant::now();
        let is_due = |time: Option<Instant>| time.is_some_and(|time| time <= now);
        if is_due(wires.break_end()) {
            self.end_break(port, wires);
        }
        if is_due(wires.poll_at()) {
            self.poll_line(port, wires);
        }
        if is_due(*sync_at) {
            *sync_at = None;
            self.sync();
            self.count_errors(port);
            self.flush_signs();
            self.console.state().ring.trim(units::now_us());
        }
        if is_due(Some(self.tend_at)) {
            self.tend();
        }
        if is_due(self.silent_at) {
            self.silent();
        }
        if is_due(pending.give_up_at(self.write_limit())) {
            self.drop_pending(pending);
        }
        if is_due(self.due(wires, pending)) {
            self.on_time(port, wires, pending);
        }
    }
}

/// Waits for a time; for ever when there is none.
pub(super) async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}
