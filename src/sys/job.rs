//! The control of a shell over this process: whether there is one that lets it go on once it is stopped.

use rustix::process::{Pid, getppid};

/// The most ancestors in the process group that are looked at.
const MAX_ANCESTORS: usize = 64;

/// Whether somebody waits for this process's group who can have it go on: a process of the session that is
/// in another group, as shells with job control are. POSIX calls a group without one orphaned; whatever
/// stops it stops it for good (POSIX.1-2024, section 3.242 of the base definitions).
pub fn has_shell() -> bool {
    let Some(own) = Membership::of(0) else { return false };
    let mut ancestor = getppid();
    for _ in 0..MAX_ANCESTORS {
        let Some(pid) = ancestor else { return false };
        match Membership::of(pid.as_raw_nonzero().get()) {
            // A script in our group, for example: it is stopped with us.
            Some(its) if its == own => ancestor = parent_of(pid),
            its => return its.is_some_and(|its| its.session == own.session),
        }
    }
    false
}

/// What a process belongs to. Either number is 0 where its leader is in none of our PID namespaces, as
/// outside of the container that we run in (pid_namespaces(7)).
#[derive(PartialEq, Eq)]
struct Membership {
    session: libc::pid_t,
    group: libc::pid_t,
}

impl Membership {
    /// Those of a process, 0 for this one; none where there is no such process.
    fn of(pid: libc::pid_t) -> Option<Self> {
        // SAFETY: both calls take a number and give one. Those of rustix take 0 for impossible.
        let (session, group) = unsafe { (libc::getsid(pid), libc::getpgid(pid)) };
        (session >= 0 && group >= 0).then_some(Self { session, group })
    }
}

/// proc_pid_stat(5): the parent is the second word behind the name, which is in parentheses.
fn parent_of(pid: Pid) -> Option<Pid> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    let (_, behind) = stat.rsplit_once(')')?;
    Pid::from_raw(behind.split_whitespace().nth(1)?.parse().ok()?)
}
