//! The floor: a client that has the terminal itself.

use std::process::Command;

use anyhow::Result;

use super::{Peer, Site};
use crate::client::Target;

pub(crate) struct Bare;

impl Peer for Bare {
    fn heading(&self) -> Option<String> {
        Some("bare pty".to_owned())
    }

    fn command(&self, _: &Site) -> Result<Option<Command>> {
        Ok(None)
    }

    fn target(&self, site: &Site, console: usize, _: usize) -> Target {
        Target::Tty(site.ttys[console].clone())
    }

    /// Two readers of one terminal would share the bytes.
    fn most_clients(&self) -> usize {
        1
    }
}
