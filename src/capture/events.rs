//! The events of a segment: one JSON object a line.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::Store;
use super::private::private;
use crate::model::{Event, Mark};

/// Opens or creates a segment's event file. A line that a crash cut short is ended, so that the
/// next event has a line of its own.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let mut file = private().read(true).append(true).create(true).open(path)?;
    let mut last = [b'\n'];
    if let Some(end) = file.metadata()?.len().checked_sub(1) {
        file.read_exact_at(&mut last, end)?;
    }
    if last != [b'\n'] {
        file.write_all(b"\n")?;
    }
    Ok(file)
}

/// Appends one event with a single write, and gives the length of its line in bytes. On failure nothing of
/// it is left: the next event would end up behind a part of it.
pub(super) fn append(file: &mut File, event: &Event) -> io::Result<u64> {
    let mut line = serde_json::to_vec(event)?;
    line.push(b'\n');
    let mut rest = &line[..];
    while !rest.is_empty() {
        let error = match file.write(rest) {
            Ok(0) => io::ErrorKind::WriteZero.into(),
            Ok(written) => {
                rest = &rest[written..];
                continue;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => error,
        };
        let written = (line.len() - rest.len()) as u64;
        if written > 0 {
            file.set_len(file.metadata()?.len().saturating_sub(written))?;
        }
        return Err(error);
    }
    Ok(line.len() as u64)
}

impl Store {
    /// The newest events from the offset `from` on that are wanted, at most `most` of them, oldest
    /// first. Reads files: call it where blocking is allowed.
    ///
    /// # Errors
    /// When a file that is there cannot be read.
    pub fn events(
        &self,
        from: u64,
        most: usize,
        wanted: impl Fn(&Event) -> bool,
    ) -> io::Result<Vec<Event>> {
        let mut newest_first: Vec<Event> = Vec::new();
        for (start, events) in self.events_by_segment() {
            let events = events?.into_iter().rev();
            newest_first.extend(events.filter(|event| event.offset >= from && wanted(event)));
            if newest_first.len() >= most || start < from {
                break;
            }
        }
        newest_first.truncate(most);
        newest_first.reverse();
        Ok(newest_first)
    }

    /// The offset of a mark, if it is on the timeline. Reads files, the newest first.
    ///
    /// # Errors
    /// When a file that is there cannot be read.
    pub fn mark(&self, mark: Mark) -> io::Result<Option<u64>> {
        let mut failed = None;
        let readable = self.events_by_segment().map_while(|(_, events)| match events {
            Ok(events) => Some(events.into_iter().rev()),
            Err(error) => {
                failed = Some(error);
                None
            }
        });
        let found = mark.find(readable.flatten());
        failed.map_or(Ok(found), Err)
    }

    /// The start and the events, oldest first, of each segment, the newest segment first. Each is
    /// read when it is asked for.
    fn events_by_segment(&self) -> impl Iterator<Item = (u64, io::Result<Vec<Event>>)> {
        let starts: Vec<u64> = self.lock().iter().map(|segment| segment.start).collect();
        starts.into_iter().rev().map(|start| (start, read(&self.path(start, "jsonl"))))
    }
}

/// The events of a file, without the lines that are none. A file that is not there has none.
fn read(path: &Path) -> io::Result<Vec<Event>> {
    let text = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        text => text?,
    };
    let lines = text.split(|byte| *byte == b'\n');
    Ok(lines.filter_map(|line| serde_json::from_slice(line).ok()).collect())
}
