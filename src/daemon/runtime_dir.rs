//! A daemon's socket in the runtime folder ([`crate::config::runtime_dir`]).

use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use tokio::net::UnixListener;

use crate::config::mistrust;
use crate::model::{Failure, Kind};

/// A daemon's Unix socket in the runtime folder, gone when dropped.
#[derive(Debug)]
pub struct RuntimeSocket {
    path: PathBuf,
}

impl RuntimeSocket {
    /// Listens on `DIR/KIND-PID.sock`, where KIND is `serial`, `power` or `server`.
    ///
    /// # Errors
    /// [`Kind::Infra`] when the folder or the socket cannot be made.
    pub fn bind(dir: &Path, kind: &str) -> Result<(Self, UnixListener), Failure> {
        let pid = std::process::id();
        let path = dir.join(format!("{kind}-{pid}.sock"));
        let failed = |error: std::io::Error| {
            Failure::new(Kind::Infra, format!("cannot listen on {}: {error}", path.display()))
        };
        use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true).mode(0o700).create(dir).map_err(failed)?;
        if let Some(why) = mistrust(dir) {
            return Err(Failure::new(Kind::Infra, why));
        }
        sweep(dir, kind);
        // It gets its name when it is listened on: others sweep as well.
        let begun = dir.join(format!("{kind}-{pid}.begun"));
        let _ = std::fs::remove_file(&begun);
        let listener = UnixListener::bind(&begun).map_err(failed)?;
        // For the daemons' user and group: of a service that is the group `lava`.
        let group = std::fs::Permissions::from_mode(0o660);
        std::fs::set_permissions(&begun, group).map_err(failed)?;
        // A socket of our own process id is left over from a process that is gone.
        std::fs::rename(&begun, &path).map_err(failed)?;
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

/// Removes the sockets of a kind that nobody listens on: a process that was killed leaves one, and one
/// that has handed over to nobody.
fn sweep(dir: &Path, kind: &str) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let id = name.to_str().and_then(|name| {
            let (found, id) = name.strip_suffix(".sock")?.split_once('-')?;
            (found == kind).then_some(id)
        });
        if id.is_some_and(|id| id.parse::<u32>().is_ok()) && refuses(&entry.path()) == Ok(true) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Whether nobody listens on a socket.
fn refuses(path: &Path) -> rustix::io::Result<bool> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    Ok(connect(&socket, &SocketAddrUnix::new(path)?) == Err(Errno::CONNREFUSED))
}

impl Drop for RuntimeSocket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
