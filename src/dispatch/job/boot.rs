//! A boot block: what all methods have, and what some have beside it.

use std::collections::BTreeMap;

use super::artefact::one_of;
use super::deploy::Container;
use super::{Text, Texts};
use crate::config::{Place, Table, Value};

/// How the board is booted and logged in to.
#[derive(Debug, Clone, Default)]
pub struct Boot {
    /// As `u-boot` or `minimal`.
    pub method: String,
    /// Where `commands` stands in the job file.
    pub place: Place,
    pub commands: Commands,
    /// The name of one of the board's consoles, or what kind of connection it is.
    pub connection: Option<String>,
    /// The shell prompts to wait for, as regular expressions.
    pub prompts: Vec<String>,
    /// Of GRUB: what an installer says at its end, which nobody logs in to; regular expressions.
    pub finished: Vec<String>,
    pub auto_login: Option<AutoLogin>,
    /// Of `depthcharge`: what is put behind the device's own command line of the kernel.
    pub kernel_args: Option<String>,
    /// Replaces the device's own message that says the boot loader is done.
    pub final_message: Option<String>,
    /// Replaces the device's own message that says the kernel has started.
    pub kernel_start_message: Option<String>,
    /// What a system says that goes down for `soft_reboot`: the boot begins behind it.
    pub shutdown_message: Option<String>,
    /// What the kernel says of its troubles is of no interest.
    pub ignore_kernel_messages: bool,
    /// The overlay is fetched by the booted board itself.
    pub transfer_overlay: Option<Transfer>,
    /// How the kernel was built, when no deploy block of the job tells.
    pub kernel_type: Option<String>,
    /// Commands that reboot the running system, where the outlet is not to be used.
    pub soft_reboot: Vec<String>,
    /// Of `minimal`: whether the board is reset.
    pub reset: bool,
    /// Of `ipxe`: it fetches its commands as a script.
    pub use_bootscript: bool,
    /// Of `minimal`: whether the device's own commands are run before its power and before its system.
    pub pre_power: bool,
    pub pre_os: bool,
    /// Of `bootloader`: which one.
    pub bootloader: Option<String>,
    /// The files of a system that is on a medium of the board already.
    pub media: Media,
    /// Of `fvp`.
    pub fvp: Option<Fvp>,
    /// Of `kexec`.
    pub kexec: Kexec,
    /// Of `docker` and of methods whose programs run in one.
    pub container: Option<Container>,
    /// Of `docker` and `kexec`: the program to start.
    pub command: Option<String>,
    /// Of `docker`: the namespace whose downloaded files the container has, if not its own.
    pub downloads: Option<String>,
    /// Of `uefi`: the entry of the menu that leads to the shell; empty when there is no menu.
    pub shell_menu: Option<String>,
    /// Of `uefi-menu`: what ends a line, `unix` or `dos`.
    pub line_separator: Option<String>,
    /// Of `schroot`.
    pub schroot: Option<String>,
    /// Of `jlink`.
    pub core_type: Option<String>,
    /// Of `qdl`.
    pub qdl: Qdl,
    /// Of `avh`: the kernel's command lines, `normal` and `restore`.
    pub bootargs: BTreeMap<String, String>,
    /// Of `gdb`: the container to run it in, where the device has it in one.
    pub gdb_container: Option<String>,
    /// Of `uuu`: the commands, each with its protocol.
    pub uuu: Vec<(String, String)>,
    /// The board is up only when this SSH server answers.
    pub wait_ssh: Option<SshServer>,
    /// Of `vm`: the public keys that may log in.
    pub ssh_keys: Vec<String>,
}

/// A server that is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshServer {
    pub host: String,
    pub port: u16,
}

/// How a board gets the overlay by itself.
#[derive(Debug, Clone, Default)]
pub struct Transfer {
    /// The URL is put behind it.
    pub download_command: String,
    /// The file's name is put behind it.
    pub unpack_command: String,
    /// How it gets there: LAVA knows `http`, `nfs` and `zmodem`.
    pub method: Option<String>,
}

/// Where a system is on a medium of the board.
#[derive(Debug, Clone, Default)]
pub struct Media {
    pub kernel: Option<String>,
    pub ramdisk: Option<String>,
    pub dtb: Option<String>,
    pub root_uuid: Option<String>,
    pub boot_part: Option<String>,
}

/// An Arm Fixed Virtual Platform: a model that runs as a program in a container.
#[derive(Debug, Clone, Default)]
pub struct Fvp {
    /// The model's program.
    pub image: String,
    pub arguments: Vec<String>,
    /// What the model prints of its version; a regular expression.
    pub version: String,
    pub version_args: String,
    /// What it prints of its console, with the group `PORT`.
    pub console: String,
    /// What it prints of its other consoles, with the groups `NAME` and `PORT`.
    pub feedbacks: Vec<String>,
    /// The console is reached over TCP; else it is what the model prints.
    pub use_telnet: bool,
    pub license: Option<String>,
    /// Commands for the container once the model runs.
    pub commands: Vec<String>,
    /// The artefact that is started in the container to talk to the model.
    pub erpc_app: Option<String>,
}

/// What `kexec` is given.
#[derive(Debug, Clone, Default)]
pub struct Kexec {
    pub kernel: Option<String>,
    pub dtb: Option<String>,
    pub initrd: Option<String>,
    pub options: Vec<String>,
    /// What the new kernel says first; a regular expression.
    pub boot_message: Option<String>,
}

/// What `qdl` is given.
#[derive(Debug, Clone, Default)]
pub struct Qdl {
    pub firehose_program: String,
    pub rawprogram: Vec<String>,
    pub patch: Vec<String>,
    /// As `ufs` or `emmc`.
    pub storage: Option<String>,
    /// The folder of the archive that has the files.
    pub path: Option<String>,
    pub debug: bool,
}

/// What is typed at the boot loader's prompt.
#[derive(Debug, Clone)]
pub enum Commands {
    /// The name of a list in the device dictionary, as `ramdisk`.
    Named(String),
    List(Vec<String>),
}

impl Default for Commands {
    fn default() -> Self {
        Self::List(Vec::new())
    }
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
    /// The boot loader that is talked to.
    pub fn loader(&self) -> &str {
        self.bootloader.as_deref().unwrap_or(&self.method)
    }

    pub(super) fn read(method: &str, table: &Table<'_>) -> Self {
        let commands = match table.node("commands").map(|node| &node.value) {
            Some(Value::Text(name)) => Commands::Named(name.clone()),
            // Of `uuu` each is a table: the program and what it is given.
            Some(_) if method == "uuu" => Commands::List(Vec::new()),
            Some(_) => Commands::List(texts(table, "commands")),
            None => {
                if NEED_COMMANDS.contains(&method) {
                    table.problem("commands", "\"commands\" is missing");
                }
                Commands::List(Vec::new())
            }
        };
        let parameters = table.table("parameters");
        let message = |key: &str| parameters.as_ref().and_then(|table| table.optional(key));
        let [final_message, kernel_start_message, shutdown_message] =
            ["bootloader-final-message", "kernel-start-message", "shutdown-message"].map(message);
        if let Some(parameters) = parameters {
            if method == "ssh" {
                for key in ["hostID", "host_key"] {
                    parameters.optional::<Text>(key);
                }
            }
            parameters.finish();
        }
        for key in ["type", "media"] {
            table.optional::<String>(key);
        }
        // Whoever asks for no shell has no prompts, either.
        let no_shell = table.optional::<bool>("expect_shell") == Some(false);
        if let Some(node) = table.node("expect_shell").filter(|_| no_shell)
            && table.node("prompts").is_some()
        {
            let what = "this has no effect here: the block has \"prompts\", and one is waited for";
            table.at().key("expect_shell").note(node.place, what);
        }
        let ignores = |table: &Table<'_>| table.optional("ignore_kernel_messages").unwrap_or(false);
        let flag = |key: &str| table.optional(key).unwrap_or(false);
        let text = |key: &str| table.optional::<Text>(key).map(|text| text.0);
        let only =
            |methods: &[&str], key: &str| methods.contains(&method).then(|| text(key)).flatten();
        let bootloader = match method {
            "bootloader" => table.required("bootloader"),
            _ => None,
        };
        Self {
            method: method.to_owned(),
            place: table.node("commands").map_or(table.place(), |node| node.place),
            commands,
            connection: table.optional("connection"),
            prompts: texts(table, "prompts"),
            finished: texts(table, "boot_finished"),
            auto_login: AutoLogin::read(table),
            kernel_args: only(&["depthcharge"], "extra_kernel_args"),
            final_message,
            kernel_start_message,
            shutdown_message,
            // LAVA has had it in both places.
            ignore_kernel_messages: ignores(table)
                || table.node("auto_login").is_some()
                    && table.table("auto_login").is_some_and(|login| ignores(&login)),
            transfer_overlay: Transfer::read(table),
            kernel_type: one_of(table, "kernel_type", &["image", "zimage", "uimage"]),
            soft_reboot: texts(table, "soft_reboot"),
            reset: table.optional("reset").unwrap_or(true),
            use_bootscript: flag("use_bootscript"),
            pre_power: flag("pre_power_command"),
            pre_os: flag("pre_os_command"),
            bootloader,
            media: Media {
                kernel: text("kernel"),
                ramdisk: text("ramdisk"),
                dtb: text("dtb"),
                root_uuid: text("root_uuid"),
                boot_part: text("boot_part"),
            },
            fvp: (method == "fvp").then(|| Fvp::read(table)),
            kexec: Kexec {
                kernel: text("kernel"),
                dtb: text("dtb"),
                initrd: only(&["kexec"], "initrd"),
                options: if method == "kexec" { texts(table, "options") } else { Vec::new() },
                boot_message: only(&["kexec"], "boot_message"),
            },
            container: Container::read(table, "docker"),
            command: only(&["docker", "kexec"], "command"),
            downloads: only(&["docker", "nodebooter"], "downloads-namespace"),
            shell_menu: only(&["uefi"], "shell_menu"),
            line_separator: only(&["uefi-menu", "uefi"], "line_separator"),
            schroot: only(&["schroot"], "schroot"),
            core_type: only(&["jlink"], "coretype"),
            qdl: if method == "qdl" { Qdl::read(table) } else { Qdl::default() },
            bootargs: if method == "avh" { bootargs(table) } else { BTreeMap::new() },
            gdb_container: only(&["gdb"], "container"),
            uuu: if method == "uuu" { uuu(table) } else { Vec::new() },
            wait_ssh: SshServer::read(table),
            ssh_keys: if method == "vm" { texts(table, "ssh_keys") } else { Vec::new() },
        }
    }
}

/// The methods that type commands at a boot loader, which the job has to name or list.
const NEED_COMMANDS: [&str; 10] = [
    "barebox",
    "bootloader",
    "depthcharge",
    "grub",
    "grub-efi",
    "ipxe",
    "recovery",
    "u-boot",
    "uefi",
    "uefi-menu",
];

impl SshServer {
    /// One as `HOST:PORT`.
    pub fn of(place: &str) -> Option<Self> {
        let (host, port) = place.rsplit_once(':')?;
        let port = port.parse().ok().filter(|port| *port > 0)?;
        (!host.is_empty()).then(|| Self { host: host.to_owned(), port })
    }

    fn read(block: &Table<'_>) -> Option<Self> {
        let table = block.table("wait_ssh")?;
        let host = table.required::<Text>("host").map(|text| text.0).unwrap_or_default();
        let server = Self { host, port: table.optional("port").unwrap_or(22) };
        table.finish();
        Some(server)
    }
}

impl Transfer {
    fn read(block: &Table<'_>) -> Option<Self> {
        let table = block.table("transfer_overlay")?;
        let method = one_of(&table, "transfer_method", &["http", "nfs", "zmodem"]);
        let text = |key: &str| match method {
            None => table.required::<String>(key).unwrap_or_default(),
            Some(_) => table.optional::<String>(key).unwrap_or_default(),
        };
        let transfer = Self {
            download_command: text("download_command"),
            unpack_command: text("unpack_command"),
            method: method.clone(),
        };
        table.finish();
        Some(transfer)
    }
}

impl Fvp {
    fn read(table: &Table<'_>) -> Self {
        let text = |key: &str| table.optional::<Text>(key).map(|text| text.0);
        let erpc_app = text("erpc_app");
        Self {
            image: table.required("image").unwrap_or_default(),
            arguments: texts(table, "arguments"),
            version: text("version_string").unwrap_or_default(),
            version_args: text("version_args").unwrap_or_else(|| "--version".into()),
            console: table.required("console_string").unwrap_or_default(),
            feedbacks: texts(table, "feedbacks"),
            use_telnet: table.optional("use_telnet").unwrap_or(true),
            license: text("ubl_license").or_else(|| text("license_variable")),
            commands: texts(table, "commands"),
            erpc_app,
        }
    }
}

impl Qdl {
    fn read(table: &Table<'_>) -> Self {
        Self {
            firehose_program: table.required("firehose_program").unwrap_or_default(),
            rawprogram: texts(table, "rawprogram"),
            patch: texts(table, "patch"),
            storage: table.optional("storage"),
            path: table.optional("path"),
            debug: table.optional("debug").unwrap_or(false),
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
        table.optional::<bool>("ignore_kernel_messages");
        table.finish();
        Some(login)
    }
}

fn bootargs(table: &Table<'_>) -> BTreeMap<String, String> {
    let arguments: Option<BTreeMap<String, Text>> = table.optional("bootargs");
    let arguments = arguments.unwrap_or_default().into_iter();
    arguments.map(|(kind, words)| (kind, words.0)).filter(|(_, words)| !words.is_empty()).collect()
}

fn uuu(table: &Table<'_>) -> Vec<(String, String)> {
    let commands: Option<Vec<BTreeMap<String, Text>>> = table.optional("commands");
    let commands = commands.unwrap_or_default().into_iter().flatten();
    commands.map(|(protocol, line)| (protocol, line.0)).collect()
}

fn texts(table: &Table<'_>, key: &str) -> Vec<String> {
    table.optional::<Texts>(key).unwrap_or_default().0
}
