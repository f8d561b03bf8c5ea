//! `depthcharge-overlay`: the command line as a file, and the boot commands filled in.

use futures_util::future::BoxFuture;

use super::bootloader_overlay::BootloaderOverlay;
use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::Context;
use crate::dispatch::validate::Checks;

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
        self.overlay.run(context)
    }
}
