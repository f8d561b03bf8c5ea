//! The keys of `driver = "qmp"`: virtual boards in QEMU, by their monitors.

use std::path::PathBuf;

use super::template::{Escape, Template, Values};
use crate::config::Table;

/// QEMU Machine Protocol on a Unix socket.
#[derive(Debug, Clone)]
pub struct Qmp {
    /// In which `{port}` and `{outlet}` may stand, where every machine has a socket of its own.
    socket: Template,
    /// Whether a cycle is a reset that the machine runs through, instead of off and on.
    pub native_cycle: bool,
}

impl Qmp {
    pub(super) fn read(table: &Table<'_>) -> Option<Self> {
        table.required::<String>("socket");
        let socket = table.parsed("socket", |text| {
            let path = text.strip_prefix("unix:").unwrap_or(text);
            match path.starts_with('/') {
                true => Template::parse(path, &[]),
                false => {
                    Err(format!("{text:?} is no socket; write it like /run/qemu/{{port}}.qmp"))
                }
            }
        });
        let native_cycle = table.optional("native_cycle").unwrap_or(false);
        Some(Self { socket: socket?, native_cycle })
    }

    /// The socket of an outlet's machine. `None` when the port does not fit.
    pub fn socket(&self, port: &str, outlet: &str) -> Option<PathBuf> {
        let values = Values { words: &[("outlet", outlet)], port };
        self.socket.fill(&values, Escape::Plain).map(PathBuf::from)
    }

    /// Whether an outlet can be called so: its name is a part of a path.
    pub(super) fn check(&self, port: &str) -> Result<(), String> {
        if port.contains(['/', '\0'])
            || matches!(port, "." | "..")
            || self.socket(port, "x").is_none()
        {
            return Err(format!("{port:?} cannot be a part of the socket's path"));
        }
        Ok(())
    }
}
