//! A serial adapter without hardware: its UART, and what is at the other end of the cable.
//!
//! That is a loop-back plug at first (TX to RX, RTS to CTS, DTR to DSR and CD). Whoever gives
//! [`orders`] can put a device there instead, which has a UART of its own: where both are set
//! differently, bytes are garbled as on a real line. Time is a parameter, and nothing here waits:
//! the port that has the UART polls it.

mod lane;
mod orders;
mod signal;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use tokio::time::Instant;

use crate::model::line::{Flow, Framing, Inputs, Line, LineErrors, LineSettings, Outputs};
use lane::Lane;
use orders::Order;
use signal::{Flaw, Noise, transmit};

pub use orders::{MAX_LINE, OrderError};

/// Bytes that were received and nobody has read yet. On a timed line what comes beyond that is lost.
const RECEIVED: usize = 64 * 1024;
/// What may be reported and not taken, in bytes. More is not reported.
const REPORTS: usize = 64 * 1024;

/// The UART, the cable, and its far end.
#[derive(Debug)]
pub struct Uart {
    /// The near end as it was set, and what it has counted.
    line: Line,
    far: Far,
    sending: Lane,
    coming: Lane,
    noise: Noise,
    received: VecDeque<u8>,
    /// What [`Uart::news`] was last asked of.
    known: (Inputs, LineErrors),
    reports: String,
}

/// What is at the other end of the cable.
#[derive(Debug)]
enum Far {
    Plug,
    Device { framing: Framing, wires: Inputs },
}

impl Uart {
    /// A UART with a plug. When `timed`, bytes take the time that they take on a real line.
    pub fn new(timed: bool) -> Self {
        let line = Line::default();
        Self {
            line,
            far: Far::Plug,
            sending: Lane::new(timed),
            coming: Lane::new(timed),
            noise: Noise::default(),
            received: VecDeque::new(),
            known: (Inputs::default(), LineErrors::default()),
            reports: orders::line(&line),
        }
    }

    pub fn set_line(&mut self, settings: LineSettings) {
        self.line.settings = settings;
        self.report(&orders::line(&self.line));
    }

    pub fn set_outputs(&mut self, outputs: Outputs) {
        self.line.outputs = outputs;
        self.report(&orders::line(&self.line));
    }

    /// Begins or ends a break. A plug brings it back.
    pub fn set_break(&mut self, on: bool) {
        if on && !self.line.breaking && matches!(self.far, Far::Plug) {
            self.line.errors.breaks += 1;
        }
        self.line.breaking = on;
        self.report(&orders::line(&self.line));
    }

    pub fn inputs(&self) -> Inputs {
        let Outputs { dtr, rts } = self.line.outputs;
        match self.far {
            Far::Plug => Inputs { cts: rts, dsr: dtr, ri: false, cd: dtr },
            Far::Device { wires, .. } => wires,
        }
    }

    pub fn errors(&self) -> LineErrors {
        self.line.errors
    }

    /// Whether the wires or the errors have changed since this was asked last.
    pub fn news(&mut self) -> bool {
        let now = (self.inputs(), self.errors());
        std::mem::replace(&mut self.known, now) != now
    }

    /// Forgets what waits to be sent.
    pub fn purge(&mut self) {
        self.sending.clear();
    }

    /// Takes bytes to send, and tells how many.
    pub fn write(&mut self, bytes: &[u8], now: Instant) -> usize {
        self.sending.push(bytes, self.line.settings.framing, now)
    }

    /// Whether it takes bytes to send.
    pub fn is_writable(&self) -> bool {
        !self.sending.is_full()
    }

    /// Gives at most so many of the bytes that were received.
    pub fn read(&mut self, most: usize) -> impl Iterator<Item = u8> {
        self.received.drain(..most.min(self.received.len()))
    }

    /// Brings on what has happened by now, and tells when to look again.
    pub fn advance(&mut self, now: Instant) -> Option<Instant> {
        let near = self.line.settings.framing;
        let held = self.line.settings.flow == Flow::Hardware && !self.inputs().cts;
        let full = self.received.len() + lane::WAITING > RECEIVED;
        if !(held || full && self.sending.is_patient()) {
            let sent = self.sending.take(near, now);
            match self.far {
                Far::Plug => self.receive(&sent, near),
                Far::Device { framing, .. } if !sent.is_empty() => {
                    let heard = transmit(&sent, near, framing, &mut self.noise);
                    let bytes: Vec<u8> = heard.iter().map(|received| received.byte).collect();
                    self.report(&orders::heard(&bytes));
                }
                Far::Device { .. } => {}
            }
        }
        if let Far::Device { framing, .. } = self.far
            && !(full && self.coming.is_patient())
        {
            let coming = self.coming.take(framing, now);
            self.receive(&coming, framing);
        }
        let sending = self.sending.due().filter(|_| !held);
        sending.into_iter().chain(self.coming.due()).min()
    }

    /// Carries out a line of [`orders`], and reports how that went.
    pub fn order(&mut self, line: Result<&str, OrderError>, now: Instant) {
        let done = line.and_then(Order::parse).and_then(|order| self.carry_out(order, now));
        match done {
            Ok(()) => self.report("ok\n"),
            Err(error) => self.report(&format!("error {error}\n")),
        }
    }

    /// The reports since they were taken last.
    pub fn take_reports(&mut self) -> String {
        std::mem::take(&mut self.reports)
    }

    fn carry_out(&mut self, order: Order, now: Instant) -> Result<(), OrderError> {
        match (order, &mut self.far) {
            (Order::Plug, far) => {
                *far = Far::Plug;
                self.coming.clear();
            }
            (Order::Far(framing), far) => {
                let wires = match far {
                    Far::Plug => Inputs::default(),
                    Far::Device { wires, .. } => *wires,
                };
                *far = Far::Device { framing, wires };
            }
            (Order::Noise(one_in), _) => self.noise.one_in = one_in,
            (Order::Overrun, _) => self.line.errors.overruns += 1,
            (Order::Send(_) | Order::Wires(_) | Order::Break, Far::Plug) => {
                return Err(OrderError::Plug);
            }
            (Order::Send(bytes), Far::Device { framing, .. }) => {
                if self.coming.push(&bytes, *framing, now) < bytes.len() {
                    return Err(OrderError::Full);
                }
            }
            (Order::Wires(on), Far::Device { wires, .. }) => *wires = on,
            (Order::Break, Far::Device { .. }) => self.line.errors.breaks += 1,
        }
        Ok(())
    }

    /// Receives at the near end. As a tty does that is set to ignore them, it counts flaws, gives
    /// the byte as it is, and none for a break.
    fn receive(&mut self, sent: &[u8], sender: Framing) {
        for received in transmit(sent, sender, self.line.settings.framing, &mut self.noise) {
            let errors = &mut self.line.errors;
            match received.flaw {
                Some(Flaw::Parity) => errors.parity += 1,
                Some(Flaw::Framing) => errors.framing += 1,
                Some(Flaw::Break) => errors.breaks += 1,
                None => {}
            }
            if self.received.len() == RECEIVED {
                errors.overruns += 1;
            } else if received.flaw != Some(Flaw::Break) {
                self.received.push_back(received.byte);
            }
        }
    }

    fn report(&mut self, line: &str) {
        if self.reports.len() + line.len() <= REPORTS {
            self.reports.push_str(line);
        }
    }
}
