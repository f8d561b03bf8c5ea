//! What is measured.

mod echo;
mod flat;
mod load;
mod memory;
mod stall;

use anyhow::Result;

use crate::client::Reading;
use crate::peer::{self, Peer};
use crate::report::{Figure, Report};

/// Some rows of the table which are measured together, as in `--rows`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Row {
    /// One console that prints as fast as it can, to 1 and to 10 clients
    Flat,
    /// From a key to its echo, with nothing else to do
    Echo,
    /// The same and the CPU time, with 100 other consoles at 115,200 baud and a client each
    Load,
    /// Memory for 1, 100 and 1,000 consoles, and for 1,000 clients; how long 1,000 take to start
    Memory,
    /// One of two clients stops reading
    Stall,
}

impl Row {
    pub(crate) fn measure(self, on: &mut Measured) -> Result<()> {
        match self {
            Self::Flat => flat::measure(on),
            Self::Echo => echo::measure(on),
            Self::Load => load::measure(on),
            Self::Memory => memory::measure(on),
            Self::Stall => stall::measure(on),
        }
    }
}

/// One peer, and where its figures go.
pub(crate) struct Measured<'a> {
    pub name: peer::Name,
    pub heading: &'a str,
    pub peer: &'a dyn Peer,
    pub report: &'a mut Report,
}

impl Measured<'_> {
    fn add(&mut self, figure: Figure, value: f64) {
        self.report.add(figure, self.name, value);
    }

    fn note(&mut self, what: &str, note: &str) {
        self.report.note(format!("{}, {what}: {note}", self.heading));
    }

    /// How much of what came by was lost, in percent of all; anything worse becomes a note.
    fn lost(&mut self, what: &str, readings: &[Reading]) -> f64 {
        let tallies = readings.iter().map(|reading| reading.check.tally);
        let (mut bytes, mut lost) = (0, 0);
        for tally in tallies {
            bytes += tally.bytes;
            lost += tally.lost;
            if tally.repeated > 0 {
                self.note(what, "some came twice");
            }
            if tally.damaged > 0 && tally.lost == 0 {
                self.note(what, "something else came in between");
            }
        }
        if readings.iter().any(|reading| reading.thrown_out) {
            self.note(what, "a client was thrown out");
        }
        100.0 * lost as f64 / ((bytes + lost) as f64).max(1.0)
    }
}
