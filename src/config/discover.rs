//! `[discover]` and `[[match]]`: adapters that become consoles by themselves.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::capture::Retention;
use super::serial::{ConsoleConfig, Protocol};
use super::url::resource_url;
use super::{
    Addresses, At, Breaks, CaptureOptions, FromNode, Glob, Manners, Node, PortSpec, Table,
};
use crate::model::Name;
use crate::model::line::{Framing, FramingError};

/// What happens to serial adapters that no `[[console]]` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discover {
    /// Take the UARTs of the host's own board as well, not only USB adapters.
    pub onboard: bool,
    /// How lines are set.
    pub line: Framing,
    /// Where each console gets a raw port, if anywhere.
    pub raw: Option<Addresses>,
    pub telnet: Option<Addresses>,
    /// Where it gets a port for conmux's clients: anywhere, when there is `[conmux]`.
    pub(super) conmux: Option<SocketAddr>,
    /// Allow `raw` and `telnet` on addresses that are not loopback.
    pub insecure: bool,
    /// In the order of the files: the first that matches an adapter says what becomes of it.
    pub rules: Vec<Rule>,
    /// Only this adapter: a console's name, or one of the names below /dev.
    pub only: Option<String>,
    /// Where consoles are recorded: `[capture]`.
    pub(super) capture: CaptureOptions,
    /// The break sequences of all consoles: `[break]`.
    pub(super) breaks: Breaks,
}

/// `[[match]]`: which adapters it is for, and what is different for them: all that a `[[console]]` can
/// say. What it does not say is as in `[discover]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The USB ids in hexadecimal, or what the device calls its maker and itself.
    pub vendor: Option<Glob>,
    pub product: Option<Glob>,
    pub serial: Option<Glob>,
    /// The name in /dev/serial/by-path; of a line without one the name in /dev.
    pub path: Option<Glob>,
    /// The number of the USB interface.
    pub interface: Option<u8>,
    /// The console's name.
    pub name: Option<Name>,
    pub line: Option<Framing>,
    pub raw: Option<Addresses>,
    pub telnet: Option<Addresses>,
    /// Leave these adapters alone.
    pub ignore: bool,
    conmux: Option<SocketAddr>,
    outlet: Option<String>,
    retention: Retention,
    manners: Manners,
}

impl Discover {
    /// The folder of the captures.
    pub fn capture_dir(&self) -> &std::path::Path {
        &self.capture.dir
    }

    /// Everything as it is when nothing is said.
    pub fn new(capture: CaptureOptions) -> Self {
        Self {
            onboard: false,
            line: Framing::default(),
            raw: None,
            telnet: None,
            conmux: None,
            insecure: false,
            rules: Vec::new(),
            only: None,
            capture,
            breaks: Breaks::new(),
        }
    }

    /// The same for this adapter only, if one is given.
    pub fn for_adapter(self, only: Option<String>) -> Self {
        Self { only, ..self }
    }

    /// The console of an adapter that `rule` is for. Its addresses are given to it elsewhere.
    pub fn console(&self, name: Name, path: PathBuf, rule: Option<&Rule>) -> ConsoleConfig {
        let framing = rule.and_then(|rule| rule.line).unwrap_or(self.line);
        let capture = rule.map(|rule| self.capture.with(&rule.retention));
        let capture = capture.unwrap_or_else(|| self.capture.clone());
        let mut manners = rule.map(|rule| rule.manners.clone()).unwrap_or_default();
        manners.add_breaks(&self.breaks);
        ConsoleConfig {
            conmux: rule.and_then(|rule| rule.conmux).or(self.conmux),
            outlet: rule.and_then(|rule| rule.outlet.clone()),
            insecure: self.insecure,
            manners,
            ..ConsoleConfig::new(name, PortSpec::Tty { path, framing }, capture)
        }
    }

    /// The first of each of the addresses that it gives out.
    pub fn addresses(&self) -> impl Iterator<Item = (Protocol, SocketAddr)> {
        let own = [(Protocol::Raw, self.raw), (Protocol::Telnet, self.telnet)];
        let rules = self.rules.iter();
        let rules =
            rules.flat_map(|rule| [(Protocol::Raw, rule.raw), (Protocol::Telnet, rule.telnet)]);
        own.into_iter()
            .chain(rules)
            .filter_map(|(protocol, addresses)| Some((protocol, addresses?.all().next()?)))
    }

    /// Whether an adapter may be given this address.
    pub fn gives(&self, address: SocketAddr) -> bool {
        let rules = self.rules.iter().flat_map(|rule| [rule.raw, rule.telnet]);
        let mut ranges = [self.raw, self.telnet].into_iter().chain(rules).flatten();
        let conmux = self.rules.iter().map(|rule| rule.conmux).chain([self.conmux]);
        conmux.flatten().any(|it| it == address) || ranges.any(|range| range.contains(address))
    }

    /// Reads `[discover]`. The rest of it is known when all files are read.
    pub(super) fn from_table(table: &Table<'_>, capture: CaptureOptions) -> Self {
        let defaults = Self::new(capture);
        Self {
            onboard: table.optional("onboard").unwrap_or(defaults.onboard),
            line: table.optional("line").unwrap_or(defaults.line),
            raw: table.optional("raw"),
            telnet: table.optional("telnet"),
            insecure: table.optional("insecure").unwrap_or(defaults.insecure),
            ..defaults
        }
    }
}

impl Rule {
    /// The addresses that are for one console only, with their keys.
    pub(super) fn own_addresses(&self) -> [(&'static str, Option<SocketAddr>); 3] {
        let single = |addresses: Option<Addresses>| addresses.and_then(Addresses::single);
        [("raw", single(self.raw)), ("telnet", single(self.telnet)), ("conmux", self.conmux)]
    }

    pub(super) fn from_table(table: &Table<'_>) -> Self {
        let rule = Self {
            vendor: table.optional("vendor"),
            product: table.optional("product"),
            serial: table.optional("serial"),
            path: table.optional("path"),
            interface: table.optional("interface"),
            name: table.optional("name"),
            line: table.optional("line"),
            raw: table.optional("raw"),
            telnet: table.optional("telnet"),
            ignore: table.optional("ignore").unwrap_or(false),
            conmux: table.optional("conmux"),
            outlet: table.parsed("outlet", |url| resource_url(url, "outlet")),
            retention: Retention::from_table(table),
            manners: Manners::from_table(table),
        };
        let criteria = ["vendor", "product", "serial", "path", "interface"];
        if criteria.iter().all(|key| table.node(key).is_none()) {
            let what = "it matches every adapter: say which are meant with vendor, product, \
                        serial, path or interface";
            table.at().problem(table.place(), what);
        }
        if rule.ignore {
            for key in ["name", "line", "raw", "telnet", "conmux", "outlet"] {
                if table.node(key).is_some() {
                    table.problem(key, "an adapter that is ignored has none");
                }
            }
        }
        rule
    }
}

impl FromNode for Framing {
    fn from_node(node: &Node, at: &At<'_>) -> Option<Self> {
        let text = String::from_node(node, at)?;
        let parsed: Result<Self, FramingError> = text.parse();
        parsed.map_err(|error| at.problem(node.place, error.to_string())).ok()
    }
}
