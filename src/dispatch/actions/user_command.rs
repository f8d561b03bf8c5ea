//! `user-command`: a command of this host that the device dictionary offers to jobs by name.

use futures_util::future::BoxFuture;

use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::Context;
use crate::dispatch::device::Device;
use crate::dispatch::error::Error;
use crate::dispatch::job::none_of;
use crate::dispatch::power;
use crate::dispatch::undo::Undo;
use crate::dispatch::validate::Checks;

/// The device's own commands that any job may ask for.
const BUILT_IN: [&str; 7] = [
    "hard_reset",
    "power_off",
    "power_on",
    "pre_os_command",
    "pre_power_command",
    "recovery_exit",
    "recovery_mode",
];
/// What takes the image of `to: usbg-ms` away.
const USBG: &str = "usbg_ms_commands_disable";
/// What ends the services of the tests before it.
const SERVICES: &str = "stop_test_services";

#[derive(Debug)]
pub struct UserCommand {
    pub name: String,
}

/// What a name stands for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Meaning {
    commands: Vec<String>,
    /// Run at the job's end.
    undo: Vec<String>,
}

impl UserCommand {
    fn meaning(&self, device: &Device) -> Result<Meaning, String> {
        let (name, power, file) = (self.name.as_str(), &device.commands, &device.file);
        if name == USBG {
            let line = shlex::try_join(device.flash.usbg_disable.iter().map(String::as_str));
            let commands = line.ok().filter(|line| !line.is_empty()).into_iter().collect();
            return self.there(Meaning { commands, ..Meaning::default() }, device);
        }
        if BUILT_IN.contains(&name) {
            let commands = match name {
                "hard_reset" => power.hard_reset.clone(),
                "power_on" => power.power_on.clone(),
                "power_off" => power.power_off.clone(),
                _ => power.of(name),
            };
            return self.there(Meaning { commands, ..Meaning::default() }, device);
        }
        let Some([commands, undo]) = power.users.get(name) else {
            let mut known: Vec<&str> = power.users.keys().map(String::as_str).collect();
            known.extend(BUILT_IN);
            return Err(format!(
                "\"name\": {} (the device: {file}, \"commands: users\")",
                none_of(name, &known)
            ));
        };
        self.there(Meaning { commands: commands.clone(), undo: undo.clone() }, device)
    }

    fn there(&self, meaning: Meaning, device: &Device) -> Result<Meaning, String> {
        let (name, file) = (&self.name, &device.file);
        match meaning.commands.iter().any(|command| !command.trim().is_empty()) {
            true => Ok(meaning),
            false => Err(format!("the device ({file}) has no command {name:?}")),
        }
    }
}

impl Action for UserCommand {
    fn name(&self) -> &'static str {
        "user-command"
    }

    fn is_of_lab(&self) -> bool {
        true
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if self.name == SERVICES {
                return;
            }
            match self.meaning(&checks.device) {
                Err(why) => checks.fault(why),
                Ok(Meaning { commands, undo }) => {
                    for command in commands.iter().chain(&undo) {
                        checks.power(command).await;
                    }
                }
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            if self.name == SERVICES {
                return super::test::stop_services(context).await;
            }
            let Meaning { commands, undo } =
                self.meaning(&context.device).map_err(Error::Configuration)?;
            // Whatever becomes of it: what it has half done is undone, too. The last is run first.
            for line in undo.into_iter().rev() {
                context.leavings.undo_by(Undo::Command(line)).await;
            }
            power::run(&commands, context).await
        })
    }
}
