//! `qdl-deploy`: an archive for Qualcomm's download mode.

use super::parts::{Actions, downloads, overlay};
use crate::dispatch::action::Scene;
use crate::dispatch::actions::NotYet;

pub(super) fn qdl_steps(scene: &Scene<'_>) -> Actions {
    let mut steps = overlay(scene);
    steps.extend(downloads(scene));
    if scene.has_tests() && scene.deploy().artefacts.iter().any(|file| file.apply_overlay) {
        let because = "the tests have to go into an image of the archive";
        steps.push(Box::new(NotYet { name: "apply-overlay-qdl", because }));
    }
    steps
}
