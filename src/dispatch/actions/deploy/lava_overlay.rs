//! `lava-overlay`: the test shell and the test definitions, as files for the board.

use super::compress_overlay::CompressOverlay;
use super::multinode_overlay::MultinodeOverlay;
use super::test_definition::TestDefinition;
use crate::dispatch::action::{Action, Running, Scene};
use crate::dispatch::actions::Nothing;
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;

#[derive(Debug)]
pub(super) struct LavaOverlay;

/// `lava-create-overlay`: the same for a container of this host, which has the files in a folder.
#[derive(Debug)]
pub(in crate::dispatch::actions) struct CreateOverlay;

impl Action for CreateOverlay {
    fn name(&self) -> &'static str {
        "lava-create-overlay"
    }

    fn populate(&self, scene: &Scene<'_>) -> Vec<Box<dyn Action>> {
        let mut steps: Vec<Box<dyn Action>> = Vec::new();
        if scene.device.deploy_methods.iter().any(|method| method == "ssh") {
            steps.push(Box::new(Nothing("ssh-authorize")));
        }
        steps.push(Box::new(MultinodeOverlay));
        steps.push(Box::new(TestDefinition));
        steps
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        LavaOverlay.run(context)
    }
}

impl Action for LavaOverlay {
    fn name(&self) -> &'static str {
        "lava-overlay"
    }

    fn populate(&self, scene: &Scene<'_>) -> Vec<Box<dyn Action>> {
        if !scene.has_tests() {
            return Vec::new();
        }
        let mut steps = CreateOverlay.populate(scene);
        // A container has the files in a folder.
        if scene.deploy().to != "docker" {
            steps.push(Box::new(CompressOverlay));
        }
        steps
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let lava_dir = context.lava_dir();
            let secrets: String = context
                .job
                .secrets
                .iter()
                .map(|(key, value)| format!("{key}='{}'\n", value.replace('\'', r"'\''")))
                .collect();
            let device = context.device.clone();
            let overlay = &mut context.shared().overlay;
            *overlay = crate::dispatch::overlay::Overlay::default();
            let failed = |error: std::io::Error| Error::Infrastructure(error.to_string());
            overlay.add_helpers(&lava_dir).map_err(failed)?;
            overlay.add_target(&lava_dir, &device.target).map_err(failed)?;
            if !secrets.is_empty() {
                overlay.add(format!("{lava_dir}/secrets"), false, secrets).map_err(failed)?;
            }
            context.shared().tests.clear();
            Ok(())
        })
    }
}
