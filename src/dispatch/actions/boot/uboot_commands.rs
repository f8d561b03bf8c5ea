//! `uboot-commands`: from the reset to the shell.

use super::bootloader_interrupt::BootloaderInterrupt;
use super::parts::shell;
use super::reset_device::ResetDevice;
use super::strategies::commands;
use crate::dispatch::action::{Action, Scene};
use crate::dispatch::actions::NotYet;
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
        let reset = || ResetDevice { soft_reboot: self.boot.soft_reboot.clone() };
        let mut steps: Vec<Box<dyn Action>> = vec![
            Box::new(reset()),
            Box::new(BootloaderInterrupt { loader: "u-boot".into() }),
            Box::new(commands(&self.boot)),
        ];
        if scene.device.loader("u-boot").ums_flash {
            let because = "the board's medium as a USB disk";
            steps.push(Box::new(NotYet { name: "wait-device-path", because }));
            steps.push(Box::new(NotYet { name: "flash-uboot-ums", because }));
            steps.push(Box::new(reset()));
        }
        steps.extend(shell(&self.boot, scene));
        steps
    }
}
