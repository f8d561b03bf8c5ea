//! What a journal says: lines of JSON, one after the other, read whatever has happened to them.
//!
//! A line that was torn by a crash is no JSON, for no object is complete before its last brace, and is
//! left out; so is one that was damaged, or that does not fit those before it.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::model::{PowerRecord, PowerResult, State, Verb};

/// So many operations of an outlet are kept, and all of the last hour up to [`MOST`].
const KEPT: usize = 64;
const MOST: usize = 512;
const HOUR_US: u64 = 3600 * 1_000_000;

/// The past of an outlet, as far as it is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chronicle {
    /// In the order of their beginning, which no two have in common.
    records: VecDeque<Kept>,
    /// The newest one is not over.
    pending: bool,
    /// The board was owed power when it began.
    owed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Kept {
    record: PowerRecord,
    /// A budget has paid for it.
    booked: bool,
}

/// One line. An operation is told by the time of its beginning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Line {
    pub(super) begin_us: u64,
    #[serde(flatten)]
    pub(super) what: What,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "kebab-case")]
pub(super) enum What {
    Begin {
        verb: Verb,
        who: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        force: bool,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        booked: bool,
    },
    /// What it came to so far; it is not over.
    SoFar {
        result: PowerResult,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        state: Option<State>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    End {
        end_us: u64,
        result: PowerResult,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        state: Option<State>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
}

impl Chronicle {
    /// Reads a journal, or what is left of one.
    pub fn read(bytes: &[u8]) -> Self {
        let mut chronicle = Self::default();
        for line in bytes.split(|byte| *byte == b'\n') {
            if let Ok(line) = serde_json::from_slice(line) {
                chronicle.push(line);
            }
        }
        chronicle
    }

    /// The operations, the oldest first.
    pub fn records(&self) -> impl DoubleEndedIterator<Item = &PowerRecord> {
        self.records.iter().map(|kept| &kept.record)
    }

    /// The operations that a budget has paid for.
    pub(super) fn booked(&self) -> impl Iterator<Item = &PowerRecord> {
        self.records.iter().filter(|kept| kept.booked).map(|kept| &kept.record)
    }

    /// The newest operation, if it is not over as far as anybody has written.
    pub fn pending(&self) -> Option<&PowerRecord> {
        self.records.back().filter(|_| self.pending).map(|kept| &kept.record)
    }

    /// Whether the board is owed power: what is not over is a cycle, or came after one that was not over.
    pub fn owes(&self) -> bool {
        self.pending().is_some_and(|record| self.owed || record.verb == Verb::Cycle)
    }

    /// Whether it was owed power before what is not over began.
    pub(super) fn was_owed(&self) -> bool {
        self.pending && self.owed
    }

    /// The beginning of an operation that begins now.
    pub(super) fn next(&self, now_us: u64) -> u64 {
        // The clock may have been set back.
        self.records.back().map_or(now_us, |last| now_us.max(last.record.begin_us + 1))
    }

    pub(super) fn push(&mut self, Line { begin_us, what }: Line) {
        let owes = self.owes();
        let last = self.records.back_mut().map(|kept| &mut kept.record);
        match what {
            What::Begin { verb, who, reason, force, booked } => {
                if verb == Verb::Status || last.as_ref().is_some_and(|l| l.begin_us >= begin_us) {
                    return;
                }
                if let Some(last) = last.filter(|_| self.pending)
                    && matches!(last.result, PowerResult::UnderWay | PowerResult::LeftOff)
                {
                    last.result = PowerResult::Interrupted;
                }
                let result = PowerResult::UnderWay;
                let (end_us, state, error) = (None, None, None);
                let record = PowerRecord {
                    verb,
                    who,
                    reason,
                    force,
                    begin_us,
                    end_us,
                    result,
                    state,
                    error,
                };
                self.records.push_back(Kept { record, booked });
                self.pending = true;
                // Who has it switched off does not want it on.
                self.owed = owes && verb != Verb::Off;
                self.trim(begin_us);
            }
            What::SoFar { result, state, error } => {
                if let Some(last) = last.filter(|l| self.pending && l.begin_us == begin_us) {
                    (last.result, last.state, last.error) = (result, state, error);
                }
            }
            What::End { end_us, result, state, error } => {
                if let Some(last) = last.filter(|l| self.pending && l.begin_us == begin_us) {
                    (last.end_us, last.result, last.state) = (Some(end_us), result, state);
                    last.error = error;
                    (self.pending, self.owed) = (false, false);
                }
            }
        }
    }

    /// The lines that say the same.
    pub(super) fn lines(&self) -> impl Iterator<Item = Line> {
        self.records.iter().flat_map(|Kept { record, booked }| {
            let PowerRecord { begin_us, result, state, .. } = *record;
            let begin = What::Begin {
                verb: record.verb,
                who: record.who.clone(),
                reason: record.reason.clone(),
                force: record.force,
                booked: *booked,
            };
            let error = record.error.clone();
            let end = match record.end_us {
                Some(end_us) => Some(What::End { end_us, result, state, error }),
                None if state.is_some() || error.is_some() => {
                    Some(What::SoFar { result, state, error })
                }
                None => None,
            };
            [Some(begin), end].into_iter().flatten().map(move |what| Line { begin_us, what })
        })
    }

    fn trim(&mut self, now_us: u64) {
        while self.records.len() > KEPT
            && self.records.front().is_some_and(|oldest| {
                self.records.len() > MOST || oldest.record.begin_us.saturating_add(HOUR_US) < now_us
            })
        {
            self.records.pop_front();
        }
    }
}
