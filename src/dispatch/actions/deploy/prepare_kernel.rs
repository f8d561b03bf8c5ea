//! `prepare-kernel` and `uboot-prepare-kernel`: which command boots this kind of kernel.

use crate::dispatch::action::{Action, Running, Scene};
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;

#[derive(Debug)]
pub(super) struct PrepareKernel {
    /// `image`, `zimage` or `uimage`.
    pub image_type: String,
}

impl Action for PrepareKernel {
    fn name(&self) -> &'static str {
        "prepare-kernel"
    }

    fn populate(&self, _scene: &Scene<'_>) -> Vec<Box<dyn Action>> {
        vec![Box::new(UbootPrepareKernel { image_type: self.image_type.clone() })]
    }
}

#[derive(Debug)]
struct UbootPrepareKernel {
    image_type: String,
}

impl Action for UbootPrepareKernel {
    fn name(&self) -> &'static str {
        "uboot-prepare-kernel"
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let command = boot_command(&self.image_type)
                .ok_or_else(|| Error::Configuration(format!("kernel type {}", self.image_type)))?;
            if !context.device.addresses.contains_key(command) {
                let what = format!("the device has no load addresses for {command} kernels");
                return Err(Error::Configuration(what));
            }
            context.shared().boot_command = Some(command);
            Ok(())
        })
    }
}

/// The command of U-Boot's that boots a kind of kernel.
pub(in crate::dispatch::actions) fn boot_command(image_type: &str) -> Option<&'static str> {
    match image_type {
        "image" => Some("booti"),
        "zimage" => Some("bootz"),
        "uimage" => Some("bootm"),
        _ => None,
    }
}
