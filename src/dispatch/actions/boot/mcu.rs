//! Microcontroller boards: this host writes the image, and the board starts it.

use super::bootloader_interrupt::BootloaderInterrupt;
use super::cmsis::FlashCmsis;
use super::connect_device::Connect;
use super::dfu::{EnterDfu, FlashDfu};
use super::flash_parts::reset_and_wait;
use super::jlink::FlashJlink;
use super::openocd::FlashOpenocd;
use super::parts::{Actions, login};
use super::pyocd::FlashPyocd;
use super::qemu::images as deployed;
use super::strategies::{of, reset};
use crate::dispatch::action::{Action, Scene};
use crate::dispatch::actions::{Group, WaitUsb};

pub(super) fn cmsis_steps(scene: &Scene<'_>) -> Actions {
    let mut steps = reset_and_wait(scene, WaitUsb::PROBE);
    steps.push(Box::new(FlashCmsis { files: deployed(scene) }));
    if scene.device.flash.cmsis.resets_after_flash {
        steps.push(Box::new(WaitUsb::SERIAL));
    }
    steps.push(Box::new(Connect::device()));
    steps
}

pub(super) fn jlink_steps(scene: &Scene<'_>) -> Actions {
    let mut steps = reset_and_wait(scene, WaitUsb::BOARD_ID);
    steps.push(Box::new(Connect::device()));
    steps.push(Box::new(FlashJlink { boot: of(scene).clone(), files: deployed(scene) }));
    steps
}

/// LAVA has two of one name, one in the other.
pub(super) fn pyocd_steps(_scene: &Scene<'_>) -> Actions {
    vec![Group::retry("boot-pyocd-image", |scene| {
        let mut steps = reset_and_wait(scene, WaitUsb::BOARD_ID);
        let flash: Box<dyn Action> = Box::new(FlashPyocd { files: deployed(scene) });
        let connect: Box<dyn Action> = Box::new(Connect::device());
        match scene.device.flash.pyocd.connects_first {
            true => steps.extend([connect, flash]),
            false => steps.extend([flash, connect]),
        }
        steps
    })]
}

pub(super) fn openocd_steps(scene: &Scene<'_>) -> Actions {
    let mut steps = reset_and_wait(scene, WaitUsb::BOARD_ID);
    steps.push(Box::new(Connect::device()));
    steps.push(Box::new(FlashOpenocd { files: deployed(scene) }));
    steps
}

pub(super) fn dfu_steps(scene: &Scene<'_>) -> Actions {
    let mut steps: Actions = vec![Box::new(Connect::device()), reset(scene)];
    if scene.device.flash.dfu.by_uboot {
        steps.push(Box::new(BootloaderInterrupt { loader: "u-boot".into() }));
        steps.push(Box::new(EnterDfu));
    }
    steps.push(Box::new(WaitUsb::DFU));
    steps.push(Box::new(FlashDfu { files: deployed(scene) }));
    steps
}

pub(super) fn musca_steps(scene: &Scene<'_>) -> Actions {
    let mut steps: Actions =
        vec![reset(scene), Box::new(WaitUsb::SERIAL), Box::new(Connect::device())];
    steps.extend(login(of(scene)));
    steps
}
