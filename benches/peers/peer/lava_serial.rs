//! lava-serial as this build has it, with its captures.

use std::process::Command;

use anyhow::Result;

use super::{Peer, Site};
use crate::client::Target;
use crate::common::lava_serial;

pub(crate) struct LavaSerial {
    /// Clients have a WebSocket instead of the raw port.
    pub attach: bool,
}

impl Peer for LavaSerial {
    fn heading(&self) -> Option<String> {
        let kind = if self.attach { "lava-serial (attach)" } else { "lava-serial" };
        Some(format!("{kind} {}", env!("CARGO_PKG_VERSION")))
    }

    fn command(&self, site: &Site) -> Result<Option<Command>> {
        let front = format!("[http]\nlisten = \"127.0.0.1:{}\"\n", self.http(site));
        let ports: Vec<String> =
            site.ttys.iter().map(|tty| format!("tty:{tty},115200n8")).collect();
        let consoles = ports.iter().enumerate().map(|(at, port)| {
            let raw = (!self.attach).then(|| format!("127.0.0.1:{}", site.port(at)));
            (port.as_str(), raw)
        });
        Ok(Some(lava_serial(site.dir(), &front, consoles)?))
    }

    fn target(&self, site: &Site, console: usize, _: usize) -> Target {
        if self.attach {
            Target::Attach { port: self.http(site), console: format!("c{console}") }
        } else {
            Target::Raw(site.port(console))
        }
    }

    fn last_port(&self, site: &Site) -> u16 {
        if self.attach { self.http(site) } else { site.port(site.ttys.len() - 1) }
    }
}

impl LavaSerial {
    fn http(&self, site: &Site) -> u16 {
        site.port(site.ttys.len())
    }
}
