//! `nfs-deploy`: a root file system in a folder that is exported.

use super::lava_overlay::LavaOverlay;
use super::parts::{Actions, device_env, downloads};
use crate::dispatch::action::Scene;
use crate::dispatch::actions::{NotYet, Nothing};

pub(super) fn nfs_steps(scene: &Scene<'_>) -> Actions {
    let because = "the block is \"to: nfs\"";
    let mut steps = downloads(scene);
    steps.push(Box::new(NotYet { name: "extract-nfsrootfs", because }));
    steps.push(Box::new(LavaOverlay));
    steps.push(match scene.deploy().artefact("modules") {
        Some(_) => Box::new(NotYet { name: "extract-modules", because }),
        None => Box::new(Nothing("extract-modules")),
    });
    steps.push(Box::new(NotYet { name: "apply-overlay-tftp", because }));
    steps.extend(device_env(scene));
    steps
}
