//! `scp-overlay`: the overlay for a machine that is reached by ssh.

use super::parts::{Actions, device_env, downloads, overlay};
use crate::dispatch::action::Scene;
use crate::dispatch::actions::{Group, Nothing};

pub(super) fn ssh_steps(scene: &Scene<'_>) -> Actions {
    let mut steps = overlay(scene);
    steps.extend(downloads(scene));
    steps.push(Group::once("prepare-scp-overlay", |_| {
        vec![Box::new(Nothing("extract-rootfs")), Box::new(Nothing("extract-modules"))]
    }));
    steps.extend(device_env(scene));
    steps
}
