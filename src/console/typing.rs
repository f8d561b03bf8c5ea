//! What goes to the board: typed bytes, sequences, and what the daemon itself sends.

use std::time::Duration;

use tokio::time::Instant;

use super::input::{Sequence, Typed};
use super::line::Wires;
use super::pending::{Pending, Taken};
use super::supervisor::Supervisor;
use crate::model::{Event, What, latin1, units};
use crate::port::Port;

/// Who types what the configuration says.
const OURSELVES: &str = "lava-serial";
/// The most typed bytes that wait inside for the port to take them.
const PENDING: usize = 4 * 1024;
/// The same, where it is looked for what was called back.
const AT_ONCE: usize = 16 * PENDING;
/// Typed bytes that the port did not take for this long, and as long as it takes a slow line to send
/// what its driver holds, are dropped.
const WRITE_LIMIT: Duration = Duration::from_secs(10);
/// What the driver of a serial line may hold, in bytes.
const DRIVER: u32 = 8 * 1024;
/// The most steps of sequences that may wait.
const STEPS: usize = 256;
/// Input that goes byte by byte is recorded in pieces of at most this time and length.
const RECORDED_WITHIN: Duration = Duration::from_millis(250);
const RECORDED_BYTES: usize = 1024;

/// Input that the port took byte by byte, of one typist.
#[derive(Debug)]
pub(super) struct Unrecorded {
    event: Event,
    since: Instant,
}

impl Supervisor {
    /// Sends a port that has just been opened what it is to get first.
    pub(super) fn greet(&self, pending: &mut Pending) {
        let manners = self.console.manners();
        if let Some(keys) = &manners.on_open {
            pending.push_keys(OURSELVES, keys, manners.pace, None);
        }
    }

    /// Begins the breaks that are due.
    pub(super) fn send_breaks(
        &mut self,
        port: &mut dyn Port,
        wires: &mut Wires,
        pending: &mut Pending,
    ) {
        // What follows a break waits for its end, also for that of one by itself.
        match wires.timed_break_end() {
            Some(end) if end <= Instant::now() => self.end_break(port, wires),
            Some(end) => pending.hold(end),
            None => {}
        }
        while let Some(due) = pending.advance(Instant::now()) {
            match (self.start_break(port, wires, due.who, due.ms), due.receipt) {
                (Ok(()), Some(receipt)) => receipt.done(1),
                (Err(reason), Some(receipt)) => {
                    receipt.dropped(1);
                    receipt.refused(reason);
                }
                (Ok(()), None) => {}
                (Err(reason), None) => {
                    tracing::warn!(console = %self.console.name, reason, "no break is sent");
                }
            }
        }
    }

    /// When [`Self::on_time`] has something to do.
    pub(super) fn due(&self, wires: &Wires, pending: &Pending) -> Option<Instant> {
        let unrecorded = self.unrecorded.as_ref().map(|input| input.since + RECORDED_WITHIN);
        let times = [pending.due(), unrecorded, wires.pulse_end(), self.idle_send_at(wires)];
        times.into_iter().flatten().min()
    }

    pub(super) fn on_time(
        &mut self,
        port: &mut dyn Port,
        wires: &mut Wires,
        pending: &mut Pending,
    ) {
        let is_due = |time: Option<Instant>| time.is_some_and(|time| time <= Instant::now());
        if is_due(self.unrecorded.as_ref().map(|input| input.since + RECORDED_WITHIN)) {
            self.flush_input();
        }
        if is_due(wires.pulse_end()) {
            self.end_pulse(port, wires);
        }
        if is_due(self.idle_send_at(wires)) {
            wires.heard();
            let manners = self.console.manners();
            // Whoever has the console for himself does not want to be disturbed.
            let held = self.console.state().lock.holder().is_some();
            if let Some(idle) = manners.idle_send.as_ref().filter(|_| !held) {
                pending.push_keys(OURSELVES, &idle.keys, manners.pace, None);
            }
        }
    }

    fn idle_send_at(&self, wires: &Wires) -> Option<Instant> {
        let after = self.console.with_manners(|manners| Some(manners.idle_send.as_ref()?.after))?;
        Some(wires.heard_at() + after)
    }

    /// How long a port may take nothing.
    pub(super) fn write_limit(&self) -> Duration {
        // Ten bits a byte.
        WRITE_LIMIT + Duration::from_secs((10 * DRIVER / self.console.baud()).into())
    }

    /// Whether more of what is typed is taken now.
    pub(super) fn has_room(&self, pending: &Pending) -> bool {
        pending.bytes() < PENDING.min(4 * self.console.piece())
    }

    /// Drops what was called back, also behind others, and where it still waits for room.
    pub(super) fn drop_called_back(&mut self, pending: &mut Pending) {
        pending.drop_called_back();
        while pending.bytes() < AT_ONCE
            && let Ok(typed) = self.typed.try_recv()
        {
            self.accept(*typed, pending);
        }
        pending.drop_called_back();
    }

    /// Takes typed bytes on their way, unless who typed them has lost the lock since.
    pub(super) fn accept(&mut self, typed: Typed, pending: &mut Pending) {
        if typed.forced == self.console.state().lock.forced() {
            pending.push(typed, self.console.manners().pace);
        } else {
            self.drop_typed(typed);
        }
    }

    /// Forgets what somebody typed, also where it still waits for room.
    pub(super) fn purge_typed(&mut self, who: &str, pending: &mut Pending) {
        let mut forgotten = pending.forget(who);
        while self.has_room(pending)
            && let Ok(typed) = self.typed.try_recv()
        {
            self.accept(*typed, pending);
            forgotten += pending.forget(who);
        }
        if forgotten > 0 {
            self.drop_input(who.to_owned(), forgotten);
        }
    }

    pub(super) fn begin_sequence(&mut self, request: Sequence, pending: &mut Pending) {
        let Sequence { who, name, keys, receipt } = request;
        if pending.steps() >= STEPS {
            return receipt.refused("too many sequences wait to be sent".into());
        }
        if let Some(name) = name {
            self.event(Some(who.clone()), What::BreakSequence { name });
        }
        pending.push_keys(&who, &keys, self.console.manners().pace, Some(&receipt));
    }

    /// Tells that what was typed does not reach the board.
    pub(super) fn drop_typed(&mut self, typed: Typed) {
        let bytes = typed.bytes.len();
        if let Some(receipt) = typed.receipt {
            receipt.dropped(bytes);
        }
        self.drop_input(typed.who, bytes);
    }

    fn drop_input(&mut self, who: String, bytes: usize) {
        self.event(Some(who), What::InputDropped { bytes: bytes as u64 });
    }

    pub(super) fn drop_pending(&mut self, pending: &mut Pending) {
        for (who, bytes) in pending.drop_all() {
            self.drop_input(who, bytes);
        }
    }

    /// Captures who typed what. It is not shown to sessions: they see the board's echo.
    pub(super) fn record_input(&mut self, taken: Taken) {
        let Taken { who, bytes, paced } = taken;
        let text = latin1::text(&bytes);
        if let Some(Unrecorded { event, .. }) = &mut self.unrecorded
            && event.who.as_ref() == Some(&who)
            && let What::Input { text: before } = &mut event.what
        {
            before.push_str(&text);
            if paced && before.len() < RECORDED_BYTES {
                return;
            }
            return self.flush_input();
        }
        self.flush_input();
        let (offset, time_us) = (self.writer.head(), units::now_us());
        let event = Event { offset, time_us, who: Some(who), what: What::Input { text } };
        if paced {
            self.unrecorded = Some(Unrecorded { event, since: Instant::now() });
        } else {
            self.writer.record_later(event);
        }
    }

    /// Captures an event behind the input that came before it.
    pub(super) fn record(&mut self, event: &Event) {
        self.flush_input();
        self.writer.record(event);
    }

    pub(super) fn flush_input(&mut self) {
        if let Some(Unrecorded { event, .. }) = self.unrecorded.take() {
            self.writer.record(&event);
        }
    }
}
