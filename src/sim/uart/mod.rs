//! A UART without hardware, with a loop-back plug: TX to RX, RTS to CTS, DTR to DSR and CD. What is
//! written comes back at once, whatever the baud rate.

use std::collections::VecDeque;

use crate::model::line::{Inputs, LineErrors, LineSettings, Outputs};

/// Bytes between TX and RX at most; the writer waits then.
const WIRE: usize = 64 * 1024;

/// The UART and its plug.
#[derive(Debug, Default)]
pub struct Uart {
    wire: VecDeque<u8>,
    settings: LineSettings,
    outputs: Outputs,
    errors: LineErrors,
    breaking: bool,
}

impl Uart {
    /// A break comes back as one.
    pub fn set_break(&mut self, on: bool) {
        if on && !self.breaking {
            self.errors.breaks += 1;
        }
        self.breaking = on;
    }

    pub fn set_line(&mut self, settings: LineSettings) {
        self.settings = settings;
    }

    pub fn set_outputs(&mut self, outputs: Outputs) {
        self.outputs = outputs;
    }

    pub fn inputs(&self) -> Inputs {
        let Outputs { dtr, rts } = self.outputs;
        Inputs { cts: rts, dsr: dtr, ri: false, cd: dtr }
    }

    pub fn errors(&self) -> LineErrors {
        self.errors
    }

    /// Takes bytes to send, and tells how many.
    pub fn write(&mut self, bytes: &[u8]) -> usize {
        let count = bytes.len().min(WIRE - self.wire.len());
        // Fewer data bits than 8 lose the upper ones.
        let mask = u8::MAX >> (8 - self.settings.framing.data_bits.clamp(5, 8));
        self.wire.extend(bytes[..count].iter().map(|byte| byte & mask));
        count
    }

    /// Gives at most so many bytes that were received.
    pub fn read(&mut self, most: usize) -> impl Iterator<Item = u8> {
        self.wire.drain(..most.min(self.wire.len()))
    }
}
