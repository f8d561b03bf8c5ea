//! `prepare-tftp-overlay`: the downloaded files become what U-Boot fetches.

use super::apply_overlay::ApplyOverlay;
use super::compress_ramdisk::CompressRamdisk;
use super::download::base_name;
use super::extract_modules::ExtractModules;
use super::extract_nfsrootfs::ExtractNfsRootfs;
use super::extract_ramdisk::ExtractRamdisk;
use super::persistent_nfs::PersistentNfs;
use super::prepare_kernel::PrepareKernel;
use super::preseed::{ConfigurePreseed, PRESEED};
use crate::dispatch::action::{Action, Running, Scene};
use crate::dispatch::actions::Nothing;
use crate::dispatch::aside::aside;
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::job::{Artefact, Deploy};

#[derive(Debug)]
pub(super) struct PrepareTftpOverlay {
    tftp: Deploy,
}

impl PrepareTftpOverlay {
    pub(super) fn new(tftp: Deploy) -> Self {
        Self { tftp }
    }
}

impl Action for PrepareTftpOverlay {
    fn name(&self) -> &'static str {
        "prepare-tftp-overlay"
    }

    fn populate(&self, scene: &Scene<'_>) -> Vec<Box<dyn Action>> {
        let has = |name: &str| self.tftp.artefact(name).is_some();
        let os = has(PRESEED).then(|| self.tftp.os.clone()).flatten();
        let ramdisk = self.tftp.artefact("ramdisk").cloned();
        let nfs_root = self.tftp.artefact("nfsrootfs").cloned();
        let root: Box<dyn Action> = match nfs_root.clone() {
            Some(artefact) => Box::new(ExtractNfsRootfs::new(artefact)),
            None => Box::new(Nothing("extract-nfsrootfs")),
        };
        let modules: Box<dyn Action> = match has("modules") {
            true => {
                let (ramdisk, nfs_root) = (ramdisk.clone(), nfs_root.clone());
                Box::new(ExtractModules { ramdisk, nfs_root })
            }
            false => Box::new(Nothing("extract-modules")),
        };
        let persistent = self.tftp.persistent_nfs.clone();
        let elsewhere =
            |files: &Option<Artefact>| files.as_ref().is_some_and(|f| f.install_overlay);
        let takes_tests = scene.has_tests()
            && persistent.as_ref().is_some_and(|root| root.install_overlay)
            && !elsewhere(&nfs_root)
            && !elsewhere(&ramdisk)
            && !scene.fetches_tests();
        let mut steps = vec![
            root,
            Box::new(PersistentNfs { root: persistent, takes_tests }),
            Box::new(ExtractRamdisk { ramdisk: ramdisk.clone() }),
            modules,
        ];
        if !scene.test_stages().is_empty() {
            steps.push(Box::new(ApplyOverlay {
                ramdisk,
                nfs_root,
                fetched: scene.fetches_tests(),
                persistent: takes_tests,
            }));
        }
        let kernel = self.tftp.artefact("kernel").and_then(|kernel| kernel.image_type.clone());
        if let Some(image_type) = kernel {
            steps.push(Box::new(PrepareKernel { image_type: Some(image_type) }));
        }
        steps.push(Box::new(ConfigurePreseed { os }));
        steps.push(Box::new(CompressRamdisk));
        // What depthcharge boots has kernel, ramdisk and device tree in one.
        if scene.device.boot_methods.iter().any(|method| method == "depthcharge") {
            steps.push(Box::new(PrepareKernel { image_type: None }));
        }
        steps
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(place_for_tftp(&self.tftp.artefacts, context))
    }
}

/// Puts what boot loaders fetch as it is under the job's TFTP folder, but for the ramdisk.
pub(super) async fn place_for_tftp(
    artefacts: &[Artefact],
    context: &mut Context,
) -> Result<(), Error> {
    let folder = context.make_tftp_folder().await?;
    let job = context.settings.job_id.clone();
    for artefact in artefacts {
        let name = &artefact.name;
        let served = matches!(name.as_str(), "kernel" | "dtb" | "tee" | PRESEED);
        let served = served || name.starts_with("dtbo");
        let Some(file) = context.shared().files.get(name).filter(|_| served).cloned() else {
            continue;
        };
        let target = format!("{name}/{}", base_name(&artefact.url));
        let to = folder.join(&target);
        let placed = aside({
            let to = to.clone();
            move || place(&file, &to)
        });
        placed
            .await
            .map_err(|error| Error::Infrastructure(format!("{}: {error}", to.display())))?;
        context.shared().tftp.insert(name.clone(), format!("{job}/{target}"));
    }
    Ok(())
}

/// Puts a file to where the TFTP server, which may be another user, can read it.
fn place(file: &std::path::Path, target: &std::path::Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    if let Some(folder) = target.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::copy(file, target)?;
    std::fs::set_permissions(target, std::fs::Permissions::from_mode(0o644))
}
