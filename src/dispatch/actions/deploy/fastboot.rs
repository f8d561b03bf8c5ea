//! `fastboot-deploy`: Android's way of writing images to a board's flash.

use super::download::DownloadRetry;
use super::parts::{Actions, device_env, overlay};
use crate::dispatch::action::{Action, Scene};
use crate::dispatch::actions::boot::enter_fastboot;
use crate::dispatch::actions::{Group, NotYet, ReadFeedback};

pub(super) fn fastboot_steps(scene: &Scene<'_>) -> Actions {
    let mut steps = overlay(scene);
    for artefact in scene.deploy().artefacts {
        let name = match (artefact.apply_overlay && scene.has_tests(), artefact.sparse) {
            (false, _) => None,
            (true, true) => Some("apply-overlay-sparse-image"),
            (true, false) => Some("apply-overlay-image"),
        };
        steps.push(Box::new(DownloadRetry::new(artefact)));
        let because = "the tests have to go into an image";
        steps.extend(name.map(|name| Box::new(NotYet { name, because }) as Box<dyn Action>));
    }
    steps.extend(device_env(scene));
    steps.extend(enter_fastboot(scene));
    steps.push(Group::once("fastboot-flash-order-action", flash_steps));
    steps
}

/// Flashes the images in the device's order; those that it does not name come last.
fn flash_steps(scene: &Scene<'_>) -> Actions {
    let mut artefacts = scene.deploy().artefacts;
    let order = &scene.device.flash_order;
    artefacts.sort_by_key(|file| {
        order.iter().position(|name| *name == file.name).unwrap_or(order.len())
    });
    let because = "fastboot";
    let mut steps: Actions = Vec::new();
    for _artefact in artefacts {
        steps.push(Box::new(ReadFeedback));
        steps.push(Box::new(NotYet { name: "wait-device-boardid", because }));
        steps.push(Box::new(NotYet { name: "fastboot-flash-action", because }));
    }
    steps
}
