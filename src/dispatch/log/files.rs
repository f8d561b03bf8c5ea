//! The files of a log, and what waits while they cannot be written.

use std::fs::File;
use std::io::Write as _;

use super::Batch;
use crate::dispatch::index;

/// So much waits at most while the log cannot be written, in bytes.
pub(super) const MAX_WAITING: usize = if cfg!(test) { 64 << 10 } else { 64 << 20 };

/// The log and its index.
pub(super) struct Files {
    pub(super) log: File,
    /// What could not be written yet: the disk is full, or does not answer.
    pub(super) waiting: Vec<u8>,
    /// How many lines were left out since, because too much waits.
    pub(super) lost: usize,
    /// `None` when somebody else has it.
    pub(super) index: Option<index::Writer>,
}

impl Files {
    /// Writes lines, or keeps what cannot be written; how many there are.
    pub(super) fn add(&mut self, batch: &Batch) -> u64 {
        if let Some(index) = &mut self.index {
            batch.lengths.iter().for_each(|length| index.add(*length));
        }
        let waited = !self.waiting.is_empty();
        self.waiting.extend_from_slice(&batch.text);
        if let Err(error) = self.write()
            && !waited
        {
            tracing::error!("the job's log waits, it cannot be written: {error}");
        }
        batch.lengths.len() as u64
    }

    /// Writes what waits, as far as that is possible.
    pub(super) fn write(&mut self) -> std::io::Result<()> {
        let mut written = 0;
        let done = loop {
            if written == self.waiting.len() {
                break Ok(());
            }
            match self.log.write(&self.waiting[written..]) {
                Ok(0) => break Err(std::io::ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        self.waiting.drain(..written);
        done
    }
}
