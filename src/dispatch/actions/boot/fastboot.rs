//! `fastboot-boot`, and what brings a board into fastboot.

use std::time::Duration;

use futures_util::future::BoxFuture;

use super::auto_login::AutoLoginAction;
use super::bootloader_interrupt::BootloaderInterrupt;
use super::connect_device::Connect;
use super::expect_shell::ExpectShell;
use super::export_env::ExportEnv;
use super::parts::{Actions, shell};
use super::reset_device::ResetDevice;
use super::strategies::of;
use crate::dispatch::action::{Action, Running, Scene};
use crate::dispatch::actions::Before;
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::job::Container;
use crate::dispatch::validate::Checks;
use crate::dispatch::{fastboot, host};

/// The steps that bring a board into fastboot: by its U-Boot, by a reset, or by fastboot's own word.
pub fn enter_fastboot(scene: &Scene<'_>) -> Actions {
    if scene.device.fastboot_via_uboot {
        return vec![Box::new(Connect::device()), Box::new(UbootEnterFastboot)];
    }
    if scene.device.commands.hard_reset.is_empty() {
        let container = container(scene);
        return vec![Box::new(Host {
            name: "enter-fastboot-action",
            call: Call::Enter,
            container,
        })];
    }
    let reset = Box::new(ResetDevice::default());
    match scene.boot() {
        Some(_) => vec![Box::new(Connect::device()), reset],
        // The board's USB port may have to be the one for fastboot.
        None => vec![Box::new(Connect::device()), Box::new(Before::power(false)), reset],
    }
}

pub(super) fn fastboot_steps(scene: &Scene<'_>) -> Actions {
    let boot = of(scene);
    let mut steps = enter_fastboot(scene);
    let mut has_shell = false;
    for word in &scene.device.fastboot_sequence {
        let host = |name, call| Box::new(Host { name, call, container: container(scene) });
        let step: Box<dyn Action> = match word.as_str() {
            "boot" | "no-flash-boot" => host("fastboot-boot", Call::Boot),
            "reboot" => host("fastboot-reboot", Call::Reboot),
            "auto-login" => Box::new(AutoLoginAction { boot: boot.clone() }),
            "shell-session" => Box::new(ExpectShell),
            "export-env" => Box::new(ExportEnv),
            _ => continue,
        };
        has_shell |= word == "auto-login";
        steps.push(step);
    }
    let has_outlet = !scene.device.commands.hard_reset.is_empty();
    if has_outlet && container(scene).is_none() {
        steps.push(Box::new(Before::system(false)));
    }
    if !has_shell {
        steps.extend(shell(boot, scene));
    }
    steps
}

fn container(scene: &Scene<'_>) -> Option<Container> {
    scene.boot().map_or(scene.deploy().container, |boot| boot.container.clone())
}

/// What `fastboot` is called for.
#[derive(Debug, Clone, Copy)]
enum Call {
    Enter,
    Boot,
    Reboot,
}

/// A call of the `fastboot` program.
#[derive(Debug)]
struct Host {
    name: &'static str,
    call: Call,
    container: Option<Container>,
}

impl Action for Host {
    fn name(&self) -> &'static str {
        self.name
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            checks.program(if self.container.is_some() { "docker" } else { "fastboot" });
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let image = context.shared().files.get("boot").map(|file| file.display().to_string());
            let words = match self.call {
                Call::Enter => fastboot::reboot(&context.device, Some("bootloader")),
                Call::Reboot => fastboot::reboot(&context.device, None),
                Call::Boot => {
                    let missing = || Error::Job("the job deploys no image \"boot\"".into());
                    fastboot::boot(&context.device, &image.ok_or_else(missing)?)
                }
            };
            host::run_in(self.container.as_ref(), words, context).await.map(drop)
        })
    }
}

/// `uboot-enter-fastboot`: resets the board and has its U-Boot begin fastboot.
#[derive(Debug)]
struct UbootEnterFastboot;

impl Action for UbootEnterFastboot {
    fn name(&self) -> &'static str {
        "uboot-enter-fastboot"
    }

    fn populate(&self, _scene: &Scene<'_>) -> Vec<Box<dyn Action>> {
        vec![
            Box::new(ResetDevice::default()),
            Box::new(BootloaderInterrupt { loader: "u-boot".into() }),
        ]
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if checks.device.uboot_fastboot.is_empty() {
                checks.lacks("actions: deploy: methods: u-boot: parameters: fastboot: commands");
            }
        })
    }

    /// U-Boot stays in the last command for as long as fastboot is used.
    fn finish<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let delay = Duration::from_millis(context.device.boot_character_delay);
            for command in context.device.uboot_fastboot.clone() {
                context.session()?.send_line(&command, delay).await?;
            }
            Ok(())
        })
    }
}
