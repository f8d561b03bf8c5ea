//! The values of `console` and `default` blocks, and the port that they come to.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::command;
use super::super::found::{Imported, Origin};
use super::list;
use super::subst::{Values, substitute};
use crate::config::{IdleSend, Manners};
use crate::model::{Keys, Name};

/// conserver's own pause, in milliseconds.
const DELAY_MS: u64 = 250;

/// The values of a block that make a console. Those of an included block take the place of its own.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings(BTreeMap<&'static str, String>);

/// The keys that make a console.
const KEYS: &[&str] = &[
    "baud",
    "break",
    "delay",
    "device",
    "devicesubst",
    "exec",
    "execsubst",
    "host",
    "idlestring",
    "idletimeout",
    "master",
    "parity",
    "port",
    "portbase",
    "portinc",
    "protocol",
    "replstring",
    "string",
    "type",
    "uds",
    "udssubst",
    "username",
];

impl Settings {
    pub(super) fn include(&mut self, other: &Self) {
        self.0.extend(other.0.iter().map(|(key, value)| (*key, value.clone())));
    }

    /// Takes a value of a known key.
    pub(super) fn keep(&mut self, key: &str, value: &str) {
        let known = KEYS.iter().find(|known| **known == key);
        self.0.extend(known.map(|key| (*key, value.to_owned())));
    }

    /// Takes a value, or tells why it is not taken.
    pub(super) fn set(&mut self, origin: &Origin, key: &str, value: &str, into: &mut Imported) {
        if KEYS.contains(&key) {
            return self.keep(key, value);
        }
        let what = format!("{key} {value}");
        match key {
            "options" => list(value).for_each(|option| self.option(origin, option, into)),
            "rw" if value == "*" => {}
            "rw" | "ro" => into.lost(
                origin,
                &what,
                "rights are those of tokens, by console: lava token new USER --write 'CONSOLES' (for \
                 ro: --spy); without any token everybody on this host may write",
            ),
            "aliases" if value.is_empty() => {}
            "aliases" => into.lost(
                origin,
                &what,
                "a console has one name; lab.toml may have further boards with the same console",
            ),
            "logfile" | "timestamp" | "logfilemax" if matches!(value, "" | "0") => {}
            "logfile" | "timestamp" => into.changed(
                origin,
                &what,
                "every console is recorded with its times and events, in a folder of its own: see [capture]",
            ),
            "logfilemax" => into.changed(origin, &what, "[capture] has segment, keep and keep_age"),
            "initcmd" if value.is_empty() => {}
            "initcmd" => into.lost(
                origin,
                &what,
                "no program is run when a port opens; on_open has what is sent then, or run it \
                 yourself, attached by lava-console",
            ),
            "motd" if value.is_empty() => {}
            "motd" => into.lost(origin, &what, "nobody is greeted; lava-console tells who is attached"),
            "breaklist" if matches!(value, "" | "*") => {}
            "breaklist" => into.lost(origin, &what, "every console has every break of [break]"),
            "tasklist" if value.is_empty() || value == "*" => {}
            "tasklist" => into.lost(origin, &what, "no commands of a console's own are run"),
            "execrunas" => into.lost(
                origin,
                &what,
                "a program runs as lava-serial does; begin its line with runuser -u USER --",
            ),
            "password" => into.lost(origin, "password", "it is not repeated; put it where ipmitool reads it"),
            "ipmikg" | "ipmiciphersuite" | "ipmiworkaround" | "ipmiprivlevel" => into.lost(
                origin,
                key,
                "put it in the console's ipmitool command: -k, -C, -o or -L",
            ),
            // Ports are opened again by themselves; the others belong to initcmd.
            "initspinmax" | "initspintimer" | "initrunas" | "initsubst" => {}
            _ => into.lost(origin, &what, "this key is not known"),
        }
    }

    fn option(&mut self, origin: &Origin, option: &str, into: &mut Imported) {
        let what = format!("options {option}");
        match option {
            "cstopb" => drop(self.0.insert("cstopb", "yes".to_owned())),
            "!cstopb" => drop(self.0.insert("cstopb", String::new())),
            "crtscts" | "ixon" | "ixoff" | "ixany" => into.lost(
                origin,
                &what,
                "a line is opened without flow control; lava line BOARD rtscts (or xonxoff), ~$line and RFC 2217 \
                 clients set it",
            ),
            "ondemand" => into.lost(origin, &what, "a port is always open, so that everything is recorded"),
            "striphigh" => into.lost(origin, &what, "every byte is passed on as it is; 7 data bits \
                                             have the same effect on a serial line"),
            "unloved" => into.lost(origin, &what, "lava log reads what a console printed meanwhile"),
            "!login" => into.lost(origin, &what, "rights keep people from a console: a token is for those that it names"),
            "!autoreinit" => into.lost(origin, &what, "a port that is lost is always opened again"),
            "hupcl" => into.lost(origin, &what, "DTR is left as it is when a port is closed"),
            // What is so anyway.
            "!crtscts" | "!ixon" | "!ixoff" | "!ixany" | "!ondemand" | "!striphigh" | "!unloved"
            | "login" | "autoreinit" | "!hupcl" | "reinitoncc" | "!reinitoncc" | "" => {}
            _ => into.lost(origin, &what, "this option is not known"),
        }
    }

    fn get(&self, key: &str) -> &str {
        self.0.get(key).map_or("", String::as_str)
    }

    /// A value that has to be there.
    fn some(&self, key: &str) -> Result<&str, String> {
        match self.get(key) {
            "" => Err(format!("it has no {key}")),
            value => Ok(value),
        }
    }

    fn number(&self, key: &str) -> Result<Option<u64>, String> {
        match self.get(key) {
            "" => Ok(None),
            text => match text.parse() {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(format!("its {key} {text:?} is no number; write the number")),
            },
        }
    }

    /// The host that is to serve the console, unless it is this one.
    pub(super) fn elsewhere(&self) -> Option<&str> {
        let master = self.get("master");
        (!matches!(master, "" | "localhost" | "127.0.0.1" | "::1")).then_some(master)
    }
}

/// The port of a console.
///
/// # Errors
/// Why there is none.
pub(super) fn port(
    origin: &Origin,
    name: &str,
    settings: &Settings,
    into: &mut Imported,
) -> Result<String, String> {
    // conserver does not serve one without, either.
    settings.some("master")?;
    let port = settings.number("port")?;
    let (base, step) = (settings.number("portbase")?, settings.number("portinc")?);
    let net_port = step.unwrap_or(1).checked_mul(port.unwrap_or(0));
    let values = Values {
        console: name,
        host: settings.some("host").ok(),
        string: settings.get("replstring"),
        baud: settings.get("baud"),
        port,
        net_port: net_port
            .and_then(|port| port.checked_add(base.unwrap_or(0)))
            .ok_or("its port is too large")?,
    };
    let mut put = |text: &str, list: &str| {
        let put = substitute(text, settings.get(list), &values);
        put.unwrap_or_else(|why| {
            into.lost(
                origin,
                &format!("console {name}: {list}"),
                format!("nothing is substituted: {why}"),
            );
            text.to_owned()
        })
    };
    match settings.get("type") {
        "device" => {
            let device = put(settings.some("device")?, "devicesubst");
            Ok(format!("tty:{device},{}", framing(settings)?))
        }
        "exec" => match put(settings.get("exec"), "execsubst").as_str() {
            "" => Ok("exec:/bin/sh -i".to_owned()),
            command => {
                let found = command::port(command)?;
                if let Some(guess) = found.guess {
                    into.lost(origin, command, guess);
                }
                Ok(found.port)
            }
        },
        "host" => {
            let kind = if settings.get("protocol") == "raw" { "tcp" } else { "telnet" };
            settings.some("port")?;
            if values.net_port == 0 {
                return Err("its port is 0".into());
            }
            Ok(command::address(kind, settings.some("host")?, &values.net_port.to_string()))
        }
        "uds" => Ok(format!("unix:{}", put(settings.some("uds")?, "udssubst"))),
        "ipmi" => {
            let (port, file) =
                command::ipmi(settings.some("host")?, Some(settings.get("username")), name)
                    .ok_or("its host has a zero byte")?;
            let text =
                format!("ipmitool has to be installed, and the BMC's password to be put in {file}");
            into.lost(origin, &format!("console {name}"), text);
            Ok(port)
        }
        "noop" => Err("a console without a line has nothing to show".to_owned()),
        "" => Err("it has no type".to_owned()),
        other => Err(format!("its type {other:?} is not known")),
    }
}

/// What a console does beside passing bytes on.
pub(super) fn manners(origin: &Origin, settings: &Settings, into: &mut Imported) -> Manners {
    let mut manners = Manners::default();
    let timeout = settings.get("idletimeout");
    match seconds(timeout) {
        Some(0) => {}
        Some(seconds) => {
            let string = settings.some("idlestring").unwrap_or("\\n");
            match keys(string, DELAY_MS) {
                Ok(keys) => {
                    let after = Duration::from_secs(seconds);
                    manners.idle_send = Some(IdleSend { keys, after });
                }
                Err(why) => into.lost(origin, &format!("idlestring {string}"), why),
            }
        }
        None => into.lost(origin, &format!("idletimeout {timeout}"), "it is no number[s|m|h]"),
    }
    if let Ok(number) = settings.some("break") {
        match into.breaks().get(number).cloned() {
            Some(keys) => manners.breaks.extend(default_name().map(|name| (name, keys))),
            None => {
                into.lost(origin, &format!("break {number}"), "there is no break of this number");
            }
        }
    }
    manners
}

/// What a `break` block sends.
///
/// # Errors
/// Why it cannot be sent.
pub(super) fn break_keys(settings: &Settings) -> Result<Keys, String> {
    let delay = settings.number("delay")?.unwrap_or(DELAY_MS);
    keys(settings.get("string"), delay)
}

/// conserver's notation is ours, but that a backslash before any other letter is that letter, and
/// that all pauses of a sequence are of one length.
fn keys(text: &str, delay: u64) -> Result<Keys, String> {
    let mut keys = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('d') if delay == DELAY_MS => keys.push_str("\\d"),
                Some('d') if delay == 0 => {}
                Some('d') => keys.push_str(&format!("\\d({delay})")),
                Some(c) if c.is_ascii_alphabetic() && !"abfnrtvz".contains(c) => keys.push(c),
                Some('8' | '9') | None => {
                    return Err("it ends in the middle of something".to_owned());
                }
                Some(c) => keys.extend(['\\', c]),
            },
            c => keys.push(c),
        }
    }
    keys.parse::<Keys>().map_err(|error| error.to_string())
}

/// `5m` in seconds; nothing is none.
fn seconds(text: &str) -> Option<u64> {
    let (digits, unit) = match text.strip_suffix(['s', 'm', 'h']) {
        Some(digits) => (digits, &text[digits.len()..]),
        None => (text, "s"),
    };
    let number: u64 = if digits.is_empty() { 0 } else { digits.parse().ok()? };
    number.checked_mul(match unit {
        "h" => 3600,
        "m" => 60,
        _ => 1,
    })
}

/// What a break without a name is called.
fn default_name() -> Option<Name> {
    "default".parse().ok()
}

/// A parity other than none makes 7 data bits, as conserver sets them.
fn framing(settings: &Settings) -> Result<String, String> {
    let parity = match settings.some("parity")? {
        "none" => "n8",
        "even" => "e7",
        "odd" => "o7",
        "mark" => "m7",
        "space" => "s7",
        other => return Err(format!("its parity {other:?} is not known")),
    };
    let stop = if settings.get("cstopb").is_empty() { "" } else { "2" };
    Ok(format!("{}{parity}{stop}", settings.some("baud")?))
}
