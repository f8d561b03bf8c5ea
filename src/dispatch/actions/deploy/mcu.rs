//! `mps-deploy` and `musca-deploy`: microcontroller boards that show their flash as a USB disk.

use super::parts::{Actions, downloads};
use crate::dispatch::action::{Action, Scene};
use crate::dispatch::actions::NotYet;
use crate::dispatch::actions::boot::{DisconnectDevice, ResetDevice};

const BECAUSE: &str = "the board shows its flash as a USB disk, which needs a mount";

fn later(name: &'static str) -> Box<dyn Action> {
    Box::new(NotYet { name, because: BECAUSE })
}

pub(super) fn mps_steps(scene: &Scene<'_>) -> Actions {
    let deploy = scene.deploy();
    let mut steps: Actions = vec![
        Box::new(DisconnectDevice),
        Box::new(ResetDevice::default()),
        later("wait-usb-mass-storage-device"),
    ];
    steps.extend(downloads(scene));
    steps.push(later("mount-vexpress-usbmsd"));
    if deploy.artefact("recovery_image").is_some() {
        steps.push(later("extract-vexpress-recovery-image"));
        steps.push(later("deploy-vexpress-recovery-image"));
    }
    let binaries = deploy.artefacts.iter().filter(|file| file.name.starts_with("test_binary"));
    steps.extend(binaries.map(|_| later("deploy-mps-test-binary")));
    steps.push(later("deploy-mps-reboot-txt"));
    steps.push(later("unmount-vexpress-usbmsd"));
    steps
}

pub(super) fn musca_steps(scene: &Scene<'_>) -> Actions {
    let mut steps: Actions = vec![Box::new(DisconnectDevice)];
    steps.extend(downloads(scene));
    steps.push(Box::new(ResetDevice::default()));
    let rest = [
        "wait-musca-path",
        "mount-musca-usbmsd",
        "deploy-musca-test-binary",
        "unmount-musca-usbmsd",
        "wait-musca-path",
        "mount-musca-usbmsd",
        "check-musca-flash",
        "unmount-musca-usbmsd",
    ];
    steps.extend(rest.map(later));
    steps
}
