//! The line of a console: how it is set, and its modem lines.
//!
//! What clients ask is done at the port. A port that has no such thing, or that is not open, is no
//! obstacle: the wish is remembered, told to whoever asks, and carried out when a port is opened
//! that can.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::input::{Break, MAX_BREAK_MS};
use super::supervisor::Supervisor;
use crate::model::What;
use crate::model::line::{Flow, Line, LineSettings, Outputs, Parity, StopBits};
use crate::port::{ControlError, Port};

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
#[derive(Debug, Default)]
pub(super) struct Wires {
    breaking: Option<Breaking>,
    poll_at: Option<Instant>,
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
            Self::PurgeTyped | Self::Watch => {}
        }
    }
}

impl Wires {
    pub(super) fn break_end(&self) -> Option<Instant> {
        self.breaking.as_ref().map(|breaking| breaking.end)
    }

    pub(super) fn poll_at(&self) -> Option<Instant> {
        self.poll_at
    }
}

impl Supervisor {
    /// Sets a port that was just opened as the one before it was.
    pub(super) fn restore_line(&mut self, port: &mut dyn Port) -> Wires {
        let fresh = LineSettings { framing: self.spec.framing(), flow: Flow::default() };
        let opened = Line { settings: fresh, outputs: Outputs::default(), ..self.line() };
        let mut line = Line { breaking: false, ..self.line() };
        if let Err(error) = set(port, opened, line) {
            tracing::warn!(console = %self.console.name, %error, "the line is not set as it was");
            (line.settings, line.outputs) = (opened.settings, opened.outputs);
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
            (Some(port), LineChange::PurgeTyped) => unsupported_is_done(port.purge_output()),
            (Some(port), _) => set(&mut **port, before, line),
            (None, LineChange::Break(true)) => {
                Err(ControlError::Unsupported("the port is not open"))
            }
            (None, _) => Ok(()),
        };
        if done.is_ok() {
            self.change_line(Some(who), before, line);
        }
        if let Some(port) = port {
            self.poll_line(port, wires);
        }
        // Whoever asked may be gone by now.
        let _ = answer.send(done.map_err(|error| error.to_string()));
    }

    /// Reads what the other end says, and again later as long as somebody watches it.
    pub(super) fn poll_line(&mut self, port: &mut dyn Port, wires: &mut Wires) {
        wires.poll_at = None;
        self.correct_line(port);
        if self.console.line.receiver_count() == 0 {
            return;
        }
        let (inputs, errors) = (port.inputs(), port.errors());
        if inputs.is_ok() || errors.is_ok() {
            wires.poll_at = Some(Instant::now() + POLL);
        }
        let line = self.line();
        self.publish_line(Line {
            inputs: inputs.unwrap_or_default(),
            errors: errors.unwrap_or(line.errors),
            ..line
        });
    }

    /// Tells everyone where a port's other end has set its line differently from what was asked.
    fn correct_line(&mut self, port: &mut dyn Port) {
        let Some((settings, outputs)) = port.line() else { return };
        let before = self.line();
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
        let begun = port.set_break(true).map_err(|error| error.to_string());
        if begun.is_ok() {
            let end = Instant::now() + Duration::from_millis(request.ms);
            wires.breaking = Some(Breaking { end, held: None });
            self.publish_line(Line { breaking: true, ..self.line() });
            self.event(Some(request.who), What::Break { ms: request.ms });
        }
        let _ = request.answer.send(begun);
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
    ) -> Result<(), ControlError> {
        if !on {
            self.end_break(port, wires);
        } else if wires.breaking.is_none() {
            match port.set_break(true) {
                Ok(()) => {
                    let now = Instant::now();
                    let end = now + Duration::from_millis(MAX_BREAK_MS);
                    wires.breaking = Some(Breaking { end, held: Some((who.to_owned(), now)) });
                }
                Err(error) => return unsupported_is_done(Err(error)),
            }
        }
        Ok(())
    }

    fn line(&self) -> Line {
        *self.console.line.borrow()
    }

    /// Shows the line to whoever watches it.
    fn publish_line(&self, now: Line) {
        self.console.line.send_if_modified(|line| std::mem::replace(line, now) != now);
    }
}

/// Makes the port from what it was to what it is to be.
fn set(port: &mut dyn Port, before: Line, after: Line) -> Result<(), ControlError> {
    if after.settings != before.settings {
        unsupported_is_done(port.set_line(after.settings))?;
    }
    if after.outputs != before.outputs {
        unsupported_is_done(port.set_outputs(after.outputs))?;
    }
    Ok(())
}

fn unsupported_is_done(done: Result<(), ControlError>) -> Result<(), ControlError> {
    match done {
        Err(ControlError::Unsupported(_)) => Ok(()),
        done => done,
    }
}
