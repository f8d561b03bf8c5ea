//! A boot block `method: u-boot`.

use super::artefact::one_of;
use super::{Text, Texts};
use crate::config::{Place, Table, Value};

/// How the board is booted and logged in to.
#[derive(Debug, Clone)]
pub struct Boot {
    /// Where `commands` stands in the job file.
    pub place: Place,
    pub commands: Commands,
    /// The shell prompts to wait for, as regular expressions.
    pub prompts: Vec<String>,
    pub auto_login: Option<AutoLogin>,
    /// Replaces the device's own message that says the boot loader is done.
    pub final_message: Option<String>,
    /// Replaces the device's own message that says the kernel has started.
    pub kernel_start_message: Option<String>,
    /// The overlay is fetched by the booted board itself.
    pub transfer_overlay: bool,
    /// How the kernel was built, when no deploy block of the job tells.
    pub kernel_type: Option<String>,
    /// Commands that reboot the running system, where the outlet is not to be used.
    pub soft_reboot: Vec<String>,
}

/// What is typed at the boot loader's prompt.
#[derive(Debug, Clone)]
pub enum Commands {
    /// The name of a list in the device dictionary, as `ramdisk`.
    Named(String),
    List(Vec<String>),
}

#[derive(Debug, Clone)]
pub struct AutoLogin {
    pub login_prompt: String,
    pub username: String,
    pub password_prompt: Option<String>,
    pub password: Option<String>,
    pub login_commands: Vec<String>,
}

impl Boot {
    pub(super) fn read(table: &Table<'_>) -> Self {
        let commands = match table.node("commands").map(|node| &node.value) {
            Some(Value::Text(name)) => Commands::Named(name.clone()),
            Some(_) => Commands::List(texts(table, "commands")),
            None => {
                table.problem("commands", "\"commands\" is missing");
                Commands::List(Vec::new())
            }
        };
        let parameters = table.table("parameters");
        let message = |key: &str| parameters.as_ref().and_then(|table| table.optional(key));
        let (final_message, kernel_start_message) =
            (message("bootloader-final-message"), message("kernel-start-message"));
        if let Some(parameters) = parameters {
            parameters.optional::<Text>("shutdown-message");
            parameters.finish();
        }
        if let Some(transfer) = table.table("transfer_overlay") {
            for key in ["download_command", "unpack_command", "transfer_method"] {
                transfer.optional::<Text>(key);
            }
            transfer.finish();
        }
        for known in ["kernel", "ramdisk", "dtb", "root_uuid", "boot_part", "docker", "type"] {
            table.node(known);
        }
        table.optional::<bool>("ignore_kernel_messages");
        table.optional::<bool>("reset");
        Self {
            place: table.node("commands").map_or(table.place(), |node| node.place),
            commands,
            prompts: texts(table, "prompts"),
            auto_login: AutoLogin::read(table),
            final_message,
            kernel_start_message,
            transfer_overlay: table.node("transfer_overlay").is_some(),
            kernel_type: one_of(table, "kernel_type", &["image", "zimage", "uimage"]),
            soft_reboot: texts(table, "soft_reboot"),
        }
    }
}

impl AutoLogin {
    fn read(block: &Table<'_>) -> Option<Self> {
        let table = block.table("auto_login")?;
        let text = |key: &str| table.required::<String>(key).unwrap_or_default();
        let login = Self {
            login_prompt: text("login_prompt"),
            username: table.required::<Text>("username").map(|text| text.0).unwrap_or_default(),
            password_prompt: table.optional("password_prompt"),
            password: table.optional::<Text>("password").map(|text| text.0),
            login_commands: texts(&table, "login_commands"),
        };
        if login.password_prompt.is_some() && login.password.is_none() {
            table.problem("password", "\"password\" is missing beside \"password_prompt\"");
        }
        table.finish();
        Some(login)
    }
}

fn texts(table: &Table<'_>, key: &str) -> Vec<String> {
    table.optional::<Texts>(key).unwrap_or_default().0
}
