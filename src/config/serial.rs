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
mod tests {
    use std::time::Duration;

    use super::super::{Idle, IdleSend};
    use super::*;
    use crate::model::Step;

    fn read(files: &[(&str, &str)]) -> Result<SerialConfig, String> {
        let problems = Problems::default();
        let documents: Vec<(String, Node)> = files
            .iter()
            .filter_map(|(file, text)| {
                Some(((*file).to_owned(), toml::parse(text, &At::top(file, &problems))?))
            })
            .collect();
        let config = SerialConfig::from_documents(&documents, &problems, None);
        problems.check(Some(config)).map_err(|failure| failure.message)
    }

    #[test]
    fn the_least_that_a_console_needs_is_read() {
        let config = read(&[(
            "a.toml",
            "[[console]]\nname = \"panda01\"\nport = \"tty:/dev/ttyUSB0,115200n8\"\n\
             raw = \"127.0.0.1:7101\"\ntelnet = \"127.0.0.1:7001\"\n",
        )])
        .unwrap();
        assert_eq!(config.consoles[0].name.as_str(), "panda01");
        assert_eq!(config.consoles[0].port.to_string(), "tty:/dev/ttyUSB0,115200n8");
        assert_eq!(config.consoles[0].telnet, Some("127.0.0.1:7001".parse().unwrap()));
    }

    #[test]
    fn a_console_may_be_kept_for_longer_or_shorter_than_the_others() {
        let config = read(&[
            ("a.toml", "[[console]]\nname = \"a\"\nport = \"unix:/a\"\nkeep = \"10MiB\"\n"),
            ("b.toml", "[[console]]\nname = \"b\"\nport = \"unix:/b\"\nkeep_age = \"7d\"\n"),
            ("c.toml", "[capture]\ndir = \"/c\"\nkeep = \"1GiB\"\nkeep_age = \"30d\"\n"),
        ]);
        let config = config.unwrap();
        let [a, b] = &config.consoles[..] else { panic!("{config:?}") };
        let days = |days: u64| Some(Duration::from_secs(days * 86_400));
        assert_eq!((a.capture.keep, a.capture.keep_age), (10 << 20, days(30)));
        assert_eq!((b.capture.keep, b.capture.keep_age), (1 << 30, days(7)));
        assert_eq!(a.capture.dir, b.capture.dir);
        // Files are small enough that the limit can be kept.
        assert_eq!((a.capture.segment, b.capture.segment), (10 << 18, 64 << 20));
    }

    #[test]
    fn names_and_addresses_are_used_once_over_all_files() {
        let console = |name, port| {
            format!(
                "[[console]]\nname = \"{name}\"\nport = \"unix:/x\"\nraw = \"127.0.0.1:{port}\"\n"
            )
        };
        let told = read(&[
            ("a.toml", &console("panda01", 7101)),
            ("b.toml", &(console("panda01", 7102) + &console("panda02", 7101))),
        ])
        .unwrap_err();
        assert_eq!(
            told,
            "b.toml:2:8: console[0].name: the name panda01 is already used at a.toml:2:8\n\
             b.toml:8:7: console[1].raw: 127.0.0.1:7101 is already used at a.toml:4:7"
        );
    }

    #[test]
    fn how_a_console_behaves_is_read_and_breaks_are_inherited() {
        let config = read(&[
            ("a.toml", "[break]\ndefault = '\\z(500)'\ncisco = '\\z\\d\\z'\n"),
            (
                "b.toml",
                "[[console]]\nname = \"panda01\"\nport = \"sim:uart\"\npace = \"100B/s\"\n\
                 line_pace = \"1s\"\nidle = \"30m\"\nidle_then = \"leave\"\nidle_send = '\\r'\n\
                 idle_send_after = \"5m\"\non_open = \"\\r\"\nbreak = { cisco = '^C' }\n",
            ),
        ])
        .unwrap();
        let manners = &config.consoles[0].manners;
        assert_eq!(manners.pace.byte.time(), Duration::from_millis(10));
        assert_eq!(manners.pace.line.time(), Duration::from_secs(1));
        assert_eq!(manners.idle, Some(Idle { after: Duration::from_secs(1800), leaves: true }));
        let (keys, after) = ("\\r".parse().unwrap(), Duration::from_secs(300));
        assert_eq!(manners.idle_send, Some(IdleSend { keys, after }));
        assert_eq!(manners.on_open.as_ref().unwrap().steps(), [Step::Type(b"\r".to_vec())]);
        let breaks: Vec<_> =
            manners.breaks.iter().map(|(name, keys)| format!("{name}={keys}")).collect();
        assert_eq!(breaks, ["cisco=^C", "default=\\z(500)"]);
    }

    #[test]
    fn what_is_wrong_with_its_behaviour_is_told_with_its_place() {
        let told = read(&[(
            "a.toml",
            "[break]\nx = '\\q'\n\"a b\" = 'x'\ny = 7\n[[console]]\nname = \"panda01\"\n\
             port = \"sim:uart\"\npace = \"fast\"\nidle = \"1ms\"\nidle_then = \"sleep\"\n\
             idle_send = '\\r'\n[[console]]\nname = \"panda02\"\nport = \"sim:uart\"\n\
             idle_then = \"spy\"\n",
        )])
        .unwrap_err();
        for (line, expected) in told.lines().zip([
            "a.toml:2:5: break.x: \\q is none of \\z (break)",
            "a.toml:3:1: break.a b: a name consists of",
            "a.toml:4:5: break.y: expected a text",
            "a.toml:8:8: console[0].pace: \"fast\" is no pace",
            "a.toml:9:8: console[0].idle: that is no time to be idle",
            "a.toml:10:13: console[0].idle_then: \"sleep\" is neither",
            "a.toml:11:13: console[0].idle_send: it needs \"idle_send_after\"",
            "a.toml:15:13: console[1].idle_then: it needs \"idle\"",
        ]) {
            assert!(line.starts_with(expected), "{line}\nis not\n{expected}");
        }
        assert_eq!(told.lines().count(), 8, "{told}");
    }

    #[test]
    fn what_adapters_become_is_told_by_rules() {
        let config = read(&[
            (
                "a.toml",
                "[discover]\nline = \"9600e7\"\ntelnet = \"127.0.0.1:7300-7399\"\n\
                 [[match]]\nserial = \"A50285BI\"\ninterface = 1\nname = \"panda01\"\n",
            ),
            ("b.toml", "[[match]]\nvendor = \"Arduino*\"\nignore = true\n"),
        ]);
        let discover = config.unwrap().discover.unwrap();
        assert_eq!(discover.line.to_string(), "9600e7");
        assert_eq!(discover.rules.len(), 2);
        assert_eq!(discover.rules[0].interface, Some(1));
        assert!(discover.rules[1].ignore);
    }

    #[test]
    fn for_one_adapter_only_its_rules_are_read() {
        let file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
        let text = "[http]\nlisten = \"127.0.0.1:7100\"\n[capture]\ndir = \"/captures\"\n\
                    [[console]]\nname = \"a\"\nport = \"unix:/x\"\n\
                    [[match]]\nserial = \"A\"\nname = \"b\"\n";
        std::fs::write(file.path(), text).unwrap();
        let paths = [file.path().to_owned()];
        let config = SerialConfig::read_for(&paths, Some("usb-A".into())).unwrap();
        assert_eq!((&config.http, config.consoles.len()), (&None, 0));
        let discover = config.discover.as_ref().unwrap();
        assert_eq!((discover.only.as_deref(), discover.rules.len()), (Some("usb-A"), 1));
        assert_eq!(discover.capture.dir, PathBuf::from("/captures"));
        assert_eq!(config.read_again().unwrap(), config);
    }

    #[test]
    fn rules_that_mean_nothing_are_mistakes() {
        let told = read(&[(
            "a.toml",
            "[discover]\n[[console]]\nname = \"panda01\"\nport = \"unix:/x\"\n\
             [[match]]\nname = \"panda01\"\nserial = \"A\"\n\
             [[match]]\nname = \"panda02\"\n\
             [[match]]\npath = \"*\"\nraw = \"7001\"\nignore = true\n",
        )]);
        assert_eq!(
            told.unwrap_err(),
            "a.toml:6:8: match[0].name: the name panda01 is already used at a.toml:3:8\n\
             a.toml:8:1: match[1]: it matches every adapter: say which are meant with vendor, \
             product, serial, path or interface\n\
             a.toml:12:7: match[2].raw: \"7001\" is no address; write it like 127.0.0.1:7001, or \
             127.0.0.1:7300-7399 for one of a range\n\
             a.toml:12:7: match[2].raw: an adapter that is ignored has none"
        );
        let told = read(&[("a.toml", "[[match]]\nserial = \"A\"\nname = \"x\"\n")]);
        let what = "match: nothing is found by itself, so nothing is matched: add [discover]";
        assert_eq!(told.unwrap_err(), format!("a.toml:1:1: {what}"));
    }

    #[test]
    fn the_example_is_a_valid_configuration() {
        let example = concat!(env!("CARGO_MANIFEST_DIR"), "/conf/serial.toml");
        let config = SerialConfig::read(&[example.into()]).unwrap();
        assert!(config.consoles.len() >= 3);
    }
}
