//! The events of a segment: one JSON object a line.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::Store;
use crate::model::Event;

/// Opens or creates a segment's event file. A line that a crash cut short is ended, so that the
/// next event has a line of its own.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let mut file = File::options().read(true).append(true).create(true).open(path)?;
    let mut last = [b'\n'];
    if let Some(end) = file.metadata()?.len().checked_sub(1) {
        file.read_exact_at(&mut last, end)?;
    }
    if last != [b'\n'] {
        file.write_all(b"\n")?;
    }
    Ok(file)
}

/// Appends one event with a single write, and gives the length of its line in bytes.
pub(super) fn append(file: &mut File, event: &Event) -> io::Result<u64> {
    let mut line = serde_json::to_vec(event)?;
    line.push(b'\n');
    file.write_all(&line)?;
    Ok(line.len() as u64)
}

impl Store {
    /// The newest events from the offset `from` on, at most `most` of them, oldest first. Reads
    /// files: call it where blocking is allowed.
    ///
    /// # Errors
    /// When a file that is there cannot be read.
    pub fn events(&self, from: u64, most: usize) -> io::Result<Vec<Event>> {
        let mut starts: Vec<u64> = self.lock().iter().map(|segment| segment.start).collect();
        let first = starts.partition_point(|start| *start <= from).saturating_sub(1);
        starts.drain(..first);
        let mut newest_first: Vec<Event> = Vec::new();
        for start in starts.into_iter().rev() {
            let text = match fs::read(self.path(start, "jsonl")) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                text => text?,
            };
            let text = String::from_utf8_lossy(&text);
            let events = text.lines().rev().filter_map(|line| serde_json::from_str(line).ok());
            newest_first.extend(events.filter(|event: &Event| event.offset >= from));
            if newest_first.len() >= most {
                break;
            }
        }
        newest_first.truncate(most);
        newest_first.reverse();
        Ok(newest_first)
    }
}
