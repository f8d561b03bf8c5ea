//! Serial adapters that come and go while the process runs.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::{Instant, sleep_until};

use super::listeners::{Bound, Purpose};
use super::plan::Planned;
use crate::adapter::{Finder, Found, Roots, Watch, list};
use crate::config::serial::{ConsoleConfig, Protocol, SerialConfig};
use crate::daemon::Safety;
use crate::model::{Failure, Name};

/// A new adapter becomes a console so long after its device has come: by then it has all its links
/// and lines, and a `[[console]]` that means it is found to do so.
const SETTLE: Duration = Duration::from_millis(300);
/// What could not be had is tried again after this time.
const AGAIN: Duration = Duration::from_secs(10);
/// How often the addresses of adapters are given out anew because somebody else has one.
const TRIES: usize = 16;

/// Watches devices, and finds which adapters are consoles.
#[derive(Debug)]
pub(super) struct Hotplug {
    roots: Roots,
    watch: Watch,
    finder: Finder,
    /// What was said already.
    told: BTreeSet<String>,
    /// What there is to say after the last look.
    notes: BTreeSet<String>,
    look_at: Option<Instant>,
}

/// Something about the devices of this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Happened {
    /// A device came, went or changed: lost lines may be tried.
    Devices,
    /// It is time to look which adapters there are.
    Look,
}

impl Hotplug {
    /// Goes on with what was found before.
    pub(super) fn new(finder: Finder) -> Self {
        let roots = Roots::of_host();
        Self {
            watch: Watch::new(roots.clone()),
            roots,
            finder,
            told: BTreeSet::new(),
            notes: BTreeSet::new(),
            look_at: None,
        }
    }

    /// What was found, for the next process to go on with.
    pub(super) fn into_finder(self) -> Finder {
        self.finder
    }

    /// From now on these devices are watched, in addition to all of `/dev`.
    pub(super) fn watch(&mut self, devices: Vec<PathBuf>) {
        self.watch.set_paths(devices);
    }

    /// Waits for the next thing to do. Cancel safe.
    pub(super) async fn happened(&mut self) -> Happened {
        let look = async {
            match self.look_at {
                Some(time) => sleep_until(time).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.watch.changed() => {
                self.look_after(SETTLE);
                Happened::Devices
            }
            () = look => {
                self.look_at = None;
                Happened::Look
            }
        }
    }

    fn look_after(&mut self, time: Duration) {
        let then = Instant::now() + time;
        self.look_at = Some(self.look_at.map_or(then, |at| at.min(then)));
    }

    /// The adapters that are consoles by themselves, with their listeners bound. What cannot be had
    /// is left out, and told.
    pub(super) async fn find(&mut self, config: &SerialConfig, bound: &Bound) -> Vec<Planned> {
        self.notes.clear();
        self.finder.avoid_none();
        let open_conmux = config.conmux.as_ref().is_some_and(|conmux| conmux.insecure);
        for _ in 0..TRIES {
            let (planned, refused) = bind(self.look(config), bound, open_conmux).await;
            if refused.is_empty() {
                return planned;
            }
            self.look_after(AGAIN);
            for (address, failure) in refused {
                self.note(failure.message);
                self.finder.avoid(address);
            }
        }
        bind(self.look(config), bound, open_conmux).await.0
    }

    fn look(&mut self, config: &SerialConfig) -> Vec<ConsoleConfig> {
        if config.discover.is_none() {
            return Vec::new();
        }
        let adapters = match list(&self.roots) {
            Ok(adapters) => adapters,
            Err(error) => {
                self.note(format!("no adapters can be found: {error}"));
                return Vec::new();
            }
        };
        let Found { consoles, notes } = self.finder.look(&self.roots, &adapters, config);
        for note in notes {
            self.note(note);
        }
        consoles
    }

    /// An adapter is no console for now.
    pub(super) fn left_out(&mut self, name: &Name, why: &dyn std::error::Error) {
        self.note(format!("{name} is left out for now: {why}"));
        self.look_after(AGAIN);
    }

    /// Says something unless it was so already.
    fn note(&mut self, what: String) {
        if !self.told.contains(&what) && !self.notes.contains(&what) {
            tracing::warn!("{what}");
        }
        self.notes.insert(what);
    }

    /// All is said that there is to say about the last look.
    pub(super) fn looked(&mut self) {
        self.told = std::mem::take(&mut self.notes);
    }
}

/// Binds the listeners of all of these consoles. Gives also the addresses that it cannot listen on:
/// the consoles are without them.
async fn bind(
    consoles: Vec<ConsoleConfig>,
    bound: &Bound,
    open_conmux: bool,
) -> (Vec<Planned>, Vec<(SocketAddr, Failure)>) {
    let mut planned = Vec::with_capacity(consoles.len());
    let mut refused = Vec::new();
    for config in consoles {
        let mut lines: BTreeMap<Protocol, Arc<TcpListener>> = BTreeMap::new();
        for (protocol, address) in config.lines() {
            let purpose = Purpose::Line(config.name.clone(), protocol);
            let insecure = config.insecure || protocol == Protocol::Conmux && open_conmux;
            match bound.listen(purpose, address, Safety::of_line(insecure)).await {
                Ok(listener) => {
                    lines.insert(protocol, listener);
                }
                Err(failure) => refused.push((address, failure)),
            }
        }
        planned.push(Planned { config, lines, found: true });
    }
    (planned, refused)
}
