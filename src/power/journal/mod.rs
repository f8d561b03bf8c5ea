//! The journal of an outlet: what is done to it, written before it is done.
//!
//! A file per board, of lines of JSON ([`chronicle`]), which is only appended to, and now and then
//! written anew. What cuts the power is on the disk before the power goes. Of a cycle: whatever happens to us
//! then, the next start finds it, and brings the board back. Of switching off: so that the next start does not
//! bring back by an older cycle what somebody wanted off. Other lines are written, and left to the system
//! to bring to the disk: they outlive `kill -9`, and what a power loss of the host takes is history.
//!
//! The newest operation is *pending* until it is over, and with it stands what the board is *owed*: a cycle
//! owes it power, and so does what is begun while that is owed, but switching off.
//!
//! The file is locked while an operation is not over, so that another process, one that was started by
//! mistake, does not take it for one that nobody sees to any more.

mod chronicle;
mod forgotten;
#[cfg(test)]
mod tests;

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use chronicle::Chronicle;
use chronicle::{Line, What};
pub(super) use forgotten::forgotten;

use rustix::fs::{FlockOperation, flock};

use super::Asked;
use super::tally::Tally;
use crate::model::{Name, PowerRecord, PowerResult, State, Verb, units};

/// The most that is read of a journal, in bytes, from its end.
const MOST_READ: u64 = 1024 * 1024;
/// A journal that is larger than this, and twice what it has to be, is written anew.
const LARGE: u64 = 128 * 1024;
/// The most that is kept of what went wrong, in bytes.
const MOST_ERROR: usize = 500;

/// The past of one board's power.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    tally: Arc<Tally>,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    chronicle: Chronicle,
    /// How large the file may become, in bytes.
    limit: u64,
    /// The file may end in the middle of a line.
    torn: bool,
    /// Has the file's lock while it is there.
    lock: Option<File>,
}

/// Makes the folder of the journals, for its owner only.
///
/// # Errors
/// When it cannot be made.
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

impl Journal {
    /// Reads the journal of a board, if there is one. One that cannot be read is told and begun anew.
    pub(super) fn open(folder: &Path, board: &Name, tally: Arc<Tally>) -> Self {
        let path = folder.join(format!("{board}.journal"));
        let bytes = match read(&path) {
            Ok(bytes) => bytes,
            Err(error) => {
                let file = path.display();
                tracing::error!(%file, %error, "a journal cannot be read; what was under way is not known");
                tally.unjournaled();
                Vec::new()
            }
        };
        let inner = Inner {
            chronicle: Chronicle::read(&bytes),
            limit: LARGE,
            torn: bytes.last().is_some_and(|last| *last != b'\n'),
            lock: None,
        };
        Self { path, tally, inner: Mutex::new(inner) }
    }

    /// Writes that an operation begins; it is told by the number that this gives. `booked` when a budget
    /// has paid for it.
    ///
    /// Blocks: what cuts the power until it is on the disk.
    pub(super) fn begin(&self, verb: Verb, asked: &Asked, booked: bool) -> u64 {
        let Asked { who, reason, force, .. } = asked;
        let mut inner = self.lock();
        if inner.lock.is_none() {
            // Without it nothing worse happens than that a second process switches the board on early.
            inner.lock = lock_file(&self.path).ok();
        }
        let begin_us = inner.chronicle.next(units::now_us());
        drop(inner);
        let (who, reason, force) = (who.clone(), reason.clone(), *force);
        let safe = matches!(verb, Verb::Cycle | Verb::Off);
        self.push(Line { begin_us, what: What::Begin { verb, who, reason, force, booked } }, safe);
        begin_us
    }

    /// Takes over what the process before has left. `false` while that still runs; else what is pending
    /// now is so for us to see to.
    ///
    /// # Errors
    /// When the file cannot be read any more.
    pub(super) fn adopt(&self) -> io::Result<bool> {
        let mut inner = self.lock();
        if inner.lock.is_some() {
            // Somebody has begun something here meanwhile.
            return Ok(true);
        }
        match lock_file(&self.path) {
            Ok(lock) => {
                inner.chronicle = Chronicle::read(&read(&self.path)?);
                inner.lock = inner.chronicle.pending().map(|_| lock);
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Writes what an operation came to that is not over. Of one that is, or is superseded, nothing is
    /// written; so for the others here.
    pub(super) fn so_far(
        &self,
        begin_us: u64,
        result: PowerResult,
        state: Option<State>,
        error: Option<&str>,
    ) {
        if self.is_pending(begin_us) {
            let error = error.map(short);
            self.push(Line { begin_us, what: What::SoFar { result, state, error } }, false);
        }
    }

    /// Writes that an operation is over, as it was told so far.
    pub(super) fn close(&self, begin_us: u64) {
        if let Some(PowerRecord { result, state, error, .. }) = self.pending() {
            self.end(begin_us, result, state, error.as_deref());
        }
    }

    /// Writes how an operation ended.
    pub(super) fn end(
        &self,
        begin_us: u64,
        result: PowerResult,
        state: Option<State>,
        error: Option<&str>,
    ) {
        if !self.is_pending(begin_us) {
            return;
        }
        let (end_us, error) = (units::now_us(), error.map(short));
        self.push(Line { begin_us, what: What::End { end_us, result, state, error } }, false);
    }

    pub(super) fn is_pending(&self, begin_us: u64) -> bool {
        self.lock().chronicle.pending().is_some_and(|record| record.begin_us == begin_us)
    }

    pub(super) fn pending(&self) -> Option<PowerRecord> {
        self.lock().chronicle.pending().cloned()
    }

    /// Whether the board is owed power.
    pub(super) fn owes(&self) -> bool {
        self.lock().chronicle.owes()
    }

    /// Whether it was before what is pending began.
    pub(super) fn was_owed(&self) -> bool {
        self.lock().chronicle.was_owed()
    }

    /// The newest operation.
    pub(super) fn last(&self) -> Option<PowerRecord> {
        self.lock().chronicle.records().next_back().cloned()
    }

    /// The operations that budgets have paid for.
    pub(super) fn booked(&self) -> Vec<PowerRecord> {
        self.lock().chronicle.booked().cloned().collect()
    }

    /// Brings to the disk what was written. Blocks.
    pub(super) fn sync(&self) {
        if let Err(error) = options().append(true).open(&self.path).and_then(|f| f.sync_data()) {
            let file = self.path.display();
            tracing::error!(%file, %error, "the journal cannot be brought to the disk");
            self.tally.unjournaled();
        }
    }

    /// The operations that are kept, the oldest first.
    pub(super) fn records(&self) -> Vec<PowerRecord> {
        self.lock().chronicle.records().cloned().collect()
    }

    fn push(&self, line: Line, safe: bool) {
        let mut inner = self.lock();
        let mut text = if inner.torn { "\n".to_owned() } else { String::new() };
        // Numbers and texts always become JSON.
        text += &serde_json::to_string(&line).unwrap_or_default();
        text.push('\n');
        inner.chronicle.push(line);
        let pending = inner.chronicle.pending().is_some();
        let written = match append(&self.path, &text, safe) {
            // A new file would not have the lock.
            Ok(size) if size > inner.limit && !pending => self.rewrite(&mut inner),
            Ok(_) => {
                inner.torn = false;
                Ok(())
            }
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            inner.torn = true;
            let file = self.path.display();
            tracing::error!(%file, %error, "the journal cannot be written; a crash now may leave a board off");
            self.tally.unjournaled();
        }
        if !pending {
            inner.lock = None;
        }
    }

    /// Writes the file anew, with what is kept only.
    fn rewrite(&self, inner: &mut Inner) -> io::Result<()> {
        let mut text = String::new();
        for line in inner.chronicle.lines() {
            text += &serde_json::to_string(&line).unwrap_or_default();
            text.push('\n');
        }
        let new = self.path.with_extension("journal.new");
        let mut file = options().write(true).truncate(true).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        std::fs::rename(&new, &self.path)?;
        sync_folder(&self.path)?;
        inner.torn = false;
        inner.limit = LARGE.max(2 * text.len() as u64);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // The chronicle is changed in one step.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end of a file, if there is one.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        file => file?,
    };
    let size = file.metadata()?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(MOST_READ)))?;
    let mut bytes = Vec::new();
    file.take(MOST_READ).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Appends in one write, and tells how large the file is then.
fn append(path: &Path, text: &str, safe: bool) -> io::Result<u64> {
    let mut file = options().append(true).open(path)?;
    file.write_all(text.as_bytes())?;
    let size = file.metadata()?.len();
    if safe {
        file.sync_data()?;
        if size == text.len() as u64 {
            sync_folder(path)?;
        }
    }
    Ok(size)
}

/// Sees to it that the name of a new file is on the disk, too.
fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// Locks a file, as long as what this gives is there. Does not wait.
fn lock_file(path: &Path) -> io::Result<File> {
    let file = options().append(true).open(path)?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    Ok(file)
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).mode(0o600);
    options
}

fn short(error: &str) -> String {
    let end = (0..=error.len().min(MOST_ERROR)).rev().find(|end| error.is_char_boundary(*end));
    error[..end.unwrap_or(0)].to_owned()
}
