//! The durable record of a console.
//!
//! A folder per console holds append-only segments. Each is named after the absolute offset of its
//! first byte, with 20 digits:
//!
//! ```text
//! 00000000000000000000.raw     the bytes exactly as they came (less -R, grep, strings work on it)
//! 00000000000000000000.idx     16 bytes a record: time in µs and offset, both u64 big-endian
//! 00000000000000000000.jsonl   the events, one JSON object a line
//! 00000000000067108864.raw     the open segment
//! lock                         held by the process that writes
//! ```
//! A closed segment's bytes are compressed to `.raw.zst` in zstd's seekable format (`zstdcat` reads
//! it), and indexed for searching in a `.grams` file ([`grams`]). There is no state beside the files: after a crash the head is the last segment's start plus
//! its length.

mod events;
mod grams;
mod housekeeping;
mod index;
mod private;
mod reader;
mod search;
mod segment;
mod source;
mod writer;

use std::path::PathBuf;

pub use housekeeping::Housekeeping;
pub use reader::{Piece, Read, Reader};
pub use search::{Found, Search};
pub use segment::Store;
pub use writer::Writer;

/// Why a capture cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the capture in {0} is being written by another process")]
    Locked(PathBuf),
    #[error("the capture in {path} cannot be used: {source}")]
    Io { path: PathBuf, source: std::io::Error },
}

#[cfg(test)]
mod tests;
