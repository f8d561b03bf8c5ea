//! Leases: boards that somebody has for a time. Kept in files here; a server may keep them instead.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use rustix::fs::{FlockOperation, flock};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::journal::make_folder;
use crate::model::{Failure, Kind, Lease, Name, Refusal, is_holder, units};

/// The largest file of a lease, in bytes.
const MAX_LEASE: u64 = 4096;
/// How long another daemon may have the folder's lock before we give up, and how often we look.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);
const LOCK_PAUSE: Duration = Duration::from_millis(10);
/// How long anything about leases may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// So many threads may be busy with leases.
const THREADS: usize = 4;

/// Who has which board. A lease whose time is over is none.
pub trait Leases: Send + Sync + fmt::Debug {
    fn lease<'a>(&'a self, board: &'a Name) -> BoxFuture<'a, Result<Option<Lease>, Failure>>;

    /// Those of all boards that can be read.
    fn all(&self) -> BoxFuture<'_, Result<BTreeMap<Name, Lease>, Failure>>;

    /// Gives somebody a board, or more time to who has it already; they keep the beginning of the one
    /// that they had.
    fn take<'a>(
        &'a self,
        board: &'a Name,
        lease: Lease,
    ) -> BoxFuture<'a, Result<Lease, LeaseError>>;

    /// Ends a lease, if there is one, and tells whose it was. `only` is who may end their own.
    fn release<'a>(
        &'a self,
        board: &'a Name,
        only: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Option<Lease>, LeaseError>>;
}

/// Why a lease is not given or not ended.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    #[error("{board} is leased by {} until {}", lease.holder, units::time_text(lease.until_us))]
    Held { board: Name, lease: Lease },
    /// Of no use to anybody, unlike one that cannot be read just now.
    #[error("{0}")]
    Damaged(Failure),
    #[error("{0}")]
    Failed(Failure),
}

/// A folder with a file for each board that is leased: `panda01.json` is a [`Lease`]. Files are replaced
/// at once, and whoever changes one has the lock of the folder, so several daemons may share it.
#[derive(Debug, Clone)]
pub struct LeaseFiles {
    folder: Arc<Path>,
    /// Reading and writing is done on threads of its own, for a file system may take its time.
    threads: Arc<Semaphore>,
}

/// The folder's lock; given back when dropped.
struct Locked(#[expect(dead_code, reason = "held")] File);

impl LeaseFiles {
    /// Nothing is read or made before somebody asks.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        let (folder, threads) = (folder.into().into(), Arc::new(Semaphore::new(THREADS)));
        Self { folder, threads }
    }

    /// Does something on a thread of its own, and waits for it no longer than [`PATIENCE`].
    async fn apart<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Self) -> Result<T, LeaseError> + Send + 'static,
    ) -> Result<T, LeaseError> {
        let files = self.clone();
        let done = async {
            // It is never closed.
            let place = self.threads.clone().acquire_owned().await;
            let done = tokio::task::spawn_blocking(move || {
                let _place = place;
                act(&files)
            });
            done.await.unwrap_or_else(|error| Err(Failure::from_error(Kind::Bug, &error).into()))
        };
        timeout(PATIENCE, done).await.unwrap_or_else(|_| {
            let what =
                format!("the leases in {}: no answer within {PATIENCE:?}", self.folder.display());
            Err(Failure::new(Kind::Infra, what).into())
        })
    }

    fn path(&self, board: &Name) -> PathBuf {
        self.folder.join(format!("{board}.json"))
    }

    fn present(&self, board: &Name) -> Result<Option<Lease>, LeaseError> {
        let path = self.path(board);
        let lease = match read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failure(&path, &error).into()),
            Ok(bytes) => serde_json::from_slice::<Lease>(&bytes),
        };
        let lease = lease.map_err(|error| LeaseError::Damaged(failure(&path, &error)))?;
        Ok(Some(lease).filter(|lease| lease.until_us > units::now_us()))
    }

    /// Those that there are, of all boards.
    fn all_now(&self) -> Result<BTreeMap<Name, Lease>, LeaseError> {
        let files = match std::fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            files => files.map_err(|error| failure(&self.folder, &error))?,
        };
        let names = files.filter_map(|file| file.ok()?.file_name().into_string().ok());
        let boards = names.filter_map(|name| name.strip_suffix(".json")?.parse::<Name>().ok());
        // One that cannot be read is told to whoever wants the board.
        let leases = boards.filter_map(|board| {
            let lease = self.present(&board).ok()??;
            Some((board, lease))
        });
        Ok(leases.collect())
    }

    fn lock(&self) -> Result<Locked, Failure> {
        let path = self.folder.join(".lock");
        let lock = || {
            make_folder(&self.folder)?;
            let file = options().truncate(false).open(&path)?;
            let deadline = Instant::now() + LOCK_PATIENCE;
            loop {
                match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                    Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < deadline => {
                        std::thread::sleep(LOCK_PAUSE);
                    }
                    Err(rustix::io::Errno::WOULDBLOCK) => {
                        return Err(io::Error::other("another daemon has the lock of the leases"));
                    }
                    locked => return Ok(locked.map(|()| file)?),
                }
            }
        };
        lock().map(Locked).map_err(|error: io::Error| failure(&path, &error))
    }

    fn replace(&self, board: &Name, lease: &Lease) -> Result<(), Failure> {
        let path = self.path(board);
        let new = path.with_extension("json.new");
        let write = || {
            let mut file = options().truncate(true).open(&new)?;
            file.write_all(&serde_json::to_vec(lease)?)?;
            file.sync_data()?;
            std::fs::rename(&new, &path)
        };
        write().map_err(|error| failure(&path, &error))
    }

    fn take_now(&self, board: &Name, lease: Lease) -> Result<Lease, LeaseError> {
        let _locked = self.lock()?;
        let lease = match self.present(board) {
            Ok(Some(present)) if !is_holder(&present.holder, &lease.holder) => {
                return Err(LeaseError::Held { board: board.clone(), lease: present });
            }
            Ok(Some(Lease { holder, since_us, .. })) => Lease { holder, since_us, ..lease },
            Ok(None) => lease,
            // Nobody can have the board by it any more.
            Err(LeaseError::Damaged(failure)) => {
                tracing::warn!(%failure, "a damaged lease is replaced");
                lease
            }
            Err(error) => return Err(error),
        };
        self.replace(board, &lease)?;
        Ok(lease)
    }

    fn release_now(&self, board: &Name, only: Option<&str>) -> Result<Option<Lease>, LeaseError> {
        let _locked = self.lock()?;
        let lease = match self.present(board) {
            Ok(None) => return Ok(None),
            Ok(lease) => lease,
            Err(LeaseError::Damaged(failure)) if only.is_none() => {
                tracing::warn!(%failure, "a damaged lease is ended");
                None
            }
            Err(error) => return Err(error),
        };
        if let (Some(lease), Some(who)) = (&lease, only)
            && !is_holder(&lease.holder, who)
        {
            return Err(LeaseError::Held { board: board.clone(), lease: lease.clone() });
        }
        let path = self.path(board);
        std::fs::remove_file(&path).map_err(|error| failure(&path, &error))?;
        Ok(lease)
    }
}

impl Leases for LeaseFiles {
    fn lease<'a>(&'a self, board: &'a Name) -> BoxFuture<'a, Result<Option<Lease>, Failure>> {
        let board = board.clone();
        let present = self.apart(move |files| files.present(&board));
        async move { Ok(present.await?) }.boxed()
    }

    fn all(&self) -> BoxFuture<'_, Result<BTreeMap<Name, Lease>, Failure>> {
        async move { Ok(self.apart(Self::all_now).await?) }.boxed()
    }

    fn take<'a>(
        &'a self,
        board: &'a Name,
        lease: Lease,
    ) -> BoxFuture<'a, Result<Lease, LeaseError>> {
        let board = board.clone();
        self.apart(move |files| files.take_now(&board, lease)).boxed()
    }

    fn release<'a>(
        &'a self,
        board: &'a Name,
        only: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Option<Lease>, LeaseError>> {
        let (board, only) = (board.clone(), only.map(str::to_owned));
        self.apart(move |files| files.release_now(&board, only.as_deref())).boxed()
    }
}

impl From<Failure> for LeaseError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<LeaseError> for Failure {
    fn from(error: LeaseError) -> Self {
        match error {
            LeaseError::Failed(failure) => failure,
            LeaseError::Damaged(failure) => failure
                .hint("lease the board anew; who has control of it may end the lease by force"),
            held => Self::new(Kind::Refused, held.to_string())
                .because(Refusal::Leased)
                .hint("ask its holder to release it; who has control of it may end it by force"),
        }
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    use io::Read as _;
    let mut bytes = Vec::new();
    // Nor does a pipe of that name hold us up.
    let flags = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    file.take(MAX_LEASE).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).mode(0o600);
    options
}

fn failure(path: &Path, error: &(dyn std::error::Error + 'static)) -> Failure {
    let what = format!("the lease in {}: {}", path.display(), crate::model::failure::chain(error));
    Failure::new(Kind::Infra, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(holder: &str, hours: i64) -> Lease {
        let now = units::now_us();
        let until_us = now.saturating_add_signed(hours * 3_600_000_000);
        Lease {
            holder: holder.into(),
            shared_with: Vec::new(),
            since_us: now,
            until_us,
            reason: None,
        }
    }

    #[test]
    fn a_board_has_one_holder_until_its_time_is_over() {
        let dir = tempfile::tempdir().unwrap();
        let leases = LeaseFiles::new(dir.path().join("leases"));
        let board = "panda01".parse().unwrap();
        assert_eq!(leases.present(&board).unwrap(), None);
        let hers = leases.take_now(&board, lease("alice", 2)).unwrap();
        let held = leases.take_now(&board, lease("bob", 1)).unwrap_err().to_string();
        assert!(held.starts_with("panda01 is leased by alice until 20"), "{held}");
        assert!(leases.release_now(&board, Some("bob")).is_err());
        let longer = leases.take_now(&board, lease("alice (job:7)", 5)).unwrap();
        assert_eq!((longer.holder.as_str(), longer.since_us), ("alice", hers.since_us));
        assert!(longer.until_us > hers.until_us);
        assert_eq!(leases.release_now(&board, Some("user:alice")).unwrap(), Some(longer));
        assert_eq!(leases.present(&board).unwrap(), None);
        leases.take_now(&board, lease("bob", -1)).unwrap();
        assert_eq!(leases.present(&board).unwrap(), None);
    }

    #[test]
    fn a_damaged_file_is_told_and_holds_nobody_up_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let leases = LeaseFiles::new(dir.path());
        let board: Name = "panda01".parse().unwrap();
        std::fs::write(dir.path().join("panda01.json"), "{\"holder\":").unwrap();
        let told = leases.present(&board).unwrap_err().to_string();
        assert!(told.contains("panda01.json: EOF while parsing"), "{told}");
        assert!(leases.release_now(&board, Some("alice")).is_err());
        assert_eq!(leases.release_now(&board, None).unwrap(), None);
        assert_eq!(leases.present(&board).unwrap(), None);
        std::fs::write(dir.path().join("panda01.json"), "").unwrap();
        assert_eq!(leases.take_now(&board, lease("bob", 1)).unwrap().holder, "bob");
    }

    #[tokio::test]
    async fn a_lock_that_another_process_has_stops_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let leases = LeaseFiles::new(dir.path());
        let board = "panda01".parse().unwrap();
        let _theirs = leases.lock().unwrap();
        let take = leases.take(&board, lease("alice", 1));
        let other = async { leases.lease(&board).await.unwrap() };
        let (taken, other) = tokio::join!(take, other);
        assert_eq!(other, None);
        let told = taken.unwrap_err().to_string();
        assert!(told.ends_with(".lock: another daemon has the lock of the leases"), "{told}");
    }
}
