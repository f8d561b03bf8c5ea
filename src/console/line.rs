//! The line of a console: how it is set, and its modem lines.
//!
//! What clients ask is done at the port. A port that has no such thing, or that is not open, is no
//! obstacle: the wish is remembered, told to whoever asks, and carried out when a port is opened
//! that can.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::input::Break;
use super::supervisor::Supervisor;
use crate::model::What;
use crate::model::keys::MAX_BREAK_MS;
use crate::model::line::{Flow, Known, Line, LineSettings, Outputs, Parity, StopBits};
use crate::port::{ControlError, Port};
use crate::wire::line::LineWishes;

/// How often the modem lines and counters are read while somebody watches.
const POLL: Duration = Duration::from_millis(100);

/// One thing that a client wants of the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineChange {
    Baud(u32),
    DataBits(u8),
    Parity(Parity),
    StopBits(StopBits),
    Flow(Flow),
    Dtr(bool),
    Rts(bool),
    /// Begins or ends a break. One that nobody ends is ended after 10 s.
    Break(bool),
    /// Forgets what the client typed and the board has not got yet.
    PurgeTyped,
    /// Several things at once.
    Set(LineWishes),
    /// Nothing is changed; but the modem lines are read now, and from now on while watched.
    Watch,
}

#[derive(Debug)]
pub(super) struct LineRequest {
    pub(super) who: String,
    pub(super) change: LineChange,
    /// Why it was not done, if it was not.
    pub(super) answer: oneshot::Sender<Result<(), String>>,
}

/// What is still to be done at the line of an open port.
#[derive(Debug)]
pub(super) struct Wires {
    breaking: Option<Breaking>,
    pulse: Option<Pulse>,
    poll_at: Option<Instant>,
    /// When something last went over the line, or it became ours.
    heard: Instant,
}

impl Default for Wires {
    fn default() -> Self {
        Self { breaking: None, pulse: None, poll_at: None, heard: Instant::now() }
    }
}

/// Outputs that are set for a time, other than [`Line`] says.
#[derive(Debug)]
struct Pulse {
    end: Instant,
    who: String,
}

/// A break condition that the port sends.
#[derive(Debug)]
struct Breaking {
    end: Instant,
    /// Who began it without saying how long, and when. It is recorded when its length is known.
    held: Option<(String, Instant)>,
}

impl LineChange {
    fn put(self, line: &mut Line) {
        let LineSettings { framing, flow } = &mut line.settings;
        match self {
            Self::Baud(baud) => framing.baud = baud,
            Self::DataBits(bits) => framing.data_bits = bits,
            Self::Parity(parity) => framing.parity = parity,
            Self::StopBits(bits) => framing.stop_bits = bits,
            Self::Flow(asked) => *flow = asked,
            Self::Dtr(on) => line.outputs.dtr = on,
            Self::Rts(on) => line.outputs.rts = on,
            Self::Break(on) => line.breaking = on,
            Self::Set(wishes) => wishes.put(line),
            Self::PurgeTyped | Self::Watch => {}
        }
    }
}

impl Wires {
    pub(super) fn break_end(&self) -> Option<Instant> {
        self.breaking.as_ref().map(|breaking| breaking.end)
    }

    /// The same, for a break that has a length.
    pub(super) fn timed_break_end(&self) -> Option<Instant> {
        self.breaking.as_ref().filter(|breaking| breaking.held.is_none()).map(|it| it.end)
    }

    pub(super) fn poll_at(&self) -> Option<Instant> {
        self.poll_at
    }

    pub(super) fn pulse_end(&self) -> Option<Instant> {
        self.pulse.as_ref().map(|pulse| pulse.end)
    }

    /// Something went over the line.
    pub(super) fn heard(&mut self) {
        self.heard = Instant::now();
    }

    pub(super) fn heard_at(&self) -> Instant {
        self.heard
    }
}

impl Supervisor {
    /// Sets a port that was just opened as the one before it was.
    pub(super) fn restore_line(&mut self, port: &mut dyn Port) -> Wires {
        let fresh = LineSettings { framing: self.spec.framing(), flow: Flow::default() };
        let opened = Line { settings: fresh, outputs: Outputs::default(), ..self.line() };
        let mut line = Line { breaking: false, ..self.line() };
        match set(port, opened, line) {
            Ok(set) => line.known.remembered = set == Set::Remembered,
            Err(error) => {
                tracing::warn!(console = %self.console.name, %error, "the line is not set as it was");
                (line.settings, line.outputs) = (opened.settings, opened.outputs);
            }
        }
        self.publish_line(line);
        let mut wires = Wires::default();
        self.poll_line(port, &mut wires);
        wires
    }

    /// Does what a client asks, at the port if it is open.
    pub(super) fn line_request(
        &mut self,
        mut port: Option<&mut dyn Port>,
        wires: &mut Wires,
        request: LineRequest,
    ) {
        let LineRequest { who, change, answer } = request;
        let before = self.line();
        let mut line = before;
        change.put(&mut line);
        let done = match (&mut port, change) {
            (Some(port), LineChange::Break(on)) => self.hold_break(&mut **port, wires, &who, on),
            (Some(port), LineChange::PurgeTyped) => set_or_remembered(port.purge_output()),
            (Some(port), LineChange::Set(wishes @ LineWishes { pulse_ms: Some(ms), .. })) => {
                line.outputs = before.outputs;
                set(&mut **port, before, line)
                    .and_then(|_| self.begin_pulse(&mut **port, wires, &who, wishes, ms))
            }
            (Some(port), _) => set(&mut **port, before, line),
            (None, LineChange::Break(true))
            | (None, LineChange::Set(LineWishes { pulse_ms: Some(_), .. })) => {
                Err(ControlError::Unsupported("the port is not open"))
            }
            (None, _) => Ok(Set::Remembered),
        };
        if let Ok(set) = done {
            if (line.settings, line.outputs) != (before.settings, before.outputs) {
                line.known.remembered = set == Set::Remembered;
            }
            self.change_line(Some(who), before, line);
        }
        if let Some(port) = port {
            self.poll_line(port, wires);
        }
        // Whoever asked may be gone by now.
        let _ = answer.send(done.map(|_| ()).map_err(|error| error.to_string()));
    }

    /// Reads what the other end says, and again later as long as somebody watches it.
    pub(super) fn poll_line(&mut self, port: &mut dyn Port, wires: &mut Wires) {
        wires.poll_at = None;
        self.correct_line(port, wires);
        if self.console.line.receiver_count() == 0 {
            return;
        }
        let (inputs, errors) = (port.inputs(), port.errors());
        if inputs.is_ok() || errors.is_ok() {
            wires.poll_at = Some(Instant::now() + POLL);
        }
        let line = self.line();
        let known = Known { inputs: inputs.is_ok(), errors: errors.is_ok(), ..line.known };
        self.publish_line(Line {
            inputs: inputs.unwrap_or_default(),
            errors: errors.unwrap_or(line.errors),
            known,
            ..line
        });
    }

    /// Reads what the line has counted, also when nobody watches.
    pub(super) fn count_errors(&self, port: &mut dyn Port) {
        if let Ok(errors) = port.errors() {
            let line = self.line();
            let known = Known { errors: true, ..line.known };
            self.publish_line(Line { errors, known, ..line });
        }
    }

    /// Tells everyone where a port's other end has set its line differently from what was asked.
    fn correct_line(&mut self, port: &mut dyn Port, wires: &Wires) {
        let Some((settings, outputs)) = port.line() else { return };
        let before = self.line();
        // During a pulse they are not what they are to be.
        let outputs = if wires.pulse.is_some() { before.outputs } else { outputs };
        self.change_line(None, before, Line { settings, outputs, ..before });
    }

    /// Publishes how the line is now, and who has changed what.
    fn change_line(&mut self, who: Option<String>, before: Line, line: Line) {
        self.publish_line(line);
        if line.settings != before.settings {
            let settings = line.settings.to_string();
            self.event(who.clone(), What::LineSettings { settings });
        }
        if line.outputs != before.outputs {
            let Outputs { dtr, rts } = line.outputs;
            self.event(who, What::ModemLines { dtr, rts });
        }
    }

    /// Sends a break of a known length.
    pub(super) fn begin_break(&mut self, port: &mut dyn Port, wires: &mut Wires, request: Break) {
        let begun = self.start_break(port, wires, request.who, request.ms);
        let _ = request.answer.send(begun);
    }

    /// Begins a break of a known length.
    ///
    /// # Errors
    /// Why it did not begin.
    pub(super) fn start_break(
        &mut self,
        port: &mut dyn Port,
        wires: &mut Wires,
        who: String,
        ms: u64,
    ) -> Result<(), String> {
        port.set_break(true).map_err(|error| error.to_string())?;
        let end = Instant::now() + Duration::from_millis(ms);
        wires.breaking = Some(Breaking { end, held: None });
        self.publish_line(Line { breaking: true, ..self.line() });
        self.event(Some(who), What::Break { ms });
        Ok(())
    }

    /// Sets the outputs for a time.
    fn begin_pulse(
        &mut self,
        port: &mut dyn Port,
        wires: &mut Wires,
        who: &str,
        wishes: LineWishes,
        ms: u64,
    ) -> Result<Set, ControlError> {
        let mut line = self.line();
        wishes.put(&mut line);
        port.set_outputs(line.outputs)?;
        let end = Instant::now() + Duration::from_millis(ms);
        wires.pulse = Some(Pulse { end, who: who.to_owned() });
        let Outputs { dtr, rts } = line.outputs;
        self.event(Some(who.to_owned()), What::ModemLines { dtr, rts });
        Ok(Set::Done)
    }

    /// Sets the outputs as they are to be.
    pub(super) fn end_pulse(&mut self, port: &mut dyn Port, wires: &mut Wires) {
        let Some(Pulse { who, .. }) = wires.pulse.take() else { return };
        let Outputs { dtr, rts } = self.line().outputs;
        if let Err(error) = port.set_outputs(Outputs { dtr, rts }) {
            tracing::warn!(console = %self.console.name, %error, "a pulse was not ended");
        }
        self.event(Some(who), What::ModemLines { dtr, rts });
        self.poll_line(port, wires);
    }

    /// Ends the break that is on, if one is.
    pub(super) fn end_break(&mut self, port: &mut dyn Port, wires: &mut Wires) {
        let Some(breaking) = wires.breaking.take() else { return };
        if let Err(error) = port.set_break(false) {
            tracing::warn!(console = %self.console.name, %error, "a break was not ended");
        }
        self.publish_line(Line { breaking: false, ..self.line() });
        if let Some((who, since)) = breaking.held {
            let ms = since.elapsed().as_millis() as u64;
            self.event(Some(who), What::Break { ms });
        }
    }

    fn hold_break(
        &mut self,
        port: &mut dyn Port,
        wires: &mut Wires,
        who: &str,
        on: bool,
    ) -> Result<Set, ControlError> {
        if !on {
            self.end_break(port, wires);
        } else if wires.breaking.is_none() {
            match port.set_break(true) {
                Ok(()) => {
                    let now = Instant::now();
                    let end = now + Duration::from_millis(MAX_BREAK_MS);
                    wires.breaking = Some(Breaking { end, held: Some((who.to_owned(), now)) });
                }
                Err(error) => return set_or_remembered(Err(error)),
            }
        }
        Ok(Set::Done)
    }

    fn line(&self) -> Line {
        *self.console.line.borrow()
    }

    /// Shows the line to whoever watches it.
    fn publish_line(&self, now: Line) {
        self.console.line.send_if_modified(|line| std::mem::replace(line, now) != now);
    }
}

/// What has become of a wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Set {
    Done,
    /// The port cannot do it.
    Remembered,
}

/// Makes the port from what it was to what it is to be.
fn set(port: &mut dyn Port, before: Line, after: Line) -> Result<Set, ControlError> {
    let mut done = Set::Done;
    if after.settings != before.settings {
        done = set_or_remembered(port.set_line(after.settings))?;
    }
    if after.outputs != before.outputs
        && set_or_remembered(port.set_outputs(after.outputs))? == Set::Remembered
    {
        done = Set::Remembered;
    }
    Ok(done)
}

fn set_or_remembered(done: Result<(), ControlError>) -> Result<Set, ControlError> {
    match done {
        Ok(()) => Ok(Set::Done),
        Err(ControlError::Unsupported(_)) => Ok(Set::Remembered),
        Err(error) => Err(error),
    }
}
