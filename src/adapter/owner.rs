//! Who has a device open.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::Roots;
use crate::model::Name;

/// Where programs of the Unix-to-Unix-copy tradition say that they use a line.
const LOCKS: &[&str] = &["/run/lock", "/var/lock"];

/// A process that has a device open, or has locked it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Owner {
    pub pid: u32,
    /// The name of its program.
    pub program: String,
    /// The number of the user it runs as.
    pub uid: u32,
}

/// The processes that have these devices open, as far as we may see: of other users only root sees
/// what they have open.
pub fn owners<'a>(
    roots: &Roots,
    ttys: impl Iterator<Item = &'a Name>,
) -> BTreeMap<Name, Vec<Owner>> {
    let devices: Vec<(PathBuf, &Name)> = ttys
        .filter_map(|tty| Some((roots.dev.join(tty.as_str()).canonicalize().ok()?, tty)))
        .collect();
    let mut found: BTreeMap<Name, Vec<Owner>> = BTreeMap::new();
    for pid in numbers(Path::new("/proc")) {
        let open = open_files(pid);
        for (_, tty) in devices.iter().filter(|(device, _)| open.contains(device)) {
            found.entry((*tty).clone()).or_default().extend(owner(pid));
        }
    }
    for (_, tty) in
        devices.iter().filter(|(_, tty)| !found.contains_key(tty.as_str())).collect::<Vec<_>>()
    {
        found.entry((*tty).clone()).or_default().extend(locker(tty));
    }
    found.retain(|_, owners| !owners.is_empty());
    found
}

fn open_files(pid: u32) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return Vec::new() };
    entries.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok()).collect()
}

/// Who says so in a lock file, and still runs.
fn locker(tty: &Name) -> Option<Owner> {
    LOCKS.iter().find_map(|dir| {
        let text = std::fs::read_to_string(format!("{dir}/LCK..{tty}")).ok()?;
        owner(text.trim().parse().ok()?)
    })
}

fn owner(pid: u32) -> Option<Owner> {
    let process = PathBuf::from(format!("/proc/{pid}"));
    let uid = process.metadata().ok()?.uid();
    let program = std::fs::read_to_string(process.join("comm")).ok()?.trim_end().to_owned();
    Some(Owner { pid, program, uid })
}

fn numbers(dir: &Path) -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}
