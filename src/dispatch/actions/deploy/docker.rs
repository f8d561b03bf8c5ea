//! `deploy-docker`: the overlay as a folder for a container.

use super::lava_overlay::LavaOverlay;
use super::parts::{Actions, device_env};
use crate::dispatch::action::Scene;

pub(super) fn docker_steps(scene: &Scene<'_>) -> Actions {
    let mut steps = device_env(scene);
    if scene.has_tests() {
        steps.push(Box::new(LavaOverlay));
    }
    steps
}
