//! The sockets of this host's daemons, by the names that they give them: `KIND-PID.sock`.

use std::path::{Path, PathBuf};

use super::Endpoint;
use crate::config::mistrust;

/// The sockets of a kind (`serial`, `power`) in a folder, in the order of their names. A folder
/// that is not there has none, and one that is not to be trusted neither.
pub(super) fn sockets_in(dir: &Path, kind: &str) -> Vec<Endpoint> {
    if mistrust(dir).is_some() {
        return Vec::new();
    }
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| kind_of(path) == Some(kind))
        .collect();
    paths.sort();
    paths.into_iter().map(Endpoint::Unix).collect()
}

/// The sockets of this host's daemons of all kinds, whether somebody listens there or not.
pub fn host_sockets(dir: &Path) -> Vec<PathBuf> {
    let all = ["serial", "power", "server"].into_iter().flat_map(|kind| sockets_in(dir, kind));
    let path = |endpoint| match endpoint {
        Endpoint::Unix(path) => Some(path),
        Endpoint::Tcp(_) | Endpoint::Tls(_) => None,
    };
    all.filter_map(path).collect()
}

/// Where a daemon may be after a restart, its old address first: its socket's name has the process
/// id in it.
pub(super) fn successors(endpoint: &Endpoint) -> Vec<Endpoint> {
    let mut all = vec![endpoint.clone()];
    if let Endpoint::Unix(path) = endpoint
        && let (Some(dir), Some(kind)) = (path.parent(), kind_of(path))
    {
        all.extend(sockets_in(dir, kind).into_iter().filter(|other| other != endpoint));
    }
    all
}

fn kind_of(path: &Path) -> Option<&str> {
    let (kind, id) = path.file_name()?.to_str()?.strip_suffix(".sock")?.split_once('-')?;
    id.parse::<u32>().ok().map(|_| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restarted_daemon_is_looked_for_beside_its_old_socket() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["serial-7.sock", "power-8.sock", "serial-9.sock", "serial-x.sock", "note"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let at = |name: &str| Endpoint::Unix(dir.path().join(name));
        assert_eq!(sockets_in(dir.path(), "serial"), [at("serial-7.sock"), at("serial-9.sock")]);
        let found = successors(&at("serial-5.sock"));
        assert_eq!(found, [at("serial-5.sock"), at("serial-7.sock"), at("serial-9.sock")]);
        let fixed = Endpoint::Tcp("127.0.0.1:7100".into());
        assert_eq!(successors(&fixed), std::slice::from_ref(&fixed));
    }
}
