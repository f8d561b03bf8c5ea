//! What a device dictionary says of the board's boot loaders.

use std::collections::BTreeMap;

use super::values::{filled, present, texts};
use crate::config::Table;
use crate::dispatch::job::Text;

/// How to talk to a boot loader of the board.
#[derive(Debug, Clone, Default)]
pub struct Loader {
    pub prompts: Vec<String>,
    pub needs_interrupt: bool,
    pub interrupt_prompt: String,
    pub interrupt_character: String,
    /// Control characters to send instead, as `c` for Ctrl-C.
    pub interrupt_control: Vec<String>,
    /// Whether a line end follows the interrupt character.
    pub interrupt_newline: bool,
    /// What it says first, where that is waited for; a regular expression.
    pub start_message: String,
    /// The way through the firmware's menus that leads to it.
    pub menu: String,
    /// The address of the board's network interface, for what asks for it.
    pub mac: Option<String>,
    /// U-Boot shows the board's medium to this host, which writes the image.
    pub ums_flash: bool,
    /// That medium as a file of this host.
    pub ums_disk: Option<String>,
    /// What it says last.
    pub final_message: String,
    /// What it says when a command has failed; regular expressions.
    pub error_messages: Vec<String>,
    /// The lists of commands by name.
    pub commands: BTreeMap<String, Vec<String>>,
    /// The kernel's command lines by the name of the commands, where they are apart.
    pub command_lines: BTreeMap<String, String>,
}

/// The boot methods that talk to a boot loader.
pub(super) const LOADERS: [&str; 9] = [
    "barebox",
    "depthcharge",
    "grub",
    "grub-efi",
    "ipxe",
    "nodebooter",
    "u-boot",
    "uefi",
    "uefi-menu",
];

impl Loader {
    /// Reads what the constants of a boot method say.
    pub(super) fn of_constants(table: &Table<'_>) -> Self {
        let text = |key| filled::<Text>(table, key).map(|text| text.0).unwrap_or_default();
        Self {
            interrupt_prompt: text("interrupt-prompt"),
            interrupt_character: text("interrupt-character"),
            interrupt_control: texts(table, "interrupt_ctrl_list"),
            interrupt_newline: filled(table, "interrupt-newline").unwrap_or(true),
            final_message: text("final-message"),
            error_messages: texts(table, "error-messages"),
            needs_interrupt: true,
            ..Self::default()
        }
    }

    /// Reads the parameters of a boot method, and its lists of commands.
    pub(super) fn read(&mut self, method: &Table<'_>) {
        if let Some(parameters) = present(method, "parameters") {
            let text = |key| filled::<Text>(&parameters, key).map(|text| text.0);
            self.prompts = texts(&parameters, "bootloader_prompt");
            self.needs_interrupt = filled(&parameters, "needs_interrupt").unwrap_or(true);
            if let Some(prompt) = text("interrupt_prompt") {
                self.interrupt_prompt = prompt;
            }
            // A UEFI shell has words of its own for the same.
            if let Some(prompt) = text("shell_interrupt_prompt") {
                self.interrupt_prompt = prompt;
            }
            if let Some(character) = text("shell_interrupt_string") {
                self.interrupt_character = character;
            }
            if let Some(character) = text("interrupt_char").filter(|text| !text.is_empty()) {
                self.interrupt_character = character;
            }
            self.start_message = text("start_message").unwrap_or_default();
            self.mac = text("lava_mac");
            self.ums_disk = text("uboot_mass_storage_device").filter(|text| !text.is_empty());
            self.ums_flash = filled(&parameters, "uboot_ums_flash").unwrap_or(false);
        }
        self.menu = filled::<Text>(method, "menu_options").map(|text| text.0).unwrap_or_default();
        for (key, node) in method.entries() {
            let Some(table) = node.get("commands").and_then(|_| present(method, &key.name)) else {
                continue;
            };
            self.commands.insert(key.name.clone(), texts(&table, "commands"));
            if let Some(line) = filled::<Text>(&table, "cmdline") {
                self.command_lines.insert(key.name.clone(), line.0);
            }
        }
    }
}
