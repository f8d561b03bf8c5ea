//! From a path that somebody wrote to the device it means now.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use super::{Adapter, Roots, list};

/// The device to open for a path. A name in `/dev/serial` is looked up in `/sys`: its link may not be
/// there yet, or still point to where the adapter was before. Any other path is the device itself.
///
/// # Errors
/// When several adapters have that name.
pub fn device_of(roots: &Roots, path: &Path) -> io::Result<PathBuf> {
    let Some(name) = stable_name(roots, path) else { return Ok(path.to_owned()) };
    // Without /sys the links are all there is.
    let adapters = list(roots).unwrap_or_default();
    let named: Vec<&Adapter> = adapters.iter().filter(|it| has_name(it, name)).collect();
    match named[..] {
        [] => Ok(path.to_owned()),
        [adapter] => Ok(roots.dev.join(adapter.tty.as_str())),
        _ => {
            let ttys: Vec<&str> = named.iter().map(|adapter| adapter.tty.as_str()).collect();
            let what = format!(
                "{} adapters have this name ({}): use theirs in /dev/serial/by-path",
                ttys.len(),
                ttys.join(", ")
            );
            Err(io::Error::new(io::ErrorKind::InvalidInput, what))
        }
    }
}

/// Paths of devices that somebody has asked for.
#[derive(Debug, Default)]
pub struct Devices {
    named: HashSet<PathBuf>,
    /// What they are behind all links.
    real: HashSet<PathBuf>,
}

impl Devices {
    pub fn new<'a>(paths: impl Iterator<Item = &'a Path>) -> Self {
        let named: HashSet<PathBuf> = paths.map(Path::to_owned).collect();
        let real = named.iter().filter_map(|path| path.canonicalize().ok()).collect();
        Self { named, real }
    }

    /// Whether an adapter is one of them, by whichever of its names. The links to it need not be
    /// there yet.
    pub fn have(&self, roots: &Roots, adapter: &Adapter) -> bool {
        adapter.paths().any(|path| self.named.contains(&roots.dev.join(path)))
            || self.are_really(&roots.dev.join(adapter.tty.as_str()))
    }

    fn are_really(&self, device: &Path) -> bool {
        device.canonicalize().is_ok_and(|device| self.real.contains(&device))
    }
}

/// The name of a path in one of the folders of `/dev/serial`.
fn stable_name<'a>(roots: &Roots, path: &'a Path) -> Option<&'a str> {
    let below = path.strip_prefix(roots.dev.join("serial")).ok()?;
    let name = below.strip_prefix("by-id").or_else(|_| below.strip_prefix("by-path")).ok()?;
    name.to_str().filter(|name| !name.is_empty() && !name.contains('/'))
}

fn has_name(adapter: &Adapter, name: &str) -> bool {
    [&adapter.by_id, &adapter.by_path].into_iter().flatten().any(|known| known == name)
}
