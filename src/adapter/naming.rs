//! Giving names and addresses to adapters.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;

use super::finder::{Finder, Held};
use super::{Adapter, Identity, Roots};
use crate::config::discover::{Discover, Rule};
use crate::config::serial::{ConsoleConfig, SerialConfig};
use crate::config::{Addresses, Glob};
use crate::model::Name;

/// Names and addresses being given away.
pub(super) struct Naming<'a> {
    finder: &'a Finder,
    discover: &'a Discover,
    /// The names that are not to be had.
    configured: BTreeSet<&'a Name>,
    /// Who has an address; `None` is no console.
    addresses: HashMap<SocketAddr, Option<Name>>,
    pub(super) held: BTreeMap<Name, Held>,
    pub(super) consoles: Vec<ConsoleConfig>,
    pub(super) notes: Vec<String>,
}

impl<'a> Naming<'a> {
    pub(super) fn new(
        finder: &'a Finder,
        discover: &'a Discover,
        config: &'a SerialConfig,
    ) -> Self {
        let configured = config.consoles.iter().flat_map(|console| {
            console.lines().map(|(_, address)| (address, Some(console.name.clone())))
        });
        let held = finder.held.iter().flat_map(|(name, held)| {
            let addresses = [held.raw, held.telnet].into_iter().flatten();
            addresses.map(|address| (address, Some(name.clone())))
        });
        let lines = configured.chain(held).filter(|(address, _)| address.port() != 0);
        let mut addresses: HashMap<SocketAddr, Option<Name>> = lines.collect();
        addresses.extend(config.http.iter().map(|http| (http.listen, None)));
        Self {
            finder,
            discover,
            configured: config.consoles.iter().map(|console| &console.name).collect(),
            addresses,
            held: BTreeMap::new(),
            consoles: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// `gone` is the number of the look that saw it last, if it is not plugged in.
    pub(super) fn add(
        &mut self,
        roots: &Roots,
        adapter: Adapter,
        identity: Identity,
        gone: Option<u64>,
    ) {
        let rule = self.discover.rules.iter().find(|rule| matches(rule, &adapter));
        if rule.is_some_and(|rule| rule.ignore) || !self.is_meant(&adapter, &identity, rule) {
            return;
        }
        let Some(name) = self.name(&adapter, &identity, rule, gone.is_some()) else { return };
        let path = roots.dev.join(&identity.path);
        let before = self.finder.held.get(&name);
        let raw = rule.and_then(|rule| rule.raw).or(self.discover.raw);
        let raw = self.address(&name, raw, before.and_then(|held| held.raw));
        let telnet = rule.and_then(|rule| rule.telnet).or(self.discover.telnet);
        let telnet = self.address(&name, telnet, before.and_then(|held| held.telnet));
        let console = self.discover.console(name.clone(), path, rule);
        self.consoles.push(ConsoleConfig { raw, telnet, ..console });
        let seen = gone.unwrap_or(self.finder.looks);
        self.held.insert(name, Held { adapter, identity, raw, telnet, seen });
    }

    /// Whether it is the only one that is to be served, if there is such a thing.
    fn is_meant(&self, adapter: &Adapter, identity: &Identity, rule: Option<&Rule>) -> bool {
        let Some(only) = self.discover.only.as_deref() else { return true };
        let name = rule.and_then(|rule| rule.name.as_ref());
        self.finder.is_held(identity)
            || identity.name.as_str() == only
            || name.is_some_and(|name| name.as_str() == only)
            || adapter.paths().any(|path| path.file_name().is_some_and(|name| name == only))
    }

    /// The name that the rule gives, else the adapter's own; `None` if it cannot have either.
    fn name(
        &mut self,
        adapter: &Adapter,
        identity: &Identity,
        rule: Option<&Rule>,
        gone: bool,
    ) -> Option<Name> {
        let given = rule.and_then(|rule| rule.name.as_ref());
        let mut refused = Vec::new();
        for name in given.into_iter().chain([&identity.name]) {
            let other = match self.held.get(name) {
                Some(held) => format!("{} has it", held.adapter.tty),
                None if self.configured.contains(name) => "a [[console]] has it".to_owned(),
                // An adapter that is not there keeps what it had, and gets nothing new.
                None if gone && !self.finder.held.contains_key(name) => return None,
                None => {
                    if let [why, ..] = &refused[..] {
                        self.notes.push(format!("{why}; it is {name}"));
                    }
                    return Some(name.clone());
                }
            };
            refused.push(format!(
                "{} ({}) is not {name}, since {other}",
                adapter.tty,
                adapter.description()
            ));
        }
        if !gone && let Some(why) = refused.pop() {
            self.notes.push(format!("{why}; it is left alone: give it a name by a [[match]]"));
        }
        None
    }

    /// An address of the range that nobody else has; the one it had before, if it can be.
    fn address(
        &mut self,
        name: &Name,
        range: Option<Addresses>,
        before: Option<SocketAddr>,
    ) -> Option<SocketAddr> {
        let range = range?;
        if let Some(any) = range.single().filter(|address| address.port() == 0) {
            return Some(any);
        }
        let free = |address: &SocketAddr| {
            let others =
                self.addresses.get(address).is_some_and(|owner| owner.as_ref() != Some(name));
            !others && !self.finder.busy.contains(address)
        };
        let before = before.filter(|address| range.contains(*address) && free(address));
        let address = before.or_else(|| range.all().find(free));
        match address {
            Some(address) => {
                self.addresses.insert(address, Some(name.clone()));
            }
            None => self.notes.push(format!("{name} gets no address: none of {range} is free")),
        }
        address
    }
}

/// Whether a rule is for an adapter: everything that it says has to be so.
fn matches(rule: &Rule, adapter: &Adapter) -> bool {
    let usb = adapter.usb.as_ref();
    let is = |glob: &Option<Glob>, texts: [Option<&str>; 2]| match glob {
        Some(glob) => texts.into_iter().flatten().any(|text| glob.matches(text)),
        None => true,
    };
    let place = adapter.by_path.as_deref().or(Some(adapter.tty.as_str()));
    is(
        &rule.vendor,
        [usb.map(|usb| usb.vendor_id.as_str()), usb.and_then(|usb| usb.vendor.as_deref())],
    ) && is(
        &rule.product,
        [usb.map(|usb| usb.product_id.as_str()), usb.and_then(|usb| usb.product.as_deref())],
    ) && is(&rule.serial, [usb.and_then(|usb| usb.serial.as_deref()), None])
        && is(&rule.path, [place, None])
        && rule.interface.is_none_or(|number| usb.is_some_and(|usb| usb.interface == number))
}
