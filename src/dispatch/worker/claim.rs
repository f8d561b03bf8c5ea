//! Whose a job's folder is: the one process that runs the job, and none after it.
//!
//! The process writes its number into a file and keeps a lock on it for as long as it lives, which the kernel
//! lets go of whatever it dies of. A second process finds the number, and does not begin. After it comes its
//! guard, where it was killed: that has a lock of its own, and the folder is nobody's only when both are free.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Pid;

use crate::model::{Failure, Kind};

/// The file in the job's output folder.
const FILE: &str = "claim";
/// The file whose lock guards have.
const WATCH: &str = "watch";
/// Who looks whether it lives has the lock for a moment: so often, and so long in between, it is tried again.
const TRIES: u32 = 40;
const AGAIN: Duration = Duration::from_millis(25);

/// The claim of this process. It lasts as long as this does.
#[derive(Debug)]
pub struct Claim {
    _file: File,
}

/// How a folder's process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    /// There never was one.
    None,
    /// As long as it does, the number is its own; for a moment it is not known.
    Lives(Option<Pid>),
    /// It has ended, and its guard cleans up after it: its board is not free yet.
    Guarded,
    /// It has ended.
    Ended,
}

impl Claim {
    /// Claims an output folder, which is made if it is not there.
    ///
    /// # Errors
    /// [`Kind::Refused`] when a process has it or has had it.
    pub async fn take(output: &Path) -> Result<Self, Failure> {
        let path = path(output);
        let infra =
            |error: io::Error| Failure::new(Kind::Infra, format!("{}: {error}", path.display()));
        std::fs::create_dir_all(output).map_err(infra)?;
        let mut options = File::options();
        let options = options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(infra)?;
        let begun = || {
            let what = format!("the job in {} has begun already", output.display());
            Failure::new(Kind::Refused, what)
        };
        let mut tries = 0;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(error)) => return Err(infra(error)),
                Err(TryLockError::WouldBlock) if tries == TRIES => return Err(begun()),
                Err(TryLockError::WouldBlock) => tries += 1,
            }
            tokio::time::sleep(AGAIN).await;
        }
        let mut known = String::new();
        file.read_to_string(&mut known).map_err(infra)?;
        if !known.is_empty() {
            return Err(begun());
        }
        // Also after a loss of power nobody is to begin once more.
        let written = writeln!(file, "{}", std::process::id()).and_then(|()| file.sync_all());
        written.and_then(|()| File::open(output)?.sync_all()).map_err(infra)?;
        Ok(Self { _file: file })
    }
}

/// The lock of an output folder that guards have, each by having this file open: it is free when the last of
/// them has ended.
///
/// # Errors
/// When the file cannot be made or locked.
pub fn watch(output: &Path) -> io::Result<File> {
    let file = File::options().append(true).create(true).open(output.join(WATCH))?;
    file.try_lock_shared()?;
    Ok(file)
}

/// Whether guards are at work in an output folder.
fn is_guarded(output: &Path) -> bool {
    let Ok(file) = File::open(output.join(WATCH)) else { return false };
    matches!(file.try_lock(), Err(TryLockError::WouldBlock))
}

/// How the process of an output folder is.
pub(super) fn life(output: &Path) -> Life {
    let Ok(mut file) = File::open(path(output)) else { return Life::None };
    let locked = matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
    let mut number = String::new();
    let _ = file.read_to_string(&mut number);
    let number = number.trim().parse().ok().and_then(Pid::from_raw);
    match (locked, number) {
        (true, number) => Life::Lives(number),
        (false, Some(_)) if is_guarded(output) => Life::Guarded,
        (false, Some(_)) => Life::Ended,
        // It has taken the file, and not yet written into it.
        (false, None) => Life::None,
    }
}

fn path(output: &Path) -> PathBuf {
    output.join(FILE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_is_claimed_once_and_never_again() {
        let dir = tempfile::tempdir().unwrap();
        let output = dir.path().join("out");
        assert_eq!(life(&output), Life::None);
        let claim = Claim::take(&output).await.unwrap();
        assert!(matches!(life(&output), Life::Lives(Some(_))));
        let second = Claim::take(&output).await.unwrap_err();
        assert_eq!(second.kind, Kind::Refused);
        // A guard has the lock by a copy of what its job has opened.
        let guard = watch(&output).unwrap();
        drop(claim);
        assert_eq!(life(&output), Life::Guarded);
        drop(guard);
        assert_eq!(life(&output), Life::Ended);
        assert_eq!(Claim::take(&output).await.unwrap_err().kind, Kind::Refused);
    }
}
