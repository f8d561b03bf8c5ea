//! The keys of `driver = "gpio"`: relays on GPIO lines of this host.

use std::path::PathBuf;

use crate::config::Table;

/// A GPIO chip. An outlet's port is a line of it: its number, or its name.
#[derive(Debug, Clone)]
pub struct Gpio {
    pub chip: PathBuf,
    /// Whether a low level means on.
    pub active_low: bool,
}

impl Gpio {
    pub(super) fn read(table: &Table<'_>) -> Option<Self> {
        table.required::<String>("chip");
        let chip = table.parsed("chip", |text| {
            let bare = text.strip_prefix("gpiochip").is_some_and(|n| n.parse::<u32>().is_ok());
            match text {
                text if bare => Ok(PathBuf::from("/dev").join(text)),
                text if text.starts_with('/') => Ok(PathBuf::from(text)),
                text => Err(format!("{text:?} is no GPIO chip; write it like /dev/gpiochip0")),
            }
        });
        let active_low = table.optional("active_low").unwrap_or(false);
        Some(Self { chip: chip?, active_low })
    }
}
