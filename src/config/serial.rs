//! The configuration of `lava-serial`.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::capture::Retention;
use super::conmux::ConmuxListen;
use super::discover::{Discover, Rule};
use super::manners::read_breaks;
use super::url::resource_url;
use super::{
    AccessConfig, AnnounceConfig, At, Breaks, CaptureOptions, HttpListen, Manners, Node, PortSpec,
    Problems, Table, default_capture_dir, read_all, toml,
};
use crate::model::{Failure, Name};

/// What a `lava-serial` process serves.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SerialConfig {
    /// The files and folders that it was read from, if it was.
    pub paths: Vec<PathBuf>,
    /// The adapter that it was read for, if only one is to be served.
    pub only: Option<String>,
    pub http: Option<HttpListen>,
    /// There when the consoles are served to conmux's clients too.
    pub conmux: Option<ConmuxListen>,
    pub access: AccessConfig,
    /// Where it announces itself.
    pub server: Option<AnnounceConfig>,
    pub consoles: Vec<ConsoleConfig>,
    /// Adapters that are found by themselves become consoles, too.
    pub discover: Option<Discover>,
}

/// `[[console]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleConfig {
    pub name: Name,
    pub port: PortSpec,
    /// A TCP port that passes bytes untouched: for ser2net's `tcp` users and labgrid's raw ports.
    pub raw: Option<SocketAddr>,
    pub telnet: Option<SocketAddr>,
    /// What conmux's clients connect to, once the registry has told them where it is.
    pub conmux: Option<SocketAddr>,
    /// The URL of the board's outlet, for the power commands of conmux's clients. Without it the
    /// outlet is looked up as `lava-console` does.
    pub outlet: Option<String>,
    /// Allow `raw`, `telnet` and `conmux` on addresses that are not loopback.
    pub insecure: bool,
    /// Where it is recorded: `[capture]`.
    pub capture: CaptureOptions,
    pub manners: Manners,
}

/// What is spoken on a console's TCP port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// The board's bytes and nothing else.
    Raw,
    /// RFC 854 and friends.
    Telnet,
    /// conmux's CONNECT, then bytes with `~$` escapes.
    Conmux,
}

impl Protocol {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Telnet => "telnet",
            Self::Conmux => "conmux",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl SerialConfig {
    /// Reads files and folders of TOML; several are one configuration.
    ///
    /// # Errors
    /// [`crate::model::Kind::Config`] with every problem in all of them.
    pub fn read(paths: &[PathBuf]) -> Result<Self, Failure> {
        Self::read_for(paths, None)
    }

    /// The same for one adapter only, with what the files say of it: its rules, and where it is
    /// recorded. `[http]` and every `[[console]]` are left to other processes.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_for(paths: &[PathBuf], only: Option<String>) -> Result<Self, Failure> {
        let problems = Problems::default();
        let documents = read_all(paths, &problems);
        let config = Self::from_documents(&documents, &problems, only);
        problems.check(Some(Self { paths: paths.to_owned(), ..config }))
    }

    /// Reads one text; `file` is its name in messages.
    ///
    /// # Errors
    /// Everything that is wrong in it, each with its place.
    pub fn parse(file: &str, text: &str) -> Result<Self, Failure> {
        let problems = Problems::default();
        let document = toml::parse(text, &At::top(file, &problems));
        let documents: Vec<_> = document.map(|node| (file.to_owned(), node)).into_iter().collect();
        let config = Self::from_documents(&documents, &problems, None);
        problems.check(Some(config))
    }

    /// What its files say now.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_again(&self) -> Result<Self, Failure> {
        Self::read_for(&self.paths, self.only.clone())
    }

    fn from_documents(
        documents: &[(String, Node)],
        problems: &Problems,
        only: Option<String>,
    ) -> Self {
        let mut config = Self::default();
        let mut capture = CaptureOptions::new(default_capture_dir());
        let mut breaks = Breaks::new();
        let mut seen = Seen::default();
        let (mut retentions, mut rules) = (Vec::new(), Vec::new());
        let mut matched = None;
        for (file, node) in documents {
            let Some(top) = Table::new(node, At::top(file, problems)) else { continue };
            if let Some(table) = top.table("http") {
                seen.once(&top, "http", "[http]".into());
                config.http = HttpListen::from_table(&table);
                config.access.names = config.http.iter().flat_map(|it| it.names.clone()).collect();
                table.finish();
            }
            if let Some(table) = top.table("conmux") {
                seen.once(&top, "conmux", "[conmux]".into());
                config.conmux = ConmuxListen::from_table(&table);
                table.finish();
            }
            config.access.read(&top);
            if let Some(table) = top.table("server") {
                seen.once(&top, "server", "[server]".into());
                config.server = AnnounceConfig::from_table(&table);
                table.finish();
            }
            if let Some(table) = top.table("capture") {
                seen.once(&top, "capture", "[capture]".into());
                capture.read(&table);
                table.finish();
            }
            if let Some(table) = top.table("break") {
                seen.once(&top, "break", "[break]".into());
                breaks = read_breaks(&table);
            }
            for table in top.tables("console") {
                let console = ConsoleConfig::from_table(&table);
                let retention = Retention::from_table(&table);
                if let Some(console) = &console {
                    retentions.push(retention);
                    seen.name(&table, &console.name);
                    for (protocol, address) in console.lines() {
                        seen.address(&table, protocol.as_str(), Some(address));
                    }
                }
                table.finish();
                config.consoles.extend(console);
            }
            if let Some(table) = top.table("discover") {
                seen.once(&top, "discover", "[discover]".into());
                config.discover = Some(Discover::from_table(&table, capture.clone()));
                table.finish();
            }
            if let Some(node) = top.node("match") {
                matched.get_or_insert((top.at().clone(), node.place));
            }
            for table in top.tables("match") {
                let rule = Rule::from_table(&table);
                if let Some(name) = &rule.name {
                    seen.name(&table, name);
                }
                for (key, address) in rule.own_addresses() {
                    seen.address(&table, key, address);
                }
                table.finish();
                rules.push(rule);
            }
            top.finish();
        }
        for (file, node) in documents {
            // [http] may be in another file.
            if let Some(top) = Table::new(node, At::top(file, problems)) {
                AccessConfig::check(&top, config.http.as_ref());
            }
        }
        for (console, retention) in config.consoles.iter_mut().zip(&retentions) {
            console.capture = capture.with(retention);
            if console.conmux.is_none()
                && let Some(conmux) = &config.conmux
            {
                console.conmux = Some(conmux.any_port());
            }
            console.manners.add_breaks(&breaks);
        }
        if let Some(only) = only {
            let discover = config.discover.take();
            let discover = discover.unwrap_or_else(|| Discover::new(capture.clone()));
            let discover = Some(discover.for_adapter(Some(only.clone())));
            let access = config.access;
            config = Self { discover, access, only: Some(only), ..Self::default() };
        }
        match &mut config.discover {
            Some(discover) => {
                discover.rules = rules;
                discover.capture = capture;
                discover.breaks = breaks;
                discover.conmux = config.conmux.as_ref().map(ConmuxListen::any_port);
            }
            None => {
                if let Some((at, place)) = matched {
                    let what = "nothing is found by itself, so nothing is matched: add [discover]";
                    at.key("match").problem(place, what);
                }
            }
        }
        if config.consoles.is_empty()
            && config.discover.is_none()
            && problems.is_empty()
            && let Some((file, node)) = documents.first()
        {
            let what = "there is no [[console]] in any file, and no [discover]";
            At::top(file, problems).problem(node.place, what);
        }
        config
    }
}

impl ConsoleConfig {
    /// A console that listens nowhere of its own.
    pub fn new(name: Name, port: PortSpec, capture: CaptureOptions) -> Self {
        let manners = Manners::default();
        let (raw, telnet, conmux, outlet) = (None, None, None, None);
        Self { name, port, raw, telnet, conmux, outlet, insecure: false, capture, manners }
    }

    fn from_table(table: &Table<'_>) -> Option<Self> {
        let name = table.required("name");
        let port = match table.node("port") {
            Some(_) => table.parsed("port", str::parse::<PortSpec>),
            None => table.required::<String>("port").and(None),
        };
        let raw = table.optional("raw");
        let telnet = table.optional("telnet");
        let conmux = table.optional("conmux");
        let outlet = table.parsed("outlet", |url| resource_url(url, "outlet"));
        let insecure = table.optional("insecure").unwrap_or(false);
        // Its place is known when all files are read.
        let capture = CaptureOptions::new(default_capture_dir());
        let manners = Manners::from_table(table);
        Some(Self {
            name: name?,
            port: port?,
            raw,
            telnet,
            conmux,
            outlet,
            insecure,
            capture,
            manners,
        })
    }

    /// Where it listens, and for what.
    pub fn lines(&self) -> impl Iterator<Item = (Protocol, SocketAddr)> {
        let lines = [
            (Protocol::Raw, self.raw),
            (Protocol::Telnet, self.telnet),
            (Protocol::Conmux, self.conmux),
        ];
        lines.into_iter().filter_map(|(protocol, address)| Some((protocol, address?)))
    }
}

/// Things that may be there only once, and where they were.
#[derive(Default)]
struct Seen(HashMap<String, String>);

impl Seen {
    fn name(&mut self, table: &Table<'_>, name: &Name) {
        self.once(table, "name", format!("the name {name}"));
    }

    /// Port 0 is another one each time.
    fn address(&mut self, table: &Table<'_>, key: &str, address: Option<SocketAddr>) {
        if let Some(address) = address.filter(|address| address.port() != 0) {
            self.once(table, key, address.to_string());
        }
    }

    fn once(&mut self, table: &Table<'_>, key: &str, what: String) {
        let place = table.node(key).map_or(table.place(), |node| node.place);
        let here = format!("{}:{place}", table.at().file);
        if let Some(first) = self.0.get(&what) {
            table.problem(key, format!("{what} is already used at {first}"));
        } else {
            self.0.insert(what, here);
        }
    }
}

#[cfg(test)]
mod tests;
