//! What a console has printed, from its capture.

use bytes::Buf as _;
use serde::Deserialize;

use super::resource::percent_encoded;
use super::{Body, ConsoleRef};
use crate::model::{Failure, Kind, Point};
use crate::wire::frame::{Frame, Frames};

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

/// A range of a console's past, as it comes.
#[derive(Debug)]
pub struct Past {
    body: Body,
    frames: Frames,
}

/// Which part of its stream a console holds.
///
/// # Errors
/// The daemon's own failure; `Kind::Lab` when it does not answer. So for all here.
pub async fn held(console: &ConsoleRef) -> Result<Held, Failure> {
    console.http().get(&console.path).await
}

/// The offset of a point in a console's past.
pub async fn offset_of(console: &ConsoleRef, point: Point) -> Result<u64, Failure> {
    #[derive(Deserialize)]
    struct Place {
        offset: u64,
    }
    let point = percent_encoded(&point.to_string());
    let path = format!("{}/offset?point={point}", console.path);
    Ok(console.http().get::<Place>(&path).await?.offset)
}

/// What is held of a console's stream from one offset to another, or to the head.
pub async fn past(console: &ConsoleRef, from: u64, to: Option<u64>) -> Result<Past, Failure> {
    let to = to.map(|to| format!("&to={to}")).unwrap_or_default();
    let path = format!("{}/history?format=frames&from={from}{to}", console.path);
    Ok(Past { body: console.http().body(&path).await?, frames: Frames::default() })
}

impl Past {
    /// The next piece; `None` behind the last one.
    pub async fn next(&mut self) -> Result<Option<Frame>, Failure> {
        loop {
            let frame = self.frames.pop();
            match frame.map_err(|error| Failure::from_error(Kind::Lab, &error))? {
                Some(frame) => return Ok(Some(frame)),
                None => match self.body.next().await? {
                    Some(bytes) => self.frames.push(&bytes),
                    None => return Ok(None),
                },
            }
        }
    }
}

/// The last `lines` lines between two offsets, an unfinished one counted; of at most 4 MiB.
pub async fn last_lines(
    console: &ConsoleRef,
    lines: usize,
    from: u64,
    to: Option<u64>,
) -> Result<Vec<Frame>, Failure> {
    if lines == 0 {
        return Ok(Vec::new());
    }
    let held = held(console).await?;
    let (from, to) = (from.max(held.first), to.unwrap_or(held.head).min(held.head));
    let mut wanted = (lines as u64).saturating_mul(BYTES_PER_LINE).clamp(1, MAX_LOG);
    loop {
        let begin = to.saturating_sub(wanted).max(from);
        let mut past = past(console, begin, Some(to)).await?;
        let mut frames = Vec::new();
        while let Some(frame) = past.next().await? {
            frames.push(frame);
        }
        if cut_to_last(&mut frames, lines) || begin <= from || wanted == MAX_LOG {
            return Ok(frames);
        }
        wanted = (wanted * 8).min(MAX_LOG);
    }
}

/// Leaves only the last `lines` lines, if there are that many.
fn cut_to_last(frames: &mut Vec<Frame>, lines: usize) -> bool {
    let bytes: Vec<u8> = frames.iter().flat_map(|frame| frame.bytes.to_vec()).collect();
    let Some(mut begin) = begin_of_last(&bytes, lines) else { return false };
    let whole = frames.iter().take_while(|frame| {
        let before = frame.bytes.len() <= begin;
        begin -= if before { frame.bytes.len() } else { 0 };
        before
    });
    let whole = whole.count();
    frames.drain(..whole);
    if let Some(first) = frames.first_mut() {
        first.bytes.advance(begin);
        first.offset += begin as u64;
    }
    true
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

    #[test]
    fn pieces_are_cut_where_the_last_lines_begin() {
        let mut frames: Vec<Frame> = [(0, "one\r\nt"), (6, "wo\r\n"), (50, "three\r\n")]
            .map(|(offset, text)| Frame { offset, time_us: 1, bytes: text.into() })
            .into();
        assert!(cut_to_last(&mut frames, 2));
        let left: Vec<(u64, &[u8])> = frames.iter().map(|f| (f.offset, &f.bytes[..])).collect();
        assert_eq!(left, [(5, &b"t"[..]), (6, b"wo\r\n"), (50, b"three\r\n")]);
        assert!(!cut_to_last(&mut frames, 3));
    }
}
