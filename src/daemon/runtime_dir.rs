//! A daemon's socket in the runtime folder ([`crate::config::runtime_dir`]).

use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

use crate::model::{Failure, Kind};

/// A daemon's Unix socket in the runtime folder, gone when dropped.
#[derive(Debug)]
pub struct RuntimeSocket {
    path: PathBuf,
}

impl RuntimeSocket {
    /// Listens on `DIR/KIND-PID.sock`, where KIND is `serial` or `power`.
    ///
    /// # Errors
    /// [`Kind::Infra`] when the folder or the socket cannot be made.
    pub fn bind(dir: &Path, kind: &str) -> Result<(Self, UnixListener), Failure> {
        let path = dir.join(format!("{kind}-{}.sock", std::process::id()));
        let failed = |error: std::io::Error| {
            Failure::new(Kind::Infra, format!("cannot listen on {}: {error}", path.display()))
        };
        use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true).mode(0o700).create(dir).map_err(failed)?;
        // A socket of our own process id is left over from a process that is gone.
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).map_err(failed)?;
        // For the daemons' user and group: of a service that is the group `lava`.
        let group = std::fs::Permissions::from_mode(0o660);
        std::fs::set_permissions(&path, group).map_err(failed)?;
        Ok((Self { path }, listener))
    }

    /// A socket that another process has bound.
    pub fn resume(path: PathBuf) -> Self {
        Self { path }
    }

    /// Leaves the socket's file where it is, for a process that goes on with the listener.
    pub fn leave(mut self) -> PathBuf {
        std::mem::take(&mut self.path)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for RuntimeSocket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
