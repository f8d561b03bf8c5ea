//! `power-off`: a QEMU of the job's own is killed; of other boards the device's own commands.

use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::Context;
use crate::dispatch::power::{self, Asking};

#[derive(Debug)]
pub struct PowerOff;

impl Action for PowerOff {
    fn name(&self) -> &'static str {
        "power-off"
    }

    fn is_of_lab(&self) -> bool {
        true
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            if context.left_on {
                context.log.info("the board stays on");
                return Ok(());
            }
            if let Some(machine) = &context.machine {
                machine.stop().await;
            }
            let commands = context.device.commands.power_off.clone();
            power::off(&commands, &Asking::of(context)).await
        })
    }
}
