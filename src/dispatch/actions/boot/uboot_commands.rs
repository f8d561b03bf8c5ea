//! `uboot-commands`: from the reset to the shell.

use super::bootloader_interrupt::BootloaderInterrupt;
use super::parts::shell;
use super::reset_device::ResetDevice;
use super::strategies::commands;
use super::ums::{FlashUms, WaitDevicePath};
use crate::dispatch::action::{Action, Scene};
use crate::dispatch::job::Boot;

#[derive(Debug)]
pub(super) struct UbootCommands {
    pub boot: Boot,
}

impl Action for UbootCommands {
    fn name(&self) -> &'static str {
        "uboot-commands"
    }

    fn populate(&self, scene: &Scene<'_>) -> Vec<Box<dyn Action>> {
        let reset = || ResetDevice::of(&self.boot);
        let mut steps: Vec<Box<dyn Action>> =
            vec![Box::new(reset()), Box::new(BootloaderInterrupt { loader: "u-boot".into() })];
        let mut commands = commands(&self.boot);
        let shows_disk = scene.device.loader("u-boot").ums_flash;
        // U-Boot stays in the command that shows it.
        commands.leads_to_shell |= shows_disk;
        steps.push(Box::new(commands));
        if shows_disk {
            steps.push(Box::new(WaitDevicePath));
            steps.push(Box::new(FlashUms));
            steps.push(Box::new(reset()));
        }
        steps.extend(shell(&self.boot, scene));
        steps
    }
}
