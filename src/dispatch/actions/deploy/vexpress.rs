//! `vexpress-fw-deploy`: the firmware of a Versatile Express or Juno board, by its controller (MCC).

use super::parts::{Actions, downloads};
use crate::dispatch::action::Scene;
use crate::dispatch::actions::boot::{Connect, ResetDevice};
use crate::dispatch::actions::{Group, NotYet};

pub(super) fn vexpress_steps(_scene: &Scene<'_>) -> Actions {
    vec![Group::once("vexpress-fw-deploy", steps)]
}

const BECAUSE: &str = "the board's controller shows its medium as a USB disk, which needs a mount";

fn steps(scene: &Scene<'_>) -> Actions {
    let mut steps = downloads(scene);
    steps.push(Box::new(Connect::device()));
    steps.push(Box::new(ResetDevice::default()));
    let rest = [
        "extract-vexpress-recovery-image",
        "enter-vexpress-mcc",
        "enable-vexpress-usbmsd",
        "wait-usb-mass-storage-device",
        "mount-vexpress-usbmsd",
        "deploy-vexpress-recovery-image",
        "unmount-vexpress-usbmsd",
        "erase-vexpress-flash",
    ];
    steps.extend(rest.map(|name| Box::new(NotYet { name, because: BECAUSE }) as _));
    steps
}
