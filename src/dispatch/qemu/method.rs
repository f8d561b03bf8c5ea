//! What a device dictionary says of QEMU.

use crate::config::{Table, Value};
use crate::dispatch::job::{Text, Texts};

/// A boot method `qemu` or `qemu-nfs`.
#[derive(Debug, Clone, Default)]
pub struct Qemu {
    /// The program.
    pub command: String,
    /// Its options, each perhaps of several words.
    pub options: Vec<String>,
    /// The options that the job's context adds.
    pub extra: Vec<String>,
    /// Whether jobs may choose the whole command line, which can run anything on this host.
    pub trust_jobs: bool,
    /// The console of what it boots, as the kernel names it, where an installer is told.
    pub console: Option<String>,
    /// What it boots from when an installer is done, as `-boot` has it.
    pub boot_order: Option<String>,
    /// Of `qemu-nfs`: what its kernel is told, with `{NFS_SERVER_IP}` and `{NFSROOTFS}` in it.
    pub append: Option<String>,
}

/// The drive that brings the tests to a board whose images the job leaves as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guest {
    /// In MiB.
    pub size: u64,
    /// As QEMU names it: `ide`, `virtio`, `scsi`, `none`.
    pub interface: String,
    pub drive: String,
}

impl Default for Guest {
    fn default() -> Self {
        Self { size: 512, interface: "ide".into(), drive: "lavatest".into() }
    }
}

impl Qemu {
    /// Reads `actions: boot: methods: METHOD: parameters`; `None` where there is none.
    pub(in crate::dispatch) fn read(methods: &Table<'_>, method: &str) -> Option<Self> {
        let parameters = present(&present(methods, method)?, "parameters")?;
        let texts = |key: &str| {
            let node = parameters.node(key).filter(|node| node.value != Value::Null);
            node.and_then(|_| parameters.optional::<Texts>(key)).unwrap_or_default().0
        };
        let text = |table: &Table<'_>, key: &str| {
            table.node(key).filter(|node| node.value != Value::Null)?;
            table.optional::<Text>(key).map(|text| text.0)
        };
        let boot = present(&parameters, "boot_options");
        let append = present(&parameters, "append").map(|table| {
            let named = |key: &str| text(&table, key).map(|value| format!("{key}={value}"));
            let nfs = text(&table, "nfsrootargs").map(|arguments| format!("{arguments} rw"));
            let words = [named("console"), named("root"), nfs, text(&table, "ipargs")];
            words.into_iter().flatten().collect::<Vec<_>>().join(" ")
        });
        // Some templates leave the program out when no job says an architecture.
        let command = parameters.node("command").filter(|node| node.value != Value::Null);
        Some(Self {
            command: command.and_then(|_| parameters.optional("command")).unwrap_or_default(),
            options: texts("options"),
            extra: texts("extra"),
            trust_jobs: parameters.optional("trust_jobs").unwrap_or(false),
            console: boot.as_ref().and_then(|boot| text(boot, "console")),
            boot_order: boot.as_ref().and_then(|boot| text(boot, "boot_order")),
            append,
        })
    }
}

impl Guest {
    /// Reads `actions: deploy: methods: image: parameters: guest`.
    pub(in crate::dispatch) fn read(methods: &Table<'_>) -> Self {
        let image = present(methods, "image").and_then(|image| present(&image, "parameters"));
        let Some(table) = image.and_then(|parameters| present(&parameters, "guest")) else {
            return Self::default();
        };
        let text =
            |key: &str, default: String| table.optional::<Text>(key).map_or(default, |text| text.0);
        let default = Self::default();
        Self {
            size: table.optional("size").unwrap_or(default.size),
            interface: text("interface", default.interface),
            drive: text("driveid", default.drive),
        }
    }
}

fn present<'a>(table: &Table<'a>, key: &str) -> Option<Table<'a>> {
    table.node(key).filter(|node| node.value != Value::Null)?;
    table.table(key)
}
