//! `recovery-boot`: into or out of the mode in which a board's first boot loader can be replaced.

use futures_util::future::BoxFuture;

use super::parts::Actions;
use super::strategies::of;
use crate::dispatch::action::{Action, Running, Scene};
use crate::dispatch::actions::PowerOff;
use crate::dispatch::context::Context;
use crate::dispatch::device::Device;
use crate::dispatch::job::{Boot, Commands};
use crate::dispatch::power;
use crate::dispatch::validate::Checks;

pub(super) fn recovery_steps(scene: &Scene<'_>) -> Actions {
    vec![
        Box::new(PowerOff),
        Box::new(SwitchRecovery { boot: of(scene).clone() }),
        Box::new(PowerOn),
    ]
}

/// Sets the jumpers or relays of the mode while the board is off.
#[derive(Debug)]
struct SwitchRecovery {
    boot: Boot,
}

impl SwitchRecovery {
    /// The device's commands: `recovery` leads into the mode, `exit` out of it.
    fn commands(&self, device: &Device) -> Result<Vec<String>, String> {
        let key = match &self.boot.commands {
            Commands::Named(name) if name == "recovery" => "recovery_mode",
            Commands::Named(name) if name == "exit" => "recovery_exit",
            Commands::Named(name) => {
                return Err(format!("\"commands\": {name:?} is neither \"recovery\" nor \"exit\""));
            }
            Commands::List(_) => return Err("\"commands\" is \"recovery\" or \"exit\"".into()),
        };
        let commands = device.recovery.get(key).cloned().unwrap_or_default();
        match commands.is_empty() {
            true => Err(format!("the device ({}) has no \"{key}\" commands", device.file)),
            false => Ok(commands),
        }
    }
}

impl Action for SwitchRecovery {
    fn name(&self) -> &'static str {
        "switch-recovery"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            match self.commands(&checks.device) {
                Err(why) => checks.fault(why),
                Ok(commands) => {
                    for command in commands {
                        checks.power(&command).await;
                    }
                }
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let commands = self.commands(&context.device);
            let commands = commands.map_err(crate::dispatch::error::Error::Configuration)?;
            power::run(&commands, context).await
        })
    }
}

/// `power-on`: the device's own commands.
#[derive(Debug)]
struct PowerOn;

impl Action for PowerOn {
    fn name(&self) -> &'static str {
        "power-on"
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let commands = context.device.commands.power_on.clone();
            power::run(&commands, context).await
        })
    }
}
