//! What is kept of a log beyond the longest: its results, and its last lines, which say why it has ended.
//!
//! It is kept in memory until the log is whole. After a crash the worker sends it again: the file does not have it.

use std::collections::VecDeque;

use crate::model::units;

/// So much is kept of the last lines, in bytes, …
const TAIL: usize = 256 * 1024;
/// … and of results.
const RESULTS: usize = 4 * 1024 * 1024;
/// A line that is longer is left out.
const MAX_LINE: usize = 64 * 1024;
/// What a line of results has; a dispatcher writes no blanks.
const RESULT: &[u8] = br#""lvl":"results""#;

#[derive(Debug, Default)]
pub(super) struct Rest {
    /// The beginning of a line; none of one that is too long.
    line: Vec<u8>,
    too_long: bool,
    results: Lines,
    tail: Lines,
    left_out: u64,
    number: u64,
}

/// The last lines of a kind, each with its number.
#[derive(Debug, Default)]
struct Lines {
    all: VecDeque<(u64, Vec<u8>)>,
    bytes: usize,
}

impl Rest {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.too_long |= self.line.len() + piece.len() > MAX_LINE;
            if self.too_long {
                self.left_out += (std::mem::take(&mut self.line).len() + piece.len()) as u64;
            } else {
                self.line.extend_from_slice(piece);
            }
            if piece.ends_with(b"\n") && !std::mem::take(&mut self.too_long) {
                self.keep();
            }
        }
    }

    fn keep(&mut self) {
        let line = std::mem::take(&mut self.line);
        self.number += 1;
        let is_result = line.windows(RESULT.len()).any(|part| part == RESULT);
        let (lines, most) =
            if is_result { (&mut self.results, RESULTS) } else { (&mut self.tail, TAIL) };
        lines.bytes += line.len();
        lines.all.push_back((self.number, line));
        while lines.bytes > most
            && let Some((_, oldest)) = lines.all.pop_front()
        {
            lines.bytes -= oldest.len();
            self.left_out += oldest.len() as u64;
        }
    }

    /// Whole lines for the end of the file, in their order, after one that says how much is missing; `None` when they
    /// were taken already.
    pub(super) fn take(&mut self) -> Option<Vec<u8>> {
        let results = std::mem::take(&mut self.results).all;
        let tail = std::mem::take(&mut self.tail).all;
        if results.is_empty() && tail.is_empty() {
            return None;
        }
        let mut all: Vec<_> = results.into_iter().chain(tail).collect();
        all.sort_by_key(|(number, _)| *number);
        let note = serde_json::json!({
            "dt": units::time_text(units::now_us()),
            "lvl": "warning",
            "msg": format!("the log is too long: {} bytes were left out here", self.left_out),
        });
        let note = format!("{note}\n").into_bytes();
        Some(std::iter::once(note).chain(all.into_iter().map(|(_, line)| line)).flatten().collect())
    }
}
