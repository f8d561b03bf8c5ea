//! `pre-power-command` and `pre-os-command`: commands of the lab's own before a board gets power, or its system begins.

use futures_util::future::BoxFuture;

use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::Context;
use crate::dispatch::power;
use crate::dispatch::validate::Checks;

/// Commands of the device's that come before its power, or before its system.
#[derive(Debug)]
pub struct Before {
    name: &'static str,
    key: &'static str,
    /// The job has asked for it, so the device must have it.
    asked: bool,
}

impl Before {
    /// `pre-power-command`.
    pub fn power(asked: bool) -> Self {
        Self { name: "pre-power-command", key: "pre_power_command", asked }
    }

    /// `pre-os-command`.
    pub fn system(asked: bool) -> Self {
        Self { name: "pre-os-command", key: "pre_os_command", asked }
    }
}

impl Action for Before {
    fn name(&self) -> &'static str {
        self.name
    }

    fn is_of_lab(&self) -> bool {
        true
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let commands = checks.device.commands.of(self.key);
            if self.asked && commands.is_empty() {
                checks.lacks(&format!("commands: {}", self.key));
            }
            for command in &commands {
                checks.power(command).await;
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let commands = context.device.commands.of(self.key);
            power::run(&commands, context).await
        })
    }
}
