//! The logs of jobs, a file for each board with an index of its lines, as a dispatcher writes them.
//!
//! A worker sends bytes with their absolute offset, and is told how many there are: what came twice is left
//! out, what came too early is not taken. So it goes on where it was after a restart of either. Of a log that is
//! too long the beginning is kept, and its [`rest`](super::rest): results, and how it has ended.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::boot::Progress;
use super::rest::Rest;
use crate::dispatch::execute::LOG;
use crate::dispatch::index;
use crate::dispatch::record::{Outcome, Reading};
use crate::model::{BootState, LogHeld, units};

/// The longest log of a board, in bytes; of what comes after it some lines are kept.
const MAX_LOG: u64 = 1 << 30;
/// The most, in bytes, that is written before it is brought to the disk: what is left for the end takes no time
/// there, and a board is not kept waiting for it.
const SYNC_EVERY: u64 = 16 << 20;
/// Scratch folders begin so.
const SCRATCH: &str = ".scratch-";

/// The folder of all logs.
#[derive(Debug)]
pub(in crate::server) struct Logs {
    dir: PathBuf,
    /// Of the jobs that run.
    open: Mutex<HashMap<(u64, String), Arc<JobLog>>>,
    scratch: AtomicU64,
}

/// The log of a board of a job, which grows.
#[derive(Debug)]
pub(in crate::server) struct JobLog {
    path: PathBuf,
    writer: Mutex<Option<Writer>>,
    /// How many bytes there are.
    held: watch::Sender<u64>,
    /// Of a boot.
    progress: Mutex<Progress>,
    /// What it comes to: it is read as it grows, so that nobody waits for that at the job's end.
    reading: Mutex<Reading>,
}

#[derive(Debug)]
struct Writer {
    file: File,
    index: index::Writer,
    held: u64,
    /// How many of them were brought to the disk.
    synced: u64,
    /// How much there is of a line whose end has not come.
    partial: usize,
    most: u64,
    /// What comes after the most that a log may have; the file has no part of it until the end.
    rest: Option<Rest>,
}

impl Logs {
    /// What was left behind by the process before is removed.
    pub(in crate::server) fn new(dir: PathBuf) -> Self {
        for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(SCRATCH) {
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
        Self { dir, open: Mutex::default(), scratch: AtomicU64::new(units::now_us()) }
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn of_job(&self, job: u64) -> PathBuf {
        self.dir.join(job.to_string())
    }

    /// The folder of a board of a job: what a dispatcher's output folder is.
    pub(in crate::server) fn folder(&self, job: u64, board: &str) -> PathBuf {
        self.of_job(job).join(board)
    }

    /// A folder that nobody else has; its user makes and removes it.
    pub(super) fn scratch(&self) -> PathBuf {
        let number = self.scratch.fetch_add(1, Ordering::Relaxed);
        self.dir.join(format!("{SCRATCH}{number}"))
    }

    /// The log of a board of a job that has not ended, which the caller has seen with the state in hand: what is
    /// opened is closed with the job.
    pub(in crate::server) fn open(&self, job: u64, board: &str) -> Arc<JobLog> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let log = open.entry((job, board.to_owned())).or_insert_with(|| {
            let path = self.folder(job, board).join(LOG);
            Arc::new(JobLog::new(path))
        });
        log.clone()
    }

    /// There will be no more of a job.
    pub(super) fn close(&self, job: u64) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|(id, _), _| *id != job);
    }
}

impl JobLog {
    fn new(path: PathBuf) -> Self {
        let (writer, progress, reading) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { path, writer, held: watch::Sender::new(0), progress, reading }
    }

    /// Follows how many bytes there are.
    pub(in crate::server) fn held(&self) -> watch::Receiver<u64> {
        self.held.subscribe()
    }

    /// Takes bytes that begin at an offset, as far as they are new; without any it tells what there is.
    ///
    /// # Errors
    /// Why the file cannot be written.
    pub(super) fn append(&self, offset: u64, bytes: &[u8]) -> io::Result<LogHeld> {
        let mut present = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let writer = match &mut *present {
            Some(writer) => writer,
            none => none.insert(Writer::open(&self.path, MAX_LOG)?),
        };
        let known = writer.held.checked_sub(offset).map(|known| known as usize);
        if let Some(new) = known.and_then(|known| bytes.get(known..)).filter(|new| !new.is_empty())
            && let Err(error) = writer.append(new)
        {
            // It begins anew with what there is then, and mends the index, of which a part may be missing, too.
            *present = None;
            return Err(error);
        }
        let held = writer.held;
        self.held.send_if_modified(|known| std::mem::replace(known, held) != held);
        Ok(LogHeld { held, full: false })
    }

    /// How far a boot is that has this log, by all that has come of it.
    ///
    /// # Errors
    /// Why the file cannot be read.
    pub(super) fn stage(&self) -> io::Result<BootState> {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        progress.read_on(&self.path)
    }

    /// What all that has come of it comes to; `None` when it is no log. Only what is new is read, or all after a restart
    /// of the server.
    ///
    /// # Errors
    /// Why the file cannot be read.
    pub(super) fn outcome(&self) -> io::Result<Option<Outcome>> {
        let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(reading.read_on(&self.path)?.cloned())
    }

    /// Has all that there is on the disk: no more will come.
    ///
    /// # Errors
    /// When it is not.
    pub(super) fn finish(&self) -> io::Result<()> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(writer) = &mut *writer else { return Ok(()) };
        if let Some(rest) = &mut writer.rest
            && let Some(kept) = rest.take()
        {
            let begin = writer.file.metadata()?.len();
            writer.file.write_all(&kept).inspect_err(|_| drop(writer.file.set_len(begin)))?;
            writer.index_of(&kept);
            self.held.send_modify(|_| ());
        }
        writer.file.sync_data()
    }
}

impl Writer {
    fn open(path: &Path, most: u64) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let file = File::options().append(true).create(true).open(path)?;
        let held = file.metadata()?.len();
        let (index, partial) = index::Writer::resume(path)?;
        Ok(Self { file, index, held, synced: held, partial, most, rest: None })
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(rest) = &mut self.rest {
            rest.add(bytes);
            self.held += bytes.len() as u64;
            return Ok(());
        }
        let room = usize::try_from(self.most.saturating_sub(self.held)).unwrap_or(usize::MAX);
        if bytes.len() > room {
            let whole =
                bytes[..room].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            self.write(&bytes[..whole])?;
            // The file ends with a line; who sends goes back to where that is.
            self.held -= self.partial as u64;
            self.file.set_len(self.held)?;
            self.partial = 0;
            self.rest = Some(Rest::default());
            return Ok(());
        }
        self.write(bytes)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Err(error) = self.file.write_all(bytes) {
            // A part of it may be there: the next one begins at the end again.
            self.file.set_len(self.held)?;
            return Err(error);
        }
        self.held += bytes.len() as u64;
        self.index_of(bytes);
        if self.held >= self.synced + SYNC_EVERY {
            self.file.sync_data()?;
            self.synced = self.held;
        }
        Ok(())
    }

    fn index_of(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.partial += piece.len();
            if piece.ends_with(b"\n") {
                self.index.add(std::mem::take(&mut self.partial));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_twice_is_there_once_and_what_comes_early_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let logs = Logs::new(dir.path().to_owned());
        let log = logs.open(5, "panda01");
        assert_eq!(log.append(0, b"one\ntw").unwrap().held, 6);
        assert_eq!(log.append(9, b"early").unwrap().held, 6);
        assert_eq!(log.append(4, b"two\nth").unwrap().held, 10);
        assert_eq!(log.append(0, b"one\n").unwrap().held, 10);
        logs.close(5);
        // As after a restart: the index goes on, too.
        let log = logs.open(5, "panda01");
        assert_eq!(log.append(0, b"").unwrap().held, 10);
        assert_eq!(*log.held().borrow(), 10);
        assert_eq!(log.append(10, b"ree\n").unwrap().held, 14);
        assert_eq!(std::fs::read(&log.path).unwrap(), b"one\ntwo\nthree\n");
        let path = log.path.clone();
        drop(log);
        logs.close(5);
        assert_eq!(index::nearest(&path, 2), (2, 8));
        assert_eq!(index::nearest(&path, 1), (1, 4));
    }

    #[test]
    fn of_a_log_that_is_too_long_the_beginning_the_results_and_the_end_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("5/panda01/output.jsonl");
        let log = JobLog::new(path);
        *log.writer.lock().unwrap() = Some(Writer::open(&log.path, 1000).unwrap());
        let line =
            |number: u32, lvl: &str| format!(r#"{{"lvl":"{lvl}","msg":"{number:06}"}}"#) + "\n";
        let all: String = (0..200_000)
            .map(|number| line(number, if number == 100_000 { "results" } else { "target" }))
            .collect();
        // In pieces that end anywhere; who is told of less goes back.
        let mut at = 0;
        while at < all.len() {
            let piece = &all.as_bytes()[at..all.len().min(at + 70_001)];
            at = usize::try_from(log.append(at as u64, piece).unwrap().held).unwrap();
        }
        log.finish().unwrap();
        log.finish().unwrap();
        let kept = std::fs::read_to_string(&log.path).unwrap();
        let lines: Vec<&str> = kept.lines().collect();
        assert!(lines.iter().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
        assert_eq!(lines[0], line(0, "target").trim());
        let note = lines.iter().position(|line| line.contains("were left out")).unwrap();
        assert!(kept.len() < 400_000 && note < 40, "{} bytes, {note} lines before", kept.len());
        assert_eq!(lines[note + 1], line(100_000, "results").trim());
        assert_eq!(lines.last().unwrap(), &line(199_999, "target").trim());
        assert_eq!(lines.iter().filter(|line| line.contains("199999")).count(), 1);
    }
}
