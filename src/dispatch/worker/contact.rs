//! When the worker and its server were in contact last: a line in the worker's folder, by which each job's process and
//! its guard go, too. So a job ends in time whatever becomes of the worker, and a worker that is started anew counts on.
//!
//! The line is written over in place: a full disk is no loss of contact. It is not synced: after a loss of power there
//! is no process left that could go by it, and what is of another boot counts as nothing.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::model::CutOff;

/// The file in the worker's folder.
pub(super) const FILE: &str = "contact";
/// How long its line is, in bytes: always the same.
const LENGTH: usize = 128;
/// Which boot of this host it is.
const BOOT: &str = "/proc/sys/kernel/random/boot_id";
/// So often it is looked whether there was contact since: a host that was asleep may wake at any time.
const LOOK: Duration = Duration::from_millis(500);

/// A contact.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Contact {
    /// By the clock that nobody sets and that goes on while the host sleeps, in milliseconds.
    at_ms: u64,
    /// The server's `worker_gone`, in seconds; 0 is not said.
    gone_s: u64,
}

/// What the worker has of it.
#[derive(Debug)]
pub(super) struct Contacts {
    file: File,
    boot: String,
    last: Mutex<Contact>,
}

/// What a job has of it.
#[derive(Debug)]
pub struct LastContact {
    path: PathBuf,
    boot: String,
    known: Option<Contact>,
}

/// Now, by the clock of contacts.
pub(super) fn now_ms() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    let (seconds, nanos) = (now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs());
    seconds * 1000 + nanos / 1_000_000
}

impl Contacts {
    /// Goes on with what the worker before has left; without that, this is the first moment.
    ///
    /// # Errors
    /// When the file cannot be read or made.
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        let boot = boot()?;
        let mut options = File::options();
        let options = options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(dir.join(FILE))?;
        let known = read(&file, &boot)?;
        let now = Contact { at_ms: now_ms(), gone_s: known.as_ref().map_or(0, |it| it.gone_s) };
        let contacts = Self { file, boot, last: Mutex::new(now.clone()) };
        match known {
            Some(known) => *contacts.last() = known,
            None => contacts.write(&now)?,
        }
        Ok(contacts)
    }

    /// A greeting of that moment was answered.
    ///
    /// # Errors
    /// When it cannot be written: then we count from the contact before, as the jobs do, and so does the server, which
    /// is told what we go by.
    pub(super) fn note(&self, at_ms: u64, gone_s: u64) -> io::Result<()> {
        let contact = Contact { at_ms, gone_s };
        self.write(&contact)?;
        *self.last() = contact;
        Ok(())
    }

    /// What the server has said last of how long a worker may be silent, in seconds.
    pub(super) fn gone_s(&self) -> u64 {
        self.last().gone_s
    }

    /// How long it is until one of the times.
    pub(super) fn left(&self, of: fn(CutOff) -> Duration) -> Duration {
        self.last().left(of)
    }

    fn write(&self, Contact { at_ms, gone_s }: &Contact) -> io::Result<()> {
        // Who reads it meanwhile finds another number at its end.
        let line = format!("{} {gone_s} {at_ms} {at_ms}", self.boot);
        self.file.write_all_at(format!("{line:<width$}\n", width = LENGTH - 1).as_bytes(), 0)
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Contact> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Contact {
    fn left(&self, of: fn(CutOff) -> Duration) -> Duration {
        let age = Duration::from_millis(now_ms().saturating_sub(self.at_ms));
        of(CutOff::of_seconds(self.gone_s)).saturating_sub(age)
    }
}

impl LastContact {
    /// `path` is the worker's file; one that cannot be read cuts nobody off.
    pub fn in_file(path: &Path) -> Self {
        let boot = boot().unwrap_or_default();
        let mut contact = Self { path: path.to_owned(), boot, known: None };
        contact.look();
        contact
    }

    /// Waits until it is one of the times. Cancel safe.
    pub async fn until(&mut self, of: fn(CutOff) -> Duration) {
        loop {
            let left = self.left(of);
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(LOOK)).await;
        }
    }

    /// The same for a thread.
    pub fn wait_until(&mut self, of: fn(CutOff) -> Duration) {
        loop {
            let left = self.left(of);
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(LOOK));
        }
    }

    /// How long it is until one of the times, as far as is known now.
    pub fn left(&mut self, of: fn(CutOff) -> Duration) -> Duration {
        self.look();
        self.known.as_ref().map_or(Duration::MAX, |known| known.left(of))
    }

    fn look(&mut self) {
        let read = File::open(&self.path).and_then(|file| read(&file, &self.boot));
        if let Ok(Some(contact)) = read {
            self.known = Some(contact);
        }
    }
}

/// What a file says of this boot; nothing, too, while it is being written.
fn read(file: &File, boot: &str) -> io::Result<Option<Contact>> {
    let mut line = [0; LENGTH];
    let read = file.read_at(&mut line, 0)?;
    let text = String::from_utf8_lossy(&line[..read]);
    let words: Vec<&str> = text.split_whitespace().collect();
    let [of, gone_s, at_ms, again] = words[..] else { return Ok(None) };
    if of != boot || at_ms != again {
        return Ok(None);
    }
    let contact = at_ms.parse().ok().zip(gone_s.parse().ok());
    Ok(contact.map(|(at_ms, gone_s)| Contact { at_ms, gone_s }))
}

fn boot() -> io::Result<String> {
    Ok(std::fs::read_to_string(BOOT)?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_started_anew_counts_on_and_jobs_go_by_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let worker = Contacts::open(dir.path()).unwrap();
        assert!(worker.left(CutOff::ends) > Duration::from_secs(60), "it begins now");
        let mut job = LastContact::in_file(&dir.path().join(FILE));
        worker.note(now_ms() - 9_000, 10).unwrap();
        drop(worker);
        let worker = Contacts::open(dir.path()).unwrap();
        assert_eq!((worker.left(CutOff::ends), worker.gone_s()), (Duration::ZERO, 10));
        assert!(worker.left(CutOff::kills) > Duration::ZERO);
        assert_eq!(job.left(CutOff::ends), Duration::ZERO);
        worker.note(now_ms(), 10).unwrap();
        assert!(job.left(CutOff::ends) > Duration::ZERO);
        // Half a line, and none: what was known counts.
        for broken in [&b"x"[..], b""] {
            std::fs::write(dir.path().join(FILE), broken).unwrap();
            assert!(job.left(CutOff::ends) < Duration::from_secs(9));
        }
        let mut none = LastContact::in_file(&dir.path().join("none"));
        assert_eq!(none.left(CutOff::ends), Duration::MAX);
    }

    #[test]
    fn a_contact_that_could_not_be_written_counts_for_the_worker_no_more_than_for_its_jobs() {
        let dir = tempfile::tempdir().unwrap();
        let worker = Contacts::open(dir.path()).unwrap();
        worker.note(now_ms() - 9_000, 10).unwrap();
        let file = File::open(dir.path().join(FILE)).unwrap();
        let worker = Contacts { file, ..worker };
        assert!(worker.note(now_ms(), 3600).is_err(), "the file is not open for writing");
        assert_eq!((worker.gone_s(), worker.left(CutOff::ends)), (10, Duration::ZERO));
        let mut job = LastContact::in_file(&dir.path().join(FILE));
        assert_eq!(job.left(CutOff::ends), Duration::ZERO);
    }

    #[test]
    fn what_was_before_this_boot_counts_for_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let old = format!("{:<127}\n", "4f8a7a4e-0000-4000-8000-000000000000 2 5 5");
        std::fs::write(dir.path().join(FILE), old).unwrap();
        let mut job = LastContact::in_file(&dir.path().join(FILE));
        assert_eq!(job.left(CutOff::ends), Duration::MAX);
        let worker = Contacts::open(dir.path()).unwrap();
        assert!(worker.left(CutOff::ends) > Duration::from_secs(60));
        assert!(job.left(CutOff::ends) > Duration::from_secs(60));
    }
}
