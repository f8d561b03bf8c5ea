//! `deploy-flasher`: programs of the lab's own write the images.

use futures_util::future::BoxFuture;

use super::parts::{Actions, device_env, downloads, overlay};
use crate::dispatch::action::{Action, Running, Scene};
use crate::dispatch::context::Context;
use crate::dispatch::device::Device;
use crate::dispatch::error::Error;
use crate::dispatch::host;
use crate::dispatch::validate::Checks;

pub(super) fn steps(_scene: &Scene<'_>) -> Actions {
    vec![Box::new(Flasher)]
}

/// Downloads, then runs the device's commands with the files' paths filled in.
#[derive(Debug)]
struct Flasher;

impl Action for Flasher {
    fn name(&self) -> &'static str {
        "deploy-flasher"
    }

    fn populate(&self, scene: &Scene<'_>) -> Actions {
        [overlay(scene), downloads(scene), device_env(scene)].into_iter().flatten().collect()
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let commands = checks.device.flasher.clone();
            if commands.is_empty() {
                checks.lacks("actions: deploy: methods: flasher: commands");
            }
            for command in &commands {
                match shlex::split(command).as_deref() {
                    // A placeholder may be all of the command: one of the device's own.
                    Some([program, ..]) if program.starts_with('{') => {}
                    Some([program, ..]) => checks.program(program),
                    _ => checks.fault(format!("{command:?} is no command")),
                }
            }
        })
    }

    fn finish<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let commands = device_values(&context.device);
            let files = context.shared().files.iter();
            let files: Vec<(String, String)> = files
                .map(|(name, file)| {
                    (format!("{{{}}}", name.to_uppercase()), file.display().to_string())
                })
                .collect();
            for command in context.device.flasher.clone() {
                let words = words(&command, &commands, &files);
                if words.is_empty() {
                    return Err(Error::Configuration(format!("{command:?} is no command")));
                }
                host::run(&words, context).await?;
            }
            Ok(())
        })
    }
}

/// What stands for the device's own commands.
fn device_values(device: &Device) -> Vec<(String, String)> {
    let power = &device.commands;
    let values = [
        ("{HARD_RESET_COMMAND}", &power.hard_reset),
        ("{SOFT_RESET_COMMAND}", &power.soft_reboot),
        ("{POWER_ON_COMMAND}", &power.power_on),
        ("{POWER_OFF_COMMAND}", &power.power_off),
    ];
    values.map(|(name, commands)| (name.to_owned(), commands.join(" && "))).into()
}

/// The words of a command. The device's own commands are words of it; a path makes none, whatever is in it.
fn words(command: &str, commands: &[(String, String)], files: &[(String, String)]) -> Vec<String> {
    let words = shlex::split(&filled(command, commands)).unwrap_or_default();
    words.iter().map(|word| filled(word, files)).collect()
}

fn filled(command: &str, values: &[(String, String)]) -> String {
    values.iter().fold(command.to_owned(), |line, (name, value)| line.replace(name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flashing_program_is_given_the_files_and_the_devices_commands() {
        let mut device = Device::default();
        device.commands.power_on = vec!["relay 8 on".into()];
        let (commands, files) =
            (device_values(&device), [("{KERNEL}".into(), "/a job's/uImage".into())]);
        let words = |command: &str| words(command, &commands, &files);
        assert_eq!(
            words("flash.sh --on '{POWER_ON_COMMAND}' {KERNEL}"),
            ["flash.sh", "--on", "relay 8 on", "/a job's/uImage"]
        );
        assert_eq!(words("{POWER_ON_COMMAND}"), ["relay", "8", "on"]);
    }
}
