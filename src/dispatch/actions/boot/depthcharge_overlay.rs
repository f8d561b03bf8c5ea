//! `depthcharge-overlay`: the command line as a file, and the boot commands filled in.

use futures_util::future::BoxFuture;

use super::bootloader_overlay::BootloaderOverlay;
use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::validate::Checks;

/// The command line's place under the job's TFTP folder.
const CMDLINE: &str = "cmdline";

#[derive(Debug)]
pub(super) struct DepthchargeOverlay {
    pub overlay: BootloaderOverlay,
}

impl Action for DepthchargeOverlay {
    fn name(&self) -> &'static str {
        "depthcharge-overlay"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        self.overlay.validate(checks)
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            self.overlay.run(context).await?;
            // Depthcharge fetches the command line too.
            let Some(line) = self.overlay.command_line(context)? else { return Ok(()) };
            let path = context.make_tftp_folder().await?.join(CMDLINE);
            std::fs::write(&path, line)
                .map_err(|error| Error::Infrastructure(format!("{}: {error}", path.display())))?;
            let file = format!("{}/{CMDLINE}", context.settings.job_id);
            context.shared().tftp.insert("cmdline".into(), file);
            self.overlay.run(context).await
        })
    }
}
