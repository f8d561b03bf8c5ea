//! What a console's bytes and its line tell of the board at the other end.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::line::LineErrors;
use super::units;

/// How a console's line and its board are. What was seen is known since the daemon started, also
/// when it has restarted since.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// Over the last 5 seconds.
    pub bytes_per_s: u64,
    /// How long ago the last byte came. `None` when none has.
    pub idle_ms: Option<u64>,
    /// Where the board began to boot last.
    pub boot: Option<Sight>,
    /// The worst that came since then: a panic before an oops before a watchdog.
    pub trouble: Option<Sight>,
    /// Where the board's own software restarted or halted it last.
    pub restart: Option<Sight>,
    /// How often each was told.
    #[schema(value_type = Object)]
    pub seen: BTreeMap<Seen, u64>,
    /// What the line has counted, where it counts.
    #[schema(value_type = Option<Object>)]
    pub errors: Option<LineErrors>,
    pub mismatch: Option<Mismatch>,
}

/// Something that a board prints and that people want to know of.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Seen {
    /// It boots: the first banner of its firmware or boot loader, or the kernel's where there is none.
    Boot,
    /// Its kernel starts, after a boot loader.
    Kernel,
    /// The kernel has given up.
    Panic,
    /// The kernel has caught a fault of its own.
    Oops,
    /// A watchdog has found that it hangs, or has reset it.
    Watchdog,
    /// The kernel restarts it.
    Restart,
    /// The kernel halts it, or switches it off.
    Halt,
}

/// A line that a board has printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sight {
    pub what: Seen,
    /// When it came, in microseconds since the Unix epoch.
    pub time_us: u64,
    /// The offset of the line's first byte.
    pub at: u64,
    /// The line, without control characters; a long one is cut. Empty for who may not spy.
    pub line: String,
}

/// Power and console disagree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mismatch {
    /// The board was switched off, and prints all the same.
    PrintsWhileOff,
    /// The board was switched on, and has printed nothing since.
    SilentWhileOn,
}

impl Health {
    /// As those are told who may know how a board is, and not what it prints.
    #[must_use]
    pub fn without_lines(mut self) -> Self {
        for sight in [&mut self.boot, &mut self.trouble, &mut self.restart].into_iter().flatten() {
            sight.line.clear();
        }
        self
    }
}

impl Seen {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Boot => "boot",
            Self::Kernel => "kernel",
            Self::Panic => "panic",
            Self::Oops => "oops",
            Self::Watchdog => "watchdog",
            Self::Restart => "restart",
            Self::Halt => "halt",
        }
    }

    /// How bad it is; 0 for what is no trouble.
    pub fn severity(self) -> u8 {
        match self {
            Self::Panic => 3,
            Self::Oops => 2,
            Self::Watchdog => 1,
            Self::Boot | Self::Kernel | Self::Restart | Self::Halt => 0,
        }
    }
}

impl Sight {
    /// For people: `panic 5 min ago`.
    pub fn ago(&self, now_us: u64) -> String {
        let seconds = now_us.saturating_sub(self.time_us) / 1_000_000;
        format!("{} {} ago", self.what.as_str(), units::time_span(seconds))
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PrintsWhileOff => "it was switched off, and prints all the same",
            Self::SilentWhileOn => "it was switched on, and has printed nothing since",
        })
    }
}
