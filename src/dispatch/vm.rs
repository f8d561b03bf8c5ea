//! What a device dictionary says of a board that is a virtual machine, which is there when an image is booted on it.

use std::path::PathBuf;

use crate::config::Table;
use crate::dispatch::device::values::{filled, present, texts};
use crate::dispatch::job::{SshServer, Text};
use crate::model::VmArch;

/// Who makes machines, by their names; the first is taken where none is said.
pub const PROVIDERS: &[&str] = &["qemu"];
/// The method.
pub const METHOD: &str = "vm";

/// The boot method `vm`.
#[derive(Debug, Clone)]
pub struct Vm {
    /// Who makes the machine: one of [`PROVIDERS`].
    pub provider: String,
    pub arch: VmArch,
    /// The program of this host that is the machine.
    pub command: String,
    /// Its options, each perhaps of several words.
    pub options: Vec<String>,
    /// In MiB.
    pub memory: u32,
    pub cpus: u32,
    /// The least that its disk has, in GiB, however small its image is.
    pub disk: Option<u32>,
    /// The machine gets onto no network: who is let in comes by its SSH.
    pub restrict: bool,
    /// Where its SSH server is to be found, if it is: there the worker listens for it. No job says that.
    pub ssh: Option<SshServer>,
    /// Whether jobs may put anything into the dictionary by their context, which can run anything on this host.
    pub trust_jobs: bool,
    /// The Unix socket where the `lava-serial` that has the board's console finds the serial line. Without it
    /// the job serves the console, on this host.
    pub line: Option<PathBuf>,
}

impl Vm {
    /// Reads `actions: boot: methods: vm: parameters`; `None` where there is none.
    pub(in crate::dispatch) fn read(methods: &Table<'_>) -> Option<Self> {
        let table = present(&present(methods, METHOD)?, "parameters")?;
        let text = |key: &str| filled::<Text>(&table, key).map(|text| text.0);
        let provider = text("provider").unwrap_or_else(|| PROVIDERS[0].to_owned());
        if !PROVIDERS.contains(&provider.as_str()) {
            let what =
                format!("nobody here makes machines by {provider:?}: {}", PROVIDERS.join(", "));
            table.problem("provider", what);
        }
        let arch = text("arch").map_or(Ok(VmArch::X86_64), |arch| arch.parse());
        let arch = arch.unwrap_or_else(|why| {
            table.problem("arch", why);
            VmArch::X86_64
        });
        let at_least_one = |key: &str, default: u32| {
            let number = filled::<u32>(&table, key).unwrap_or(default);
            if number == 0 {
                table.problem(key, "it is at least 1");
            }
            number
        };
        Some(Self {
            provider,
            arch,
            command: text("command").unwrap_or_else(|| format!("qemu-system-{arch}")),
            options: texts(&table, "options"),
            memory: at_least_one("memory", 512),
            cpus: at_least_one("cpus", 1),
            disk: filled(&table, "disk"),
            restrict: filled(&table, "restrict").unwrap_or(true),
            ssh: text("ssh").and_then(|place| {
                let server = SshServer::of(&place);
                if server.is_none() {
                    table.problem("ssh", format!("{place:?} is no HOST:PORT"));
                }
                server
            }),
            trust_jobs: filled(&table, "trust_jobs").unwrap_or(false),
            line: text("line").map(PathBuf::from),
        })
    }
}
