//! `compress-ramdisk`: gives the ramdisk U-Boot's header, where the device wants one.

use std::fs::OpenOptions;
use std::os::unix::fs::PermissionsExt as _;

use super::extract_ramdisk::RAMDISK;
use crate::dispatch::action::{Action, Running};
use crate::dispatch::aside::aside;
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::image::uimage;

#[derive(Debug)]
pub(super) struct CompressRamdisk;

impl Action for CompressRamdisk {
    fn name(&self) -> &'static str {
        "compress-ramdisk"
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            if !context.shared().tftp.contains_key("ramdisk") {
                return Ok(());
            }
            let target = context.tftp_folder().join(RAMDISK);
            let failed = |error: std::io::Error| {
                Error::Infrastructure(format!("{}: {error}", target.display()))
            };
            if context.device.add_header.as_deref() == Some("u-boot") {
                let name = context.device.mkimage_arch.clone().unwrap_or_else(|| "arm".into());
                let architecture = uimage::architecture(&name).ok_or_else(|| {
                    Error::Configuration(format!("U-Boot has no architecture {name:?}"))
                })?;
                let file = OpenOptions::new().read(true).write(true).open(&target);
                let mut file = file.map_err(failed)?;
                let sealed = aside(move || uimage::seal(&mut file, architecture, "ramdisk"));
                sealed.await.map_err(failed)?;
            }
            let readable = std::fs::Permissions::from_mode(0o644);
            std::fs::set_permissions(&target, readable).map_err(failed)
        })
    }
}
