//! The device dictionary: LAVA's values for one board.
//!
//! Dictionaries are rendered from templates and carry far more keys than any one job needs. Those
//! that LAVA knows are left alone here; what is used must be of the right type.

mod exports;
mod flash;
mod loader;
mod qdl;
mod silences;
pub(super) mod values;

use std::collections::BTreeMap;

use self::flash::Flash;
pub use self::flash::{GdbWay, Openocd};
use self::loader::LOADERS;
pub use self::loader::Loader;
use self::qdl::Qdl;
pub use self::silences::Silences;
use self::values::{
    address, board_id, connect, connections, filled, limits, named_commands, names, present, texts,
    users,
};
use super::avh::AvhOptions;
use super::job::{Text, none_of};
use super::menu::Menus;
use super::nodebooter::Nodebooter;
pub use super::peers::{DockerOptions, Ssh, TestContainer};
use super::qemu::{Guest, Qemu};
use super::target::Target;
use super::vm::{self, Vm};
use crate::config::{At, Node, Table, Value};
use crate::image::uimage;

/// The parts of a device dictionary that the dispatcher acts on.
#[derive(Debug, Clone, Default)]
pub struct Device {
    /// The file it was read from, for messages.
    pub file: String,
    pub hostname: String,
    /// As the job's `device_type`, where the dictionary tells.
    pub device_type: Option<String>,
    pub commands: Power,
    /// How to reach the board's console: a command, a URL, or `telnet HOST PORT`.
    pub connect: Option<String>,
    /// The commands of the board's consoles, by their names.
    pub connections: BTreeMap<String, String>,
    /// Time limits in seconds by the name of an action.
    pub action_timeouts: BTreeMap<String, u64>,
    pub connection_timeouts: BTreeMap<String, u64>,
    /// Load addresses by boot command or kernel type: `booti`, `image`, …
    pub addresses: BTreeMap<String, Addresses>,
    /// How large a device tree is made before others are laid over it, in bytes.
    pub dtb_resize: Option<String>,
    /// Where kernels are loaded by boot loaders that know one address only.
    pub load_address: Option<String>,
    /// The links below `/dev/disk/by-id` of the board's media, by kind (`usb`) and name.
    pub media: BTreeMap<(String, String), String>,
    /// The names of the deploy methods on offer.
    pub deploy_methods: Vec<String>,
    /// The names of the boot methods on offer.
    pub boot_methods: Vec<String>,
    /// `u-boot` when ramdisks need U-Boot's legacy header.
    pub add_header: Option<String>,
    /// As U-Boot's `mkimage -A` names it.
    pub mkimage_arch: Option<String>,
    /// The boot methods `qemu` and `qemu-nfs`.
    pub qemu: BTreeMap<String, Qemu>,
    /// The board is a virtual machine: the boot method `vm`.
    pub vm: Option<Vm>,
    /// The drive that brings the tests to a QEMU.
    pub guest: Guest,
    /// The boot loaders by the name of the boot method.
    pub loaders: BTreeMap<String, Loader>,
    /// The firmware's menus by the name of the boot method.
    pub menus: BTreeMap<String, Menus>,
    /// The order in which images are flashed.
    pub flash_order: Vec<String>,
    pub fastboot_serial: Option<String>,
    /// What `fastboot` is always given.
    pub fastboot_options: Vec<String>,
    /// How a board that is in fastboot gets to its shell: `boot`, `reboot`, `auto-login`, …
    pub fastboot_sequence: Vec<String>,
    /// What is typed at U-Boot to begin fastboot.
    pub uboot_fastboot: Vec<String>,
    /// A machine that is reached by ssh.
    pub ssh: Ssh,
    /// Of containers that are the board.
    pub docker: DockerOptions,
    /// Of containers that tests run in beside the board.
    pub docker_test: TestContainer,
    /// What writes its flash.
    pub flash: Flash,
    /// What USB programs know the board by.
    pub board_id: Option<String>,
    /// Of containers with a model.
    pub fvp: DockerOptions,
    /// Arm's service.
    pub avh: AvhOptions,
    /// The network boot server in a container.
    pub nodebooter: Nodebooter,
    /// Commands of the host that flash images.
    pub flasher: Vec<String>,
    /// The board gets into fastboot by its U-Boot.
    pub fastboot_via_uboot: bool,
    /// Qualcomm's download mode.
    pub qdl: Qdl,
    /// Commands of the host by `recovery_mode` and `recovery_exit`.
    pub recovery: BTreeMap<String, Vec<String>>,
    pub kernel_start_message: String,
    /// What a system says that goes down; a regular expression. Jobs may say otherwise.
    pub shutdown_message: Option<String>,
    pub default_shell_prompt: String,
    /// Milliseconds between two typed characters while booting and while testing.
    pub boot_character_delay: u64,
    pub test_character_delay: u64,
    /// How often a boot is tried when the job does not say.
    pub boot_retry: Option<u32>,
    pub failure_retry: Option<u32>,
    pub silences: Silences,
    /// What the board's tests may know of it.
    pub target: Target,
    /// The variables that its tests get, in their order.
    pub exports: Vec<(String, String)>,
    /// The folder for the overlay on the board, with `%s` for the job's number, if it is not [`RESULTS_DIR`].
    pub results_dir: Option<String>,
    /// The shell on the board, if it is not `/bin/sh`.
    pub shell: Option<String>,
    /// Its jobs may start containers of their own on this host (`services`).
    pub allows_services: bool,
}

/// Where the overlay is on most boards.
pub const RESULTS_DIR: &str = "/lava-%s";

/// Commands of the host that switch the board, each list run in order.
#[derive(Debug, Clone, Default)]
pub struct Power {
    pub hard_reset: Vec<String>,
    pub soft_reboot: Vec<String>,
    pub power_on: Vec<String>,
    pub power_off: Vec<String>,
    /// What only some methods need, by the names in the dictionary.
    pub named: BTreeMap<String, Vec<String>>,
    /// Commands that jobs may ask for by name, with what undoes each.
    pub users: BTreeMap<String, [Vec<String>; 2]>,
}

impl Power {
    /// The commands of this name that only some methods need; perhaps none.
    pub fn of(&self, name: &str) -> Vec<String> {
        self.named.get(name).cloned().unwrap_or_default()
    }
}

#[derive(Debug, Clone, Default)]
pub struct Addresses {
    pub kernel: String,
    pub ramdisk: String,
    pub dtb: String,
    pub tee: Option<String>,
    pub dtbo: Option<String>,
}

impl Device {
    /// Reads a dictionary; `None` after notes of what is wrong.
    pub fn read(node: &Node, at: &At<'_>) -> Option<Self> {
        let top = Table::new(node, at.clone())?;
        super::dictionary::check(node, at);
        let mut device = Self {
            file: at.file.to_owned(),
            hostname: top.optional::<Text>("hostname").map(|text| text.0).unwrap_or_default(),
            device_type: filled::<Text>(&top, "device_type")
                .or_else(|| filled::<Text>(&top, "devicetype"))
                .map(|text| text.0)
                // Templates that are rendered for no board leave it empty.
                .filter(|text| !text.is_empty()),
            kernel_start_message: "Linux version [0-9]".into(),
            shutdown_message: None,
            default_shell_prompt: "lava-test: # ".into(),
            target: Target::read(&top),
            exports: exports::read(node),
            ..Self::default()
        };
        if let Some(table) = present(&top, "commands") {
            device.connect = connect(&table);
            device.connections = connections(&table);
            device.commands = Power {
                hard_reset: texts(&table, "hard_reset"),
                soft_reboot: texts(&table, "soft_reboot"),
                power_on: texts(&table, "power_on"),
                power_off: texts(&table, "power_off"),
                named: named_commands(&table),
                users: users(&table),
            };
        }
        if let Some(table) = present(&top, "timeouts") {
            for key in ["actions", "connections"] {
                super::names::check(&table, key);
            }
            device.action_timeouts = limits(&table, "actions");
            device.connection_timeouts = limits(&table, "connections");
        }
        if let Some(table) = present(&top, "character_delays") {
            device.boot_character_delay = table.optional("boot").unwrap_or(0);
            device.test_character_delay = table.optional("test").unwrap_or(0);
        }
        device.board_id = board_id(&top);
        device.flash = Flash::read(&top);
        device.flash_order = texts(&top, "flash_cmds_order");
        device.fastboot_serial = filled::<Text>(&top, "fastboot_serial_number").map(|text| text.0);
        device.fastboot_options = texts(&top, "fastboot_options");
        device.fastboot_via_uboot = filled(&top, "fastboot_via_uboot").unwrap_or(false);
        device.read_addresses(&top);
        device.read_constants(&top);
        device.read_actions(&top);
        Some(device)
    }

    fn read_addresses(&mut self, top: &Table<'_>) {
        let Some(table) = present(top, "parameters") else { return };
        self.load_address = filled::<Text>(&table, "load_address").map(|text| text.0);
        self.dtb_resize = filled::<Text>(&table, "dtb_base_resize").map(|text| text.0);
        self.allows_services = filled(&table, "allow_test_services").unwrap_or(false);
        self.read_media(&table);
        for kind in ["image", "booti", "uimage", "bootm", "zimage", "bootz"] {
            let Some(table) = present(&table, kind) else { continue };
            let text = |key| address(&table, key);
            let addresses = Addresses {
                kernel: text("kernel").unwrap_or_default(),
                ramdisk: text("ramdisk").unwrap_or_default(),
                dtb: text("dtb").unwrap_or_default(),
                tee: text("tee"),
                dtbo: text("dtbo"),
            };
            self.addresses.insert(kind.to_owned(), addresses);
        }
    }

    fn read_media(&mut self, parameters: &Table<'_>) {
        let Some(media) = present(parameters, "media") else { return };
        for (kind, node) in media.entries() {
            let Value::Map(names) = &node.value else { continue };
            for (name, medium) in names {
                if let Some(id) = medium.get("uuid").and_then(Node::as_text) {
                    self.media.insert((kind.name.clone(), name.name.clone()), id.to_owned());
                }
            }
        }
    }

    fn read_constants(&mut self, top: &Table<'_>) {
        let Some(table) = present(top, "constants") else { return };
        let text = |table: &Table<'_>, key: &str| filled::<Text>(table, key).map(|text| text.0);
        if let Some(message) = text(&table, "kernel-start-message") {
            self.kernel_start_message = message;
        }
        self.shutdown_message = text(&table, "shutdown-message");
        if let Some(prompt) = text(&table, "default-shell-prompt") {
            self.default_shell_prompt = prompt;
        }
        if let Some(posix) = present(&table, "posix") {
            self.shell = text(&posix, "lava_test_sh_cmd");
            self.results_dir = text(&posix, "lava_test_results_dir");
            if self.results_dir.as_ref().is_some_and(|dir| !dir.contains("%s")) {
                let what = "it has %s in it, which becomes the job's number";
                posix.problem("lava_test_results_dir", what);
            }
        }
        self.boot_retry = filled(&table, "boot_retry");
        self.failure_retry = filled(&table, "failure_retry");
        self.silences = Silences::read(&table);
        for loader in LOADERS {
            let Some(table) = present(&table, loader) else { continue };
            self.loaders.insert(loader.to_owned(), Loader::of_constants(&table));
        }
    }

    fn read_header(&mut self, parameters: &Table<'_>) {
        let text = |key| filled::<String>(parameters, key).filter(|text| !text.is_empty());
        self.add_header = text("add_header");
        if let Some(header) = self.add_header.as_deref().filter(|header| *header != "u-boot") {
            parameters.problem("add_header", none_of(header, &["u-boot"]));
        }
        self.mkimage_arch = text("mkimage_arch");
        if let Some(arch) =
            self.mkimage_arch.as_deref().filter(|a| uimage::architecture(a).is_none())
        {
            parameters.problem("mkimage_arch", none_of(arch, &uimage::ARCHITECTURES));
        }
    }

    fn read_deploy_methods(&mut self, deploy: &Table<'_>) {
        let Some(methods) = present(deploy, "methods") else { return };
        if let Some(flasher) = present(&methods, "flasher") {
            self.flasher = texts(&flasher, "commands");
        }
        if let Some(avh) = present(&methods, "avh") {
            self.avh = AvhOptions::read(&avh, "options");
        }
        if let Some(ssh) = present(&methods, "ssh") {
            self.ssh = Ssh::read(&ssh);
        }
        let fastboot = present(&methods, "u-boot")
            .and_then(|table| present(&table, "parameters"))
            .and_then(|table| present(&table, "fastboot"));
        self.uboot_fastboot = fastboot.map(|table| texts(&table, "commands")).unwrap_or_default();
        let recovery = present(&methods, "recovery");
        let Some(table) = recovery.and_then(|table| present(&table, "commands")) else { return };
        for key in ["recovery_mode", "recovery_exit"] {
            self.recovery.insert(key.to_owned(), texts(&table, key));
        }
    }

    fn read_actions(&mut self, top: &Table<'_>) {
        let Some(actions) = present(top, "actions") else { return };
        if let Some(deploy) = present(&actions, "deploy") {
            self.deploy_methods = names(&deploy, "methods");
            self.guest =
                present(&deploy, "methods").map_or_else(Guest::default, |m| Guest::read(&m));
            if let Some(parameters) = present(&deploy, "parameters") {
                self.read_header(&parameters);
            }
            self.read_deploy_methods(&deploy);
        }
        let docker = present(&actions, "test").and_then(|test| present(&test, "methods"));
        let docker = docker.and_then(|methods| present(&methods, "docker"));
        self.docker_test = docker.map(|docker| TestContainer::read(&docker)).unwrap_or_default();
        let Some(boot) = present(&actions, "boot") else { return };
        self.boot_methods = names(&boot, "methods");
        let Some(methods) = present(&boot, "methods") else { return };
        self.qdl = Qdl::read(top, &methods);
        for name in ["qemu", "qemu-nfs"] {
            self.qemu.extend(Qemu::read(&methods, name).map(|qemu| (name.to_owned(), qemu)));
        }
        self.vm = Vm::read(&methods);
        if let Some(nodebooter) = present(&methods, "nodebooter") {
            self.nodebooter = Nodebooter::read(&nodebooter);
        }
        if methods.node("fastboot").is_some_and(|node| matches!(node.value, Value::List(_))) {
            self.fastboot_sequence = texts(&methods, "fastboot");
        }
        let options = |name: &str| {
            present(&methods, name).map(|table| DockerOptions::read(&table)).unwrap_or_default()
        };
        (self.docker, self.fvp) = (options("docker"), options("fvp"));
        for name in ["uefi", "uefi-menu"] {
            if let Some(table) = present(&methods, name) {
                self.menus.insert(name.to_owned(), Menus::read(&table));
            }
        }
        for name in LOADERS {
            if let Some(table) = present(&methods, name) {
                let loader = self.loaders.entry(name.to_owned()).or_default();
                loader.read(&table);
            }
        }
    }

    /// The folder of a job's overlay on the board.
    pub fn lava_dir(&self, job_id: &str) -> String {
        let folder = self.results_dir.as_deref().unwrap_or(RESULTS_DIR).replace("%s", job_id);
        format!("/{}", folder.trim_matches('/'))
    }

    /// The shell on the board.
    pub fn shell(&self) -> &str {
        self.shell.as_deref().unwrap_or("/bin/sh")
    }

    /// The QEMU of a boot method. A program that is no system, `monitor`, has none of its own.
    pub fn qemu(&self, method: &str) -> Option<&Qemu> {
        self.qemu.get(if method == "monitor" { "qemu" } else { method })
    }

    /// Whether jobs may choose the whole command line of a method's QEMU, which can run anything on this host.
    pub fn trusts_jobs(&self, method: &str) -> bool {
        match method {
            vm::METHOD => self.vm.as_ref().is_some_and(|vm| vm.trust_jobs),
            _ => self.qemu(method).is_some_and(|qemu| qemu.trust_jobs),
        }
    }

    /// The menus of a boot method; none at all, if the device has none.
    pub fn menus(&self, method: &str) -> Menus {
        self.menus.get(method).cloned().unwrap_or_default()
    }

    /// The boot loader of a boot method; one of which nothing is known, if the device has none.
    pub fn loader(&self, method: &str) -> Loader {
        self.loaders.get(method).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Problems;

    fn read(text: &str) -> Result<Device, String> {
        let problems = Problems::default();
        let at = At::top("device.yaml", &problems);
        let device = crate::yaml::parse(text, &at).and_then(|node| Device::read(&node, &at));
        problems.check(device).map_err(|failure| failure.to_string())
    }

    #[test]
    fn the_example_device_is_read() {
        let device = read(include_str!("../../../conf/devices/qemu-uboot.yaml")).unwrap();
        assert_eq!(device.connect.as_deref(), Some("lava-console panda01"));
        assert_eq!(device.loader("u-boot").prompts, ["=> "]);
        assert_eq!(device.loader("u-boot").commands["ramdisk"].len(), 9);
        assert_eq!(device.loader("u-boot").interrupt_character, " ");
        assert_eq!(device.addresses["booti"].kernel, "0x40400000");
        assert_eq!(device.action_timeouts["power-off"], 10);
    }

    #[test]
    fn wrong_types_are_told_with_their_places_and_unused_keys_are_left_alone() {
        let text = "adb_serial_number: x
commands: {connect: [a], hard_reset: {a: b}}
timeouts:
  actions: {power-off: 10}
";
        assert_eq!(
            read(text).unwrap_err(),
            "device.yaml:2:21: commands.connect: expected a text, found a list
device.yaml:2:38: commands.hard_reset: expected a text or a list of texts, found a table
device.yaml:4:24: timeouts.actions.power-off: expected a time limit such as {minutes: 5}, found a whole number"
        );
    }

    #[test]
    fn the_primary_connection_is_taken() {
        let text = "commands: {connections: {uart0: {connect: telnet a 1, tags: [primary, telnet]},
            uart1: {connect: telnet a 2}}}";
        let device = read(text).unwrap();
        assert_eq!(device.connect.as_deref(), Some("telnet a 1"));
        assert_eq!(device.connections["uart1"], "telnet a 2");
    }
}
