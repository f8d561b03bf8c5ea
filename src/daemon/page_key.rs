//! What the logins of pages are made with: a file of the runtime folder, so that they outlive a restart, and
//! count at all daemons of the host's user. The host's next start begins with another one.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::model::{PAGE_KEY_BYTES, PageKey};
use crate::sys::random;

/// The key of the daemons that have this runtime folder. Where that cannot be written, it is this process's
/// own, and people log in again when it has ended. `None` when the system has no random bytes.
pub(super) fn page_key(dir: &Path) -> Option<PageKey> {
    let bytes = kept(&dir.join("page.key")).or_else(|error| {
        tracing::warn!(%error, "browsers have to log in again after a restart: {}", dir.display());
        random()
    });
    let failed = |error: &io::Error| tracing::error!(%error, "nobody can log in on pages");
    bytes.inspect_err(failed).ok().map(PageKey::new)
}

/// Reads the file, and makes it where there is none.
fn kept(path: &Path) -> io::Result<[u8; PAGE_KEY_BYTES]> {
    let read = || {
        let (mut bytes, mut file) = ([0; PAGE_KEY_BYTES], File::open(path)?);
        file.read_exact(&mut bytes)?;
        io::Result::Ok(bytes)
    };
    if let Ok(bytes) = read() {
        return Ok(bytes);
    }
    let begun = path.with_extension(format!("key-{}", std::process::id()));
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&begun)?;
    file.write_all(&random::<PAGE_KEY_BYTES>()?)?;
    // Another daemon may have been quicker: then its is ours, too.
    let linked = std::fs::hard_link(&begun, path);
    let removed = std::fs::remove_file(&begun);
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => removed.and_then(|()| read()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_key_is_made_once_and_nobody_else_can_read_it() {
        let lab = tempfile::tempdir().unwrap();
        let path = lab.path().join("page.key");
        let first = kept(&path).unwrap();
        assert_eq!(kept(&path).unwrap(), first);
        assert_ne!(first, [0; PAGE_KEY_BYTES]);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(lab.path()).unwrap().count(), 1);
        assert!(kept(&lab.path().join("missing/page.key")).is_err());
    }
}
