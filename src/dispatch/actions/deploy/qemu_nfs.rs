//! `deploy-qemu-nfs` and `deploy-iso-installer`: the files of a QEMU with its root on NFS, and of one that
//! a distribution's installer is run on. Their trees are LAVA's; what is not done yet says so before a
//! job begins.

use super::apply_overlay::ApplyOverlay;
use super::download::DownloadRetry;
use super::overlay_guest::ApplyOverlayGuest;
use super::parts::{Actions, device_env, downloads, overlay};
use crate::dispatch::action::{Action, Scene};
use crate::dispatch::actions::NotYet;

const NFS: &str = "the root file system is to be exported by NFS";
const INSTALLER: &str = "the job runs an installer (\"to: iso-installer\")";
/// The installer's answers.
const PRESEED: &str = "preseed";

fn not_yet(name: &'static str, because: &'static str) -> Box<dyn Action> {
    Box::new(NotYet { name, because })
}

pub(super) fn nfs_steps(scene: &Scene<'_>) -> Actions {
    let mut steps = downloads(scene);
    steps.push(not_yet("qemu-nfs-deploy", NFS));
    steps.extend(overlay(scene));
    if scene.has_tests() {
        steps.push(Box::new(ApplyOverlay {
            ramdisk: None,
            nfs_root: None,
            fetched: scene.fetches_tests(),
        }));
    }
    steps.extend(device_env(scene));
    steps
}

pub(super) fn installer_steps(scene: &Scene<'_>) -> Actions {
    let mut artefacts = scene.deploy().artefacts;
    artefacts.sort_by_key(|artefact| artefact.name != PRESEED);
    let mut steps = vec![not_yet("prepare-empty-image", INSTALLER)];
    for artefact in artefacts {
        steps.push(Box::new(DownloadRetry::new(artefact)));
    }
    steps.push(not_yet("pull-installer-files", INSTALLER));
    steps.push(not_yet("prepare-qemu-commands", INSTALLER));
    steps.extend(overlay(scene));
    if scene.has_tests() {
        steps.push(Box::new(ApplyOverlayGuest { elsewhere: false }));
    }
    steps.extend(device_env(scene));
    steps
}
