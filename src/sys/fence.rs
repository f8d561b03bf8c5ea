//! What a program may get at of this host's files and of its network, by the kernel's Landlock. Where the
//! kernel has none, or an older one, as much of it as there is.

use std::ffi::OsStr;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, Ruleset,
    RulesetAttr as _, RulesetCreatedAttr as _, RulesetError, Scope, path_beneath_rules,
};
use tokio::process::Command;

/// The newest of the kernel's rights that are asked for: TCP is of the fourth, what connects processes of one
/// host of the sixth.
const RIGHTS: ABI = ABI::V6;
/// What everybody may write to.
const NOWHERE: &str = "/dev/null";
/// What programs need to begin: themselves, their libraries, and who the files' owners are.
const SYSTEM: [&str; 14] = [
    "/bin",
    "/dev/null",
    "/dev/urandom",
    "/etc/alternatives",
    "/etc/group",
    "/etc/ld.so.cache",
    "/etc/ld.so.preload",
    "/etc/localtime",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/lib",
    "/lib64",
    "/sbin",
    "/usr",
];

/// What programs need to find and to know other hosts.
const RESOLVING: [&str; 10] = [
    "/etc/ca-certificates",
    "/etc/gai.conf",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/pki",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/ssl",
    "/run/systemd/resolve",
    "/var/lib/ca-certificates",
];

/// What a program may reach.
#[derive(Debug, Clone, Default)]
pub struct Reach {
    /// All that our user may, where this is none.
    reads: Option<Vec<PathBuf>>,
    writes: Vec<PathBuf>,
    network: bool,
}

impl Reach {
    /// Programs, their libraries and these files and folders, to be read, and no network.
    pub fn of(reads: &[&Path]) -> Self {
        let owned = reads.iter().map(|path| (*path).to_owned()).collect();
        Self { reads: Some(owned), ..Self::default() }
    }

    /// All that our user may read, and no network.
    pub fn of_any_file() -> Self {
        Self::default()
    }

    /// All that our user may read, and what can be fetched.
    pub fn of_network() -> Self {
        Self { network: true, ..Self::default() }
    }

    /// Programs, their libraries and these files and folders, to be read, and what can be fetched.
    pub fn of_network_and<'a>(reads: impl IntoIterator<Item = &'a Path>) -> Self {
        let resolving = RESOLVING.iter().map(PathBuf::from);
        let reads = resolving.chain(reads.into_iter().map(Path::to_owned)).collect();
        Self { reads: Some(reads), network: true, ..Self::default() }
    }

    /// Besides, these files and folders to be changed; they have to be there.
    #[must_use]
    pub fn writing(mut self, writes: &[&Path]) -> Self {
        self.writes.extend(writes.iter().map(|path| (*path).to_owned()));
        self
    }
}

/// Whether this kernel knows any such limits.
pub fn has_fences() -> bool {
    let fence = Reach::default().fence();
    fence.is_ok_and(|fence| fence.is_some())
}

/// Has the kernel keep a program, and all that it starts, to what it may reach.
pub(super) fn fence(command: &mut Command, reach: &Reach) {
    // What cannot be had of it is done without: a program in the wrong place is better than none.
    let fence = match reach.fence() {
        Ok(Some(fence)) => fence,
        Ok(None) => return,
        Err(error) => {
            tracing::debug!(%error, "a program is not kept to its files");
            return;
        }
    };
    // SAFETY: between fork and exec only a system call is made, with a descriptor that the closure owns.
    unsafe {
        command.pre_exec(move || {
            match libc::syscall(libc::SYS_landlock_restrict_self, fence.as_raw_fd(), 0) {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            }
        });
    }
}

impl Reach {
    /// The kernel's own form of it; none where it knows of none.
    fn fence(&self) -> Result<Option<OwnedFd>, RulesetError> {
        let (all, write) = (AccessFs::from_all(RIGHTS), AccessFs::from_write(RIGHTS));
        let handled: BitFlags<AccessFs> = if self.reads.is_some() { all } else { write };
        let mut ruleset = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(handled)?
            .scope(Scope::from_all(RIGHTS))?;
        if !self.network {
            ruleset = ruleset.handle_access(AccessNet::from_all(RIGHTS))?;
        }
        let mut fence = ruleset.create()?;
        if let Some(reads) = &self.reads {
            let path = std::env::var_os("PATH").unwrap_or_default();
            let programs: Vec<PathBuf> = std::env::split_paths(&path).collect();
            let system = SYSTEM.iter().map(PathBuf::from);
            let readable = system.chain(programs).chain(reads.iter().cloned());
            let readable: Vec<PathBuf> = readable.filter(|path| is_somewhere(path)).collect();
            fence = fence.add_rules(path_beneath_rules(readable, AccessFs::from_read(RIGHTS)))?;
        }
        let writable = self.writes.iter().map(PathBuf::as_path).chain([Path::new(NOWHERE)]);
        let fence = fence.add_rules(path_beneath_rules(writable, handled))?;
        Ok(fence.into())
    }
}

/// An empty entry of a path means the current folder, which is no place for programs.
fn is_somewhere(path: &Path) -> bool {
    path.as_os_str() != OsStr::new("")
}

#[cfg(test)]
mod tests {
    use super::super::confined::confined;
    use super::*;

    /// What a script says that may reach so much. The kernel of who runs the tests has Landlock.
    async fn said(reach: &Reach, script: &str, folder: &Path) -> String {
        assert!(has_fences(), "this kernel has no Landlock: boot one with it (lsm=landlock,…)");
        let mut command = confined("sh", reach);
        let said = command.args(["-c", script]).current_dir(folder).output().await.unwrap();
        String::from_utf8(said.stdout).unwrap()
    }

    #[tokio::test]
    async fn a_confined_program_writes_to_its_own_folder_and_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        let (own, other) = (dir.path().join("own"), dir.path().join("other"));
        for folder in [&own, &other] {
            std::fs::create_dir(folder).unwrap();
        }
        std::fs::write(other.join("key"), "secret").unwrap();
        let script = "for to in own/f other/f other/key /dev/null; do
            (echo x >$to) 2>/dev/null && echo wrote $to; done
            (mv other/key own/key || rm other/key || ln -s x other/l) 2>/dev/null && echo moved
            cat other/key";
        let may = Reach::of_any_file().writing(&[&own]);
        let told = said(&may, script, dir.path()).await;
        assert_eq!(told, "wrote own/f\nwrote /dev/null\nsecret");
        // One that needs no more reads nothing else either.
        let may = Reach::of(&[]).writing(&[&own]);
        let told = said(&may, "cat other/key own/f /etc/shadow 2>/dev/null", dir.path()).await;
        assert_eq!(told, "x\n");
        let told = said(&Reach::of(&[&other]), "cat other/key; ls own", dir.path()).await;
        assert_eq!(told, "secret");
    }

    #[tokio::test]
    async fn a_program_that_has_no_business_there_gets_nowhere_by_tcp() {
        let dir = tempfile::tempdir().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let script = format!("bash -c 'exec 3<>/dev/tcp/127.0.0.1/{port} && echo connected'");
        assert_eq!(said(&Reach::of_any_file(), &script, dir.path()).await, "");
        assert_eq!(said(&Reach::of_network(), &script, dir.path()).await, "connected\n");
    }
}
