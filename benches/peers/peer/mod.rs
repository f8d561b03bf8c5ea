//! The console servers: how each is configured and started, and how its clients attach.

mod bare;
mod conman;
mod conserver;
mod lava_serial;
mod running;
mod ser2net;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::client::Target;

pub(crate) use running::Running;

/// The column of a peer, as in `--peers`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Name {
    /// No server: the clients have the terminal itself
    Bare,
    /// lava-serial with its captures, clients on raw TCP ports
    LavaSerial,
    /// The same with clients on WebSockets
    LavaSerialAttach,
    Conserver,
    Ser2net,
    /// ser2net without its wait for more characters, which is no default
    Ser2netNoChardelay,
    Conman,
}

impl Name {
    pub(crate) fn peer(self) -> Box<dyn Peer> {
        match self {
            Self::Bare => Box::new(bare::Bare),
            Self::LavaSerial => Box::new(lava_serial::LavaSerial { attach: false }),
            Self::LavaSerialAttach => Box::new(lava_serial::LavaSerial { attach: true }),
            Self::Conserver => Box::new(conserver::Conserver),
            Self::Ser2net => Box::new(ser2net::Ser2net { chardelay: true }),
            Self::Ser2netNoChardelay => Box::new(ser2net::Ser2net { chardelay: false }),
            Self::Conman => Box::new(conman::Conman),
        }
    }
}

pub(crate) trait Peer {
    /// The head of its column, with the version; `None` if it is not installed.
    fn heading(&self) -> Option<String>;

    /// The program which serves these consoles until it gets SIGTERM, in the foreground, without
    /// logs of the consoles. `None` if there is nothing to start.
    fn command(&self, site: &Site) -> Result<Option<Command>>;

    /// How the client attaches that is the so-manieth on this console.
    fn target(&self, site: &Site, console: usize, client: usize) -> Target;

    /// The port that is listened on when all consoles are served.
    fn last_port(&self, site: &Site) -> u16 {
        site.port(0)
    }

    /// How many clients a console may have.
    fn most_clients(&self) -> usize {
        usize::MAX
    }
}

/// What a server is configured with.
pub(crate) struct Site {
    dir: tempfile::TempDir,
    /// The first of its TCP ports: there is one per console, and one more.
    first_port: u16,
    /// The terminals of the consoles.
    pub ttys: Vec<String>,
}

impl Site {
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn port(&self, at: usize) -> u16 {
        self.first_port + at as u16
    }

    /// Writes a file, and gives its path.
    fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.dir().join(name);
        std::fs::write(&path, text)?;
        Ok(path)
    }
}

/// A program of the peers, which Debian has where only root looks.
fn installed(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.extend(["/usr/sbin".into(), "/sbin".into()]);
    folders.into_iter().map(|folder| folder.join(program)).find(|path| path.exists())
}

/// A heading with the version that the program itself tells: the first number in what it says.
fn heading(name: &str, program: &str, flag: &str) -> Option<String> {
    let output = Command::new(installed(program)?).arg(flag).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    let mut words = text.split(|c: char| c.is_whitespace() || c == '-');
    let version = words.find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    Some(format!("{name} {}", version.unwrap_or_default()).trim_end().to_owned())
}
