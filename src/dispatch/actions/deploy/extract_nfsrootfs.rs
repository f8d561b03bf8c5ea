//! `extract-nfsrootfs`: a root file system unpacked into a folder that the lab's NFS server exports.
//!
//! What is in it has owners of its own, and only root can give files away: a dispatcher without root says so
//! before the job begins. The folder with it is root's alone, since there are programs in it that take on
//! their owner's rights.

use std::io;
use std::path::{Path, PathBuf};

use futures_util::future::BoxFuture;

use super::append_overlays::run;
use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::job::Artefact;
use crate::dispatch::validate::Checks;
use crate::image::{tree, unpack};

/// The artefact: a tar archive.
pub(in crate::dispatch::actions) const ROOT: &str = "nfsrootfs";

#[derive(Debug)]
pub(super) struct ExtractNfsRootfs {
    /// `qemu-nfs-deploy` for a QEMU.
    pub name: &'static str,
    pub artefact: Artefact,
}

impl ExtractNfsRootfs {
    pub(super) fn new(artefact: Artefact) -> Self {
        Self { name: "extract-nfsrootfs", artefact }
    }
}

impl Action for ExtractNfsRootfs {
    fn name(&self) -> &'static str {
        self.name
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            checks.program("tar");
            if self.artefact.url.is_empty() {
                checks.fault(format!("the block has no {ROOT:?}"));
            }
            let other = "a root file system that a server of the lab's has needs neither (\"persistent_nfs\")";
            match checks.settings.nfs_dir.clone() {
                None => checks.fault(format!(
                    "the folder that this host's NFS server exports is not known: --nfs-dir DIR; {other}"
                )),
                Some(folder) if !folder.is_dir() => {
                    checks.fault(format!("{} (--nfs-dir) is no folder", folder.display()));
                }
                Some(_) => {}
            }
            if !rustix::process::geteuid().is_root() {
                checks.fault(format!("only root can unpack files with their owners; {other}"));
            }
            if tree::inside(Path::new("/"), &self.prefix()).is_none() {
                checks.fault(format!("{ROOT}: the prefix {:?} leads out of it", self.prefix()));
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let file = context.shared().files.get(ROOT).cloned();
            let file = file.ok_or_else(|| Error::Bug(format!("{ROOT} was not downloaded")))?;
            let missing = || Error::Configuration("--nfs-dir DIR is missing".into());
            let own = context.nfs_folder().ok_or_else(missing)?;
            // Programs in it take on their owner's rights.
            let own = context.leavings.make_folder(own, 0o700).await?;
            let folder = make(&own).map_err(|error| {
                Error::Infrastructure(format!("{} (see --nfs-dir): {error}", own.display()))
            })?;
            let mut tar = unpack::unpacker("tar", &[&file], &folder);
            tar.args(["--extract", "--numeric-owner", "--same-owner", "--preserve-permissions"]);
            tar.arg("--file").arg(&file).arg("--directory").arg(&folder);
            run(tar, &file).await?;
            let outside = || Error::Configuration(format!("the prefix {:?}", self.prefix()));
            let root = tree::inside(&folder, &self.prefix()).ok_or_else(outside)?;
            if !root.is_dir() || root.canonicalize().is_ok_and(|real| !real.starts_with(&folder)) {
                let prefix = self.prefix();
                return Err(Error::Job(format!("{ROOT}: there is no folder {prefix:?} in it")));
            }
            context.log.info(format!("{ROOT} is in {}", root.display()));
            let files = &mut context.shared().tftp;
            files.insert(ROOT.into(), root.display().to_string());
            context.shared().nfs_root = Some(root);
            Ok(())
        })
    }
}

impl ExtractNfsRootfs {
    fn prefix(&self) -> String {
        self.artefact.prefix.clone().unwrap_or_default()
    }
}

/// The folder for the files in the job's own one, which only root enters.
fn make(own: &Path) -> io::Result<PathBuf> {
    let folder = own.join("root");
    match std::fs::remove_dir_all(&folder) {
        // A try before this one may have left something.
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    std::fs::create_dir(&folder)?;
    folder.canonicalize()
}
