//! `append-overlays`: puts the test overlay, and what else the job says, into an image. Needs no root
//! and mounts nothing.

use std::fs::OpenOptions;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use futures_util::future::BoxFuture;
use tokio::process::Command;

use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::job::{Artefact, Overlay};
use crate::dispatch::validate::Checks;
use crate::image::ext::{self, ExtError};
use crate::image::{cpio, tree, unpack};
use crate::sys::{Program, Reach, confined};

#[derive(Debug)]
pub(super) struct AppendOverlays {
    pub image: Artefact,
}

/// The artefact of an overlay, by a name that no image has.
pub(super) fn overlay_artefacts(image: &Artefact) -> Vec<Artefact> {
    let named = |artefact: &Artefact| {
        let name = format!("{}.{}", image.name, artefact.name);
        Artefact { name, ..artefact.clone() }
    };
    let files = image.overlays.iter().filter_map(|overlay| match overlay {
        Overlay::File { artefact, .. } => Some(named(artefact)),
        Overlay::Lava => None,
    });
    files.collect()
}

impl Action for AppendOverlays {
    fn name(&self) -> &'static str {
        "append-overlays"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let name = &self.image.name;
            match self.image.format.as_deref() {
                Some("cpio.newc") => {}
                Some("ext4") => ext::PROGRAMS.iter().for_each(|program| checks.program(program)),
                Some("tar") => checks.program("tar"),
                _ => checks.fault(format!(
                    "{name}: \"format\" does not say what the overlays go into: cpio.newc, ext4 or tar"
                )),
            }
            for overlay in &self.image.overlays {
                let Overlay::File { artefact, path } = overlay else { continue };
                let name = format!("{name}.{}", artefact.name);
                match artefact.format.as_deref() {
                    Some("tar") => checks.program("tar"),
                    Some("cpio.newc") => checks.program("cpio"),
                    Some("file") => {}
                    _ => {
                        checks.fault(format!("{name}: \"format\" is none of cpio.newc, file, tar"));
                    }
                }
                if tree::inside(Path::new("/"), path).is_none() {
                    checks.fault(format!("{name}: the path {path:?} leads out of the image"));
                }
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let name = &self.image.name;
            let Some(image) = context.shared().files.get(name).cloned() else {
                return Err(Error::Bug(format!("{name} was not downloaded")));
            };
            let root = context.scratch().join(format!("{}-{name}-overlays", context.now.namespace));
            let failed = |error: io::Error| {
                Error::Infrastructure(format!("the overlays of {name}: {error}"))
            };
            // A try before this one may have left something.
            let _ = std::fs::remove_dir_all(&root);
            // Each overlay has a folder of its own: links that one brings must not lead another out of it.
            let mut folders = Vec::new();
            for (i, overlay) in self.image.overlays.iter().enumerate() {
                let folder = root.join(i.to_string());
                std::fs::create_dir_all(&folder).map_err(failed)?;
                match overlay {
                    Overlay::File { artefact, path } => {
                        let key = format!("{name}.{}", artefact.name);
                        let file = context.shared().files.get(&key).cloned();
                        let file = file.ok_or_else(|| Error::Bug(format!("no file of {key}")))?;
                        place(artefact, path, &file, &folder).await?;
                    }
                    Overlay::Lava => {
                        context.shared().overlay.spill(&folder).map_err(failed)?;
                        context.shared().overlay_is_in = true;
                    }
                }
                folders.push(folder);
            }
            let entries = tree::merged(&folders).map_err(failed)?;
            match self.image.format.as_deref() {
                Some("cpio.newc") => append_cpio(&image, &entries).map_err(failed)?,
                Some("ext4") => {
                    let added = ext::add(&image, self.image.partition, &entries).await;
                    added.map_err(|error| ext_error(&error))?;
                }
                _ => {
                    for folder in &folders {
                        append_tar(&image, folder).await?;
                    }
                }
            }
            context.log.info(format!("{name}: {} overlay entries put into it", entries.len()));
            std::fs::remove_dir_all(&root).map_err(failed)
        })
    }
}

/// The kernel takes several archives one after another.
pub(super) fn append_cpio(image: &Path, entries: &[tree::Entry]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(image)?;
    let over = file.seek(SeekFrom::End(0))? % cpio::ALIGNMENT;
    if over != 0 {
        file.write_all(&[0; cpio::ALIGNMENT as usize][over as usize..])?;
    }
    let written = tree::write_cpio(entries, io::BufWriter::new(file))?;
    written.into_inner().map(drop).map_err(io::IntoInnerError::into_error)
}

async fn append_tar(image: &Path, root: &Path) -> Result<(), Error> {
    let mut tar = confined("tar", &Reach::of(&[root]).writing(&[image]));
    tar.args(["--append", "--owner=0", "--group=0", "--numeric-owner", "--file"]);
    tar.arg(image).arg("--directory").arg(root).arg(".");
    run(tar, image).await
}

/// Unpacks one overlay to where its path is below `root`.
async fn place(artefact: &Artefact, path: &str, file: &Path, root: &Path) -> Result<(), Error> {
    let outside = || Error::Configuration(format!("the path {path:?} leads out of the image"));
    let folder: PathBuf = tree::inside(root, path).ok_or_else(outside)?;
    let failed = |error: io::Error| Error::Infrastructure(format!("{}: {error}", folder.display()));
    match artefact.format.as_deref() {
        Some("file") => {
            let to = if path.ends_with('/') { folder.join(base(artefact)) } else { folder.clone() };
            std::fs::create_dir_all(to.parent().unwrap_or(root)).map_err(failed)?;
            std::fs::copy(file, to).map(drop).map_err(failed)
        }
        Some("cpio.newc") => {
            std::fs::create_dir_all(&folder).map_err(failed)?;
            // Unlike tar, cpio writes through links that are in the archive itself.
            let input = std::fs::File::open(file).map_err(failed)?;
            cpio::leads_out(io::BufReader::new(input))
                .map_err(|error| Error::Job(format!("{}: {error}", file.display())))?;
            let mut cpio = unpack::unpacker("cpio", &[], &folder);
            cpio.args(["--extract", "--make-directories", "--quiet", "--no-absolute-filenames"]);
            cpio.stdin(std::fs::File::open(file).map_err(failed)?).current_dir(&folder);
            run(cpio, file).await
        }
        _ => {
            std::fs::create_dir_all(&folder).map_err(failed)?;
            let mut tar = unpack::unpacker("tar", &[file], &folder);
            tar.args(["--extract", "--no-same-owner", "--file"]).arg(file);
            tar.arg("--directory").arg(&folder);
            run(tar, file).await
        }
    }
}

fn base(artefact: &Artefact) -> String {
    super::download::base_name(&artefact.url)
}

/// Runs a program on a file of the job's. Killed when dropped, with what it has started.
pub(in crate::dispatch::actions) async fn run(
    mut command: Command,
    file: &Path,
) -> Result<(), Error> {
    let name = command.as_std().get_program().to_string_lossy().into_owned();
    command.env("LC_ALL", "C").stdout(Stdio::null()).stderr(Stdio::piped());
    let failed = |error: io::Error| Error::Infrastructure(format!("{name}: {error}"));
    let ended = Program::spawn(command).map_err(failed)?.ended().await.map_err(failed)?;
    match ended.status.success() {
        true => Ok(()),
        false => {
            let said = unpack::complaint(&ended);
            Err(Error::Job(format!("{}: {name} says: {said}", file.display())))
        }
    }
}

pub(super) fn ext_error(error: &ExtError) -> Error {
    match error {
        ExtError::Program { .. } | ExtError::File { .. } => {
            Error::Infrastructure(error.to_string())
        }
        _ => Error::Job(error.to_string()),
    }
}
