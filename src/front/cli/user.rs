//! Who sits at this terminal.

/// The name that others see: `$LAVA_USER`, else `$LOGNAME`, else `$USER`, else `unknown`.
pub(super) fn user() -> String {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    ["LAVA_USER", "LOGNAME", "USER"].into_iter().find_map(set).unwrap_or_else(|| "unknown".into())
}
