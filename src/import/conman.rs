//! ConMan's `conman.conf`: a directive a line, `SERVER`, `GLOBAL` or `CONSOLE`, then `key=value`.
//!
//! Keys are the same in any case. Values with more than letters stand in single or double quotes,
//! inside which nothing is escaped. A `\` at the end joins the next line.

use super::command;
use super::found::{Imported, Listens, Origin};
use crate::config::Manners;

/// ConMan's own default.
const SEROPTS: &str = "9600,8n1";

/// Reads one file.
pub(super) fn read(file: &str, text: &str, into: &mut Imported) {
    let mut conf = Conf { seropts: SEROPTS.to_owned(), ..Conf::default() };
    for (line, directive) in directives(text) {
        let origin = Origin::new(file, line);
        // What is wrong is told without its words: there may be a password among them.
        let Some(words) = words(&directive) else {
            into.lost(&origin, "directive", "a quote is open in it");
            continue;
        };
        let kind = match words.first() {
            Some(Word::Text(kind)) => kind.to_ascii_lowercase(),
            Some(Word::Equals) => "=".to_owned(),
            None => continue,
        };
        let Some(pairs) = pairs(&words[1..]) else {
            into.lost(&origin, &kind, "it is not of the form key=value");
            continue;
        };
        match kind.as_str() {
            "server" => {
                pairs.iter().for_each(|(key, value)| conf.server(&origin, key, value, into));
            }
            "global" => {
                pairs.iter().for_each(|(key, value)| conf.global(&origin, key, value, into));
            }
            "console" => conf.console(&origin, &pairs, into),
            _ => into.lost(&origin, &kind, "it is no directive of ConMan"),
        }
    }
}

/// What holds for the consoles that follow.
#[derive(Default)]
struct Conf {
    seropts: String,
    execpath: Option<String>,
    ipmi_user: Option<String>,
}

impl Conf {
    fn server(&mut self, origin: &Origin, key: &str, value: &str, into: &mut Imported) {
        let what = format!("server {key}={value}");
        match key {
            "execpath" => self.execpath = Some(value.to_owned()),
            "keepalive" | "coredump" | "coredumpdir" | "pidfile" | "loopback" => {}
            "port" => into.changed(
                origin,
                &what,
                "ConMan's protocol is not served; lava-console finds the consoles of a host by itself",
            ),
            "logdir" | "timestamp" => recorded(origin, &what, into),
            "logfile" | "syslog" => {
                into.changed(origin, &what, "what the daemon says goes to standard error, and so to the journal");
            }
            "resetcmd" => into.lost(
                origin,
                &what,
                "make an outlet for each board in lava-power's file: driver = \"exec\", with one \
                 program for on and one for off",
            ),
            "tcpwrappers" => into.lost(origin, &what, "there is no list of hosts; listeners are on loopback"),
            _ => into.lost(origin, &what, "this key is not known"),
        }
    }

    fn global(&mut self, origin: &Origin, key: &str, value: &str, into: &mut Imported) {
        let what = format!("global {key}={value}");
        match key {
            "seropts" => value.clone_into(&mut self.seropts),
            "ipmiopts" => self.ipmi_user = ipmi_user(origin, value, into),
            "log" | "logopts" => recorded(origin, &what, into),
            _ => into.lost(origin, &what, "this key is not known"),
        }
    }

    fn console(&self, origin: &Origin, pairs: &[(String, String)], into: &mut Imported) {
        let (mut name, mut dev) = (None, None);
        let mut seropts = self.seropts.as_str();
        let mut user = self.ipmi_user.clone();
        for (key, value) in pairs {
            let what = format!("{key}={value}");
            match key.as_str() {
                "name" => name = Some(value),
                "dev" => dev = Some(value),
                "seropts" => seropts = value,
                "ipmiopts" => user = ipmi_user(origin, value, into),
                "log" if value.is_empty() => {
                    into.lost(
                        origin,
                        "log=\"\"",
                        "every console is recorded; [capture] has how much is kept",
                    );
                }
                "log" | "logopts" => recorded(origin, &what, into),
                _ => into.lost(origin, &what, "this key is not known"),
            }
        }
        let (Some(name), Some(dev)) = (name, dev) else {
            into.lost(origin, "console", "it has a name and a dev, of which one is missing");
            return;
        };
        let dev = dev.replace("%N", name);
        match self.port(origin, name, &dev, seropts, user.as_deref(), into) {
            Ok(port) => drop(into.add(origin, name, port, Listens::default(), Manners::default())),
            Err(why) => {
                into.lost(origin, &format!("console {name}"), format!("it is left out: {why}"));
            }
        }
    }

    fn port(
        &self,
        origin: &Origin,
        name: &str,
        dev: &str,
        seropts: &str,
        user: Option<&str>,
        into: &mut Imported,
    ) -> Result<String, String> {
        if let Some(path) = dev.strip_prefix("unix:") {
            return Ok(format!("unix:{path}"));
        }
        if let Some(host) = dev.strip_prefix("ipmi:") {
            let (port, file) = command::ipmi(host, user, name).ok_or("its host has a zero byte")?;
            into.lost(
                origin,
                &format!("console {name}"),
                format!("ipmitool has to be installed, and the BMC's password to be put in {file}"),
            );
            return Ok(port);
        }
        let words = shlex::split(dev).ok_or("a quote is open in its dev")?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match (words.as_slice(), words.first().and_then(|word| word.rsplit_once(':'))) {
            ([_], Some((host, port))) if !host.contains('/') && port.parse::<u16>().is_ok() => {
                Ok(command::address("telnet", host, port))
            }
            ([path], _) if path.starts_with("/dev/") => framing(seropts)
                .map(|framing| format!("tty:{path},{framing}"))
                .ok_or_else(|| format!("seropts {seropts:?} are not understood")),
            ([], _) => Err("its dev is empty".to_owned()),
            (words, _) => self.program(origin, words, into),
        }
    }

    /// A program of ConMan's, which looks for it in `execpath`.
    fn program(
        &self,
        origin: &Origin,
        words: &[&str],
        into: &mut Imported,
    ) -> Result<String, String> {
        if !words[0].contains('/') {
            let told = match &self.execpath {
                Some(path) => format!("lava-serial looks in PATH, not in {path}"),
                None => "lava-serial looks in PATH".to_owned(),
            };
            into.lost(
                origin,
                &format!("program {}", words[0]),
                format!("{told}; write its whole path"),
            );
        }
        match shlex::try_join(words.iter().copied()) {
            Ok(line) => Ok(format!("exec:{line}")),
            Err(_) => Err("its program has a zero byte".to_owned()),
        }
    }
}

fn recorded(origin: &Origin, what: &str, into: &mut Imported) {
    let text = "every console is recorded with its times, in a folder of its own: see [capture]";
    into.changed(origin, what, text);
}

/// `9600,8n1` as `9600n8`; each part may be missing from its end.
fn framing(seropts: &str) -> Option<String> {
    let (speed, rest) = seropts.split_once(',').unwrap_or((seropts, ""));
    let speed: u32 = speed.trim().parse().ok().filter(|speed| *speed != 0)?;
    let mut rest = rest.trim().chars();
    let bits = rest.next().unwrap_or('8');
    let parity = rest.next().unwrap_or('n').to_ascii_lowercase();
    let stop = rest.next().unwrap_or('1');
    let known = matches!(bits, '5'..='8') && "noe".contains(parity) && "12".contains(stop);
    let stop = if stop == '2' { "2" } else { "" };
    (known && rest.next().is_none()).then(|| format!("{speed}{parity}{bits}{stop}"))
}

/// The user of `U:admin,P:secret,…`. The password is not repeated anywhere.
fn ipmi_user(origin: &Origin, options: &str, into: &mut Imported) -> Option<String> {
    let mut user = None;
    for option in options.split(',') {
        match option.split_once(':') {
            Some(("U" | "u", name)) => user = Some(name.to_owned()),
            Some(("P" | "p", _)) => {}
            _ => {
                let key = option.split(':').next().unwrap_or_default();
                let text = "put the option in the console's ipmitool command: -k, -C, -L or -o";
                into.lost(origin, &format!("ipmiopts {key}"), text);
            }
        }
    }
    user
}

/// The directives with the lines they begin at, joined ones as one.
fn directives(text: &str) -> impl Iterator<Item = (u32, String)> {
    let mut lines = (1..).zip(text.lines());
    std::iter::from_fn(move || {
        let (number, line) = lines.next()?;
        let mut directive = line.to_owned();
        while directive.ends_with('\\') {
            directive.pop();
            let Some((_, next)) = lines.next() else { break };
            directive.push_str(next);
        }
        Some((number, directive))
    })
}

/// A piece of a directive.
#[derive(Debug, PartialEq, Eq)]
enum Word {
    Equals,
    Text(String),
}

/// Splits a directive into words; `None` when a quote is open.
fn words(text: &str) -> Option<Vec<Word>> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(c) = rest.chars().next() {
        let (word, after) = match c {
            '#' => break,
            '=' => (Word::Equals, &rest[1..]),
            '\'' | '"' => {
                let (word, after) = rest[1..].split_once(c)?;
                (Word::Text(word.to_owned()), after)
            }
            _ => {
                let ends = |c: char| c.is_whitespace() || "=#'\"".contains(c);
                let (word, after) = rest.split_at(rest.find(ends).unwrap_or(rest.len()));
                (Word::Text(word.to_owned()), after)
            }
        };
        words.push(word);
        rest = after.trim_start();
    }
    Some(words)
}

/// `key = value key = value`, with the keys in small letters.
fn pairs(words: &[Word]) -> Option<Vec<(String, String)>> {
    let parts = words.chunks(3).map(|part| match part {
        [Word::Text(key), Word::Equals, Word::Text(value)] => {
            Some((key.to_ascii_lowercase(), value.clone()))
        }
        _ => None,
    });
    parts.collect()
}
