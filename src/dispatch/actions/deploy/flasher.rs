//! `deploy-flasher`: a program of the lab's own writes the images.

use super::parts::{Actions, device_env, downloads, overlay};
use crate::dispatch::action::{Action, Running, Scene};
use crate::dispatch::context::Context;
use crate::dispatch::validate::Checks;
use futures_util::future::BoxFuture;

pub(super) fn steps(_scene: &Scene<'_>) -> Actions {
    vec![Box::new(Flasher)]
}

/// Downloads, then runs the device's commands with the files' paths filled in.
#[derive(Debug)]
struct Flasher;

impl Action for Flasher {
    fn name(&self) -> &'static str {
        "deploy-flasher"
    }

    fn populate(&self, scene: &Scene<'_>) -> Actions {
        [overlay(scene), downloads(scene), device_env(scene)].into_iter().flatten().collect()
    }
}
