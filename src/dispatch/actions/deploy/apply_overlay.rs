//! `apply-overlay-tftp`: puts the overlay into the root file system that the board has by NFS, else behind the
//! ramdisk, as one more archive.

use std::fs::{File, OpenOptions};
use std::io;

use futures_util::future::BoxFuture;

use super::extract_ramdisk::RAMDISK;
use crate::dispatch::action::{Action, Running};
use crate::dispatch::aside::aside;
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::job::Artefact;
use crate::dispatch::validate::Checks;
use crate::image::tree;

#[derive(Debug, Default)]
pub(super) struct ApplyOverlay {
    pub ramdisk: Option<Artefact>,
    pub nfs_root: Option<Artefact>,
    /// The board fetches it.
    pub fetched: bool,
    /// It goes into a root file system that stays.
    pub persistent: bool,
}

impl Action for ApplyOverlay {
    fn name(&self) -> &'static str {
        "apply-overlay-tftp"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            match self.nfs_root.as_ref().or(self.ramdisk.as_ref()) {
                Some(ramdisk) if ramdisk.install_overlay => {}
                _ if self.fetched || self.persistent => {}
                Some(_) => checks.fault(
                    "\"install_overlay: false\" leaves no place for the tests, and the boot block has no \
                     \"transfer_overlay\"",
                ),
                None => checks.fault(
                    "there is no ramdisk and no nfsrootfs that the tests could be put into, and the boot block has no \
                     \"transfer_overlay\"",
                ),
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            if self.persistent || self.nfs_root.as_ref().is_some_and(|root| root.install_overlay) {
                return into_nfs_root(context).await;
            }
            if !self.ramdisk.as_ref().is_some_and(|ramdisk| ramdisk.install_overlay) {
                return Ok(());
            }
            let Some(archive) = context.shared().archive.clone() else {
                return Err(Error::Bug("there is no overlay".into()));
            };
            let target = context.tftp_folder().join(RAMDISK);
            let to = target.clone();
            let appended = aside(move || {
                let mut to = OpenOptions::new().append(true).open(to)?;
                io::copy(&mut File::open(archive)?, &mut to)
            });
            let size = appended
                .await
                .map_err(|error| Error::Infrastructure(format!("{}: {error}", target.display())))?;
            context.log.info(format!("the overlay adds {size} bytes to the ramdisk"));
            context.fact("size", size.to_string());
            Ok(())
        })
    }
}

async fn into_nfs_root(context: &mut Context) -> Result<(), Error> {
    let missing = || Error::Bug("there is no root file system".into());
    let root = context.shared().nfs_root.clone().ok_or_else(missing)?;
    let folder = context.scratch().join(format!("{}-nfs-overlay", context.now.namespace));
    let failed = |error: io::Error| Error::Infrastructure(format!("{}: {error}", root.display()));
    // A try before this one may have left something.
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).map_err(failed)?;
    context.shared().overlay.spill(&folder).map_err(failed)?;
    let entries = tree::entries(&folder).map_err(failed)?;
    context.log.info(format!("{} overlay entries put into {}", entries.len(), root.display()));
    let to = root.clone();
    let put = aside(move || {
        tree::put(&to, entries)?;
        std::fs::remove_dir_all(&folder)
    });
    put.await.map_err(failed)
}
