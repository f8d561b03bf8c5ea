//! `deploy-iso-installer`: the CD of a distribution's installer, and an empty disk for a QEMU. The installer's
//! kernel and ramdisk are taken out of the CD, so that it can be told its answers.

use std::fs::File;
use std::path::PathBuf;

use futures_util::future::BoxFuture;

use super::download::DownloadRetry;
use super::overlay_guest::ApplyOverlayGuest;
use super::parts::{Actions, device_env, overlay};
use super::preseed::PRESEED;
use crate::dispatch::action::{Action, Running, Scene};
use crate::dispatch::aside::aside;
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::job::Iso;
use crate::dispatch::qemu::command;
use crate::dispatch::validate::Checks;
use crate::image::iso::{self, IsoError};

/// The artefact that is the CD.
pub(in crate::dispatch::actions) const CD: &str = "iso";
/// The boot method whose QEMU runs the installer.
pub(in crate::dispatch::actions) const QEMU: &str = "qemu";
/// The largest disk, in bytes; it takes room on this host as it is written to.
const MAX_DISK: u64 = 64 << 30;

pub(super) fn installer_steps(scene: &Scene<'_>) -> Actions {
    let mut artefacts = scene.deploy().artefacts;
    artefacts.sort_by_key(|artefact| artefact.name != PRESEED);
    let has_cd = artefacts.iter().any(|artefact| artefact.name == CD);
    let iso = scene.deploy().iso.unwrap_or_default();
    let mut steps: Actions = vec![Box::new(EmptyImage { size: iso.installation_size.clone() })];
    for artefact in artefacts {
        steps.push(Box::new(DownloadRetry::new(artefact)));
    }
    steps.push(Box::new(PullFiles { iso, has_cd }));
    steps.push(Box::new(PrepareCommands));
    steps.extend(overlay(scene));
    if scene.has_tests() {
        steps.push(Box::new(ApplyOverlayGuest { elsewhere: false }));
    }
    steps.extend(device_env(scene));
    steps
}

/// An empty disk of this size.
#[derive(Debug)]
struct EmptyImage {
    size: String,
}

impl Action for EmptyImage {
    fn name(&self) -> &'static str {
        "prepare-empty-image"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if let Err(why) = bytes(&self.size) {
                checks.fault(format!("\"iso: installation_size\": {:?}: {why}", self.size));
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let size = bytes(&self.size).map_err(Error::Configuration)?;
            let disk = context.scratch().join(format!("{}-disk.img", context.now.namespace));
            let made = File::create(&disk).and_then(|file| file.set_len(size));
            made.map_err(|e| Error::Infrastructure(format!("{}: {e}", disk.display())))?;
            context.shared().installer.disk = disk;
            Ok(())
        })
    }
}

/// The installer's kernel and ramdisk, out of the CD.
#[derive(Debug)]
struct PullFiles {
    iso: Iso,
    has_cd: bool,
}

impl Action for PullFiles {
    fn name(&self) -> &'static str {
        "pull-installer-files"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if !self.has_cd {
                checks.fault(format!("the block has no {CD:?} among its images, which is the CD"));
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let missing = || Error::Bug("the CD was not downloaded".into());
            let cd = context.shared().files.get(CD).cloned().ok_or_else(missing)?;
            let mut pulled: Vec<PathBuf> = Vec::new();
            for (name, path) in [("kernel", &self.iso.kernel), ("initrd", &self.iso.initrd)] {
                let to =
                    context.scratch().join(format!("{}-installer-{name}", context.now.namespace));
                let (from, inside, file) = (cd.clone(), path.clone(), to.clone());
                let size = aside(move || Ok(iso::copy_out(&from, &inside, &file))).await;
                let failed =
                    |error: IsoError| Error::Job(format!("\"iso: {name}\": {CD}: {error}"));
                let size =
                    size.map_err(|e| Error::Infrastructure(e.to_string()))?.map_err(failed)?;
                context.log.info(format!("{name}: {size} bytes of {path} on the CD"));
                pulled.push(to);
            }
            let installer = &mut context.shared().installer;
            (installer.initrd, installer.kernel) =
                (pulled.pop().unwrap_or_default(), pulled.pop().unwrap_or_default());
            Ok(())
        })
    }
}

/// The words that start the installer's QEMU, without what the installer itself is told.
#[derive(Debug)]
struct PrepareCommands;

impl Action for PrepareCommands {
    fn name(&self) -> &'static str {
        "prepare-qemu-commands"
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let missing = || Error::Configuration("the device has no qemu".into());
            let qemu = context.device.qemu(QEMU).cloned().ok_or_else(missing)?;
            let guest = context.device.guest.clone();
            let installer = &mut context.shared().installer;
            let mut line = command::line(&qemu, &[], &[], None).map_err(Error::Configuration)?;
            line.extend(command::disk(&guest, &installer.disk));
            // The system that is installed is started by its own disk.
            line.push("-no-reboot".into());
            for (option, file) in [("-kernel", &installer.kernel), ("-initrd", &installer.initrd)] {
                line.extend([option.to_owned(), file.display().to_string()]);
            }
            installer.line = line;
            Ok(())
        })
    }
}

/// A size as QEMU's tools have it, in bytes.
fn bytes(size: &str) -> Result<u64, String> {
    let digits = size.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &size[digits.len()..] {
        "" => 1,
        "k" | "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        _ => return Err("expected a number of bytes, or one with k, M or G behind it".into()),
    };
    let number: u64 = digits.parse().map_err(|_| "expected a number as in 2G".to_owned())?;
    match number.saturating_mul(unit) {
        0 => Err("the disk would be empty".into()),
        size if size > MAX_DISK => Err(format!("a disk has {} GiB at most", MAX_DISK >> 30)),
        size => Ok(size),
    }
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn a_disks_size_is_a_number_and_a_unit() {
        assert_eq!(bytes("2G"), Ok(2 << 30));
        assert_eq!(bytes("512M"), Ok(512 << 20));
        assert_eq!(bytes("1048576"), Ok(1 << 20));
        for wrong in ["", "G", "2 G", "2T", "-1", "0", "65G", "99999999999999999999G"] {
            assert!(bytes(wrong).is_err(), "{wrong:?}");
        }
    }
}
