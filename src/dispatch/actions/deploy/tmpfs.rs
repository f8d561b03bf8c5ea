//! `deployimages`: the files of a QEMU.

use super::overlay_guest::ApplyOverlayGuest;
use super::parts::{Actions, device_env, downloads, overlay};
use crate::dispatch::action::{Action, Running, Scene};
use crate::dispatch::context::Context;
use crate::dispatch::job::{Deploy, Overlay};

#[derive(Debug)]
pub(super) struct DeployImages {
    deploy: Deploy,
}

impl DeployImages {
    pub(super) fn new(deploy: Deploy) -> Self {
        Self { deploy }
    }
}

impl Action for DeployImages {
    fn name(&self) -> &'static str {
        "deployimages"
    }

    fn populate(&self, scene: &Scene<'_>) -> Actions {
        let mut steps = overlay(scene);
        steps.extend(device_env(scene));
        steps.extend(downloads(scene));
        if scene.has_tests() {
            let takes = |overlay: &Overlay| matches!(overlay, Overlay::Lava);
            let elsewhere = self.deploy.artefacts.iter().any(|a| a.overlays.iter().any(takes));
            steps.push(Box::new(ApplyOverlayGuest { elsewhere }));
        }
        steps
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            context.make_scratch().await?;
            let shared = context.shared();
            (shared.overlay_is_in, shared.overlay_drive) = (false, None);
            Ok(())
        })
    }
}
