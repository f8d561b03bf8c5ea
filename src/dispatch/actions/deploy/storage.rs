//! `storage-deploy` and `uboot-ums-deploy`: an image onto a medium of the board.

use super::apply_overlay_image::ApplyOverlayImage;
use super::dd_image::DdImage;
use super::parts::{Actions, device_env, downloads, overlay};
use crate::dispatch::action::{Action, Scene};

/// What puts the overlay into the image, where there are tests.
fn apply_overlay(scene: &Scene<'_>) -> Option<Box<dyn Action>> {
    let image = scene.deploy().artefact("image").cloned();
    scene.has_tests().then(|| Box::new(ApplyOverlayImage { image, sparse: false }) as _)
}

/// `to: usb`, `sata` or `sd`: the running system of the board writes the image.
pub(super) fn storage_steps(scene: &Scene<'_>) -> Actions {
    let mut steps = overlay(scene);
    steps.extend(downloads(scene));
    steps.extend(apply_overlay(scene));
    steps.push(Box::new(DdImage { deploy: scene.deploy() }));
    steps.extend(device_env(scene));
    steps
}

/// `to: u-boot-ums`: U-Boot shows the medium to this host, which writes it while booting.
pub(super) fn ums_steps(scene: &Scene<'_>) -> Actions {
    let mut steps = downloads(scene);
    steps.extend(overlay(scene));
    steps.extend(apply_overlay(scene));
    steps.extend(device_env(scene));
    steps
}
