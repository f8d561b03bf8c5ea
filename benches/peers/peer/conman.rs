//! ConMan: one process, one port.

use std::process::Command;

use anyhow::Result;

use super::{Peer, Site, heading, installed};
use crate::client::Target;

pub(crate) struct Conman;

impl Peer for Conman {
    fn heading(&self) -> Option<String> {
        heading("ConMan", "conmand", "-V")
    }

    fn command(&self, site: &Site) -> Result<Option<Command>> {
        let pidfile = site.dir().join("conman.pid");
        let mut config = format!(
            "SERVER keepalive=ON\nSERVER loopback=ON\nSERVER port={}\nSERVER pidfile=\"{}\"\n\
             GLOBAL seropts=\"115200,8n1\"\n",
            site.port(0),
            pidfile.display()
        );
        for (at, tty) in site.ttys.iter().enumerate() {
            config += &format!("CONSOLE name=\"c{at}\" dev=\"{tty}\"\n");
        }
        let Some(program) = installed("conmand") else { return Ok(None) };
        let mut command = Command::new(program);
        command.args(["-F", "-c"]).arg(site.write("conman.conf", &config)?);
        Ok(Some(command))
    }

    fn target(&self, site: &Site, console: usize, client: usize) -> Target {
        Target::Conman { port: site.port(0), console: format!("c{console}"), watches: client > 0 }
    }
}
