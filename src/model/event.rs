//! What happens to a console beside its bytes, on the same timeline.

use serde::{Deserialize, Serialize};

use super::{Mismatch, Name, Reading, Seen};

/// The most events of the past that a daemon tells at a time: the newest.
pub const MAX_EVENTS: usize = 10_000;

/// One event on a console's timeline.
///
/// As JSON it is flat: `{"offset":512,"time_us":…,"who":"alice","kind":"break","ms":250}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The absolute offset of the first byte that came after the event.
    pub offset: u64,
    /// Wall-clock time in microseconds since the Unix epoch.
    pub time_us: u64,
    /// Who did it, where somebody did: a user name, `job:42`, or a client's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    #[serde(flatten)]
    pub what: What,
}

/// The kinds of [`Event`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum What {
    /// A session joined, in this mode.
    Attach { mode: Mode },
    /// A session left.
    Detach,
    /// The session took the write lock.
    Forced {
        /// Who held it until now, if anybody.
        from: Option<String>,
        /// Who has it now, when it was taken for another session.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<String>,
    },
    /// The write lock was given back, or went back to the session it was taken from.
    Released {
        /// Who has it now, if anybody.
        to: Option<String>,
    },
    /// The session takes part in this mode from now on.
    Mode { mode: Mode },
    /// Somebody let this session go.
    Kicked { session: u64, user: String },
    /// The session has typed nothing for so many seconds: it is let go, or a spy from now on.
    Idle { seconds: u64, leaves: bool },
    /// Bytes that somebody wrote to the board.
    Input {
        /// The bytes, each as the Unicode character of the same number (ISO 8859-1).
        text: String,
    },
    /// Bytes that were accepted but could not be written to the port within its time limit.
    InputDropped { bytes: u64 },
    /// A break condition was sent for so many milliseconds.
    Break { ms: u64 },
    /// A named sequence of breaks, pauses and characters is sent; its breaks and characters follow.
    BreakSequence { name: Name },
    /// A file is sent: `begin`, `done` or `failed`.
    SendFile {
        file: String,
        bytes: u64,
        phase: Phase,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
    },
    /// The line is set anew; `settings` tells how, for example `9600e7 rtscts`.
    LineSettings { settings: String },
    /// The wires that we drive were set.
    ModemLines { dtr: bool, rts: bool },
    /// The port was opened; `settings` tells which, for example `tty:/dev/ttyUSB0,115200n8`.
    PortOpen { settings: String },
    /// The port is gone; it is tried again until it comes back.
    PortLost { reason: String },
    /// Somebody has the port closed, for another program to use it; it stays so until it is opened.
    PortDown,
    /// Somebody has the port opened again.
    PortUp,
    /// Somebody tells everyone on this console something.
    Message { text: String },
    /// Somebody writes something into the record; nobody is shown it.
    Note { text: String },
    /// A power operation on the board's outlet.
    Power {
        outlet: Name,
        /// `on`, `off` or `cycle`.
        verb: String,
        /// `begin`, `done` or `failed`.
        phase: Phase,
        /// What was verified, or why it failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
    },
    /// What flows through the board's outlet has changed.
    Meter {
        outlet: Name,
        #[serde(flatten)]
        reading: Reading,
    },
    /// The board printed something that people want to know of, in the line whose first byte is at
    /// offset `at`.
    Seen { what: Seen, at: u64, line: String },
    /// The board's power and what it prints do not agree.
    Mismatch { what: Mismatch },
    /// A job began or ended on this console.
    Job { id: String, phase: Phase },
    /// An action of a job began or ended.
    Action { job: String, level: String, name: String, phase: Phase },
    /// The bytes from the event's offset up to `to` are not held any more, or were never captured.
    Gap { to: u64, reason: String },
}

/// How far a thing that takes time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    Begin,
    Done,
    Failed,
}

/// How a session takes part in a console.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Reads and writes, beside others who do the same.
    #[default]
    Rw,
    /// Reads only.
    Spy,
    /// Reads and writes, and nobody else writes until it is released or forced.
    Exclusive,
}

impl std::str::FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "rw" => Ok(Self::Rw),
            "spy" => Ok(Self::Spy),
            "exclusive" => Ok(Self::Exclusive),
            other => Err(format!("mode {other:?} is none of rw, spy and exclusive")),
        }
    }
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Rw => "rw",
            Self::Spy => "spy",
            Self::Exclusive => "exclusive",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_flat_json_object() {
        let event = Event {
            offset: 512,
            time_us: 7,
            who: Some("alice".into()),
            what: What::Break { ms: 250 },
        };
        let json = serde_json::to_string(&event).unwrap();
        assert_eq!(json, r#"{"offset":512,"time_us":7,"who":"alice","kind":"break","ms":250}"#);
        assert_eq!(serde_json::from_str::<Event>(&json).unwrap(), event);
    }

    #[test]
    fn a_reading_is_flat_too_and_has_only_what_is_measured() {
        let reading = Reading { watts: Some(163.0), amperes: Some(0.9), volts: None };
        let what = What::Meter { outlet: "panda01".parse().unwrap(), reading };
        let event = Event { offset: 1, time_us: 7, who: None, what };
        let json = serde_json::to_string(&event).unwrap();
        let flat = r#"{"offset":1,"time_us":7,"kind":"meter","outlet":"panda01","amperes":0.9,"watts":163.0}"#;
        assert_eq!(json, flat);
        assert_eq!(serde_json::from_str::<Event>(&json).unwrap(), event);
    }
}
