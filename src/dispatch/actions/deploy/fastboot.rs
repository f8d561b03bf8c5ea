//! `fastboot-deploy`: Android's way of writing images to a board's flash.

use futures_util::future::BoxFuture;

use super::apply_overlay_image::ApplyOverlayImage;
use super::download::DownloadRetry;
use super::parts::{Actions, device_env, overlay};
use crate::dispatch::action::{Action, Running, Scene};
use crate::dispatch::actions::boot::enter_fastboot;
use crate::dispatch::actions::{Group, ReadFeedback};
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::job::{Artefact, Container, none_of};
use crate::dispatch::validate::Checks;
use crate::dispatch::{fastboot, host, power};

pub(super) fn fastboot_steps(scene: &Scene<'_>) -> Actions {
    let mut steps = overlay(scene);
    for artefact in scene.deploy().artefacts {
        steps.push(Box::new(DownloadRetry::new(artefact.clone())));
        if artefact.apply_overlay && scene.has_tests() {
            let sparse = artefact.sparse;
            steps.push(Box::new(ApplyOverlayImage { image: Some(artefact), sparse }));
        }
    }
    steps.extend(device_env(scene));
    steps.extend(enter_fastboot(scene));
    steps.push(Group::once("fastboot-flash-order-action", flash_steps));
    steps
}

/// Flashes the images in the device's order; those that it does not name come last.
fn flash_steps(scene: &Scene<'_>) -> Actions {
    let deploy = scene.deploy();
    let mut artefacts = deploy.artefacts;
    let order = &scene.device.flash_order;
    artefacts.sort_by_key(|file| {
        order.iter().position(|name| *name == file.name).unwrap_or(order.len())
    });
    let mut steps: Actions = Vec::new();
    for artefact in artefacts {
        let container = deploy.container.clone();
        steps.push(Box::new(ReadFeedback));
        steps.push(Box::new(WaitBoard { container: container.clone() }));
        steps.push(Box::new(Flash { artefact, container }));
    }
    steps
}

/// Waits until the board is in fastboot.
#[derive(Debug)]
pub(in crate::dispatch::actions) struct WaitBoard {
    pub container: Option<Container>,
}

impl Action for WaitBoard {
    fn name(&self) -> &'static str {
        "wait-device-boardid"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            checks.program(if self.container.is_some() { "docker" } else { "fastboot" });
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let words = fastboot::wait(&context.device);
            host::run_in(self.container.as_ref(), words, context).await.map(drop)
        })
    }
}

/// `fastboot-flash-action`: one image to its partition.
#[derive(Debug)]
struct Flash {
    artefact: Artefact,
    container: Option<Container>,
}

/// How a board can be rebooted after an image was flashed.
const REBOOTS: [&str; 5] = [
    "hard-reset",
    "fastboot-finish",
    "fastboot-reboot",
    "fastboot-reboot-bootloader",
    "fastboot-reboot-fastboot",
];

impl Action for Flash {
    fn name(&self) -> &'static str {
        "fastboot-flash-action"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let Some(reboot) = &self.artefact.reboot else { return };
            if !REBOOTS.contains(&reboot.as_str()) {
                checks.fault(format!("\"reboot\": {}", none_of(reboot, &REBOOTS)));
            }
            if reboot == "hard-reset" && checks.device.commands.hard_reset.is_empty() {
                let file = checks.device.file.clone();
                checks.fault(format!("\"reboot\": the device ({file}) has no \"hard_reset\""));
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let name = &self.artefact.name;
            let Some(file) = context.shared().files.get(name).cloned() else {
                return Err(Error::Bug(format!("{name} was not downloaded")));
            };
            let flash = fastboot::flash(&context.device, name, &file.display().to_string());
            self.host(flash, context).await?;
            let target = match self.artefact.reboot.as_deref() {
                None => return Ok(()),
                Some("hard-reset") => {
                    let commands = context.device.commands.hard_reset.clone();
                    return power::run(&commands, context).await;
                }
                Some("fastboot-reboot-bootloader") => Some("bootloader"),
                Some("fastboot-reboot-fastboot") => Some("fastboot"),
                Some(_) => None,
            };
            self.host(fastboot::reboot(&context.device, target), context).await
        })
    }
}

impl Flash {
    async fn host(&self, words: Vec<String>, context: &mut Context) -> Result<(), Error> {
        host::run_in(self.container.as_ref(), words, context).await.map(drop)
    }
}
