//! `[discover]` and `[[match]]`: adapters that become consoles by themselves.

use std::net::SocketAddr;

use super::serial::Protocol;
use super::{Addresses, At, CaptureOptions, FromNode, Glob, Node, Table};
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
    /// Allow `raw` and `telnet` on addresses that are not loopback.
    pub insecure: bool,
    /// In the order of the files: the first that matches an adapter says what becomes of it.
    pub rules: Vec<Rule>,
    /// Only this adapter: a console's name, or one of the names below /dev.
    pub only: Option<String>,
    /// Where consoles are recorded: `[capture]`.
    pub capture: CaptureOptions,
}

/// `[[match]]`: which adapters it is for, and what is different for them. What it does not say is as
/// in `[discover]`.
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
}

impl Discover {
    /// Everything as it is when nothing is said.
    pub fn new(capture: CaptureOptions) -> Self {
        Self {
            onboard: false,
            line: Framing::default(),
            raw: None,
            telnet: None,
            insecure: false,
            rules: Vec::new(),
            only: None,
            capture,
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

    /// Reads `[discover]`. Its rules and where it is recorded are known when all files are read.
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
        };
        let criteria = ["vendor", "product", "serial", "path", "interface"];
        if criteria.iter().all(|key| table.node(key).is_none()) {
            let what = "it matches every adapter: say which are meant with vendor, product, \
                        serial, path or interface";
            table.at().problem(table.place(), what);
        }
        if rule.ignore {
            for key in ["name", "line", "raw", "telnet"] {
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
