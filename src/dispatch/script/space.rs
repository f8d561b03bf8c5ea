//! How much of the disk a run takes, and how much it prints.

use std::collections::HashSet;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, fstat, openat, statat};
use rustix::path::Arg;
use tokio::time::{Instant, sleep};

use crate::dispatch::error::Error;
use crate::dispatch::log::Log;

/// How often it is looked how much there is: no more than a small part of the time goes into looking.
const EVERY: Duration = Duration::from_secs(2);
const PART: u32 = 20;
/// Folders are looked through that are so deep within each other at most.
const DEEPEST: usize = 200;
/// So much of what a script prints is logged, in bytes, …
const LOGGED: u64 = 100 << 20;
/// … of which each line takes so many beside its own.
const LINE: u64 = 100;

/// Waits until the files of a folder take more than that, in bytes. Cancel safe.
pub(super) async fn is_full(folder: &Path, most: u64) -> Error {
    let mut pause = EVERY;
    loop {
        sleep(pause).await;
        let (folder, begun): (PathBuf, _) = (folder.to_owned(), Instant::now());
        let looked = tokio::task::spawn_blocking(move || Sizes::default().of(CWD, folder, 0));
        match looked.await {
            Ok(Ok(taken)) if taken <= most => {}
            Ok(Ok(_)) => {
                let most = most >> 20;
                return Error::Job(format!(
                    "the files of the run take more than {most} MiB, which is the most on this worker \
                     (lava-dispatcher worker --script-space)"
                ));
            }
            Ok(Err(Trouble::Deep)) => {
                return Error::Job(format!(
                    "the folders of the run are more than {DEEPEST} deep within each other"
                ));
            }
            // What is removed meanwhile is looked at the next time.
            Ok(Err(Trouble::Other)) | Err(_) => {}
        }
        pause = EVERY.max(begun.elapsed() * PART);
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Trouble {
    Deep,
    Other,
}

impl From<rustix::io::Errno> for Trouble {
    fn from(_: rustix::io::Errno) -> Self {
        Self::Other
    }
}

/// Of files with several names it is known that they count already.
#[derive(Debug, Default)]
struct Sizes(HashSet<(u64, u64)>);

impl Sizes {
    /// What a folder takes on the disk, in bytes.
    fn of(&mut self, at: BorrowedFd<'_>, name: impl Arg, depth: usize) -> Result<u64, Trouble> {
        if depth > DEEPEST {
            return Err(Trouble::Deep);
        }
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let held = openat(at, name, flags | OFlags::PATH, Mode::empty())?;
        let itself = format!("/proc/self/fd/{}", held.as_raw_fd());
        let own = fstat(&held)?;
        // One that nobody may look into is made such that we may.
        if own.st_mode & 0o500 != 0o500 {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::Permissions::from_mode((own.st_mode & 0o7777) | 0o500);
            std::fs::set_permissions(&itself, mode).map_err(|_| Trouble::Other)?;
        }
        let folder = openat(CWD, itself, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        drop(held);
        let mut taken = own.st_blocks as u64 * 512;
        for entry in Dir::read_from(&folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let Ok(stat) = statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                match self.of(folder.as_fd(), name, depth + 1) {
                    Err(Trouble::Other) => {}
                    inner => taken += inner?,
                }
            } else if stat.st_nlink == 1 || self.0.insert((stat.st_dev, stat.st_ino)) {
                taken += stat.st_blocks as u64 * 512;
            }
        }
        Ok(taken)
    }
}

/// What a script has printed so far.
#[derive(Debug)]
pub(super) struct Printed {
    most: u64,
    bytes: AtomicU64,
    left_out: AtomicU64,
}

impl Printed {
    pub(super) fn nothing() -> Self {
        Self::at_most(LOGGED)
    }

    fn at_most(most: u64) -> Self {
        Self { most, bytes: AtomicU64::new(0), left_out: AtomicU64::new(0) }
    }

    /// Logs a line, or counts it when the log has enough of them.
    pub(super) fn line(&self, line: &str, log: &Log) {
        let cost = line.len() as u64 + LINE;
        if self.bytes.fetch_add(cost, Ordering::Relaxed) + cost <= self.most {
            log.said(line);
        } else if self.left_out.fetch_add(1, Ordering::Relaxed) == 0 {
            log.warning(format!(
                "the script has printed more than {} MiB: what it prints from here on is left out of the log, \
                 and the run goes on",
                self.most >> 20
            ));
        }
    }

    /// Tells how many are missing.
    pub(super) fn end(&self, log: &Log) {
        match self.left_out.load(Ordering::Relaxed) {
            0 => {}
            count => log.warning(format!("{count} lines of the script were left out of the log")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::dispatch::progress::Silent;

    #[test]
    fn what_a_script_prints_beyond_its_share_is_counted_and_the_rest_of_the_log_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let log = Log::create(&dir.path().join("log"), &[], Arc::new(Silent)).unwrap();
        let printed = Printed::at_most(1 << 20);
        for number in 0..20_000 {
            printed.line(&format!("line {number}"), &log);
        }
        log.info("something else");
        printed.end(&log);
        let text = std::fs::read_to_string(dir.path().join("log")).unwrap();
        assert!(text.len() < 2 << 20, "{}", text.len());
        let lines: Vec<&str> = text.lines().collect();
        let said = lines.iter().filter(|line| line.contains("\"lvl\":\"target\"")).count();
        assert!((5_000..15_000).contains(&said), "{said}");
        assert!(lines[said].contains("more than 1 MiB"), "{}", lines[said]);
        assert!(lines[said + 1].contains("something else"));
        let left_out = format!("{} lines of the script were left out", 20_000 - said);
        assert!(lines[said + 2].contains(&left_out), "{}", lines[said + 2]);
    }

    #[test]
    fn files_count_once_and_what_is_hidden_counts_too() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let hidden = dir.path().join("hidden");
        std::fs::create_dir(&hidden).unwrap();
        std::fs::write(hidden.join("big"), vec![b'x'; 3 << 20]).unwrap();
        std::fs::hard_link(hidden.join("big"), dir.path().join("again")).unwrap();
        std::os::unix::fs::symlink("/usr", dir.path().join("usr")).unwrap();
        std::fs::set_permissions(&hidden, std::fs::Permissions::from_mode(0o000)).unwrap();
        let taken = Sizes::default().of(CWD, dir.path(), 0).unwrap();
        assert!((3 << 20..4 << 20).contains(&taken), "{taken}");
        let deep: PathBuf = std::iter::repeat_n("d", DEEPEST + 2).collect();
        std::fs::create_dir_all(dir.path().join(deep)).unwrap();
        assert_eq!(Sizes::default().of(CWD, dir.path(), 0), Err(Trouble::Deep));
    }
}
