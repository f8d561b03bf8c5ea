//! `prepare-kernel` and `uboot-prepare-kernel`: which command boots this kind of kernel.

use futures_util::future::BoxFuture;

use crate::dispatch::action::{Action, Running, Scene};
use crate::dispatch::context::Context;
use crate::dispatch::device::Device;
use crate::dispatch::error::Error;
use crate::dispatch::validate::Checks;

use super::prepare_fit::PrepareFit;

#[derive(Debug)]
pub(super) struct PrepareKernel {
    /// `image`, `zimage` or `uimage`, if the job says.
    pub image_type: Option<String>,
}

impl Action for PrepareKernel {
    fn name(&self) -> &'static str {
        "prepare-kernel"
    }

    fn populate(&self, scene: &Scene<'_>) -> Vec<Box<dyn Action>> {
        let offers = |name: &str| scene.device.boot_methods.iter().any(|method| method == name);
        match &self.image_type {
            Some(image_type) if offers("u-boot") => {
                vec![Box::new(UbootPrepareKernel { image_type: image_type.clone() })]
            }
            _ if offers("depthcharge") => vec![Box::new(PrepareFit)],
            _ => Vec::new(),
        }
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

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if let Some(why) = lacks_addresses(&self.image_type, &checks.device) {
                checks.fault(why);
            }
        })
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

/// What the device lacks for booting a kind of kernel.
pub(in crate::dispatch::actions) fn lacks_addresses(
    image_type: &str,
    device: &Device,
) -> Option<String> {
    let command = boot_command(image_type)?;
    let kernel = device.addresses.get(command).map(|addresses| addresses.kernel.as_str());
    let file = &device.file;
    kernel.unwrap_or_default().is_empty().then(|| {
        format!(
            "the device ({file}) has no load address \"parameters: {command}: kernel\", \
             which a kernel of type {image_type} needs"
        )
    })
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
