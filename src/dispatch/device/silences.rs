//! How long a board may say nothing before it counts as dead. The keys are not LAVA's, and stand beside its
//! `constants`.

use std::time::Duration;

use super::values::filled;
use crate::config::Table;

/// A silence that is `None` is waited out, as long as the action has time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silences {
    /// `kernel-silence`: after the boot loader's last words, before the kernel's first. A kernel that was told
    /// to print, and does not, has no console or never ran.
    pub kernel: Option<Duration>,
    /// `prompt-silence`: at a shell's or a boot loader's prompt that nobody waits for.
    pub prompt: Option<Duration>,
    /// `login-silence`: the same at a login, which may be shown before the system has all come up.
    pub login: Option<Duration>,
}

impl Default for Silences {
    fn default() -> Self {
        let [short, long] = [10, 30].map(|seconds| Some(Duration::from_secs(seconds)));
        Self { kernel: long, prompt: short, login: long }
    }
}

impl Silences {
    /// Reads the keys, each whole seconds, and 0 for never.
    pub(super) fn read(constants: &Table<'_>) -> Self {
        let usual = Self::default();
        let of = |key, usual| match filled::<u32>(constants, key) {
            Some(0) => None,
            Some(seconds) => Some(Duration::from_secs(u64::from(seconds))),
            None => usual,
        };
        Self {
            kernel: of("kernel-silence", usual.kernel),
            prompt: of("prompt-silence", usual.prompt),
            login: of("login-silence", usual.login),
        }
    }
}
