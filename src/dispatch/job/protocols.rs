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
        dropped(&table);
        table.finish();
        protocols
    }
}

/// Notes the protocols that LAVA has dropped in 2026, of a job or of a block.
pub(super) fn dropped(table: &Table<'_>) {
    for (name, why) in [
        ("lava-lxc", "LAVA has dropped LXC; \"docker\" does the same"),
        ("lava-vland", "LAVA has dropped VLANs; the board stays in the network that it is in"),
    ] {
        if let Some(node) = table.node(name) {
            table.at().key(name).note(node.place, format!("this has no effect here: {why}"));
        }
    }
}

fn nbd_port(table: Table<'_>) -> Option<u16> {
    let is_auto = table.node("port").and_then(|port| port.as_text()) == Some("auto");
    let port = if is_auto { None } else { table.optional("port") };
    table.finish();
    port
}
