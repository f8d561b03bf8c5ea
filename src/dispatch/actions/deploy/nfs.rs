//! `nfs-deploy`: a root file system in a folder that is exported.

use super::apply_overlay::ApplyOverlay;
use super::extract_modules::ExtractModules;
use super::extract_nfsrootfs::{ExtractNfsRootfs, ROOT};
use super::lava_overlay::LavaOverlay;
use super::parts::{Actions, device_env, downloads};
use crate::dispatch::action::Scene;
use crate::dispatch::actions::Nothing;
use crate::dispatch::job::Artefact;

pub(super) fn nfs_steps(scene: &Scene<'_>) -> Actions {
    let mut steps = downloads(scene);
    let root = scene.deploy().artefact(ROOT).cloned();
    // The block is not valid without.
    let artefact = root.clone().unwrap_or_else(|| Artefact::plain(ROOT, ""));
    steps.push(Box::new(ExtractNfsRootfs::new(artefact)));
    steps.push(Box::new(LavaOverlay));
    steps.push(match scene.deploy().artefact("modules") {
        Some(_) => Box::new(ExtractModules { ramdisk: None, nfs_root: root.clone() }),
        None => Box::new(Nothing("extract-modules")),
    });
    let fetched = scene.fetches_tests() || !scene.has_tests();
    steps.push(Box::new(ApplyOverlay { nfs_root: root, fetched, ..ApplyOverlay::default() }));
    steps.extend(device_env(scene));
    steps
}
