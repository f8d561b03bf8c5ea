//! conserver: a master, and a process per 16 consoles.

use std::process::Command;

use anyhow::Result;

use super::{Peer, Site, heading, installed};
use crate::client::Target;

pub(crate) struct Conserver;

const HEAD: &str = "\
config * { sslrequired no; defaultaccess trusted; }
default * {
    rw *; master localhost; type device; baud 115200; parity none; options !hupcl;
}
access * { trusted 127.0.0.1; allowed 127.0.0.1; }
";

impl Peer for Conserver {
    fn heading(&self) -> Option<String> {
        heading("conserver", "conserver", "-V")
    }

    fn command(&self, site: &Site) -> Result<Option<Command>> {
        let mut config = HEAD.to_owned();
        for (at, tty) in site.ttys.iter().enumerate() {
            config += &format!("console c{at} {{ device {tty}; }}\n");
        }
        let Some(program) = installed("conserver") else { return Ok(None) };
        let mut command = Command::new(program);
        command.arg("-C").arg(site.write("conserver.cf", &config)?);
        command.arg("-P").arg(site.write("conserver.passwd", "*any*:\n")?);
        command.args(["-M", "127.0.0.1", "-p", &site.port(0).to_string()]);
        Ok(Some(command))
    }

    fn target(&self, site: &Site, console: usize, _: usize) -> Target {
        Target::Conserver { port: site.port(0), console: format!("c{console}") }
    }
}
