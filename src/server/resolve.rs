//! Where a board's console and outlet are.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::state::Daemon;
use crate::client::Resource;
use crate::model::{AnnouncedOutlet, Announcement, DaemonKind, Lease, Name};

/// A console or an outlet that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) url: String,
    /// Its daemon, for people.
    pub(super) daemon: String,
    pub(super) live: bool,
    /// It was heard of since we have begun, or needs not be.
    pub(super) heard: bool,
    /// Who has leased the outlet, as its daemon says.
    pub(super) lease: Option<Lease>,
}

/// All that is announced, by what it is called in descriptions. It is as good as long as no daemon comes, goes, or
/// serves something else.
#[derive(Debug, Default)]
pub(super) struct Index {
    named: HashMap<(DaemonKind, String), Vec<Thing>>,
}

/// A console or an outlet: its daemon, and its number among those of that daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Thing {
    url: Arc<str>,
    at: usize,
}

impl Index {
    pub(super) fn new(daemons: &BTreeMap<String, Daemon>) -> Self {
        let mut named: HashMap<_, Vec<Thing>> = HashMap::new();
        for (url, daemon) in daemons {
            let (said, url) = (&daemon.announcement, Arc::<str>::from(url.as_str()));
            let mut add = |called: String, at: usize| {
                let things = named.entry((said.kind, called)).or_default();
                let thing = Thing { url: url.clone(), at };
                // PDU/PORT may be HOST/NAME.
                if things.last() != Some(&thing) {
                    things.push(thing);
                }
            };
            for (at, name) in said.consoles.iter().enumerate() {
                add(name.to_string(), at);
                add(format!("{}/{name}", said.host), at);
            }
            for (at, AnnouncedOutlet { name, pdu, port, .. }) in said.outlets.iter().enumerate() {
                add(name.to_string(), at);
                add(format!("{}/{name}", said.host), at);
                add(format!("{pdu}/{port}"), at);
            }
        }
        Self { named }
    }

    /// The names of all that are announced and that a description may mean.
    pub(super) fn named<'a>(
        &self,
        daemons: &'a BTreeMap<String, Daemon>,
        kind: DaemonKind,
        part: &str,
    ) -> Vec<&'a Name> {
        let found = self.named.get(&(kind, part.to_owned())).into_iter().flatten();
        found.filter_map(|thing| thing.name(daemons.get(&*thing.url)?)).collect()
    }

    /// Finds a console or an outlet of these daemons as a description names it; of several, the one that lives.
    ///
    /// # Errors
    /// When it is not announced, or it could be several.
    pub(super) fn find(
        &self,
        daemons: &BTreeMap<String, Daemon>,
        kind: DaemonKind,
        part: &str,
    ) -> Result<Place, String> {
        if is_url(part) {
            let (url, daemon) = (part.to_owned(), part.to_owned());
            return Ok(Place { url, daemon, live: true, heard: true, lease: None });
        }
        let what = part_name(kind);
        let found = self.named.get(&(kind, part.to_owned())).map_or(&[][..], Vec::as_slice);
        let found: Vec<_> =
            found.iter().filter_map(|thing| Some((thing, daemons.get(&*thing.url)?))).collect();
        let live: Vec<_> = found.iter().filter(|(_, daemon)| daemon.live).collect();
        let gone = || format!("no daemon has announced {what} {part}");
        match (&found[..], &live[..]) {
            ([(thing, daemon)], _) | (_, [(thing, daemon)]) => thing.place(daemon).ok_or_else(gone),
            ([], _) => Err(gone()),
            (several, _) => {
                let urls: Vec<_> = several.iter().map(|(thing, _)| &*thing.url).collect();
                Err(format!("{what} {part} could be one of several: at {}", urls.join(", ")))
            }
        }
    }
}

impl Thing {
    fn name<'a>(&self, daemon: &'a Daemon) -> Option<&'a Name> {
        let said = &daemon.announcement;
        match said.kind {
            DaemonKind::Serial => said.consoles.get(self.at),
            DaemonKind::Power => said.outlets.get(self.at).map(|outlet| &outlet.name),
        }
    }

    fn place(&self, daemon: &Daemon) -> Option<Place> {
        let said = &daemon.announcement;
        let name = self.name(daemon)?;
        let lease = match said.kind {
            DaemonKind::Serial => None,
            DaemonKind::Power => said.outlets.get(self.at)?.lease.clone(),
        };
        Some(Place {
            url: format!("{}/{name}", said.kind.place(&self.url)),
            daemon: format!("lava-{} on {}", said.kind.as_str(), said.host),
            live: daemon.live,
            heard: daemon.heard,
            lease,
        })
    }
}

/// Whether two announcements are of the same things, so that an [`Index`] stays as it is.
pub(super) fn same_things(one: &Announcement, other: &Announcement) -> bool {
    let outlets = |said: &Announcement| -> Vec<_> {
        let outlets = said.outlets.iter();
        outlets.map(|it| (it.name.clone(), it.pdu.clone(), it.port.clone())).collect()
    };
    (one.kind, &one.host, &one.consoles) == (other.kind, &other.host, &other.consoles)
        && outlets(one) == outlets(other)
}

/// Checks how a description names a console or an outlet.
///
/// # Errors
/// Says how to write it.
pub(super) fn check(kind: DaemonKind, part: &str) -> Result<(), String> {
    if is_url(part) {
        let resource: Resource = part.parse()?;
        let collection = kind.collection();
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

/// Whether a part is found at a daemon's URL.
pub(super) fn is_at(part: &str, daemon: &str) -> bool {
    let path = part.strip_prefix(daemon);
    path.is_some_and(|path| path.starts_with('/') || path.starts_with(":/"))
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
