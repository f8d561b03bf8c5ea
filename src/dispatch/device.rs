//! The device dictionary: LAVA's values for one board.
//!
//! Dictionaries are rendered from templates and carry far more keys than any one job needs. Those
//! that LAVA knows are left alone here; what is used must be of the right type.

use std::collections::BTreeMap;

use super::job::{Limit, Text, Texts, none_of};
use super::names;
use super::target::Target;
use crate::config::{At, FromNode, Node, Table, Value};
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
    /// Time limits in seconds by the name of an action.
    pub action_timeouts: BTreeMap<String, u64>,
    pub connection_timeouts: BTreeMap<String, u64>,
    /// Load addresses by boot command or kernel type: `booti`, `image`, …
    pub addresses: BTreeMap<String, Addresses>,
    /// The names of the deploy methods on offer.
    pub deploy_methods: Vec<String>,
    /// The names of the boot methods on offer.
    pub boot_methods: Vec<String>,
    /// `u-boot` when ramdisks need U-Boot's legacy header.
    pub add_header: Option<String>,
    /// As U-Boot's `mkimage -A` names it.
    pub mkimage_arch: Option<String>,
    pub uboot: UBoot,
    pub kernel_start_message: String,
    pub default_shell_prompt: String,
    /// Milliseconds between two typed characters while booting and while testing.
    pub boot_character_delay: u64,
    pub test_character_delay: u64,
    /// How often a boot is tried when the job does not say.
    pub boot_retry: Option<u32>,
    pub failure_retry: Option<u32>,
    /// What the board's tests may know of it.
    pub target: Target,
}

/// Commands of the host that switch the board, each list run in order.
#[derive(Debug, Clone, Default)]
pub struct Power {
    pub hard_reset: Vec<String>,
    pub soft_reboot: Vec<String>,
    pub power_on: Vec<String>,
    pub power_off: Vec<String>,
}

#[derive(Debug, Clone, Default)]
pub struct Addresses {
    pub kernel: String,
    pub ramdisk: String,
    pub dtb: String,
    pub tee: Option<String>,
}

/// How to talk to the board's U-Boot.
#[derive(Debug, Clone, Default)]
pub struct UBoot {
    pub prompts: Vec<String>,
    pub needs_interrupt: bool,
    pub interrupt_prompt: String,
    pub interrupt_character: String,
    /// Control characters to send instead, as `c` for Ctrl-C.
    pub interrupt_control: Vec<String>,
    /// Whether a line end follows the interrupt character.
    pub interrupt_newline: bool,
    /// What U-Boot says last.
    pub final_message: String,
    /// What it says when a command has failed; regular expressions.
    pub error_messages: Vec<String>,
    /// The lists of commands by name.
    pub commands: BTreeMap<String, Vec<String>>,
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
                .map(|text| text.0),
            kernel_start_message: "Linux version [0-9]".into(),
            default_shell_prompt: "lava-test: # ".into(),
            target: Target::read(&top),
            ..Self::default()
        };
        if let Some(table) = present(&top, "commands") {
            device.connect = connect(&table);
            device.commands = Power {
                hard_reset: texts(&table, "hard_reset"),
                soft_reboot: texts(&table, "soft_reboot"),
                power_on: texts(&table, "power_on"),
                power_off: texts(&table, "power_off"),
            };
        }
        if let Some(table) = present(&top, "timeouts") {
            for key in ["actions", "connections"] {
                names::check(&table, key);
            }
            device.action_timeouts = limits(&table, "actions");
            device.connection_timeouts = limits(&table, "connections");
        }
        if let Some(table) = present(&top, "character_delays") {
            device.boot_character_delay = table.optional("boot").unwrap_or(0);
            device.test_character_delay = table.optional("test").unwrap_or(0);
        }
        device.read_addresses(&top);
        device.read_constants(&top);
        device.read_actions(&top);
        Some(device)
    }

    fn read_addresses(&mut self, top: &Table<'_>) {
        let Some(table) = present(top, "parameters") else { return };
        for kind in ["image", "booti", "uimage", "bootm", "zimage", "bootz"] {
            let Some(table) = present(&table, kind) else { continue };
            let text = |key| address(&table, key);
            let addresses = Addresses {
                kernel: text("kernel").unwrap_or_default(),
                ramdisk: text("ramdisk").unwrap_or_default(),
                dtb: text("dtb").unwrap_or_default(),
                tee: text("tee"),
            };
            self.addresses.insert(kind.to_owned(), addresses);
        }
    }

    fn read_constants(&mut self, top: &Table<'_>) {
        let Some(table) = present(top, "constants") else { return };
        let text = |table: &Table<'_>, key: &str| filled::<Text>(table, key).map(|text| text.0);
        if let Some(message) = text(&table, "kernel-start-message") {
            self.kernel_start_message = message;
        }
        if let Some(prompt) = text(&table, "default-shell-prompt") {
            self.default_shell_prompt = prompt;
        }
        self.boot_retry = filled(&table, "boot_retry");
        self.failure_retry = filled(&table, "failure_retry");
        let Some(table) = present(&table, "u-boot") else { return };
        self.uboot = UBoot {
            interrupt_prompt: text(&table, "interrupt-prompt").unwrap_or_default(),
            interrupt_character: text(&table, "interrupt-character").unwrap_or_default(),
            interrupt_control: texts(&table, "interrupt_ctrl_list"),
            interrupt_newline: filled(&table, "interrupt-newline").unwrap_or(true),
            final_message: text(&table, "final-message").unwrap_or_default(),
            error_messages: texts(&table, "error-messages"),
            needs_interrupt: true,
            ..UBoot::default()
        };
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

    fn read_actions(&mut self, top: &Table<'_>) {
        let Some(actions) = present(top, "actions") else { return };
        if let Some(deploy) = present(&actions, "deploy") {
            self.deploy_methods = names(&deploy, "methods");
            if let Some(parameters) = present(&deploy, "parameters") {
                self.read_header(&parameters);
            }
        }
        let Some(boot) = present(&actions, "boot") else { return };
        self.boot_methods = names(&boot, "methods");
        let Some(uboot) = present(&boot, "methods").and_then(|table| present(&table, "u-boot"))
        else {
            return;
        };
        if let Some(parameters) = present(&uboot, "parameters") {
            let text = |key| filled::<Text>(&parameters, key).map(|text| text.0);
            self.uboot.prompts = texts(&parameters, "bootloader_prompt");
            self.uboot.needs_interrupt = filled(&parameters, "needs_interrupt").unwrap_or(true);
            if let Some(prompt) = text("interrupt_prompt") {
                self.uboot.interrupt_prompt = prompt;
            }
            if let Some(character) = text("interrupt_char").filter(|text| !text.is_empty()) {
                self.uboot.interrupt_character = character;
            }
        }
        for (key, node) in uboot.entries() {
            let Some(table) = node.get("commands").and_then(|_| present(&uboot, &key.name)) else {
                continue;
            };
            self.uboot.commands.insert(key.name.clone(), texts(&table, "commands"));
        }
    }
}

/// A load address: a hexadecimal number, or a variable of U-Boot's.
fn address(table: &Table<'_>, key: &str) -> Option<String> {
    let address = filled::<Text>(table, key)?.0;
    let digits = address.strip_prefix("0x").unwrap_or(&address);
    let is_number = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_hexdigit());
    if !is_number && !address.contains('$') && !address.is_empty() {
        let expected =
            "a load address is a number such as 0x40400000, or a variable such as ${loadaddr}";
        table.problem(key, format!("{address:?}: {expected}"));
    }
    Some(address)
}

/// The command of `connect`, or of the connection that is tagged as primary.
fn connect(commands: &Table<'_>) -> Option<String> {
    if let Some(connect) = filled(commands, "connect") {
        return Some(connect);
    }
    let connections = present(commands, "connections")?;
    let primary = connections.entries().iter().find(|(_, node)| {
        let tags = node.get("tags").map(|tags| &tags.value);
        matches!(tags, Some(Value::List(tags)) if tags.iter().any(|tag| tag.as_text() == Some("primary")))
    });
    let first = || connections.entries().first();
    let (_, node) = primary.or_else(first)?;
    node.get("connect").and_then(Node::as_text).map(ToOwned::to_owned)
}

/// A table, unless the key is missing or empty: templates often render empty ones.
fn present<'a>(table: &Table<'a>, key: &str) -> Option<Table<'a>> {
    table.node(key).filter(|node| node.value != Value::Null)?;
    table.table(key)
}

/// A value, unless the key is missing or empty.
fn filled<T: FromNode>(table: &Table<'_>, key: &str) -> Option<T> {
    table.node(key).filter(|node| node.value != Value::Null)?;
    table.optional(key)
}

fn texts(table: &Table<'_>, key: &str) -> Vec<String> {
    filled::<Texts>(table, key).unwrap_or_default().0
}

fn limits(table: &Table<'_>, key: &str) -> BTreeMap<String, u64> {
    let limits: Option<BTreeMap<String, Limit>> = filled(table, key);
    limits.unwrap_or_default().into_iter().map(|(name, limit)| (name, limit.seconds)).collect()
}

fn names(table: &Table<'_>, key: &str) -> Vec<String> {
    let Some(table) = present(table, key) else { return Vec::new() };
    table.entries().iter().map(|(key, _)| key.name.clone()).collect()
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
        let device = read(include_str!("../../conf/devices/qemu-uboot.yaml")).unwrap();
        assert_eq!(device.connect.as_deref(), Some("lava-console panda01"));
        assert_eq!(device.uboot.prompts, ["=> "]);
        assert_eq!(device.uboot.commands["ramdisk"].len(), 9);
        assert_eq!(device.uboot.interrupt_character, " ");
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
        assert_eq!(read(text).unwrap().connect.as_deref(), Some("telnet a 1"));
    }
}
