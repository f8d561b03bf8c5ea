//! `reset-device`, and what is in it: `pdu-reboot`, or `send-reboot-commands` where there is no outlet.

use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::dispatch::action::{Action, Running, Scene};
use crate::dispatch::context::Context;
use crate::dispatch::device::Device;
use crate::dispatch::error::Error;
use crate::dispatch::expect::Patterns;
use crate::dispatch::job::Boot;
use crate::dispatch::power;
use crate::dispatch::validate::Checks;
use crate::dispatch::watch::Stage;

/// What a board had said before its power was taken has come to us when nothing comes for the first, and
/// is not waited for longer than the second.
const LAST_WORDS: Duration = Duration::from_millis(20);
const LAST_WORDS_LIMIT: Duration = Duration::from_millis(100);

#[derive(Debug, Default)]
pub struct ResetDevice {
    reboot: SendRebootCommands,
}

impl ResetDevice {
    pub fn of(boot: &Boot) -> Self {
        let (commands, message) = (boot.soft_reboot.clone(), boot.shutdown_message.clone());
        Self { reboot: SendRebootCommands { commands, message } }
    }
}

impl Action for ResetDevice {
    fn name(&self) -> &'static str {
        "reset-device"
    }

    fn populate(&self, scene: &Scene<'_>) -> Vec<Box<dyn Action>> {
        if scene.device.commands.hard_reset.is_empty() {
            vec![Box::new(self.reboot.clone())]
        } else {
            vec![Box::new(PduReboot)]
        }
    }
}

#[derive(Debug)]
struct PduReboot;

impl Action for PduReboot {
    fn name(&self) -> &'static str {
        "pdu-reboot"
    }

    fn is_of_lab(&self) -> bool {
        true
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let power = checks.device.commands.clone();
            for command in power.hard_reset.iter().chain(&power.power_off).chain(&power.power_on) {
                checks.power(command).await;
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let commands = context.device.commands.hard_reset.clone();
            if context.is_connected() {
                context.session()?.watch().enter(Stage::Unjudged);
            }
            power::run(&commands, context).await?;
            if context.is_connected() {
                let session = context.session()?;
                // What the system before has still said is not of this boot.
                session.drain(LAST_WORDS, LAST_WORDS_LIMIT).await?;
                session.watch().reset();
            }
            Ok(())
        })
    }
}

/// Reboots by a command on the console.
#[derive(Debug, Clone, Default)]
struct SendRebootCommands {
    commands: Vec<String>,
    /// What the system says when it goes down, as the job tells: a shell may show its prompt once more before.
    message: Option<String>,
}

/// What a kernel says when it goes down, whatever its system has said before.
const RESTARTING: &str = "reboot: Restarting system";

impl Action for SendRebootCommands {
    fn name(&self) -> &'static str {
        "send-reboot-commands"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            for message in self.down(&checks.device.clone()) {
                checks.pattern("shutdown-message", message);
            }
            // A guess at the command will do for a system that runs; before the first boot there
            // is none.
            if self.commands.is_empty() && checks.device.commands.soft_reboot.is_empty() {
                let file = checks.device.file.clone();
                checks.fault(format!(
                    "the device ({file}) has no \"commands: hard_reset\", so nothing resets the \
                     board; a job may also say soft_reboot"
                ));
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let commands = match &self.commands {
                own if !own.is_empty() => own.clone(),
                _ if !context.device.commands.soft_reboot.is_empty() => {
                    context.device.commands.soft_reboot.clone()
                }
                _ => vec!["reboot -n".to_owned(), "reboot".to_owned()],
            };
            let delay = Duration::from_millis(context.device.boot_character_delay);
            for command in commands {
                context.session()?.send_line(&command, delay).await?;
            }
            let down = self.down(&context.device);
            if !down.is_empty() {
                let down = Patterns::new(down).map_err(Error::Configuration)?;
                let wait = context.wait();
                context.session()?.expect(&down, &wait).await?;
            }
            // What is running says still more, and may be at anything.
            context.session()?.watch().begin(Stage::Booting);
            Ok(())
        })
    }
}

impl SendRebootCommands {
    /// What tells that the system goes down. What a device says is said of all of its systems: there the
    /// kernel's own words do, too.
    fn down<'a>(&'a self, device: &'a Device) -> Vec<&'a str> {
        match (self.message.as_deref(), device.shutdown_message.as_deref()) {
            (Some(own), _) => vec![own],
            (None, Some(common)) => vec![common, RESTARTING, &device.kernel_start_message],
            (None, None) => Vec::new(),
        }
    }
}
