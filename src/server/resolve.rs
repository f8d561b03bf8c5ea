//! Where a board's console and outlet are.

use std::collections::{BTreeMap, HashMap};

use super::state::Daemon;
use crate::client::Resource;
use crate::model::{DaemonKind, Lease, Name};

/// A console or an outlet that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) url: String,
    /// Its daemon, for people.
    pub(super) daemon: String,
    pub(super) live: bool,
    /// Who has leased the outlet, as its daemon says.
    pub(super) lease: Option<Lease>,
}

/// All that is announced, by what it is called in descriptions.
pub(super) struct Index<'a> {
    named: HashMap<(DaemonKind, String), Vec<Thing<'a>>>,
}

#[derive(Clone, Copy)]
struct Thing<'a> {
    url: &'a str,
    daemon: &'a Daemon,
    name: &'a Name,
    lease: Option<&'a Lease>,
}

impl<'a> Index<'a> {
    pub(super) fn new(daemons: &'a BTreeMap<String, Daemon>) -> Self {
        let mut named: HashMap<_, Vec<Thing<'a>>> = HashMap::new();
        for (url, daemon) in daemons {
            let said = &daemon.announcement;
            let mut add = |called: String, thing: Thing<'a>| {
                let things = named.entry((said.kind, called)).or_default();
                // PDU/PORT may be HOST/NAME.
                if things.last().is_none_or(|last| (last.url, last.name) != (url, thing.name)) {
                    things.push(thing);
                }
            };
            for name in &said.consoles {
                let thing = Thing { url, daemon, name, lease: None };
                add(name.to_string(), thing);
                add(format!("{}/{name}", said.host), thing);
            }
            for outlet in &said.outlets {
                let name = &outlet.name;
                let thing = Thing { url, daemon, name, lease: outlet.lease.as_ref() };
                add(name.to_string(), thing);
                add(format!("{}/{name}", said.host), thing);
                add(format!("{}/{}", outlet.pdu, outlet.port), thing);
            }
        }
        Self { named }
    }

    /// The names of all that are announced and that a description may mean.
    pub(super) fn named(&self, kind: DaemonKind, part: &str) -> Vec<&'a Name> {
        let found = self.named.get(&(kind, part.to_owned()));
        found.into_iter().flatten().map(|thing| thing.name).collect()
    }

    /// Finds a console or an outlet as a description names it; of several, the one that lives.
    ///
    /// # Errors
    /// When it is not announced, or it could be several.
    pub(super) fn find(&self, kind: DaemonKind, part: &str) -> Result<Place, String> {
        if is_url(part) {
            let (url, daemon) = (part.to_owned(), part.to_owned());
            return Ok(Place { url, daemon, live: true, lease: None });
        }
        let what = part_name(kind);
        let found = self.named.get(&(kind, part.to_owned())).map_or(&[][..], Vec::as_slice);
        let live: Vec<_> = found.iter().filter(|thing| thing.daemon.live).collect();
        match (found, &live[..]) {
            ([thing], _) => Ok(thing.place()),
            (_, [thing]) => Ok(thing.place()),
            ([], _) => Err(format!("no daemon has announced {what} {part}")),
            (several, _) => {
                let hosts: Vec<_> = several.iter().map(|it| it.url).collect();
                Err(format!("{what} {part} could be one of several: at {}", hosts.join(", ")))
            }
        }
    }
}

impl Thing<'_> {
    fn place(&self) -> Place {
        let said = &self.daemon.announcement;
        let separator = if self.url.starts_with("unix:") { ":" } else { "" };
        Place {
            url: format!("{}{separator}/{}/{}", self.url, collection(said.kind), self.name),
            daemon: format!("lava-{} on {}", said.kind.as_str(), said.host),
            live: self.daemon.live,
            lease: self.lease.cloned(),
        }
    }
}

/// Checks how a description names a console or an outlet.
///
/// # Errors
/// Says how to write it.
pub(super) fn check(kind: DaemonKind, part: &str) -> Result<(), String> {
    if is_url(part) {
        let resource: Resource = part.parse()?;
        let collection = collection(kind);
        return match resource.path.rsplit('/').nth(1) {
            Some(last) if last == collection => Ok(()),
            _ => Err(format!(
                "{part:?} names no {0} there; it ends in /{collection}/NAME",
                part_name(kind)
            )),
        };
    }
    let mut words = part.split('/');
    let good = words
        .by_ref()
        .take(2)
        .all(|word| !word.is_empty() && word.chars().all(|c| c.is_ascii_graphic() && c != '/'));
    if good && words.next().is_none() && !part.is_empty() {
        return Ok(());
    }
    Err(format!("{part:?} is no {0}; write HOST/NAME, NAME or a URL", part_name(kind)))
}

pub(super) fn is_url(part: &str) -> bool {
    part.contains("://") || part.starts_with("unix:")
}

pub(super) fn part_name(kind: DaemonKind) -> &'static str {
    match kind {
        DaemonKind::Serial => "console",
        DaemonKind::Power => "outlet",
    }
}

pub(super) fn collection(kind: DaemonKind) -> &'static str {
    match kind {
        DaemonKind::Serial => "consoles",
        DaemonKind::Power => "outlets",
    }
}
