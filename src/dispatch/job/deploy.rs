//! A deploy block `to: tftp`.

use super::{Artefact, Text};
use crate::config::Table;

/// The artefacts of a TFTP deployment, in the order in which they are downloaded.
pub const ARTEFACTS: [&str; 8] =
    ["ramdisk", "kernel", "dtb", "nfsrootfs", "modules", "preseed", "tee", "dtbo"];

/// What is put where U-Boot can fetch it by TFTP.
#[derive(Debug, Clone)]
pub struct Tftp {
    /// In the order of [`ARTEFACTS`].
    pub artefacts: Vec<Artefact>,
    /// The distribution on the board, as `debian` or `oe`.
    pub os: Option<String>,
    /// `SERVER:PATH` of an NFS root that stays.
    pub persistent_nfs: bool,
}

impl Tftp {
    pub(super) fn read(table: &Table<'_>) -> Self {
        if table.node("kernel").is_none() {
            table.problem("kernel", "\"kernel\" is missing");
        }
        let artefacts = ARTEFACTS.iter().filter_map(|name| Artefact::read(name, table)).collect();
        table.optional::<Text>("authorize");
        table.optional::<bool>("enable");
        Self {
            artefacts,
            os: table.optional("os"),
            persistent_nfs: table.node("persistent_nfs").is_some(),
        }
    }

    pub fn artefact(&self, name: &str) -> Option<&Artefact> {
        self.artefacts.iter().find(|artefact| artefact.name == name)
    }
}
