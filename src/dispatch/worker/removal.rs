//! Removing what a job has left, whatever it is: folders that nobody may write, as Go makes them, and any number of
//! them within each other.

use std::ffi::{CStr, CString};
use std::fs::Permissions;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, fstat, openat, renameat, statat, unlinkat,
};
use rustix::io::Errno;
use rustix::path::Arg;

/// What is moved up is called so, with a number behind.
const MOVED: &str = ".removing-";
/// So often a folder is looked through that is still not empty: while it is emptied some file systems pass over names.
const TIMES: u32 = 10;
/// What one has to be able to do in a folder.
const ALL: u32 = 0o700;

/// Removes a folder and all that is in it, and follows no link. One that is not there is removed.
///
/// # Errors
/// Why something is still there.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    let top = match open(CWD, path) {
        Err(Errno::NOENT) => return Ok(()),
        top => top?,
    };
    let mut removal = Removal { top: top.as_fd(), waiting: Vec::new(), moved: 0 };
    removal.empty(top.as_fd(), true)?;
    while let Some(name) = removal.waiting.pop() {
        removal.remove(&name)?;
    }
    Ok(unlinkat(CWD, path, AtFlags::REMOVEDIR)?)
}

struct Removal<'a> {
    top: BorrowedFd<'a>,
    /// The folders in it that are still to be removed.
    waiting: Vec<CString>,
    moved: u64,
}

impl Removal<'_> {
    fn remove(&mut self, name: &CStr) -> rustix::io::Result<()> {
        let mut times = 0;
        loop {
            let folder = open(self.top, name)?;
            self.empty(folder.as_fd(), false)?;
            match unlinkat(self.top, name, AtFlags::REMOVEDIR) {
                Err(Errno::NOTEMPTY | Errno::EXIST) if times < TIMES => times += 1,
                removed => return removed,
            }
        }
    }

    /// Removes the files of a folder. The folders in it are moved up, so that no path is too long and nothing is
    /// gone into deeper.
    fn empty(&mut self, folder: BorrowedFd<'_>, is_top: bool) -> rustix::io::Result<()> {
        for entry in Dir::read_from(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let kind = match entry.file_type() {
                FileType::Unknown => {
                    let mode = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?.st_mode;
                    FileType::from_raw_mode(mode)
                }
                kind => kind,
            };
            match kind {
                FileType::Directory if is_top => self.waiting.push(name.to_owned()),
                FileType::Directory => self.move_up(folder, name)?,
                _ => unlinkat(folder, name, AtFlags::empty())?,
            }
        }
        Ok(())
    }

    fn move_up(&mut self, folder: BorrowedFd<'_>, name: &CStr) -> rustix::io::Result<()> {
        // Its place is written in it, too.
        drop(open(folder, name)?);
        loop {
            let to = format!("{MOVED}{}", self.moved);
            self.moved += 1;
            match renameat(folder, name, self.top, &*to) {
                // Somebody has called another one so.
                Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => {}
                moved => {
                    self.waiting.extend(CString::new(to));
                    return moved;
                }
            }
        }
    }
}

/// Opens a folder, which may be read and written from then on.
fn open(at: BorrowedFd<'_>, name: impl Arg) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let held = openat(at, name, flags | OFlags::PATH, Mode::empty())?;
    // The thing itself, not whatever has its name by now.
    let itself = format!("/proc/self/fd/{}", held.as_raw_fd());
    let mode = fstat(&held)?.st_mode;
    if mode & ALL != ALL {
        let changed =
            std::fs::set_permissions(&itself, Permissions::from_mode((mode & 0o7777) | ALL));
        changed.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::ACCESS))?;
    }
    openat(CWD, itself, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deep_tree_goes_and_what_links_lead_to_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (tree, other) = (dir.path().join("tree"), dir.path().join("other"));
        for folder in [&tree, &other] {
            std::fs::create_dir(folder).unwrap();
        }
        std::fs::write(other.join("kept"), "x").unwrap();
        std::os::unix::fs::symlink(&other, tree.join("link")).unwrap();
        std::fs::create_dir_all(tree.join(".removing-0/full")).unwrap();
        // Deeper than any path is long, or files can be open at a time.
        let mut folder = open(CWD, &tree).unwrap();
        for _ in 0..3000 {
            rustix::fs::mkdirat(&folder, "deeper", Mode::from_raw_mode(0o755)).unwrap();
            let deeper = open(folder.as_fd(), "deeper").unwrap();
            rustix::fs::symlinkat("..", &deeper, "up").unwrap();
            rustix::fs::fchmod(&folder, Mode::from_raw_mode(0o555)).unwrap();
            folder = deeper;
        }
        remove(&tree).unwrap();
        assert!(!tree.exists() && other.join("kept").exists());
        remove(&tree).unwrap();
    }
}
