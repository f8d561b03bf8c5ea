//! `flash-cmsis`: a debug probe (CMSIS-DAP, as DAPLink is) that is a USB disk, and flashes what is copied there.

use futures_util::future::BoxFuture;

use super::flash_parts::{board_id, check_files, files};
use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::Context;
use crate::dispatch::disk::Disk;
use crate::dispatch::error::Error;
use crate::dispatch::job::Artefact;
use crate::dispatch::validate::Checks;

/// What a probe tells of itself.
const DETAILS: &str = "DETAILS.TXT";
const KEY: &str = "actions: boot: methods: cmsis-dap: parameters: usb_mass_device";

#[derive(Debug)]
pub(super) struct FlashCmsis {
    pub files: Vec<Artefact>,
}

impl Action for FlashCmsis {
    fn name(&self) -> &'static str {
        "flash-cmsis"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            Disk::check(checks);
            check_files(&self.files, checks);
            let file = checks.device.file.clone();
            if checks.device.flash.cmsis.disk.is_none() {
                checks.fault(format!("the device ({file}) has no \"{KEY}\""));
            }
            if let Err(why) = checks.device.flash.board_id(&file) {
                checks.fault(why);
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            board_id(context)?;
            let (cmsis, log) = (context.device.flash.cmsis.clone(), context.log.clone());
            let missing = || Error::Configuration(format!("the device has no \"{KEY}\""));
            let disk = cmsis.disk.as_deref().map(Disk::of).ok_or_else(missing)?;
            let names = disk.names(&log).await?;
            log.debug(format!("on {disk}: {names:?}"));
            if names.iter().any(|name| name == DETAILS) {
                let details = disk.read(DETAILS, &log).await?;
                log.debug(format!("{DETAILS}: {details}"));
            }
            for (_, file) in files(&self.files, context)? {
                let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
                disk.copy(&[file], "", &log).await?;
                disk.sync().await?;
                if !cmsis.skips_remount {
                    log.waits_for(Some(format!("{disk} without {name}, which is flashed")));
                    disk.taken(&name, &log).await;
                    disk.check_flashed(&log).await?;
                }
            }
            tokio::time::sleep(cmsis.pause).await;
            Ok(())
        })
    }
}
