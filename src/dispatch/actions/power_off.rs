//! `power-off`: the device's own commands, if it has any.

use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::Context;
use crate::dispatch::power;

#[derive(Debug)]
pub struct PowerOff;

impl Action for PowerOff {
    fn name(&self) -> &'static str {
        "power-off"
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let commands = context.device.commands.power_off.clone();
            power::run(&commands, context).await
        })
    }
}
