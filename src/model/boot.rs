//! Booting a leased board: what its holder asks for, and how far it is.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a board is to boot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BootRequest {
    /// The kernel; of a virtual machine, and of a QEMU that boots without a kernel, its disk. An image by its name or SHA-256, or a URL, http or
    /// https. So are all files.
    pub image: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ramdisk: Option<String>,
    /// The device tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dtb: Option<String>,
    /// Which of the boot commands of the board's dictionary are typed; `ramdisk` when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commands: Option<String>,
    /// The kernel's command line, of a QEMU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub append: Option<String>,
    /// By which the board's shell is known, as regular expressions; else what most shells have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prompts: Vec<String>,
    /// As whom to log in on the console, where it asks for that; without a password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<String>,
    /// A public key that may log in by SSH from then on. It needs `login`, but for a virtual machine, which is told it
    /// when it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh_key: Option<String>,
    /// Whether it is ready only when its SSH server answers, at the board's attributes `address` and `ssh-port`.
    /// When it is not said, so for a virtual machine that has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh: Option<bool>,
    /// Who asks, where nobody logs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// How far a boot is, the latest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BootState {
    /// It waits for a worker.
    Queued,
    /// Its files are got.
    Deploying,
    /// The board was reset, and its boot loader or kernel runs.
    Booting,
    /// The kernel runs; its shell, or its SSH server, is waited for.
    Login,
    /// All that was waited for is there, and its console is everybody's who has it.
    Ready,
    /// The job's error says why.
    Failed,
}

impl BootState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Deploying => "deploying",
            Self::Booting => "booting",
            Self::Login => "login",
            Self::Ready => "ready",
            Self::Failed => "failed",
        }
    }
}
