//! Which consoles adapters become.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::naming::Naming;
use super::{Adapter, Devices, Identity, Roots};
use crate::config::PortSpec;
use crate::config::serial::{ConsoleConfig, SerialConfig};
use crate::model::Name;

/// The most consoles that adapters become; of those that are unplugged the longest gone make room.
const MAX_FOUND: usize = 256;

/// Remembers which adapter is which console, so that it stays that while others come and go, and
/// while the process is replaced by another.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Finder {
    pub(super) held: BTreeMap<Name, Held>,
    /// Addresses that somebody else listens on.
    #[serde(skip)]
    pub(super) busy: BTreeSet<SocketAddr>,
    /// How often it has looked.
    pub(super) looks: u64,
}

/// An adapter that has become a console, plugged in or not.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Held {
    pub(super) adapter: Adapter,
    pub(super) identity: Identity,
    pub(super) raw: Option<SocketAddr>,
    pub(super) telnet: Option<SocketAddr>,
    /// The number of the last look at which it was plugged in.
    pub(super) seen: u64,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    pub consoles: Vec<ConsoleConfig>,
    /// What a person should know of it, a line each.
    pub notes: Vec<String>,
}

impl Finder {
    /// The consoles of the adapters that are plugged in, and of those that were. What is configured
    /// by itself keeps its name, its addresses and its device.
    pub fn look(&mut self, roots: &Roots, adapters: &[Adapter], config: &SerialConfig) -> Found {
        let Some(discover) = &config.discover else { return Found::default() };
        let configured = &config.consoles;
        self.looks += 1;
        let taken = Devices::new(configured.iter().filter_map(tty));
        let mut present: Vec<(Adapter, Identity)> = Vec::new();
        let mut theirs: BTreeSet<Name> = BTreeSet::new();
        for adapter in adapters {
            let identity = self.identity(adapter, adapters);
            let wanted = !adapter.kernel_console && (adapter.usb.is_some() || discover.onboard);
            if taken.have(roots, adapter) {
                theirs.insert(identity.name);
            } else if wanted {
                present.push((adapter.clone(), identity));
            }
        }
        // Who has a name keeps it.
        present.sort_by_key(|(_, identity)| !self.is_held(identity));
        let is_gone = |held: &&Held| {
            let path = roots.dev.join(&held.identity.path);
            let back = present.iter().any(|(_, identity)| identity.name == held.identity.name);
            // A link by which a console means it may have come after it.
            let theirs = theirs.contains(&held.identity.name);
            !back && !theirs && !configured.iter().filter_map(tty).any(|own| own == path)
        };
        let gone: Vec<Held> = self.held.values().filter(is_gone).cloned().collect();
        let mut names = Naming::new(self, discover, config);
        for (adapter, identity) in present {
            names.add(roots, adapter, identity, None);
        }
        for held in gone {
            names.add(roots, held.adapter, held.identity, Some(held.seen));
        }
        let Naming { held, mut consoles, mut notes, .. } = names;
        self.held = held;
        self.make_room(&mut notes);
        consoles.retain(|console| self.held.contains_key(&console.name));
        Found { consoles, notes }
    }

    /// Somebody else listens on this address: the next look gives another one of the range.
    pub fn avoid(&mut self, address: SocketAddr) {
        self.busy.insert(address);
    }

    /// Every address may be had again.
    pub fn avoid_none(&mut self) {
        self.busy.clear();
    }

    /// What an adapter is known by. It does not change while it stays where it is.
    fn identity(&self, adapter: &Adapter, adapters: &[Adapter]) -> Identity {
        let now = Identity::of(adapter, adapters);
        let stayed = |held: &&Held| {
            let before = &held.adapter;
            (&before.by_path, &before.usb) == (&adapter.by_path, &adapter.usb)
                && (adapter.usb.is_some() || before.tty == adapter.tty)
        };
        match self.held.values().find(stayed) {
            // Another one has, or had, the same serial number: the place tells which is meant.
            Some(held) if held.identity != now => {
                let path = Identity::by_place(adapter).path;
                Identity { name: held.identity.name.clone(), path }
            }
            _ => now,
        }
    }

    pub(super) fn is_held(&self, identity: &Identity) -> bool {
        self.held.values().any(|held| held.identity.name == identity.name)
    }

    fn make_room(&mut self, notes: &mut Vec<String>) {
        while self.held.len() > MAX_FOUND {
            let oldest = self.held.iter().min_by_key(|(_, held)| held.seen);
            let Some(name) = oldest.map(|(name, _)| name.clone()) else { break };
            self.held.remove(&name);
            notes.push(format!("{name} is left out: {MAX_FOUND} adapters are served at most"));
        }
    }
}

fn tty(console: &ConsoleConfig) -> Option<&Path> {
    match &console.port {
        PortSpec::Tty { path, .. } => Some(path),
        _ => None,
    }
}
