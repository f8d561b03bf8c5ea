//! Which keys the methods of deploy and boot blocks have, as LAVA's schema and jobs have them, from
//! 2022 to 2026.
//!
//! A key of another method is only a note: LAVA's own jobs have such, and they do nothing. What is a key of
//! no method is a problem.

use crate::config::{Key, Table};
use crate::model::Name;

/// A method and the keys that it has beside those of every block of its kind.
type Method = (&'static str, &'static [&'static str]);

/// What every block has.
const BLOCK: &[&str] = &[
    "connection-namespace",
    "failure_retry",
    "failure_retry_interval",
    "namespace",
    "protocols",
    "repeat",
    "role",
    "timeout",
    "timeouts",
];

/// What every deploy block has.
const DEPLOY: &[&str] = &["authorize", "enable", "os", "to"];

/// LAVA's deploy methods.
const DEPLOYS: &[Method] = &[
    ("avh", &["avh", "fw_package", "images", "options", "uniquify"]),
    ("docker", &["image"]),
    ("download", &["images"]),
    ("downloads", &["images", "postprocess", "uniquify"]),
    ("fastboot", &["connection", "docker", "images"]),
    ("flasher", &["images"]),
    ("fvp", &["images", "ramdisk", "uniquify"]),
    ("iso-installer", &["images", "iso"]),
    ("lxc", &["packages"]),
    ("mps", &["images"]),
    ("musca", &["images"]),
    ("nbd", &["dtb", "initrd", "kernel", "nbdroot", "tee"]),
    ("nfs", &["images", "modules", "nfsrootfs"]),
    ("overlay", &[]),
    ("qdl", &["overlay_path", "qcomflash", "rootfs_image", "uniquify"]),
    ("recovery", &["images"]),
    ("sata", REMOVABLE),
    ("sd", REMOVABLE),
    ("ssh", &["dtb", "firmware", "kernel", "modules", "rootfs"]),
    ("tftp", TFTP),
    ("tmpfs", &["images", "type", "uefi"]),
    ("u-boot-ums", &["image"]),
    ("usb", REMOVABLE),
    ("usbg-ms", &["image"]),
    ("uuu", &["images"]),
    ("vemsd", &["recovery_image"]),
];

const REMOVABLE: &[&str] = &["device", "download", "image", "images", "tool", "uniquify", "writer"];

const TFTP: &[&str] = &[
    "dtb",
    "dtbo",
    "kernel",
    "modules",
    "nfsrootfs",
    "persistent_nfs",
    "preseed",
    "ramdisk",
    "tee",
];

/// What every boot block has.
const BOOT: &[&str] = &[
    "auto_login",
    "ignore_kernel_messages",
    "method",
    "parameters",
    "prompts",
    "soft_reboot",
    // Not LAVA's.
    "wait_ssh",
];

/// LAVA's boot methods, and `vm`, which is ours.
const BOOTS: &[Method] = &[
    ("avh", &["bootargs", "docker"]),
    ("barebox", &["commands", "transfer_overlay", "use_bootscript"]),
    ("bootloader", &["bootloader", "commands", "use_bootscript"]),
    ("cmsis-dap", &[]),
    ("depthcharge", &["commands", "extra_kernel_args", "transfer_overlay", "use_bootscript"]),
    ("dfu", &[]),
    ("docker", &["command", "downloads-namespace"]),
    ("fastboot", &["commands", "docker", "transfer_overlay", "use_bootscript"]),
    ("fastboot-nfs", &["commands", "docker", "transfer_overlay", "use_bootscript"]),
    ("fvp", FVP),
    ("gdb", &["commands", "container"]),
    ("grub", GRUB),
    ("grub-efi", GRUB),
    ("ipxe", &["commands", "transfer_overlay", "use_bootscript"]),
    ("jlink", &["commands", "coretype"]),
    ("kexec", KEXEC),
    ("lxc", &[]),
    ("minimal", &["pre_os_command", "pre_power_command", "reset", "transfer_overlay"]),
    ("monitor", &[]),
    ("musca", &[]),
    ("new_connection", &["connection", "transfer_overlay"]),
    ("nodebooter", &["command", "docker", "downloads-namespace", "transfer_overlay"]),
    ("openocd", &[]),
    ("pyocd", &[]),
    ("qdl", &["debug", "docker", "firehose_program", "patch", "path", "rawprogram", "storage"]),
    ("qemu", &["connection", "docker", "media", "transfer_overlay"]),
    ("qemu-iso", &["connection", "media"]),
    ("qemu-nfs", &["connection", "media", "transfer_overlay"]),
    ("recovery", &["commands"]),
    ("schroot", &["connection", "os", "schroot"]),
    ("secondary_media", UBOOT),
    ("ser-ctl", &["action"]),
    ("ssh", &["connection"]),
    ("u-boot", UBOOT),
    ("uefi", &["commands", "line_separator", "shell_menu"]),
    ("uefi-menu", &["commands", "line_separator"]),
    ("uuu", &["commands", "docker"]),
    ("vm", &["ssh_keys"]),
];

const GRUB: &[&str] =
    &["boot_finished", "commands", "expect_shell", "transfer_overlay", "use_bootscript"];

const UBOOT: &[&str] = &[
    "boot_part",
    "commands",
    "docker",
    "dtb",
    "kernel",
    "kernel_type",
    "ramdisk",
    "root_uuid",
    "transfer_overlay",
    "type",
    "use_bootscript",
];

const KEXEC: &[&str] = &[
    "boot_message",
    "command",
    "deploy",
    "dtb",
    "initrd",
    "kernel",
    "kernel-config",
    "on_panic",
    "options",
    "transfer_overlay",
];

const FVP: &[&str] = &[
    "arguments",
    "commands",
    "console_string",
    "docker",
    "erpc_app",
    "feedbacks",
    "image",
    "license_variable",
    "transfer_overlay",
    "ubl_license",
    "use_telnet",
    "version_args",
    "version_string",
];

/// The names of the deploy methods.
pub(in crate::dispatch) fn deploys() -> impl Iterator<Item = &'static str> + Clone {
    DEPLOYS.iter().map(|(name, _)| *name)
}

/// The names of the boot methods.
pub(in crate::dispatch) fn boots() -> impl Iterator<Item = &'static str> + Clone {
    BOOTS.iter().map(|(name, _)| *name)
}

/// Notes the keys of a deploy block that its method has not.
pub(super) fn check_deploy(table: &Table<'_>, method: &str) {
    check(table, method, DEPLOYS, DEPLOY);
}

/// Notes the keys of a boot block that its method has not.
pub(super) fn check_boot(table: &Table<'_>, method: &str) {
    check(table, method, BOOTS, BOOT);
}

fn check(
    table: &Table<'_>,
    method: &str,
    methods: &'static [Method],
    kind: &'static [&'static str],
) {
    // A method that there is not is told where its strategy is looked for.
    let Some((_, own)) = methods.iter().find(|(name, _)| *name == method) else { return };
    let known = || [BLOCK, kind, own].into_iter().flatten().copied();
    let elsewhere = |key: &str| methods.iter().any(|(_, keys)| keys.contains(&key));
    for (key, _) in table.entries() {
        if known().any(|name| name == key.name) {
            continue;
        }
        if elsewhere(&key.name) {
            let what =
                format!("{:?} is no key of {method}, and most likely has no effect", key.name);
            table.at().note(key.place, what);
            continue;
        }
        let near = Name::nearest(&key.name, known());
        match near {
            Some(near) => unknown(table, key, &format!("did you mean {near:?}?")),
            None => {
                let mut all: Vec<&str> = known().collect();
                all.sort_unstable();
                unknown(table, key, &format!("known of {method}: {}", all.join(", ")));
            }
        }
    }
}

fn unknown(table: &Table<'_>, key: &Key, hint: &str) {
    table.at().problem(key.place, format!("unknown key {:?}; {hint}", key.name));
}
