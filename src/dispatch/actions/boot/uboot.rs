//! `uboot-action`: boots through U-Boot; what it tries again is the whole boot.

use super::bootloader_overlay::BootloaderOverlay;
use super::connect_device::Connect;
use super::from_media::FromMedia;
use super::uboot_commands::UbootCommands;
use crate::dispatch::action::{Action, Scene};
use crate::dispatch::job::Boot;

#[derive(Debug)]
pub(super) struct UbootAction {
    boot: Boot,
}

impl UbootAction {
    pub(super) fn new(boot: Boot) -> Self {
        Self { boot }
    }
}

impl Action for UbootAction {
    fn name(&self) -> &'static str {
        "uboot-action"
    }

    fn retries(&self) -> bool {
        true
    }

    fn populate(&self, scene: &Scene<'_>) -> Vec<Box<dyn Action>> {
        vec![
            Box::new(FromMedia::uboot(&self.boot)),
            Box::new(BootloaderOverlay { boot: self.boot.clone(), deployed: scene.kernel_type() }),
            Box::new(Connect::of(scene)),
            Box::new(UbootCommands { boot: self.boot.clone() }),
        ]
    }
}
