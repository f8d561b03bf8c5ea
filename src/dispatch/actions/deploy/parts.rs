//! Steps that many ways of deploying begin or end with.

use super::device_env::DeployDeviceEnv;
use super::download::DownloadRetry;
use super::lava_overlay::LavaOverlay;
use crate::dispatch::action::{Action, Scene};

pub(super) type Actions = Vec<Box<dyn Action>>;

/// `lava-overlay`, where tests run on what is deployed.
pub(super) fn overlay(scene: &Scene<'_>) -> Actions {
    if scene.has_tests() { vec![Box::new(LavaOverlay)] } else { Vec::new() }
}

/// `download-retry` of each of the block's files.
pub(super) fn downloads(scene: &Scene<'_>) -> Actions {
    let artefacts = scene.deploy().artefacts.into_iter();
    artefacts.map(|artefact| Box::new(DownloadRetry::new(artefact)) as Box<dyn Action>).collect()
}

/// `deploy-device-env`, where tests run on what is deployed.
pub(super) fn device_env(scene: &Scene<'_>) -> Actions {
    if scene.has_tests() { vec![Box::new(DeployDeviceEnv)] } else { Vec::new() }
}
