//! How a PDU or a broker with TLS is known: `ca`, or not at all: `insecure_tls`.

use std::path::{Path, PathBuf};

use crate::config::Table;

/// What certificate the other side has to have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsKeys {
    /// A file of CAs, read whenever something is connected; without it those of this host.
    pub ca: Option<PathBuf>,
    /// Whatever certificate there is will do. Who can get in between can read and change everything.
    pub insecure: bool,
}

impl TlsKeys {
    /// The keys; `used` tells whether there is TLS at all.
    pub(super) fn read(table: &Table<'_>, used: bool) -> Self {
        let folder = Path::new(table.at().file).parent().unwrap_or(Path::new(""));
        let ca = table.optional::<PathBuf>("ca").map(|file| folder.join(file));
        let insecure = table.optional("insecure_tls").unwrap_or(false);
        let key = if insecure { "insecure_tls" } else { "ca" };
        if !used && (insecure || ca.is_some()) {
            table.problem(key, "there is no TLS here to begin with");
        } else if insecure && ca.is_some() {
            table.problem(key, "with it \"ca\" is of no use; only one of them can be");
        }
        Self { ca, insecure }
    }
}
