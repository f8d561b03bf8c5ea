//! `extract-modules`: the kernel's modules into the ramdisk, as one more archive behind it, and into a root
//! file system that the board has by NFS.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read as _};
use std::path::Path;

use futures_util::future::BoxFuture;

use super::append_overlays::{append_cpio, run};
use super::extract_ramdisk::RAMDISK;
use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::job::Artefact;
use crate::dispatch::validate::Checks;
use crate::image::{cpio, tree, uimage, unpack};

/// The artefact with the modules: a tar archive, as `make modules_install` gives one.
const MODULES: &str = "modules";

#[derive(Debug)]
pub(super) struct ExtractModules {
    pub ramdisk: Option<Artefact>,
    pub nfs_root: Option<Artefact>,
}

impl Action for ExtractModules {
    fn name(&self) -> &'static str {
        "extract-modules"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            checks.program("tar");
            if self.ramdisk.is_none() && self.nfs_root.is_none() {
                let what =
                    "there is no ramdisk and no nfsrootfs that the modules could be put into";
                checks.fault(what);
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let takes = |artefact: &&Artefact| artefact.install_modules;
            let ramdisk = self.ramdisk.as_ref().filter(takes);
            let nfs_root = self.nfs_root.as_ref().filter(takes);
            let nfs_root = nfs_root.and_then(|_| context.shared().nfs_root.clone());
            let missing = || Error::Bug("the modules were not downloaded".into());
            let file = context.shared().files.get(MODULES).cloned().ok_or_else(missing)?;
            let root = context.scratch().join(format!("{}-modules-tree", context.now.namespace));
            let failed = |error: io::Error| Error::Infrastructure(format!("the modules: {error}"));
            // A try before this one may have left something.
            let _ = std::fs::remove_dir_all(&root);
            std::fs::create_dir_all(&root).map_err(failed)?;
            let mut tar = unpack::unpacker("tar", &[&file], &root);
            tar.args(["--extract", "--no-same-owner", "--file"]).arg(&file);
            tar.arg("--directory").arg(&root);
            run(tar, &file).await?;
            let entries = tree::entries(&root).map_err(failed)?;
            let count = entries.len();
            if let Some(root) = nfs_root {
                tree::put(&root, entries.clone()).map_err(failed)?;
            }
            if let Some(ramdisk) = ramdisk {
                into_ramdisk(ramdisk, entries, context).await?;
            }
            context.log.info(format!("{count} files and folders of modules added"));
            std::fs::remove_dir_all(&root).map_err(failed)
        })
    }
}

async fn into_ramdisk(
    ramdisk: &Artefact,
    entries: Vec<tree::Entry>,
    context: &mut Context,
) -> Result<(), Error> {
    let links = match links_of(ramdisk, context).await {
        Ok(links) => links,
        Err(why) => {
            context.log.warning(format!(
                "the ramdisk cannot be looked into ({why}): if its /lib is a link, the modules take its place"
            ));
            BTreeMap::new()
        }
    };
    let target = |path: &str| links.get(path.trim_start_matches('/')).cloned();
    let entries = tree::through_links(entries, &target);
    let appended = append_cpio(&context.tftp_folder().join(RAMDISK), &entries);
    appended.map_err(|error| Error::Infrastructure(format!("the modules: {error}")))
}

/// The symbolic links in the ramdisk as it came.
async fn links_of(
    ramdisk: &Artefact,
    context: &mut Context,
) -> Result<BTreeMap<String, String>, String> {
    let told = |error: io::Error| error.to_string();
    let mut file = context.shared().files.get("ramdisk").cloned().ok_or("it is not there")?;
    let scratch = context.scratch();
    if ramdisk.header.is_some() {
        let bare = scratch.join("ramdisk.bare");
        strip(&file, &bare).map_err(told)?;
        file = bare;
    }
    let mut start = [0; 6];
    let mut archive = File::open(&file).map_err(told)?;
    archive.read_exact(&mut start).map_err(told)?;
    if let Some(unpacker) = unpacker(&start) {
        let plain = scratch.join("ramdisk.plain");
        unpack::unpack(unpacker, &file, &plain).await?;
        file = plain;
    }
    cpio::links(BufReader::new(File::open(&file).map_err(told)?)).map_err(told)
}

/// A file without U-Boot's header.
fn strip(from: &Path, to: &Path) -> io::Result<()> {
    let mut from = File::open(from)?;
    from.read_exact(&mut [0; uimage::HEADER])?;
    io::copy(&mut from, &mut File::create(to)?).map(drop)
}

/// What unpacks an archive, by its first bytes: the kernel asks nobody either.
fn unpacker(start: &[u8]) -> Option<&'static [&'static str]> {
    let known: [(&[u8], &[&str]); 5] = [
        (b"\x1f\x8b", &["gzip", "-dc"]),
        (b"\xfd7zXZ", &["xz", "-dc"]),
        (b"BZh", &["bzip2", "-dc"]),
        (b"\x28\xb5\x2f\xfd", &["zstd", "-dcq"]),
        (b"\x02\x21\x4c\x18", &["lz4", "-dc"]),
    ];
    known.into_iter().find(|(magic, _)| start.starts_with(magic)).map(|(_, unpacker)| unpacker)
}
