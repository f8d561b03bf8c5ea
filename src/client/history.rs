//! What a console has printed, from its capture.

use bytes::Bytes;
use serde::Deserialize;

use super::ConsoleRef;
use crate::model::Failure;

/// How many bytes of the past are read for each line that is asked for, at first.
const BYTES_PER_LINE: u64 = 100;
/// The most bytes of the past that are read.
const MAX_LOG: u64 = 4 * 1024 * 1024;

/// The range of a console's stream that is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Held {
    /// The oldest offset that is held.
    pub first: u64,
    /// The offset that the next byte will have.
    pub head: u64,
}

/// Which part of its stream a console holds.
///
/// # Errors
/// The daemon's own failure; `Kind::Lab` when it does not answer. So for all here.
pub async fn held(console: &ConsoleRef) -> Result<Held, Failure> {
    console.http().get(&console.path).await
}

/// The bytes from one offset to another, which are held in memory here.
pub async fn bytes(console: &ConsoleRef, from: u64, to: u64) -> Result<Bytes, Failure> {
    let path = format!("{}/history?from={from}&to={to}", console.path);
    console.http().get_bytes(&path).await
}

/// The last `lines` lines that a console printed, an unfinished one counted; at most 4 MiB.
pub async fn last_lines(console: &ConsoleRef, lines: usize) -> Result<Bytes, Failure> {
    if lines == 0 {
        return Ok(Bytes::new());
    }
    let mut wanted = (lines as u64).saturating_mul(BYTES_PER_LINE).clamp(1, MAX_LOG);
    loop {
        let held = held(console).await?;
        let from = held.head.saturating_sub(wanted).max(held.first);
        let bytes = bytes(console, from, held.head).await?;
        if let Some(begin) = begin_of_last(&bytes, lines) {
            return Ok(bytes.slice(begin..));
        }
        if from == held.first || wanted == MAX_LOG {
            return Ok(bytes);
        }
        wanted = (wanted * 8).min(MAX_LOG);
    }
}

/// Where the last `lines` lines begin, if that many are there.
fn begin_of_last(bytes: &[u8], lines: usize) -> Option<usize> {
    let ends = bytes.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n');
    // The newline at the very end does not begin another line.
    let ends = ends.map(|(at, _)| at + 1).filter(|begin| *begin < bytes.len());
    ends.take(lines).nth(lines.checked_sub(1)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_counted_from_the_end() {
        let text = b"one\r\ntwo\r\nthree\r\n";
        assert_eq!(begin_of_last(text, 1), Some(10));
        assert_eq!(begin_of_last(text, 2), Some(5));
        assert_eq!(begin_of_last(text, 3), None);
        assert_eq!(begin_of_last(b"one\ntwo", 1), Some(4));
        assert_eq!(begin_of_last(text, 0), None);
    }
}
