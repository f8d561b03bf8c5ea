//! `usbg-ms`: an image becomes a USB disk for the board, by a gadget of the lab's that commands of this host switch.

use futures_util::future::BoxFuture;

use super::parts::{Actions, device_env, downloads, overlay};
use crate::dispatch::action::{Action, Running, Scene};
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::host;
use crate::dispatch::undo::Undo;
use crate::dispatch::validate::Checks;

/// The artefact, and what stands for its path.
const IMAGE: &str = "image";
const PLACEHOLDER: &str = "{IMAGE}";

#[derive(Debug)]
pub(super) struct UsbGadget;

impl Action for UsbGadget {
    fn name(&self) -> &'static str {
        "usbg-ms"
    }

    fn populate(&self, scene: &Scene<'_>) -> Actions {
        [overlay(scene), downloads(scene), device_env(scene)].into_iter().flatten().collect()
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let flash = checks.device.flash.clone();
            for (key, words) in [("enable", &flash.usbg_enable), ("disable", &flash.usbg_disable)] {
                match words.first() {
                    Some(program) => checks.program(program),
                    None => checks.lacks(&format!("actions: deploy: methods: usbg-ms: {key}")),
                }
            }
        })
    }

    /// What another job has left is taken away first.
    fn finish<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let missing = || Error::Job("the job deploys no \"image\"".into());
            let image = context.shared().files.get(IMAGE).cloned().ok_or_else(missing)?;
            let flash = context.device.flash.clone();
            if let Err(error) = host::run(&flash.usbg_disable, context).await {
                context.log.debug(error.to_string());
            }
            context.leavings.undo_by(Undo::Program(flash.usbg_disable)).await;
            let image = image.display().to_string();
            let words: Vec<String> =
                flash.usbg_enable.iter().map(|word| word.replace(PLACEHOLDER, &image)).collect();
            host::run(&words, context).await.map(drop)
        })
    }
}
