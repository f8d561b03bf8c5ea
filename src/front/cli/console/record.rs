//! `--log`: what the board prints, into a file of one's own.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::stamps::Stamps;
use crate::model::{Failure, Kind};
use crate::wire::frame::Frame;

/// A file that gets every byte as the board printed it, behind what it has.
#[derive(Debug)]
pub(super) struct Record {
    path: PathBuf,
    file: File,
    stamps: Option<Stamps>,
    /// What comes before this offset is not for it.
    from: u64,
}

impl Record {
    /// Opens a file, or makes it; `stamped`: its lines have their times in front.
    ///
    /// # Errors
    /// [`Kind::User`] with what the system says.
    pub(super) fn open(path: &Path, stamped: bool) -> Result<Self, Failure> {
        let file = File::options().append(true).create(true).open(path).map_err(|error| {
            Failure::new(Kind::User, format!("{}: cannot be written: {error}", path.display()))
        })?;
        let stamps = stamped.then(|| Stamps::for_terminal(false));
        Ok(Self { path: path.to_owned(), file, stamps, from: 0 })
    }

    /// With the byte at an offset as the first.
    pub(super) fn from(self, from: u64) -> Self {
        Self { from, ..self }
    }

    /// The stream is counted anew from an offset on.
    pub(super) fn renumbered(&mut self, from: u64) {
        self.from = from;
    }

    /// # Errors
    /// What is to be told; nothing more is written then.
    pub(super) fn write(&mut self, frame: &Frame) -> Result<(), String> {
        let before = usize::try_from(self.from.saturating_sub(frame.offset)).unwrap_or(usize::MAX);
        let bytes = frame.bytes.get(before..).unwrap_or_default();
        let written: io::Result<()> = match &mut self.stamps {
            Some(stamps) => self.file.write_all(&stamps.stamp(bytes, frame.time_us)),
            None => self.file.write_all(bytes),
        };
        written.map_err(|error| format!("[{}: {error}; no more is written]", self.path.display()))
    }
}
