//! The overlay as a folder or an archive on this host, for systems that get it otherwise than in
//! their ramdisk.

use std::path::PathBuf;

use crate::dispatch::actions::deploy::complete;
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::host;

/// How an archive is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::dispatch::actions) enum Packing {
    Gzip,
    Zstd,
}

impl Packing {
    /// What a board's command can unpack.
    pub(super) fn of(unpack_command: &str) -> Self {
        if unpack_command.contains("zst") { Self::Zstd } else { Self::Gzip }
    }
}

/// The overlay's files below a folder of this host, one for each `system` that gets them; `None` when the
/// job has none.
pub(in crate::dispatch::actions) fn folder(
    system: &str,
    context: &mut Context,
) -> Result<Option<PathBuf>, Error> {
    if context.shared().overlay.is_empty() {
        return Ok(None);
    }
    complete(context)
        .map_err(|error| Error::Infrastructure(format!("the overlay cannot be made: {error}")))?;
    let folder = context.scratch().join(format!("overlay-{}-{system}", context.now.namespace));
    let unpacked = context.shared().overlay.unpack(&folder);
    unpacked.map_err(|error| Error::Infrastructure(format!("{}: {error}", folder.display())))?;
    Ok(Some(folder))
}

/// The overlay as a compressed archive; `None` when the job has none.
pub(in crate::dispatch::actions) async fn archive(
    packing: Packing,
    context: &mut Context,
) -> Result<Option<PathBuf>, Error> {
    let Some(folder) = folder("board", context)? else { return Ok(None) };
    let (end, option) = match packing {
        Packing::Gzip => ("gz", "--gzip"),
        Packing::Zstd => ("zst", "--zstd"),
    };
    let name = format!("overlay-{}.tar.{end}", context.settings.job_id);
    let archive = context.scratch().join(name);
    let (from, to) = (folder.display().to_string(), archive.display().to_string());
    let words = ["tar", "-C", &from, "--owner=0", "--group=0", "-c", option, "-f", &to, "."];
    host::run(&words.map(ToOwned::to_owned), context).await?;
    Ok(Some(archive))
}
