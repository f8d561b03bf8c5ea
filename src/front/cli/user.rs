//! Who sits at this terminal.

use crate::sys::user_name;

/// The name that others see: `$LAVA_USER`, else `$LOGNAME`, else `$USER`, else what `/etc/passwd` calls
/// the user of this process, else its number.
pub(super) fn user() -> String {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let named = ["LAVA_USER", "LOGNAME", "USER"].into_iter().find_map(set);
    named.unwrap_or_else(|| user_name(rustix::process::getuid().as_raw()))
}
