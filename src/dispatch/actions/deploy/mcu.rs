//! `mps-deploy` and `musca-deploy`: microcontroller boards that show their flash as a USB disk.

use super::parts::{Actions, downloads};
use super::usb_disk::{Of, RECOVERY, UsbDisk, What};
use crate::dispatch::action::Scene;
use crate::dispatch::actions::boot::{DisconnectDevice, ResetDevice};
use crate::dispatch::actions::{PowerOff, WaitUsb};

/// The file that a Musca runs.
const BINARY: &str = "test_binary";

pub(super) fn mps_steps(scene: &Scene<'_>) -> Actions {
    let deploy = scene.deploy();
    let step = |name, what| UsbDisk::step(name, Of::Label, what);
    let mut steps: Actions = vec![
        Box::new(DisconnectDevice),
        Box::new(ResetDevice::default()),
        Box::new(WaitUsb::LABELLED),
    ];
    steps.extend(downloads(scene));
    steps.push(step("mount-vexpress-usbmsd", What::Open));
    if deploy.artefact(RECOVERY).is_some() {
        steps.push(step("extract-vexpress-recovery-image", What::Extract));
        steps.push(step("deploy-vexpress-recovery-image", What::Recover));
    }
    let mut binaries: Vec<_> =
        deploy.artefacts.into_iter().filter(|file| file.name != RECOVERY).collect();
    binaries.sort_by(|a, b| a.name.cmp(&b.name));
    for file in binaries {
        let what = What::Copy { artefact: file.name, rename: file.rename };
        steps.push(step("deploy-mps-test-binary", what));
    }
    let close = step("unmount-vexpress-usbmsd", What::Close);
    if scene.device.flash.mps.hard_reboot {
        steps.push(close);
        steps.push(Box::new(PowerOff));
    } else {
        steps.push(step("deploy-mps-reboot-txt", What::Reboot));
        steps.push(close);
    }
    steps
}

pub(super) fn musca_steps(scene: &Scene<'_>) -> Actions {
    let step = |name, what| UsbDisk::step(name, Of::Musca, what);
    let artefact = || BINARY.to_owned();
    let mut steps: Actions = vec![Box::new(DisconnectDevice)];
    steps.extend(downloads(scene));
    steps.push(Box::new(ResetDevice::default()));
    steps.push(Box::new(WaitUsb::MUSCA));
    steps.push(step("mount-musca-usbmsd", What::Open));
    let copy = What::Copy { artefact: artefact(), rename: None };
    steps.push(step("deploy-musca-test-binary", copy));
    steps.push(step("unmount-musca-usbmsd", What::Close));
    steps.push(step("wait-musca-path", What::Taken { artefact: artefact() }));
    steps.push(step("mount-musca-usbmsd", What::Open));
    steps.push(step("check-musca-flash", What::Check));
    steps.push(step("unmount-musca-usbmsd", What::Close));
    steps
}
