//! `fastboot-boot`, and what brings a board into fastboot.

use super::bootloader_interrupt::BootloaderInterrupt;
use super::connect_device::ConnectDevice;
use super::parts::{Actions, shell};
use super::reset_device::ResetDevice;
use super::strategies::of;
use crate::dispatch::action::Scene;
use crate::dispatch::actions::{Group, NotYet};

/// The steps that bring a board into fastboot: by its U-Boot, by a reset, or by fastboot's own word.
pub fn enter_fastboot(scene: &Scene<'_>) -> Actions {
    if scene.device.fastboot_via_uboot {
        let enter = Group::once("uboot-enter-fastboot", |_| {
            vec![
                Box::new(ResetDevice::default()),
                Box::new(BootloaderInterrupt { loader: "u-boot".into() }),
            ]
        });
        return vec![Box::new(ConnectDevice), enter];
    }
    if scene.device.commands.hard_reset.is_empty() {
        let because = "fastboot";
        return vec![Box::new(NotYet { name: "enter-fastboot-action", because })];
    }
    vec![Box::new(ConnectDevice), Box::new(ResetDevice::default())]
}

pub(super) fn fastboot_steps(scene: &Scene<'_>) -> Actions {
    let mut steps = enter_fastboot(scene);
    steps.extend(shell(of(scene), scene));
    steps
}
