//! A cgroup (version 2) of our own, where one is delegated to us: it holds all that this process starts,
//! whatever that does to its environment, session or parents, and ends it at one blow.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Pid;

/// How systemd marks a cgroup that is ours to divide (systemd.resource-control(5), `Delegate=`).
const DELEGATED: [&str; 2] = ["trusted.delegate", "user.delegate"];
/// How long the kernel may take to end what is in it, and how often that is looked at.
const EMPTY: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(10);

/// A cgroup that this program has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cgroup {
    folder: PathBuf,
}

impl Cgroup {
    /// Makes a cgroup in the one that this process is in, and moves the process there.
    ///
    /// # Errors
    /// Why there is none: no hierarchy of version 2 is mounted, or its part where we are is not ours.
    pub fn enter(name: &str) -> Result<Self, String> {
        let folder = Self::place()?.join(name);
        let entered = fs::create_dir(&folder).and_then(|()| join(&folder));
        match entered {
            Ok(()) => Ok(Self { folder }),
            Err(error) => {
                let _ = fs::remove_dir(&folder);
                Err(format!("{}: {error}", folder.display()))
            }
        }
    }

    /// The cgroup of this process, where it may make others.
    ///
    /// # Errors
    /// Why it may not.
    pub fn place() -> Result<PathBuf, String> {
        let own = own()?;
        let shown = own.display();
        // The root of all has no events; that of a namespace has.
        if !own.join("cgroup.events").exists() {
            return Err(format!("{shown} is the root of all cgroups"));
        }
        let is_root = own_path().as_deref() == Some("/");
        match is_root || is_delegated(&own) {
            true => Ok(own),
            false => Err(format!("{shown} is not delegated (systemd: Delegate=yes)")),
        }
    }

    /// The cgroup that this process is in, if it has this name.
    pub fn current(name: &str) -> Option<Self> {
        let folder = own().ok()?;
        (folder.file_name()?.to_str()? == name).then_some(Self { folder })
    }

    /// One that another process has made.
    pub fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The processes that are in it, those in cgroups inside of it, too.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn processes(&self) -> io::Result<Vec<Pid>> {
        let mut all = Vec::new();
        processes(&self.folder, &mut all)?;
        Ok(all)
    }

    /// Moves this process out of it, to where it was made.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn leave(&self) -> io::Result<()> {
        join(self.folder.parent().ok_or(io::ErrorKind::NotFound)?)
    }

    /// Ends all that is in it, and removes it. Blocks for as long as that takes, 2 s at most.
    ///
    /// # Errors
    /// What the kernel says; also before Linux 5.14, which cannot end a cgroup.
    pub fn end(&self) -> io::Result<()> {
        fs::write(self.folder.join("cgroup.kill"), "1")?;
        let begin = Instant::now();
        loop {
            let events = fs::read_to_string(self.folder.join("cgroup.events"))?;
            if events.lines().any(|line| line == "populated 0") {
                return remove(&self.folder);
            }
            if begin.elapsed() > EMPTY {
                return Err(io::ErrorKind::TimedOut.into());
            }
            std::thread::sleep(LOOK);
        }
    }
}

fn processes(folder: &Path, all: &mut Vec<Pid>) -> io::Result<()> {
    let listed = fs::read_to_string(folder.join("cgroup.procs"))?;
    all.extend(listed.lines().filter_map(|id| Pid::from_raw(id.parse().ok()?)));
    for entry in fs::read_dir(folder)?.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            // It may be gone by now.
            match processes(&entry.path(), all) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}

/// Moves this process.
fn join(folder: &Path) -> io::Result<()> {
    fs::write(folder.join("cgroup.procs"), "0")
}

/// Removes it with those that what was in it has made.
fn remove(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)?.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path())?;
        }
    }
    fs::remove_dir(folder)
}

fn is_delegated(folder: &Path) -> bool {
    let mut value = [0; 8];
    DELEGATED.iter().any(|name| {
        rustix::fs::getxattr(folder, *name, &mut value[..]).is_ok_and(|len| &value[..len] == b"1")
    })
}

/// The folder of the cgroup that this process is in.
fn own() -> Result<PathBuf, String> {
    let path = own_path().ok_or("this kernel has no cgroups of version 2")?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let folder = mounts.lines().find_map(|line| below(line, &path));
    folder.ok_or_else(|| "no hierarchy of cgroups of version 2 is mounted".to_owned())
}

/// cgroups(7): the line of version 2 is `0::PATH`.
fn own_path() -> Option<String> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    groups.lines().find_map(|line| line.strip_prefix("0::")).map(ToOwned::to_owned)
}

/// Where a cgroup is below a mount, by that one's line in proc_pid_mountinfo(5): the fourth word is what of
/// the hierarchy is mounted, the fifth where, and behind the dash stands its kind.
fn below(line: &str, path: &str) -> Option<PathBuf> {
    let (mount, kind) = line.split_once(" - ")?;
    if !kind.starts_with("cgroup2 ") {
        return None;
    }
    let mut words = mount.split(' ').skip(3);
    let (root, place) = (words.next()?, words.next()?);
    let inner = Path::new(path).strip_prefix(root).ok()?;
    // Spaces and the like stand there in octal; no cgroup is mounted at such a place.
    (!place.contains('\\')).then(|| Path::new(place).join(inner))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cgroup_is_found_below_its_mount() {
        let line = |root: &str| {
            format!("30 20 0:26 {root} /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate")
        };
        let at = |root: &str, path: &str| below(&line(root), path);
        assert_eq!(at("/", "/a.slice/b"), Some("/sys/fs/cgroup/a.slice/b".into()));
        assert_eq!(at("/a.slice", "/a.slice/b"), Some("/sys/fs/cgroup/b".into()));
        assert_eq!(at("/", "/"), Some("/sys/fs/cgroup/".into()));
        assert_eq!(at("/other", "/a.slice/b"), None);
        assert_eq!(below("31 20 0:27 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids", "/"), None);
    }
}
