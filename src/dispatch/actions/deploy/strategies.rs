//! The ways of deploying, by the name of the method: the steps of each, in LAVA's order.

use super::apply_overlay_image::ApplyOverlayImage;
use super::avh::avh_steps;
use super::docker::docker_steps;
use super::download::DownloadRetry;
use super::fastboot::fastboot_steps;
use super::mcu::{mps_steps, musca_steps};
use super::nbd::nbd_steps;
use super::nfs::nfs_steps;
use super::parts::{Actions, device_env, downloads, overlay};
use super::qdl::qdl_steps;
use super::scp_overlay::ssh_steps;
use super::storage::{storage_steps, ums_steps};
use super::tmpfs::DeployImages;
use super::usbg::UsbGadget;
use super::vexpress::vexpress_steps;
use super::{flasher, installer, qemu_nfs, tftp};
use crate::dispatch::action::{Action, Scene};
use crate::dispatch::actions::Group;
use crate::dispatch::job::Deploy;

/// The outermost action of a method; `None` for one that we have not.
pub fn deploy(deploy: &Deploy) -> Option<Box<dyn Action>> {
    Some(match deploy.to.as_str() {
        "tftp" => Box::new(tftp::TftpDeploy::new(deploy.clone())),
        "tmpfs" => Box::new(DeployImages::new(deploy.clone())),
        "nbd" => Group::once("nbd-deploy", nbd_steps),
        "nfs" if deploy.artefact("kernel").is_none() => Group::once("nfs-deploy", nfs_steps),
        "nfs" => Group::once("deploy-qemu-nfs", qemu_nfs::nfs_steps),
        "iso-installer" => Group::once("deploy-iso-installer", installer::installer_steps),
        "usb" | "sata" | "sd" => Group::once("storage-deploy", storage_steps),
        "u-boot-ums" => Group::once("uboot-ums-deploy", ums_steps),
        "ssh" => Group::once("scp-overlay", ssh_steps),
        "overlay" => Group::once("overlay-deploy", overlay_steps),
        "download" => Group::once("download-deploy", downloads),
        "downloads" => Group::once("downloads", super::postprocess::downloads_steps),
        "fastboot" => Group::once("fastboot-deploy", fastboot_steps),
        "flasher" => Group::retry("deploy-flasher-retry", flasher::steps),
        "fvp" => Group::once("fvp-deploy", fvp_steps),
        "avh" => Group::retry("deploy-avh-retry", avh_steps),
        "usbg-ms" => Box::new(UsbGadget),
        "uuu" => Group::once("uuu-deploy", uuu_steps),
        "docker" => Group::once("deploy-docker", docker_steps),
        "vemsd" => Group::retry("vexpress-fw-deploy-retry", vexpress_steps),
        "mps" => Group::once("mps-deploy", mps_steps),
        "musca" => Group::once("musca-deploy", musca_steps),
        "qdl" => Group::once("qdl-deploy", qdl_steps),
        "recovery" => Group::once("deploy-recovery-mode", downloads),
        _ => return None,
    })
}

fn fvp_steps(scene: &Scene<'_>) -> Actions {
    [overlay(scene), downloads(scene)].into_iter().flatten().collect()
}

fn uuu_steps(scene: &Scene<'_>) -> Actions {
    let mut steps = overlay(scene);
    for artefact in scene.deploy().artefacts {
        steps.push(Box::new(DownloadRetry::new(artefact.clone())));
        if artefact.apply_overlay && scene.has_tests() {
            let sparse = artefact.sparse;
            steps.push(Box::new(ApplyOverlayImage { image: Some(artefact), sparse }));
        }
    }
    steps.extend(device_env(scene));
    steps
}

fn overlay_steps(scene: &Scene<'_>) -> Actions {
    [overlay(scene), device_env(scene)].into_iter().flatten().collect()
}
