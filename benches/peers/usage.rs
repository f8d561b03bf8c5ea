//! What a process and its descendants use, and who else uses the boards' terminals.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

/// CPU time of all of their threads. `schedstat` has it to the nanosecond; the ticks of `stat` are
/// coarser than what is measured here.
pub(crate) fn cpu(root: u32) -> Duration {
    let threads =
        family(root).into_iter().flat_map(|pid| fs::read_dir(format!("/proc/{pid}/task")));
    let stats = threads.flatten().flatten().filter_map(|thread| {
        let stat = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        stat.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(stats.sum())
}

/// The proportional set size of all of them, in MiB: a page that several processes have counts
/// for each with its share.
pub(crate) fn pss(root: u32) -> f64 {
    let sizes = family(root).into_iter().filter_map(|pid| {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        let pss = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        pss.trim().strip_suffix(" kB")?.parse::<f64>().ok()
    });
    sizes.sum::<f64>() / 1024.0
}

/// A process that is not of this family and has one of these files open. Somebody else's processes
/// are only seen by root.
pub(crate) fn stranger(root: u32, files: &[String]) -> Option<String> {
    let family = family(root);
    // There can be several /dev/pts, whose names are the same.
    let identity = |path: &Path| fs::metadata(path).map(|file| (file.dev(), file.ino())).ok();
    let ours: HashSet<_> = files.iter().filter_map(|file| identity(Path::new(file))).collect();
    processes().filter(|pid| !family.contains(pid)).find_map(|pid| {
        let mut open = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.flatten();
        let has = open.any(|fd| identity(&fd.path()).is_some_and(|file| ours.contains(&file)));
        let name = fs::read_to_string(format!("/proc/{pid}/comm"));
        has.then(|| format!("{} (process {pid})", name.unwrap_or_default().trim_end()))
    })
}

/// A process and all of its descendants.
fn family(root: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for pid in processes() {
        let Some(parent) = parent(pid) else { continue };
        children.entry(parent).or_default().push(pid);
    }
    let mut family = vec![root];
    let mut at = 0;
    while let Some(pid) = family.get(at) {
        family.extend(children.remove(pid).unwrap_or_default());
        at += 1;
    }
    family
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before it may have spaces and brackets in it.
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}
