//! `[conmux]`: the consoles of a process for the clients of conmux.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::Table;
use super::capture::state_dir;

/// Where conmux's registry is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConmuxListen {
    /// conmux's clients know no other port than 63000. Consoles without an address of their own get a
    /// free port of this one's host.
    pub registry: SocketAddr,
    /// The file that keeps what others have registered, a `NAME HOST:PORT` a line.
    pub entries: PathBuf,
    /// Allow an address that is not loopback although nothing authenticates.
    pub insecure: bool,
    /// Whether its clients may do what needs the right to control, and switch power, though nobody logs
    /// in here. When it is left out: only while nobody has to log in elsewhere either.
    pub control: Option<bool>,
}

impl ConmuxListen {
    pub(super) fn from_table(table: &Table<'_>) -> Option<Self> {
        let registry = table.required("registry");
        let entries = table.optional("entries");
        let insecure = table.optional("insecure").unwrap_or(false);
        let entries = entries.unwrap_or_else(|| state_dir().join("conmux-registry"));
        let control = table.optional("control");
        Some(Self { registry: registry?, entries, insecure, control })
    }

    /// Where a console without an address of its own is served.
    pub(super) fn any_port(&self) -> SocketAddr {
        SocketAddr::new(self.registry.ip(), 0)
    }
}
