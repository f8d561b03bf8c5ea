//! Steps of `mps-deploy`, `musca-deploy` and `vexpress-fw-deploy`: the board shows its flash, or what it is
//! configured from, to this host as a USB disk. LAVA mounts it; here mtools writes it as it is.

use std::path::PathBuf;

use futures_util::future::BoxFuture;

use super::append_overlays::run;
use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::Context;
use crate::dispatch::device::Device;
use crate::dispatch::disk::Disk;
use crate::dispatch::error::Error;
use crate::dispatch::validate::Checks;
use crate::image::unpack;

/// The artefact that replaces all that is on the disk.
pub(super) const RECOVERY: &str = "recovery_image";
/// How zip archives begin.
const ZIP: &[u8] = b"PK";
/// By this file's coming a board of Arm's reboots.
const REBOOT: &str = "reboot.txt";

/// A disk that a board of Arm's shows, and how it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    Label,
    Musca,
}

impl Of {
    fn disk(self, device: &Device) -> Result<Disk, Error> {
        let (disk, key) = match self {
            Self::Label => {
                (device.flash.label.as_deref().map(Disk::labelled), "usb_filesystem_label")
            }
            Self::Musca => (device.flash.musca_disk.as_deref().map(Disk::of), "id_serial"),
        };
        let missing = || format!("the device ({}) has no \"{key}\"", device.file);
        disk.ok_or_else(|| Error::Configuration(missing()))
    }
}

/// What one step does with the disk.
#[derive(Debug, Clone)]
pub(super) enum What {
    /// Looks whether it can be read.
    Open,
    /// Unpacks the recovery image, beside the disk.
    Extract,
    /// Replaces all that is on the disk by what is in the recovery image.
    Recover,
    /// Copies a downloaded file to it, under this name or its own.
    Copy { artefact: String, rename: Option<String> },
    /// Has the board reboot.
    Reboot,
    /// Waits until the board has taken a file that was copied.
    Taken { artefact: String },
    /// Asks the board whether it could flash that.
    Check,
    /// Waits until all is written.
    Close,
}

/// A step with the disk.
#[derive(Debug, Clone)]
pub(super) struct UsbDisk {
    pub name: &'static str,
    pub of: Of,
    pub what: What,
}

impl UsbDisk {
    pub(super) fn step(name: &'static str, of: Of, what: What) -> Box<dyn Action> {
        Box::new(Self { name, of, what })
    }
}

impl Action for UsbDisk {
    fn name(&self) -> &'static str {
        self.name
    }

    fn is_of_lab(&self) -> bool {
        true
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            match &self.what {
                What::Extract => ["tar", "unzip"].iter().for_each(|name| checks.program(name)),
                What::Reboot if checks.device.flash.mps.reboot_string.is_none() => {
                    checks.lacks("actions: deploy: methods: mps: parameters: reboot-string");
                }
                _ => {
                    Disk::check(checks);
                    if let Err(error) = self.of.disk(&checks.device) {
                        checks.fault(error.to_string());
                    }
                }
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let (disk, log) = (self.of.disk(&context.device)?, context.log.clone());
            match &self.what {
                What::Open => {
                    let names = disk.names(&log).await?;
                    log.debug(format!("on {disk}: {names:?}"));
                    Ok(())
                }
                What::Extract => extract(context).await,
                What::Recover => {
                    disk.clear(&log).await?;
                    let files = top_of(&recovery(context))?;
                    disk.copy(&files, "", &log).await
                }
                What::Copy { artefact, rename } => {
                    let file = downloaded(artefact, context)?;
                    disk.copy(&[file], rename.as_deref().unwrap_or_default(), &log).await
                }
                What::Reboot => {
                    let text = context.device.flash.mps.reboot_string.clone().unwrap_or_default();
                    // What comes before it must be there when the board sees it.
                    disk.sync().await?;
                    let file = context.scratch().join(REBOOT);
                    let failed = |error| Error::Infrastructure(format!("{REBOOT}: {error}"));
                    std::fs::write(&file, text).map_err(failed)?;
                    disk.copy(&[file], REBOOT, &log).await
                }
                What::Taken { artefact } => {
                    let file = downloaded(artefact, context)?;
                    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
                    log.waits_for(Some(format!("{disk} without {name}, which is flashed")));
                    disk.taken(&name, &log).await;
                    Ok(())
                }
                What::Check => disk.check_flashed(&log).await,
                What::Close => disk.sync().await,
            }
        })
    }
}

/// A file of the job's.
fn downloaded(artefact: &str, context: &mut Context) -> Result<PathBuf, Error> {
    let missing = || Error::Job(format!("the job deploys no {artefact:?}"));
    context.shared().files.get(artefact).cloned().ok_or_else(missing)
}

/// The folder with the unpacked recovery image.
fn recovery(context: &Context) -> PathBuf {
    context.scratch().join(format!("{}-{RECOVERY}-files", context.now.namespace))
}

/// Unpacks the recovery image, a zip or tar archive.
async fn extract(context: &mut Context) -> Result<(), Error> {
    let (folder, file) = (recovery(context), downloaded(RECOVERY, context)?);
    let failed = |error| Error::Infrastructure(format!("{}: {error}", folder.display()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).map_err(failed)?;
    let mut head = [0; ZIP.len()];
    let read = std::fs::File::open(&file);
    let read = read.and_then(|mut file| std::io::Read::read_exact(&mut file, &mut head));
    let unpacker = if read.is_ok() && head == ZIP {
        let mut unzip = unpack::unpacker("unzip", &[&file], &folder);
        unzip.args(["-q", "-o"]).arg(&file).arg("-d").arg(&folder);
        unzip
    } else {
        let mut tar = unpack::unpacker("tar", &[&file], &folder);
        tar.args(["--extract", "--no-same-owner", "--file"]).arg(&file);
        tar.arg("--directory").arg(&folder);
        tar
    };
    run(unpacker, &file).await?;
    match link_in(&folder).map_err(failed)? {
        Some(link) => Err(Error::Job(format!(
            "the recovery image has a link in it, which FAT has not: {}",
            link.display()
        ))),
        None => Ok(()),
    }
}

/// A link somewhere in a folder: it could lead to any file of this host.
fn link_in(folder: &std::path::Path) -> std::io::Result<Option<PathBuf>> {
    for entry in std::fs::read_dir(folder)? {
        let (path, kind) = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))?;
        let found = match kind.is_dir() {
            true => link_in(&path)?,
            false => (!kind.is_file()).then_some(path),
        };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// What is at the top of a folder, in the order of the names.
fn top_of(folder: &std::path::Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |error| Error::Infrastructure(format!("{}: {error}", folder.display()));
    let listed = std::fs::read_dir(folder).map_err(failed)?;
    let mut paths: Vec<PathBuf> = listed.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    match paths.is_empty() {
        true => Err(Error::Job("there is nothing in the recovery image".into())),
        false => Ok(paths),
    }
}
