//! Where each line of a log begins: eight bytes per line, little-endian, as LAVA has it beside its own.
//!
//! It is written some lines at a time. What a dispatcher that was killed had not yet written is found by
//! reading on from the last line that is there.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// Bytes for one line.
const ENTRY: usize = 8;
/// So many bytes are written at once: 512 lines.
const BATCH: usize = 512 * ENTRY;

/// The name of a log's index: `output.jsonl.idx`.
pub fn path_of(log: &Path) -> PathBuf {
    let mut name = log.as_os_str().to_owned();
    name.push(".idx");
    name.into()
}

/// An index that is being written. The rest is written when it is dropped.
#[derive(Debug)]
pub struct Writer {
    file: File,
    /// What is not written yet.
    batch: Vec<u8>,
    /// The length of the log, in bytes: where the next line begins.
    length: u64,
    /// A batch could not be written: the index ends there.
    short: bool,
}

impl Writer {
    /// # Errors
    /// Why the file cannot be created.
    pub fn create(path: &Path) -> io::Result<Self> {
        Ok(Self {
            file: File::create(path)?,
            batch: Vec::with_capacity(BATCH),
            length: 0,
            short: false,
        })
    }

    /// Goes on with the index of a log that is there, and tells how many bytes there are of a line that has no
    /// end yet. What is missing of the index is written first.
    ///
    /// # Errors
    /// Why one of the files cannot be read or written.
    pub fn resume(log: &Path) -> io::Result<(Self, usize)> {
        let path = path_of(log);
        let file = File::options().append(true).create(true).open(&path)?;
        let (line, length) = nearest(log, u64::MAX);
        // The line that is known last is added again when it is read.
        file.set_len(line * ENTRY as u64)?;
        let mut writer = Self { file, batch: Vec::with_capacity(BATCH), length, short: false };
        let mut rest = match File::open(log) {
            Ok(rest) => rest,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((writer, 0)),
            Err(error) => return Err(error),
        };
        rest.seek(SeekFrom::Start(length))?;
        let (mut buffer, mut partial) = (vec![0; 64 * 1024], 0);
        loop {
            let read = rest.read(&mut buffer)?;
            if read == 0 {
                return Ok((writer, partial));
            }
            for piece in buffer[..read].split_inclusive(|byte| *byte == b'\n') {
                partial += piece.len();
                if piece.ends_with(b"\n") {
                    writer.add(std::mem::take(&mut partial));
                }
            }
        }
    }

    /// Notes a line of so many bytes, its end included. An index that cannot be written is left short: what came
    /// behind a gap would be the place of another line.
    pub fn add(&mut self, bytes: usize) {
        if self.short {
            return;
        }
        self.batch.extend_from_slice(&self.length.to_le_bytes());
        self.length += bytes as u64;
        if self.batch.len() >= BATCH {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if let Err(error) = self.file.write_all(&self.batch) {
            tracing::warn!(%error, "the log's index cannot be written");
            self.short = true;
        }
        self.batch.clear();
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.flush();
    }
}

/// The last line up to `line` whose place is known, and that place: where to read on from. Without an
/// index, or with one that is none, it is the begin.
pub fn nearest(log: &Path, line: u64) -> (u64, u64) {
    known(log, line).unwrap_or((0, 0))
}

fn known(log: &Path, line: u64) -> Option<(u64, u64)> {
    let mut file = File::open(path_of(log)).ok()?;
    let lines = file.metadata().ok()?.len() / ENTRY as u64;
    let line = line.min(lines.checked_sub(1)?);
    file.seek(SeekFrom::Start(line * ENTRY as u64)).ok()?;
    let mut entry = [0; ENTRY];
    file.read_exact(&mut entry).ok()?;
    let begin = u64::from_le_bytes(entry);
    begins_a_line(log, begin).then_some((line, begin))
}

/// Whether a line of the log begins there: an index of another log would show the middle of one.
fn begins_a_line(log: &Path, begin: u64) -> bool {
    let Some(before) = begin.checked_sub(1) else { return true };
    let byte = || -> io::Result<u8> {
        let mut file = File::open(log)?;
        file.seek(SeekFrom::Start(before))?;
        let mut byte = [0];
        file.read_exact(&mut byte)?;
        Ok(byte[0])
    };
    byte().is_ok_and(|byte| byte == b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_by_the_index_or_near_what_is_left_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("output.jsonl");
        let lines = ["one\n", "\n", "three\n", "4\n"];
        std::fs::write(&log, lines.concat()).unwrap();
        assert_eq!(nearest(&log, 2), (0, 0));
        let mut index = Writer::create(&path_of(&log)).unwrap();
        lines.iter().for_each(|line| index.add(line.len()));
        drop(index);
        assert_eq!(nearest(&log, 0), (0, 0));
        assert_eq!(nearest(&log, 2), (2, 5));
        assert_eq!(nearest(&log, 99), (3, 11));
        // Killed before the last line, in the middle of an entry.
        let index = std::fs::read(path_of(&log)).unwrap();
        std::fs::write(path_of(&log), &index[..19]).unwrap();
        assert_eq!(nearest(&log, 3), (1, 4));
        // The index of another log.
        std::fs::write(path_of(&log), 2_u64.to_le_bytes()).unwrap();
        assert_eq!(nearest(&log, 3), (0, 0));
    }
}
