//! ser2net: raw TCP ports.

use std::process::Command;

use anyhow::Result;

use super::{Peer, Site, heading, installed};
use crate::client::Target;

pub(crate) struct Ser2net {
    /// Whether it waits a little for more characters before it sends one, as is its default.
    pub chardelay: bool,
}

/// Without leave a port has one client.
const MOST_CLIENTS: usize = 11;

impl Peer for Ser2net {
    fn heading(&self) -> Option<String> {
        let heading = heading("ser2net", "ser2net", "-v")?;
        Some(if self.chardelay { heading } else { format!("{heading} (no chardelay)") })
    }

    fn command(&self, site: &Site) -> Result<Option<Command>> {
        let mut config = "%YAML 1.1\n---\n".to_owned();
        for (at, tty) in site.ttys.iter().enumerate() {
            config += &format!("connection: &c{at}\n  accepter: tcp,127.0.0.1,{}\n", site.port(at));
            config += &format!("  connector: serialdev,{tty},115200n81,local\n");
            config += &format!("  options:\n    max-connections: {MOST_CLIENTS}\n");
            if !self.chardelay {
                config += "    chardelay: false\n";
            }
        }
        let Some(program) = installed("ser2net") else { return Ok(None) };
        let mut command = Command::new(program);
        // -n: in the foreground; -u: no lock files.
        command.args(["-n", "-u", "-c"]).arg(site.write("ser2net.yaml", &config)?);
        Ok(Some(command))
    }

    fn target(&self, site: &Site, console: usize, _: usize) -> Target {
        Target::Raw(site.port(console))
    }

    fn last_port(&self, site: &Site) -> u16 {
        site.port(site.ttys.len() - 1)
    }

    fn most_clients(&self) -> usize {
        MOST_CLIENTS
    }
}
