//! The configuration of `lava-serial`.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::conmux::ConmuxListen;
use super::manners::read_breaks;
use super::url::resource_url;
use super::{
    At, Breaks, CaptureOptions, Manners, Node, PortSpec, Problems, Table, default_capture_dir,
    read_all, toml,
};
use crate::model::{Failure, Name};

/// What a `lava-serial` process serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SerialConfig {
    /// The files and folders that it was read from, if it was.
    pub paths: Vec<PathBuf>,
    pub http: Option<HttpListen>,
    /// There when the consoles are served to conmux's clients too.
    pub conmux: Option<ConmuxListen>,
    pub consoles: Vec<ConsoleConfig>,
}

/// `[http]`: where a daemon serves HTTP beside its Unix socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpListen {
    pub listen: SocketAddr,
    /// Allow an address that is not loopback although nothing authenticates.
    pub insecure: bool,
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
        let problems = Problems::default();
        let documents = read_all(paths, &problems);
        let config = Self::from_documents(&documents, &problems);
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
        let config = Self::from_documents(&documents, &problems);
        problems.check(Some(config))
    }

    fn from_documents(documents: &[(String, Node)], problems: &Problems) -> Self {
        let mut config = Self { paths: Vec::new(), http: None, conmux: None, consoles: Vec::new() };
        let mut capture = CaptureOptions::new(default_capture_dir());
        let mut breaks = Breaks::new();
        let mut seen = Seen::default();
        for (file, node) in documents {
            let Some(top) = Table::new(node, At::top(file, problems)) else { continue };
            if let Some(table) = top.table("http") {
                seen.once(&top, "http", "[http]".into());
                config.http = HttpListen::from_table(&table);
                table.finish();
            }
            if let Some(table) = top.table("conmux") {
                seen.once(&top, "conmux", "[conmux]".into());
                config.conmux = ConmuxListen::from_table(&table);
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
                if let Some(console) = &console {
                    seen.once(&table, "name", format!("the name {}", console.name));
                    for (protocol, address) in console.lines() {
                        if address.port() != 0 {
                            seen.once(&table, protocol.as_str(), address.to_string());
                        }
                    }
                }
                table.finish();
                config.consoles.extend(console);
            }
            top.finish();
        }
        for console in &mut config.consoles {
            console.capture = capture.clone();
            if console.conmux.is_none()
                && let Some(conmux) = &config.conmux
            {
                console.conmux = Some(conmux.any_port());
            }
            console.manners.add_breaks(&breaks);
        }
        if config.consoles.is_empty()
            && problems.is_empty()
            && let Some((file, node)) = documents.first()
        {
            At::top(file, problems).problem(node.place, "there is no [[console]] in any file");
        }
        config
    }
}

impl HttpListen {
    /// Reads `[http]`.
    pub fn from_table(table: &Table<'_>) -> Option<Self> {
        let listen = table.required("listen");
        let insecure = table.optional("insecure").unwrap_or(false);
        Some(Self { listen: listen?, insecure })
    }
}

impl ConsoleConfig {
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
        let config = SerialConfig::from_documents(&documents, &problems);
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
    fn the_example_is_a_valid_configuration() {
        let example = concat!(env!("CARGO_MANIFEST_DIR"), "/conf/serial.toml");
        let config = SerialConfig::read(&[example.into()]).unwrap();
        assert!(config.consoles.len() >= 3);
    }
}
