//! `wait-device-path` and `flash-uboot-ums`: U-Boot shows the board's medium to this host as a USB disk, and this
//! host writes the image to it.

use std::path::Path;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::host;
use crate::dispatch::validate::Checks;

/// How often it is looked for the disk.
const PAUSE: Duration = Duration::from_millis(100);
/// The artefact that is written.
const IMAGE: &str = "image";

/// Waits until this host has the disk.
#[derive(Debug)]
pub(super) struct WaitDevicePath;

impl Action for WaitDevicePath {
    fn name(&self) -> &'static str {
        "wait-device-path"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if checks.device.loader("u-boot").ums_disk.is_none() {
                checks
                    .lacks("actions: boot: methods: u-boot: parameters: uboot_mass_storage_device");
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let disk = disk(context)?;
            context.log.info(format!("waiting for {disk}"));
            context
                .log
                .waits_for(Some(format!("{disk}, which U-Boot's \"ums\" shows to this host")));
            let wait = async {
                while !Path::new(&disk).exists() {
                    tokio::time::sleep(PAUSE).await;
                }
            };
            // What U-Boot has to say meanwhile is in the log, and why it does not show the disk.
            let session = context.session()?;
            tokio::select! {
                () = wait => {}
                error = session.listen() => return Err(error),
            }
            Ok(())
        })
    }
}

/// Writes the image.
#[derive(Debug)]
pub(super) struct FlashUms;

impl Action for FlashUms {
    fn name(&self) -> &'static str {
        "flash-uboot-ums"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move { checks.program("dd") })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let missing = || Error::Job("the job deploys no \"image\" (\"to: u-boot-ums\")".into());
            let image = context.shared().files.get(IMAGE).cloned().ok_or_else(missing)?;
            let (from, to) = (format!("if={}", image.display()), format!("of={}", disk(context)?));
            let words = ["dd", &from, &to, "bs=1M", "oflag=sync", "conv=fsync"];
            host::run(&words.map(ToOwned::to_owned), context).await.map(drop)
        })
    }
}

fn disk(context: &Context) -> Result<String, Error> {
    let missing = || Error::Configuration("the device has no \"uboot_mass_storage_device\"".into());
    context.device.loader("u-boot").ums_disk.ok_or_else(missing)
}
