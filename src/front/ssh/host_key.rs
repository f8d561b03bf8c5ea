//! The key that this host is known by. It is made once, and stays.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::keys::{Algorithm, HashAlg, PrivateKey};

use crate::model::{Failure, Kind};
use crate::sys::random;

/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 64 * 1024;

/// An ed25519 key in OpenSSH's format.
#[derive(Clone)]
pub struct HostKey(PrivateKey);

impl HostKey {
    /// Reads the key of a file, or makes it when there is no such file: with a folder for it, for its
    /// owner only, and complete or not at all.
    ///
    /// # Errors
    /// [`Kind::Config`] when the file is no such key, or others may read it; [`Kind::Infra`] when it
    /// cannot be written.
    pub fn load_or_make(path: &Path) -> Result<Self, Failure> {
        match File::open(path) {
            Ok(file) => Self::read(file, path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let key = make(path).map_err(|error| {
                    let what = format!("the host key cannot be made: {}: {error}", path.display());
                    Failure::new(Kind::Infra, what)
                })?;
                tracing::info!(file = %path.display(), "a host key was made");
                Ok(key)
            }
            Err(error) => Err(unreadable(path, &error)),
        }
    }

    fn read(file: File, path: &Path) -> Result<Self, Failure> {
        let shown = path.display();
        let wrong = |what: String| Failure::new(Kind::Config, what);
        let mode = file.metadata().map_err(|error| unreadable(path, &error))?.mode() & 0o777;
        if mode & 0o077 != 0 {
            let what = format!("the host key {shown} may be read by others (mode {mode:03o})");
            return Err(wrong(what).hint(format!("chmod 600 {shown}")));
        }
        let mut text = String::new();
        let read = file.take(MAX_FILE).read_to_string(&mut text);
        read.map_err(|error| unreadable(path, &error))?;
        let key = PrivateKey::from_openssh(&text)
            .ok()
            .filter(|key| !key.is_encrypted() && key.algorithm() == Algorithm::Ed25519);
        key.map(Self).ok_or_else(|| {
            wrong(format!("{shown} is no ed25519 key without a passphrase in OpenSSH's format"))
                .hint("name another file as host_key, or remove this one to have one made")
        })
    }

    /// As clients show it when they see it first: `SHA256:…`.
    pub fn fingerprint(&self) -> String {
        self.0.fingerprint(HashAlg::Sha256).to_string()
    }

    pub(super) fn private(&self) -> PrivateKey {
        self.0.clone()
    }
}

impl std::fmt::Debug for HostKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("HostKey").field(&self.fingerprint()).finish()
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let what = format!("the host key {} cannot be read: {error}", path.display());
    Failure::new(Kind::Config, what)
}

fn make(path: &Path) -> io::Result<HostKey> {
    let key = PrivateKey::from(Ed25519Keypair::from_seed(&random()?));
    let text = key.to_openssh(LineEnding::LF).map_err(io::Error::other)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let unfinished = path.with_extension(format!("new-{}", std::process::id()));
    let written = (|| {
        let mut file =
            File::options().write(true).create_new(true).mode(0o600).open(&unfinished)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        // It replaces no key: clients would be told that somebody listens in.
        std::fs::hard_link(&unfinished, path)
    })();
    let _ = std::fs::remove_file(&unfinished);
    written?;
    if let Some(folder) = folder {
        File::open(folder)?.sync_all()?;
    }
    Ok(HostKey(key))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn it_is_made_once_and_is_its_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ssh/key");
        let made = HostKey::load_or_make(&path).unwrap();
        let again = HostKey::load_or_make(&path).unwrap();
        assert_eq!(made.fingerprint(), again.fingerprint());
        assert!(made.fingerprint().starts_with("SHA256:"));
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let told = HostKey::load_or_make(&path).unwrap_err().to_string();
        assert!(told.contains("(mode 644)") && told.contains("chmod 600"), "{told}");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, "no key").unwrap();
        assert!(HostKey::load_or_make(&path).unwrap_err().message.contains("is no ed25519 key"));
    }
}
