//! The control of a shell over this process: whether there is one that lets it go on once it is stopped.

use rustix::process::{Pid, getpgid, getpgrp, getppid, getsid};

/// The most ancestors in the process group that are looked at.
const MAX_ANCESTORS: usize = 64;

/// Whether somebody waits for this process's group who can have it go on: a process of the session that is
/// in another group, as shells with job control are. POSIX calls a group without one orphaned; whatever
/// stops it stops it for good (POSIX.1-2024, section 3.242 of the base definitions).
pub fn has_shell() -> bool {
    let (Ok(session), group) = (getsid(None), getpgrp()) else { return false };
    let mut ancestor = getppid();
    for _ in 0..MAX_ANCESTORS {
        let Some(pid) = ancestor else { return false };
        let (Ok(its_session), Ok(its_group)) = (getsid(Some(pid)), getpgid(Some(pid))) else {
            return false;
        };
        if its_session != session || its_group != group {
            return its_session == session;
        }
        // A script in our group, for example: it is stopped with us.
        ancestor = parent_of(pid);
    }
    false
}

/// proc_pid_stat(5): the parent is the second word behind the name, which is in parentheses.
fn parent_of(pid: Pid) -> Option<Pid> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    let (_, behind) = stat.rsplit_once(')')?;
    Pid::from_raw(behind.split_whitespace().nth(1)?.parse().ok()?)
}
