//! What a process and its descendants use.

use std::collections::HashMap;
use std::fs;
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

/// A process and all of its descendants.
fn family(root: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
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

fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before it may have spaces and brackets in it.
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}
