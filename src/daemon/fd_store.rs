//! systemd's store of file descriptors (`FileDescriptorStoreMax=` in systemd.service(5)): it keeps open
//! files while a unit is restarted, and closes them when it ends.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::{PipeFlags, pipe_with};
use sd_notify::NotifyState;

use crate::sys::{Luggage, inherited, read_document};

/// The names in the store: of the document, and of the files with their numbers behind it.
const DOCUMENT: &str = "lava-state";
const FILE: &str = "lava-file-";
/// How long systemd may take to store everything.
const STORE_LIMIT: Timespec = Timespec { tv_sec: 5, tv_nsec: 0 };

/// Whether systemd keeps our files while it restarts us. It says so from version 254 on; for older ones
/// the unit does.
pub(super) fn is_there() -> bool {
    let kept = std::env::var("FDSTORE").ok().and_then(|most| most.parse().ok());
    kept.is_some_and(|most: usize| most > 0) && std::env::var_os("NOTIFY_SOCKET").is_some()
}

/// Gives everything to systemd, for the next process of this unit. Returns when systemd has it.
///
/// # Errors
/// When systemd cannot be told.
pub(super) fn store(luggage: &Luggage) -> io::Result<()> {
    for (index, file) in luggage.files.iter().enumerate() {
        store_one(&format!("{FILE}{index}"), file)?;
    }
    store_one(DOCUMENT, &luggage.document_file("")?)?;
    // systemd closes its end when it has read all that was sent before.
    let (ours, theirs) = pipe_with(PipeFlags::CLOEXEC)?;
    sd_notify::notify_with_fds(&[NotifyState::Custom("BARRIER=1")], &[theirs.as_fd()])?;
    drop(theirs);
    poll(&mut [PollFd::new(&ours, PollFlags::HUP)], Some(&STORE_LIMIT))?;
    Ok(())
}

/// What the process before this one has stored, if it has; to be called once.
///
/// # Errors
/// When it cannot be read; it is lost then.
pub(super) fn take() -> io::Result<Option<Luggage>> {
    let mut document = None;
    let mut files: Vec<(usize, OwnedFd)> = Vec::new();
    let Ok(stored) = sd_notify::listen_fds_with_names() else { return Ok(None) };
    for (number, name) in stored {
        let file = inherited(number)?;
        // From now on they are ours alone: what we close is to be closed.
        sd_notify::notify(&[NotifyState::FdStoreRemove, NotifyState::FdName(&name)])?;
        if name == DOCUMENT {
            document = Some(read_document(file)?.1);
        } else if let Some(Ok(index)) = name.strip_prefix(FILE).map(str::parse) {
            files.push((index, file));
        }
    }
    files.sort_by_key(|(index, _)| *index);
    let complete = files.iter().enumerate().all(|(at, (index, _))| at == *index);
    let files = files.into_iter().map(|(_, file)| file).collect();
    Ok(document.filter(|_| complete).map(|document| Luggage { document, files }))
}

fn store_one(name: &str, file: &impl AsFd) -> io::Result<()> {
    sd_notify::notify_with_fds(&[NotifyState::FdStore, NotifyState::FdName(name)], &[file.as_fd()])
}
