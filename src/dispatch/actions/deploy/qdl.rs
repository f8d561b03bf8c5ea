//! `qdl-deploy`: an archive for Qualcomm's download mode.

use std::path::PathBuf;

use futures_util::future::BoxFuture;

use super::append_overlays::run;
use super::apply_overlay_image::into_image;
use super::parts::{Actions, downloads, overlay};
use crate::dispatch::action::{Action, Running, Scene};
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::validate::Checks;
use crate::image::{ext, tree, unpack};

/// The artefact.
const ARCHIVE: &str = "qcomflash";

pub(super) fn qdl_steps(scene: &Scene<'_>) -> Actions {
    let mut steps = overlay(scene);
    steps.extend(downloads(scene));
    if scene.has_tests() && scene.deploy().artefacts.iter().any(|file| file.apply_overlay) {
        steps.push(Box::new(ApplyOverlayQdl { image: scene.deploy().rootfs_image }));
    }
    steps
}

/// The job's archive as a folder of this host, unpacked once.
///
/// # Errors
/// What unpacking says.
pub(in crate::dispatch::actions) async fn unpacked(
    context: &mut Context,
) -> Result<PathBuf, Error> {
    let folder = context.scratch().join(format!("{}-{ARCHIVE}-files", context.now.namespace));
    if folder.is_dir() {
        return Ok(folder);
    }
    let missing = || Error::Job("the job deploys no \"qcomflash\" (\"to: qdl\")".into());
    let file = context.shared().files.get(ARCHIVE).cloned().ok_or_else(missing)?;
    // It is there only when it is whole.
    let part = folder.with_extension("part");
    let failed = |error| Error::Infrastructure(format!("{}: {error}", part.display()));
    let _ = std::fs::remove_dir_all(&part);
    std::fs::create_dir_all(&part).map_err(failed)?;
    let mut tar = unpack::unpacker("tar", &[&file], &part);
    tar.args(["--extract", "--no-same-owner", "--file"]).arg(&file).arg("--directory").arg(&part);
    run(tar, &file).await?;
    std::fs::rename(&part, &folder).map_err(failed)?;
    Ok(folder)
}

/// The tests into the root file system that is one of the archive's files.
#[derive(Debug)]
struct ApplyOverlayQdl {
    /// Its path in the archive.
    image: Option<String>,
}

impl Action for ApplyOverlayQdl {
    fn name(&self) -> &'static str {
        "apply-overlay-qdl"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            match &self.image {
                Some(image) if !image.is_empty() => {}
                _ => checks
                    .fault("the block has no \"rootfs_image\" that the tests could be put into"),
            }
            checks.program("tar");
            ext::PROGRAMS.iter().for_each(|program| checks.program(program));
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let folder = unpacked(context).await?;
            let image = self.image.clone().unwrap_or_default();
            let file = tree::inside(&folder, &image).filter(|file| {
                // A link in it could lead to a file of this host.
                let real = file.canonicalize().ok().zip(folder.canonicalize().ok());
                real.is_some_and(|(file, folder)| file.is_file() && file.starts_with(folder))
            });
            let missing = || Error::Job(format!("{ARCHIVE}: there is no file {image:?} in it"));
            into_image(&image, &file.ok_or_else(missing)?, None, true, context).await
        })
    }
}
