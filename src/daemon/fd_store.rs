//! systemd's store of file descriptors (`FileDescriptorStoreMax=` in systemd.service(5)): it keeps open
//! files while a unit is restarted, and closes them when it ends.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use sd_notify::NotifyState;

use crate::sys::{Luggage, inherited, read_document};

/// The names in the store: of the document, and of the files with their numbers behind it.
const DOCUMENT: &str = "lava-state";
const FILE: &str = "lava-file-";
/// How long systemd may take for all that it was told.
const LIMIT: Duration = Duration::from_secs(5);

/// What systemd keeps of the process before this one: as long as it does, a process after this one can
/// go on with it instead.
#[derive(Debug, Default)]
pub(super) struct Stored {
    names: Vec<String>,
}

/// Whether systemd keeps our files while it restarts us. It says so from version 254 on; for older ones
/// the unit does.
pub(super) fn is_there() -> bool {
    let kept = std::env::var("FDSTORE").ok().and_then(|most| most.parse().ok());
    kept.is_some_and(|most: usize| most > 0) && std::env::var_os("NOTIFY_SOCKET").is_some()
}

/// Gives everything to systemd, for the next process of this unit. Returns when systemd has it.
///
/// # Errors
/// When systemd cannot be told, or does not take it in time.
pub(super) fn store(luggage: &Luggage) -> io::Result<()> {
    for (index, file) in luggage.files.iter().enumerate() {
        if let Some(file) = file {
            store_one(&format!("{FILE}{index}"), file)?;
        }
    }
    store_one(DOCUMENT, &luggage.document_file("")?)?;
    barrier()
}

/// What the process before this one has stored, if it has; to be called once.
///
/// # Errors
/// When it cannot be read.
pub(super) fn take() -> (io::Result<Option<Luggage>>, Stored) {
    let mut stored = Stored::default();
    let mut document = Ok(None);
    let mut files: Vec<Option<OwnedFd>> = Vec::new();
    for (number, name) in sd_notify::listen_fds_with_names().into_iter().flatten() {
        let file = inherited(number);
        if name == DOCUMENT {
            document = file.and_then(|file| Ok(Some(read_document(file)?.1)));
        } else if let Some(Ok(index)) = name.strip_prefix(FILE).map(str::parse::<u16>) {
            let index = usize::from(index);
            files.resize_with(files.len().max(index + 1), || None);
            files[index] = file.ok();
        }
        stored.names.push(name);
    }
    (document.map(|document| document.map(|document| Luggage { document, files })), stored)
}

impl Stored {
    /// Has systemd forget all of it, and returns when it has: from now on what we close is closed.
    pub(super) fn release(self) {
        remove(&self.names);
    }

    /// The same for some of the files.
    pub(super) fn forget(&mut self, files: impl Iterator<Item = usize>) {
        let files: Vec<String> = files.map(|index| format!("{FILE}{index}")).collect();
        let forgotten: Vec<String> =
            self.names.extract_if(.., |name| files.contains(name)).collect();
        remove(&forgotten);
    }
}

fn remove(names: &[String]) {
    if names.is_empty() {
        return;
    }
    let told = names.iter().try_for_each(|name| {
        sd_notify::notify(&[NotifyState::FdStoreRemove, NotifyState::FdName(name)])
    });
    if let Err(error) = told.and_then(|()| barrier()) {
        tracing::warn!("systemd may keep open files that are not wanted any more: {error}");
    }
}

/// Keeps it also when the other end of it is gone: its number would be missing, and what it still has to
/// say lost.
fn store_one(name: &str, file: &impl AsFd) -> io::Result<()> {
    let keep = NotifyState::Custom("FDPOLL=0");
    let state = [NotifyState::FdStore, NotifyState::FdName(name), keep];
    sd_notify::notify_with_fds(&state, &[file.as_fd()])
}

/// Waits until systemd has read all that was sent before: then it closes its end.
fn barrier() -> io::Result<()> {
    let (ours, theirs) = pipe_with(PipeFlags::CLOEXEC)?;
    sd_notify::notify_with_fds(&[NotifyState::Custom("BARRIER=1")], &[theirs.as_fd()])?;
    drop(theirs);
    let end = Instant::now() + LIMIT;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let left = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
        match poll(&mut [PollFd::new(&ours, PollFlags::HUP)], Some(&left)) {
            Ok(0) => {
                let what = format!("systemd did not answer within {} s", LIMIT.as_secs());
                return Err(io::Error::new(io::ErrorKind::TimedOut, what));
            }
            Err(Errno::INTR) => {}
            done => return Ok(done.map(drop)?),
        }
    }
}
