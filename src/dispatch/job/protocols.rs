//! `protocols` of a job: its group, and what else it has beside its board.

use super::Multinode;
use crate::config::Table;

/// What of the protocols is used here. LAVA has two more, for LXC and for VLANs.
#[derive(Debug, Default)]
pub(super) struct Protocols {
    pub multinode: Option<Multinode>,
    /// The port that root file systems are served at by NBD; `auto` leaves it to us.
    pub nbd_port: Option<u16>,
}

impl Protocols {
    pub(super) fn read(top: &Table<'_>) -> Self {
        let Some(table) = top.table("protocols") else { return Self::default() };
        let protocols = Self {
            multinode: table.table("lava-multinode").map(Multinode::read),
            nbd_port: table.table("lava-xnbd").and_then(nbd_port),
        };
        for other in ["lava-lxc", "lava-vland"] {
            table.node(other);
        }
        table.finish();
        protocols
    }
}

fn nbd_port(table: Table<'_>) -> Option<u16> {
    let is_auto = table.node("port").and_then(|port| port.as_text()) == Some("auto");
    let port = if is_auto { None } else { table.optional("port") };
    table.finish();
    port
}
