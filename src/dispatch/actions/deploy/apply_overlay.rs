//! `apply-overlay-tftp`: puts the overlay into the root file system that the board has by NFS, else behind the
//! ramdisk, as one more archive.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::PathBuf;

use futures_util::future::BoxFuture;

use super::extract_ramdisk::RAMDISK;
use crate::dispatch::action::{Action, Running};
use crate::dispatch::aside::aside;
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::job::{Artefact, Compression};
use crate::dispatch::log::Log;
use crate::dispatch::validate::Checks;
use crate::image::{tree, unpack};

/// A smaller overlay is fetched as fast as it is unpacked, in bytes.
const BIG: u64 = 1 << 20;

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
            let archive = self.packed(archive, context.log.clone()).await?;
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

impl ApplyOverlay {
    /// The overlay as the board gets it: a big one is packed as the ramdisk is, since its kernel can unpack that.
    async fn packed(&self, archive: PathBuf, log: Log) -> Result<PathBuf, Error> {
        let failed = |e: io::Error| Error::Infrastructure(format!("{}: {e}", archive.display()));
        let size = std::fs::metadata(&archive).map_err(failed)?.len();
        let packer = self.ramdisk.as_ref().and_then(|ramdisk| packer(ramdisk.compression));
        let Some(packer) = packer.filter(|_| size >= BIG) else { return Ok(archive) };
        let packed = archive.with_extension("packed");
        match unpack::unpack(packer, &archive, &packed).await {
            Ok(()) => Ok(packed),
            Err(why) => {
                log.info(format!("the overlay is not packed: {why}"));
                Ok(archive)
            }
        }
    }
}

/// What packs a file so that whoever unpacks this can unpack it, too. Speed counts: it is unpacked once.
fn packer(compression: Option<Compression>) -> Option<&'static [&'static str]> {
    match compression? {
        Compression::Gz => Some(&["gzip", "-1c"]),
        Compression::Zstd => Some(&["zstd", "-1cq"]),
        Compression::Xz | Compression::Bz2 | Compression::Zip => None,
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
