//! `downloads`: files that later blocks fetch by `downloads://`, after a container has had them.

use super::parts::{Actions, downloads};
use crate::dispatch::action::Scene;
use crate::dispatch::actions::NotYet;

pub(super) fn downloads_steps(scene: &Scene<'_>) -> Actions {
    let mut steps = downloads(scene);
    if scene.deploy().postprocess.is_some() {
        let because = "the block has \"postprocess\"";
        steps.push(Box::new(NotYet { name: "postprocess-with-docker", because }));
    }
    steps
}
