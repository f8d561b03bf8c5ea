//! `uboot-commands`: from the reset to the shell.

use super::auto_login::AutoLoginAction;
use super::bootloader_commands::BootloaderCommands;
use super::bootloader_interrupt::BootloaderInterrupt;
use super::expect_shell::ExpectShell;
use super::export_env::ExportEnv;
use super::reset_device::ResetDevice;
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
        let mut steps: Vec<Box<dyn Action>> = vec![
            Box::new(ResetDevice { soft_reboot: self.boot.soft_reboot.clone() }),
            Box::new(BootloaderInterrupt),
            Box::new(BootloaderCommands),
        ];
        if self.boot.prompts.is_empty() {
            return steps;
        }
        steps.push(Box::new(AutoLoginAction { boot: self.boot.clone() }));
        if !scene.test_stages().is_empty() {
            steps.push(Box::new(ExpectShell));
            if self.boot.transfer_overlay.is_some() {
                let because = "the block has \"transfer_overlay\"";
                steps.push(Box::new(NotYet { name: "overlay-unpack", because }));
            }
            steps.push(Box::new(ExportEnv));
        }
        steps
    }
}
