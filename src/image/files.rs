//! Which files of this host may be read by who names them, such as a job.

use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::fs::readlink;

/// All that our user may read, unless it is limited.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files(Option<Vec<PathBuf>>);

/// Why a file may not be read. That it is there, or is not, is not told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: a job may not read this of its worker; what it may, the worker is told with --files DIR", .0.display())]
pub struct NotAllowed(pub PathBuf);

impl Files {
    /// These files and folders, with all that is in them, and no others.
    pub fn only(allowed: Vec<PathBuf>) -> Self {
        Self(Some(allowed))
    }

    pub fn is_limited(&self) -> bool {
        self.0.is_some()
    }

    /// What may be read, if not all.
    pub fn limits(&self) -> Option<&[PathBuf]> {
        self.0.as_deref()
    }

    /// Where a path leads, without links and `..`, if that may be read.
    ///
    /// # Errors
    /// When it may not. What may be read and is not there is given as it was.
    pub fn place(&self, path: &Path) -> Result<PathBuf, NotAllowed> {
        let Some(allowed) = &self.0 else { return Ok(path.to_owned()) };
        let refused = || NotAllowed(path.to_owned());
        match path.canonicalize() {
            Ok(real) => is_in(allowed, &real).then_some(real).ok_or_else(refused),
            // Nothing of a folder that is not allowed is told, not even that a file of it is missing.
            Err(_) => {
                let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
                let known = folder.is_some_and(|folder| is_in(allowed, &folder));
                known.then(|| path.to_owned()).ok_or_else(refused)
            }
        }
    }

    /// Whether what was opened may be read: it may have become another file since [`Self::place`].
    ///
    /// # Errors
    /// When it may not, or cannot be told.
    pub fn check(&self, opened: &impl AsFd) -> io::Result<()> {
        use std::os::fd::AsRawFd as _;
        use std::os::unix::ffi::OsStringExt as _;
        let Some(allowed) = &self.0 else { return Ok(()) };
        let number = opened.as_fd().as_raw_fd();
        let real = readlink(format!("/proc/self/fd/{number}"), Vec::new())?;
        let real = PathBuf::from(std::ffi::OsString::from_vec(real.into_bytes()));
        match is_in(allowed, &real) {
            true => Ok(()),
            false => Err(io::Error::new(io::ErrorKind::PermissionDenied, NotAllowed(real))),
        }
    }
}

fn is_in(allowed: &[PathBuf], real: &Path) -> bool {
    let mut allowed = allowed.iter().filter_map(|path| path.canonicalize().ok());
    allowed.any(|path| real.starts_with(path))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn nothing_leads_out_of_the_folders_that_are_allowed() {
        let dir = tempfile::tempdir().unwrap();
        let (inner, secret) = (dir.path().join("images"), dir.path().join("token"));
        std::fs::create_dir(&inner).unwrap();
        std::fs::write(&secret, "x").unwrap();
        std::fs::write(inner.join("Image"), "x").unwrap();
        symlink("../token", inner.join("link")).unwrap();
        symlink("..", inner.join("up")).unwrap();
        symlink("Image", inner.join("latest")).unwrap();
        let files = Files::only(vec![inner.clone()]);
        for good in ["Image", "latest", "../images/Image", "no-such-file"] {
            assert!(files.place(&inner.join(good)).is_ok(), "{good}");
        }
        for bad in ["link", "../token", "up/token", "up/nothing", "../nothing", "/etc/passwd"] {
            let path = inner.join(bad);
            assert_eq!(files.place(&path), Err(NotAllowed(path.clone())), "{bad}");
        }
        assert!(Files::default().place(&secret).is_ok());
        assert!(Files::only(Vec::new()).place(&inner.join("Image")).is_err());
        let open = |path| std::fs::File::open(path).unwrap();
        assert!(files.check(&open(inner.join("latest"))).is_ok());
        assert!(files.check(&open(inner.join("link"))).is_err());
        // A folder of a name that begins alike is another one.
        std::fs::create_dir(dir.path().join("images-2")).unwrap();
        assert!(files.place(&dir.path().join("images-2")).is_err());
    }
}
