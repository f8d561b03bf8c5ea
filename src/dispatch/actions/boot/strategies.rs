//! The ways of booting, by the name of the method: the steps of each, in LAVA's order.

use super::avh::avh_steps;
use super::bootloader_commands::BootloaderCommands;
use super::bootloader_interrupt::BootloaderInterrupt;
use super::bootloader_overlay::BootloaderOverlay;
use super::connect_device::Connect;
use super::disconnect_device::DisconnectDevice;
use super::docker::docker_steps;
use super::fastboot::fastboot_steps;
use super::from_media::FromMedia;
use super::fvp::fvp_steps;
use super::gdb::gdb_steps;
use super::installer::installer_steps;
use super::installer_wait::InstallerWait;
use super::kexec::CallKexec;
use super::mcu::{cmsis_steps, dfu_steps, jlink_steps, musca_steps, openocd_steps, pyocd_steps};
use super::menu::{MenuInterrupt, MenuSelector};
use super::nodebooter::nodebooter_steps;
use super::parts::{Actions, shell};
use super::qdl::qdl_steps;
use super::qemu::qemu_steps;
use super::recovery::recovery_steps;
use super::reset_device::ResetDevice;
use super::ssh::{SchrootLogin, ssh_steps};
use super::uboot::UbootAction;
use super::uefi::{uefi_menu_steps, uefi_steps};
use super::uuu::uuu_steps;
use super::vm::vm_steps;
use crate::dispatch::action::{Action, Scene};
use crate::dispatch::actions::{Before, Group, PowerOff};
use crate::dispatch::job::Boot;

/// The outermost action of a method; `None` for one that we have not.
pub fn boot(boot: &Boot) -> Option<Box<dyn Action>> {
    Some(match boot.method.as_str() {
        "u-boot" => Box::new(UbootAction::new(boot.clone())),
        "qemu" | "qemu-nfs" | "monitor" => Group::retry("boot-image-retry", qemu_steps),
        "qemu-iso" => Group::once("boot-installer-iso", installer_steps),
        "grub" | "grub-efi" => Group::retry("grub-main-action", grub_steps),
        "ipxe" => Group::retry("bootloader-action", ipxe_steps),
        "barebox" => Group::retry("barebox-action", barebox_steps),
        "bootloader" => Group::retry("boot-bootloader-retry", bootloader_steps),
        "depthcharge" => Group::retry("depthcharge-action", depthcharge_steps),
        "uefi" => Group::retry("uefi-shell-main-action", uefi_steps),
        "uefi-menu" => Group::retry("uefi-menu-action", uefi_menu_steps),
        "minimal" => Group::retry("minimal-boot", minimal_steps),
        "kexec" => Group::retry("kexec-boot", kexec_steps),
        "new_connection" => Group::retry("new-connection", connection_steps),
        "ssh" => Group::retry("login-ssh", ssh_steps),
        "schroot" => Box::new(SchrootLogin { boot: boot.clone() }),
        "docker" => Group::retry("boot-docker", docker_steps),
        "fastboot" => Group::retry("fastboot-boot", fastboot_steps),
        "fvp" => Group::retry("boot-fvp", fvp_steps),
        "avh" => Group::retry("boot-avh", avh_steps),
        "nodebooter" => Group::retry("boot-nodebooter", nodebooter_steps),
        "recovery" => Group::once("recovery-boot", recovery_steps),
        "musca" => Group::retry("musca-boot", musca_steps),
        "cmsis-dap" => Group::retry("boot-cmsis-retry", cmsis_steps),
        "jlink" => Group::retry("boot-jlink-image", jlink_steps),
        "pyocd" => Group::retry("boot-pyocd-image", pyocd_steps),
        "openocd" => Group::retry("boot-openocd-image", openocd_steps),
        "dfu" => Group::retry("boot-dfu-retry", dfu_steps),
        "gdb" => Group::once("boot-gdb", gdb_steps),
        "uuu" => Group::retry("uuu-boot-retry", uuu_steps),
        "qdl" => Group::retry("boot-qdl-retry", qdl_steps),
        "vm" => Group::retry("boot-vm", vm_steps),
        _ => return None,
    })
}

/// The block that a scene of a boot method is of.
pub(super) fn of<'a>(scene: &Scene<'a>) -> &'a Boot {
    static NONE: std::sync::LazyLock<Boot> = std::sync::LazyLock::new(Boot::default);
    scene.boot().unwrap_or(&NONE)
}

/// `bootloader-overlay`, for the commands of the block's boot loader.
pub(super) fn overlay(scene: &Scene<'_>) -> Box<dyn Action> {
    Box::new(BootloaderOverlay { boot: of(scene).clone(), deployed: scene.kernel_type() })
}

/// `reset-device`, as the block wants it.
pub(super) fn reset(scene: &Scene<'_>) -> Box<dyn Action> {
    Box::new(ResetDevice::of(of(scene)))
}

/// `bootloader-commands`, for the block's boot loader.
pub(super) fn commands(boot: &Boot) -> BootloaderCommands {
    // Of `bootloader`, the prompts are the boot loader's own.
    let goes_on = !boot.prompts.is_empty() || !boot.finished.is_empty();
    let leads_to_shell = boot.method != "bootloader" && goes_on;
    BootloaderCommands { loader: boot.loader().to_owned(), leads_to_shell }
}

/// `reset-connection`: a connection of its own for what follows.
pub(super) fn reset_connection() -> Box<dyn Action> {
    Group::once("reset-connection", |scene| {
        vec![Box::new(DisconnectDevice), Box::new(Connect::of(scene))]
    })
}

/// `bootloader-interrupt` and `bootloader-commands`.
fn dialogue(boot: &Boot) -> Actions {
    vec![
        Box::new(BootloaderInterrupt { loader: boot.loader().to_owned() }),
        Box::new(commands(boot)),
    ]
}

fn grub_steps(scene: &Scene<'_>) -> Actions {
    let boot = of(scene);
    let mut steps: Actions =
        vec![Box::new(FromMedia::grub(boot)), overlay(scene), Box::new(Connect::of(scene))];
    steps.push(reset(scene));
    if boot.method == "grub-efi" {
        steps.push(Box::new(MenuInterrupt { name: "uefi-menu-interrupt", method: "uefi-menu" }));
        steps.push(Box::new(MenuSelector {
            name: "grub-efi-menu-selector",
            method: "uefi-menu",
            way: scene.device.loader("grub-efi").menu,
            line_separator: None,
        }));
    }
    steps.extend(dialogue(boot));
    steps.extend(shell(boot, scene));
    if boot.prompts.is_empty() && !boot.finished.is_empty() {
        steps.push(Box::new(InstallerWait { finished: boot.finished.clone() }));
        steps.push(Box::new(PowerOff));
    }
    steps
}

fn ipxe_steps(scene: &Scene<'_>) -> Actions {
    let again = Group::retry("bootloader-retry", |scene| {
        let mut steps = vec![reset(scene)];
        steps.extend(dialogue(of(scene)));
        steps.extend(shell(of(scene), scene));
        steps
    });
    vec![overlay(scene), Box::new(Connect::of(scene)), again]
}

fn barebox_steps(scene: &Scene<'_>) -> Actions {
    let again = Group::retry("barebox-retry", |scene| {
        let mut steps = vec![reset(scene)];
        steps.extend(dialogue(of(scene)));
        steps.extend(shell(of(scene), scene));
        steps
    });
    vec![overlay(scene), Box::new(Connect::of(scene)), again]
}

fn bootloader_steps(scene: &Scene<'_>) -> Actions {
    let boot = Group::once("boot-bootloader", |scene| {
        let mut steps = vec![reset_connection(), reset(scene)];
        steps.extend(dialogue(of(scene)));
        steps
    });
    vec![overlay(scene), boot]
}

fn depthcharge_steps(scene: &Scene<'_>) -> Actions {
    let again = Group::retry("depthcharge-retry", |scene| {
        let boot = of(scene);
        let mut steps = vec![reset_connection(), reset(scene)];
        steps.push(Box::new(super::depthcharge_start::DepthchargeStart));
        steps.push(Box::new(commands(boot)));
        steps.extend(shell(boot, scene));
        steps
    });
    let overlay = BootloaderOverlay { boot: of(scene).clone(), deployed: scene.kernel_type() };
    vec![Box::new(super::depthcharge_overlay::DepthchargeOverlay { overlay }), again]
}

fn minimal_steps(scene: &Scene<'_>) -> Actions {
    let boot = of(scene);
    let mut steps: Actions = vec![Box::new(Connect::of(scene))];
    if boot.pre_power {
        steps.push(Box::new(Before::power(true)));
    }
    if boot.pre_os {
        steps.push(Box::new(Before::system(true)));
    }
    if boot.reset {
        steps.push(reset(scene));
    }
    steps.extend(shell(boot, scene));
    steps
}

fn connection_steps(scene: &Scene<'_>) -> Actions {
    let console = of(scene).connection.clone();
    let mut steps: Actions = vec![Box::new(Connect::named(console))];
    steps.extend(shell(of(scene), scene));
    steps
}

fn kexec_steps(scene: &Scene<'_>) -> Actions {
    let boot = of(scene);
    let mut steps: Actions = vec![Box::new(CallKexec { boot: boot.clone() })];
    steps.extend(shell(boot, scene));
    steps
}
