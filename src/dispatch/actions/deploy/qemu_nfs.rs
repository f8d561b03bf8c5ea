//! `deploy-qemu-nfs`: the files of a QEMU whose root is on NFS.

use super::apply_overlay::ApplyOverlay;
use super::extract_nfsrootfs::{ExtractNfsRootfs, ROOT};
use super::parts::{Actions, device_env, downloads, overlay};
use crate::dispatch::action::Scene;
use crate::dispatch::job::Artefact;

pub(super) fn nfs_steps(scene: &Scene<'_>) -> Actions {
    let root = scene.deploy().artefact(ROOT).cloned();
    let artefact = root.clone().unwrap_or_else(|| Artefact::plain(ROOT, ""));
    let mut steps = downloads(scene);
    steps.push(Box::new(ExtractNfsRootfs { name: "qemu-nfs-deploy", artefact }));
    steps.extend(overlay(scene));
    if scene.has_tests() {
        let fetched = scene.fetches_tests();
        steps.push(Box::new(ApplyOverlay { nfs_root: root, fetched, ..ApplyOverlay::default() }));
    }
    steps.extend(device_env(scene));
    steps
}
