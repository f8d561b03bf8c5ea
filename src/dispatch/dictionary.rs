//! The keys of a device dictionary, level by level, as LAVA's templates render them.
//!
//! LAVA takes any key and ignores what it does not know, so that a slip of the hand is found out
//! when a board does not boot. Here an unknown key is a problem at every level that is listed;
//! below the others keys are free, since labs name things there.

use crate::config::{At, Node, Table, Value};

/// The known keys of a level. `*` in a path stands for any key.
type Level = (&'static [&'static str], &'static [&'static str]);

const LEVELS: &[Level] = &[
    (&[], TOP),
    (&["commands"], COMMANDS),
    (&["commands", "connections", "*"], &["connect", "tags"]),
    (&["commands", "users", "*"], &["do", "undo"]),
    (&["parameters"], PARAMETERS),
    (&["parameters", "image"], ADDRESSES),
    (&["parameters", "booti"], ADDRESSES),
    (&["parameters", "uimage"], ADDRESSES),
    (&["parameters", "bootm"], ADDRESSES),
    (&["parameters", "zimage"], ADDRESSES),
    (&["parameters", "bootz"], ADDRESSES),
    (&["parameters", "media"], &["sata", "sd", "usb", "mmc", "nvme", "emmc"]),
    (&["actions"], &["deploy", "boot", "test"]),
    (&["actions", "deploy"], &["methods", "connections", "parameters"]),
    (&["actions", "deploy", "methods"], DEPLOY_METHODS),
    (&["actions", "deploy", "connections"], CONNECTIONS),
    (
        &["actions", "deploy", "parameters"],
        &["add_header", "mkimage_arch", "append_dtb", "use_xip"],
    ),
    (&["actions", "boot"], &["methods", "connections", "parameters"]),
    (&["actions", "boot", "methods"], BOOT_METHODS),
    (&["actions", "boot", "connections"], CONNECTIONS),
    (&["actions", "boot", "methods", "u-boot", "parameters"], UBOOT_PARAMETERS),
    (&["actions", "boot", "methods", "u-boot", "*"], &["commands"]),
    (&["actions", "boot", "methods", "vm", "parameters"], VM_PARAMETERS),
    (&["actions", "boot", "methods", "grub", "parameters"], GRUB_PARAMETERS),
    (&["actions", "boot", "methods", "grub-efi", "parameters"], GRUB_PARAMETERS),
    (&["actions", "test"], &["methods"]),
    (&["actions", "test", "methods"], &["docker"]),
    (&["actions", "test", "methods", "docker"], &["global_options", "options"]),
    (&["constants"], CONSTANTS),
    (&["constants", "posix"], POSIX),
    (&["constants", "u-boot"], BOOTLOADER),
    (&["constants", "barebox"], BOOTLOADER),
    (&["constants", "grub"], BOOTLOADER),
    (&["constants", "grub-efi"], BOOTLOADER),
    (&["constants", "ipxe"], BOOTLOADER),
    (&["constants", "depthcharge"], BOOTLOADER),
    (&["timeouts"], &["actions", "connections"]),
    (&["character_delays"], &["boot", "deploy", "test"]),
];

const TOP: &[&str] = &[
    "actions",
    "adb_serial_number",
    "adb_serial_numbers",
    "available_architectures",
    "board_id",
    "board_qdl_id",
    "character_delays",
    "commands",
    "constants",
    "device_info",
    "device_ip",
    "device_mac",
    "device_type",
    "devicetype",
    "dynamic_data",
    "environment",
    "fastboot_auto_detection",
    "fastboot_options",
    "fastboot_sequence",
    "fastboot_serial_number",
    "fastboot_via_uboot",
    "flash_cmds_order",
    "grub_installed_device",
    "hostname",
    "parameters",
    "probe_channel",
    "probe_ip",
    "static_info",
    "storage_info",
    "tags",
    "timeouts",
    "usb_filesystem_label",
    "usb_label",
    "usb_product_id",
    "usb_serial",
    "usb_serial_driver",
    "usb_sleep",
    "usb_vendor_id",
    "worker_host",
];

const COMMANDS: &[&str] = &[
    "connect",
    "connections",
    "hard_reset",
    "must_use_connection",
    "power_off",
    "power_on",
    "pre_os_command",
    "pre_power_command",
    "recovery_exit",
    "recovery_mode",
    "soft_reboot",
    "users",
];

const PARAMETERS: &[&str] = &[
    "allow_test_services",
    "booti",
    "bootloader",
    "bootm",
    "bootz",
    "dtb_base_resize",
    "image",
    "interfaces",
    "load_address",
    "media",
    "pass",
    "text_offset",
    "uimage",
    "zimage",
];

const ADDRESSES: &[&str] = &["kernel", "ramdisk", "dtb", "tee", "dtbo"];

const CONNECTIONS: &[&str] = &["adb", "fastboot", "lxc", "serial", "ssh"];

const DEPLOY_METHODS: &[&str] = &[
    "avh",
    "docker",
    "download",
    "downloads",
    "fastboot",
    "flasher",
    "fvp",
    "image",
    "iso-installer",
    "lxc",
    "mps",
    "musca",
    "nbd",
    "nfs",
    "overlay",
    "qdl",
    "recovery",
    "sata",
    "sd",
    "ssh",
    "tftp",
    "tmpfs",
    "u-boot",
    "u-boot-ums",
    "usb",
    "usbg-ms",
    "uuu",
    "vemsd",
];

const BOOT_METHODS: &[&str] = &[
    "avh",
    "barebox",
    "bootloader",
    "cmsis-dap",
    "depthcharge",
    "dfu",
    "docker",
    "fastboot",
    "fastboot-nfs",
    "fvp",
    "gdb",
    "grub",
    "grub-efi",
    "ipxe",
    "jlink",
    "kexec",
    "lxc",
    "minimal",
    "musca",
    "new_connection",
    "nodebooter",
    "openocd",
    "pyocd",
    "qdl",
    "qemu",
    "qemu-iso",
    "qemu-nfs",
    "recovery",
    "schroot",
    "secondary_media",
    "ser-ctl",
    "ssh",
    "u-boot",
    "uefi",
    "uefi-menu",
    "uuu",
    // Not LAVA's.
    "vm",
];

const VM_PARAMETERS: &[&str] = &[
    "arch",
    "command",
    "cpus",
    "disk",
    "line",
    "memory",
    "options",
    "provider",
    "restrict",
    "ssh",
    "trust_jobs",
];

const UBOOT_PARAMETERS: &[&str] = &[
    "boot_message",
    "bootloader_prompt",
    "fastboot",
    "interrupt_char",
    "interrupt_ctrl_list",
    "interrupt_prompt",
    "lava_mac",
    "mkimage_arch",
    "needs_interrupt",
    "uboot_mass_storage_device",
    "uboot_ums_flash",
];

const GRUB_PARAMETERS: &[&str] = &[
    "boot_message",
    "bootloader_prompt",
    "interrupt_char",
    "interrupt_character",
    "interrupt_prompt",
    "lava_mac",
    "needs_interrupt",
];

const CONSTANTS: &[&str] = &[
    "barebox",
    "boot_retry",
    "default-shell-prompt",
    "depthcharge",
    "failure_retry",
    "grub",
    "grub-efi",
    "ipxe",
    "kernel-silence",
    "kernel-start-message",
    "login-silence",
    "posix",
    "prompt-silence",
    "shutdown-message",
    "spawn_maxread",
    "u-boot",
    "uefi",
    "uefi-menu",
];

const POSIX: &[&str] = &["lava_test_results_dir", "lava_test_sh_cmd", "lava_test_shell_file"];

const BOOTLOADER: &[&str] = &[
    "dfu-download",
    "error-messages",
    "final-message",
    "interrupt-character",
    "interrupt-newline",
    "interrupt-prompt",
    "interrupt_ctrl_list",
];

/// Notes every unknown key, with the nearest known one.
pub(super) fn check(node: &Node, at: &At<'_>) {
    level(node, at, &mut Vec::new());
}

fn level<'a>(node: &'a Node, at: &At<'_>, path: &mut Vec<&'a str>) {
    let Value::Map(entries) = &node.value else { return };
    // Of two patterns the exact one comes first.
    let matching = LEVELS.iter().find(|(pattern, _)| {
        pattern.len() == path.len()
            && pattern.iter().zip(path.iter()).all(|(wanted, key)| *wanted == "*" || wanted == key)
    });
    if let (Some((_, known)), Some(table)) = (matching, Table::new(node, at.clone())) {
        for key in *known {
            table.node(key);
        }
        table.finish();
    }
    for (key, node) in entries {
        path.push(&key.name);
        level(node, &at.key(&key.name), path);
        path.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Problems;

    fn told(text: &str) -> String {
        let problems = Problems::default();
        let at = At::top("device.yaml", &problems);
        check(&crate::yaml::parse(text, &at).unwrap(), &at);
        problems.check(Some(())).err().map(|failure| failure.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_mistyped_key_is_told_at_every_level_with_the_nearest_one() {
        let text = "hostnme: panda01
commands: {hard_rest: x, connections: {uart0: {conect: x}}}
parameters: {booti: {kernl: '0x1'}}
actions:
  deploy: {parameters: {add_haeder: u-boot}}
  boot:
    methods:
      uboot: {}
      u-boot: {parameters: {bootloader_promt: x}, ramdisk: {comands: []}}
constants: {u-boot: {final-mesage: x}}
timeouts: {action: {}}
character_delays: {bot: 1}
";
        let told = told(text);
        let lines: Vec<&str> = told.lines().collect();
        let expected = [
            ("1:1: unknown key \"hostnme\"", "hostname"),
            ("2:12: commands: unknown key \"hard_rest\"", "hard_reset"),
            ("2:48: commands.connections.uart0: unknown key \"conect\"", "connect"),
            ("3:22: parameters.booti: unknown key \"kernl\"", "kernel"),
            ("5:25: actions.deploy.parameters: unknown key \"add_haeder\"", "add_header"),
            ("8:7: actions.boot.methods: unknown key \"uboot\"", "u-boot"),
            (
                "9:29: actions.boot.methods.u-boot.parameters: unknown key \"bootloader_promt\"",
                "bootloader_prompt",
            ),
            ("9:61: actions.boot.methods.u-boot.ramdisk: unknown key \"comands\"", "commands"),
            ("10:22: constants.u-boot: unknown key \"final-mesage\"", "final-message"),
            ("11:12: timeouts: unknown key \"action\"", "actions"),
            ("12:20: character_delays: unknown key \"bot\"", "boot"),
        ];
        assert_eq!(lines.len(), expected.len(), "{told}");
        for (line, (problem, near)) in lines.iter().zip(expected) {
            assert_eq!(*line, format!("device.yaml:{problem}; did you mean {near:?}?"));
        }
    }

    #[test]
    fn names_that_labs_give_are_free() {
        let text = "environment: {ANY: x}
commands: {connections: {my-uart: {connect: x}}, users: {press-button: {do: x}}}
parameters: {interfaces: {lan0: {mac: x}}, media: {usb: {My_Stick: {uuid: x}}}}
actions: {boot: {methods: {u-boot: {my-way: {commands: []}}}}}
";
        assert_eq!(told(text), "");
    }
}
