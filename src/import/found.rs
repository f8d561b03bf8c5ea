//! What was found in the files: consoles, outlets, and what has no equivalent.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::net::IpAddr;

use super::rack::Rack;
use crate::config::{Breaks, Manners, PortSpec};
use crate::model::{Keys, MAX_NAME, Name};

/// The longest piece of a file that a note repeats, in characters.
const SHOWN: usize = 60;

/// Everything that was found. Names, lines and addresses are used once in it, as lava-serial wants it.
#[derive(Debug, Default)]
pub struct Imported {
    consoles: Vec<Console>,
    outlets: Vec<Outlet>,
    pub(super) rack: Rack,
    /// The break sequences of all consoles.
    breaks: Breaks,
    notes: Vec<Note>,
    names: BTreeSet<String>,
    /// Which console has a line (a device, or the address of one).
    lines: HashMap<String, usize>,
    addresses: BTreeSet<u16>,
    /// What clients look for in conmux's registry.
    registered: Vec<(Origin, String)>,
}

/// A console that lava-serial can serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Console {
    pub origin: Origin,
    pub name: Name,
    /// The text form of a [`PortSpec`].
    pub port: String,
    pub listens: Listens,
    pub manners: Manners,
}

/// Where clients expect a console, by what is spoken there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Listens {
    pub raw: Option<Listen>,
    pub telnet: Option<Listen>,
    pub conmux: Option<Listen>,
}

/// A TCP port that somebody expects a console at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen {
    /// `None` for every address of the host.
    pub host: Option<IpAddr>,
    /// Not 0.
    pub port: u16,
}

/// A board's power, switched by programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlet {
    pub origin: Origin,
    pub board: Name,
    /// A program and its arguments, as the next.
    pub on: Vec<String>,
    pub off: Vec<String>,
}

/// Where a statement stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub file: String,
    /// From 1.
    pub line: u32,
}

/// One statement that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    pub origin: Origin,
    pub severity: Severity,
    /// The statement.
    pub what: String,
    /// Why, and what to do instead.
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// What the statement asked for is missing.
    Lost,
    /// It is had in another way or place.
    Changed,
}

impl Imported {
    pub fn consoles(&self) -> &[Console] {
        &self.consoles
    }

    pub fn outlets(&self) -> &[Outlet] {
        &self.outlets
    }

    /// What other power daemons had.
    pub fn rack(&self) -> &Rack {
        &self.rack
    }

    pub(super) fn rack_mut(&mut self) -> &mut Rack {
        &mut self.rack
    }

    pub fn breaks(&self) -> &Breaks {
        &self.breaks
    }

    /// Whether clients look for a console in conmux's registry.
    pub fn registry(&self) -> bool {
        !self.registered.is_empty()
    }

    /// In the order of their places within each file.
    pub fn notes(&self) -> Vec<&Note> {
        let mut files: Vec<&str> = Vec::new();
        for note in &self.notes {
            if !files.contains(&note.origin.file.as_str()) {
                files.push(&note.origin.file);
            }
        }
        let mut notes: Vec<&Note> = self.notes.iter().collect();
        notes.sort_by_key(|note| {
            (files.iter().position(|file| *file == note.origin.file), note.origin.line)
        });
        notes
    }

    /// Notes for every listener that is on other addresses than loopback's.
    pub fn exposed(&mut self) {
        let listens = self.consoles.iter().flat_map(|console| {
            console.listens.all().map(move |(_, listen)| (&console.origin, listen))
        });
        let exposed = listens.filter(|(_, listen)| !listen.is_loopback());
        let ports = exposed.map(|(origin, listen)| (origin, format!("port {}", listen.port)));
        let names =
            self.registered.iter().map(|(origin, name)| (origin, format!("listener {name}")));
        let fronts = self.rack.exposed.iter().map(|(origin, what)| (origin, what.clone()));
        let exposed: Vec<(Origin, String)> =
            ports.chain(names).chain(fronts).map(|(origin, what)| (origin.clone(), what)).collect();
        for (origin, what) in exposed {
            self.lost(
                &origin,
                &what,
                "nobody logs in there, so it is on 127.0.0.1 only; reach it through ssh -L, or import \
                 with --insecure to have it on the addresses that it was on",
            );
        }
    }

    /// What a statement asked for is missing; `text` tells why, and what to do instead.
    pub(super) fn lost(&mut self, origin: &Origin, what: &str, text: impl Into<String>) {
        self.note(origin, Severity::Lost, what, text.into());
    }

    /// What a statement asked for is had in another way.
    pub(super) fn changed(&mut self, origin: &Origin, what: &str, text: impl Into<String>) {
        self.note(origin, Severity::Changed, what, text.into());
    }

    fn note(&mut self, origin: &Origin, severity: Severity, what: &str, text: String) {
        let (origin, what) = (origin.clone(), shown(what));
        self.notes.push(Note { origin, severity, what, text });
    }

    /// Adds a console. What it shares with another one is told, and stays with the first.
    pub(super) fn add(
        &mut self,
        origin: &Origin,
        name: &str,
        port: String,
        mut listens: Listens,
        manners: Manners,
    ) -> Option<Name> {
        let what = format!("console {name}");
        if let Err(why) = accepted(&port) {
            self.lost(origin, &what, format!("it is left out: {why}"));
            return None;
        }
        for listen in [&mut listens.raw, &mut listens.telnet, &mut listens.conmux] {
            listen.take_if(|listen| !self.is_free(origin, *listen));
        }
        let line = line(&port);
        if let Some(first) = line.as_ref().and_then(|line| self.lines.get(line)).copied() {
            self.share(first, origin, &what, &port, listens);
            return Some(self.consoles[first].name.clone());
        }
        let name = self.name(origin, name)?;
        self.lines.extend(line.map(|line| (line, self.consoles.len())));
        let origin = origin.clone();
        self.consoles.push(Console { origin, name: name.clone(), port, listens, manners });
        Some(name)
    }

    /// Clients look for this console in conmux's registry.
    pub(super) fn register(&mut self, origin: &Origin, name: &str) {
        self.registered.push((origin.clone(), name.to_owned()));
    }

    pub(super) fn add_break(&mut self, name: Name, keys: Keys) {
        self.breaks.insert(name, keys);
    }

    pub(super) fn add_outlet(&mut self, outlet: Outlet) {
        self.outlets.push(outlet);
    }

    /// Puts the listeners of a second console on a line where the first one has none.
    fn share(&mut self, first: usize, origin: &Origin, what: &str, port: &str, listens: Listens) {
        let console = &mut self.consoles[first];
        let mut text = format!(
            "its line is {}'s ({}), and a line is one console",
            console.name, console.origin
        );
        let has = &mut console.listens;
        for (key, has, wants) in [
            ("raw", &mut has.raw, listens.raw),
            ("telnet", &mut has.telnet, listens.telnet),
            ("conmux", &mut has.conmux, listens.conmux),
        ] {
            let Some(wanted) = wants else { continue };
            if has.is_none() {
                *has = wants;
                text.push_str(&format!("; {key} port {} is {}'s now", wanted.port, console.name));
            } else {
                text.push_str(&format!(
                    "; {} has a {key} port, so {} is gone",
                    console.name, wanted.port
                ));
            }
        }
        if console.port != port {
            text.push_str(&format!("; the line is opened as {}, not {port}", console.port));
        }
        self.lost(origin, what, text);
    }

    /// Whether nobody has this TCP port yet. One number is used once, whatever the addresses.
    fn is_free(&mut self, origin: &Origin, listen: Listen) -> bool {
        let free = self.addresses.insert(listen.port);
        if !free {
            let what = format!("port {}", listen.port);
            self.lost(origin, &what, "another console has it already; choose one that is free");
        }
        free
    }

    /// A name that is fit for a console, and that no other has.
    fn name(&mut self, origin: &Origin, wanted: &str) -> Option<Name> {
        let base = fit(wanted, "console");
        let mut name = base.clone();
        let mut number = 2;
        while self.names.contains(&name) {
            let end = format!("-{number}");
            name = format!("{}{end}", &base[..base.len().min(MAX_NAME - end.len())]);
            number += 1;
        }
        if name != wanted {
            let why = if name == base {
                "has characters that a name cannot have"
            } else {
                "is used twice"
            };
            self.lost(origin, &format!("name {wanted}"), format!("it {why}; it is {name} here"));
        }
        let name: Name = name.parse().ok()?;
        self.names.insert(name.to_string());
        Some(name)
    }
}

impl Listens {
    /// Each with the key that lava-serial has for it.
    pub fn all(self) -> impl Iterator<Item = (&'static str, Listen)> {
        let all = [("raw", self.raw), ("telnet", self.telnet), ("conmux", self.conmux)];
        all.into_iter().filter_map(|(key, listen)| Some((key, listen?)))
    }

    /// Whether one of them is on other addresses than loopback's.
    pub fn exposed(self) -> bool {
        self.all().any(|(_, listen)| !listen.is_loopback())
    }
}

impl Listen {
    pub fn is_loopback(self) -> bool {
        self.host.is_some_and(|host| host.is_loopback())
    }
}

impl Origin {
    pub(super) fn new(file: &str, line: u32) -> Self {
        Self { file: file.to_owned(), line }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.severity {
            Severity::Lost => "",
            Severity::Changed => "note: ",
        };
        write!(f, "{}: {kind}{}: {}", self.origin, self.what, self.text)
    }
}

/// Whether lava-serial takes a port.
fn accepted(port: &str) -> Result<(), String> {
    port.parse::<PortSpec>().map(drop).map_err(|error| error.to_string())
}

/// What two ports have in common when they are one line: the device, or the whole text.
fn line(port: &str) -> Option<String> {
    match port.split_once(':')? {
        ("exec" | "sim", _) => None,
        ("tty" | "rfc2217", _) => port.split(',').next().map(str::to_owned),
        _ => Some(port.to_owned()),
    }
}

/// The nearest text to `wanted` that is a [`Name`]; `instead` when nothing is left of it.
pub(super) fn fit(wanted: &str, instead: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let name: String = wanted.chars().map(|c| if plain(c) { c } else { '-' }).collect();
    let name = name.trim_start_matches(['-', '_', '.']);
    let name = &name[..name.len().min(MAX_NAME)];
    if name.is_empty() { instead.to_owned() } else { name.to_owned() }
}

/// A piece of a file, fit for a terminal and a comment: one line, no control characters, not long.
fn shown(text: &str) -> String {
    let mut shown: String =
        text.chars().take(SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}
