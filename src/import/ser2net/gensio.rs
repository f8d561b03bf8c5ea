//! The texts that say where clients come and what the line is: `telnet(rfc2217),tcp,localhost,2001`,
//! `serialdev,/dev/ttyUSB0,115200n81,local`. Layers stand from the outside in; each may have
//! arguments in parentheses.

use std::net::{IpAddr, Ipv4Addr};

use crate::import::command;
use crate::import::found::Listen;

/// More layers than this are no configuration.
const LAYERS: usize = 8;

/// Where clients come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Accepter {
    Raw(Listen),
    Telnet(Listen),
    /// Nowhere: only a rotator used it.
    Nowhere,
}

/// What the line is.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Connector {
    /// The text form of a port.
    pub(super) port: String,
    /// Settings that the port cannot have, and why.
    pub(super) lost: Vec<(String, &'static str)>,
}

/// How a serial line is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Serial {
    baud: u32,
    parity: char,
    bits: char,
    stop: char,
}

/// Reads an accepter.
///
/// # Errors
/// Why no listener of lava-serial does the same.
pub(super) fn accepter(text: &str) -> Result<Accepter, String> {
    let mut telnet = false;
    let mut rest = text.trim();
    for _ in 0..LAYERS {
        let (name, _arguments, inner) = layer(rest)?;
        match name {
            "telnet" => telnet = true,
            "tcp" if telnet => return listen(inner).map(Accepter::Telnet),
            "tcp" => return listen(inner).map(Accepter::Raw),
            "dummy" => return Ok(Accepter::Nowhere),
            "ssl" | "certauth" => {
                return Err("raw and telnet ports have no TLS; [http] has, with tokens, for lava-console and \
                            programs"
                    .to_owned());
            }
            other => return Err(format!("no listener speaks {other:?}")),
        }
        rest = inner;
    }
    Err("it has too many layers".to_owned())
}

/// Reads a connector; `serial` is how a line is set when it does not tell.
///
/// # Errors
/// Why no port of lava-serial is the same.
pub(super) fn connector(text: &str, serial: &Serial, name: &str) -> Result<Connector, String> {
    let mut telnet = None;
    let mut rest = text.trim();
    for _ in 0..LAYERS {
        let (layer_name, arguments, inner) = layer(rest)?;
        match layer_name {
            // A lost port is always opened again.
            "keepopen" => {}
            "telnet" => {
                telnet = Some(if arguments.contains("rfc2217") { "rfc2217" } else { "telnet" });
            }
            "serialdev" | "sdev" => return serialdev(arguments, inner, serial.clone()),
            "tcp" => return tcp(telnet.unwrap_or("tcp"), inner),
            "unix" => {
                return Ok(Connector { port: format!("unix:{inner}"), ..Connector::default() });
            }
            "stdio" | "pty" => {
                let port = command::port(inner)?.port;
                return Ok(Connector { port, ..Connector::default() });
            }
            "echo" => return Ok(Connector { port: "sim:uart".into(), ..Connector::default() }),
            "ipmisol" => return ipmisol(inner, name),
            other => return Err(format!("no port is a {other:?}")),
        }
        rest = inner;
    }
    Err("it has too many layers".to_owned())
}

/// The outermost layer: its name, its arguments, and what is inside.
fn layer(text: &str) -> Result<(&str, &str, &str), String> {
    let end = text.find(['(', ',']).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let (arguments, rest) = match rest.strip_prefix('(') {
        None => ("", rest),
        Some(rest) => {
            let mut depth = 1;
            let close = rest.char_indices().find(|(_, c)| {
                depth += i32::from(*c == '(') - i32::from(*c == ')');
                depth == 0
            });
            let (close, _) = close.ok_or("a parenthesis is open in it")?;
            (&rest[..close], &rest[close + 1..])
        }
    };
    Ok((name.trim(), arguments, rest.trim_start().trim_start_matches(',').trim()))
}

/// Reads `[ipv4,|ipv6,][HOST,]PORT`.
fn listen(text: &str) -> Result<Listen, String> {
    let mut parts: Vec<&str> = text.split(',').map(str::trim).collect();
    if matches!(parts.first(), Some(&("ipv4" | "ipv6" | "ipv6n4"))) {
        parts.remove(0);
    }
    let (host, port) = match parts.as_slice() {
        [port] => (None, port),
        [host, port] => (Some(address(host)?), port),
        _ => {
            return Err(
                "it has several addresses; a console has one raw and one telnet port".to_owned()
            );
        }
    };
    match port.parse() {
        Ok(port) if port != 0 => Ok(Listen { host, port }),
        _ => Err(format!("{port:?} is no port number from 1 to 65535")),
    }
}

fn address(host: &str) -> Result<IpAddr, String> {
    match host {
        "localhost" => Ok(Ipv4Addr::LOCALHOST.into()),
        host => host.parse().map_err(|_| {
            format!(
                "a listener has an address of this host, not a name; write the address of {host:?}"
            )
        }),
    }
}

fn tcp(kind: &str, text: &str) -> Result<Connector, String> {
    match text.split(',').map(str::trim).collect::<Vec<_>>().as_slice() {
        [host, port] | ["ipv4" | "ipv6", host, port] => {
            Ok(Connector { port: command::address(kind, host, port), ..Connector::default() })
        }
        _ => Err("a TCP connector is tcp,HOST,PORT".to_owned()),
    }
}

fn serialdev(arguments: &str, text: &str, mut serial: Serial) -> Result<Connector, String> {
    let (device, options) = text.split_once(',').unwrap_or((text, ""));
    let (device, mut lost) = (device.trim(), Vec::new());
    for option in arguments.split([',', ' ', '\t']).chain(options.split([',', ' ', '\t', '\n'])) {
        if let Some(why) = serial.set(option) {
            lost.push((option.to_owned(), why));
        }
    }
    if device.contains(char::is_whitespace) {
        return Err(format!("the device {device:?} has a blank in it; is a comma missing?"));
    }
    Ok(Connector { port: format!("tty:{device},{}", serial.text()), lost })
}

/// `lan -U admin -P secret HOST,115200`: what OpenIPMI wants, of which the host and the user are kept.
fn ipmisol(text: &str, name: &str) -> Result<Connector, String> {
    let line = text.split(',').next().unwrap_or_default();
    let words: Vec<&str> = line.split_whitespace().collect();
    let user = words.windows(2).find(|pair| pair[0] == "-U").map(|pair| pair[1]);
    let host = words.last().ok_or("it has no host")?;
    let (port, _) = command::ipmi(host, user, name).ok_or("its host has a zero byte")?;
    let text =
        "ipmitool has to be installed, and the BMC's password to be put in the file of its -f";
    Ok(Connector { port, lost: vec![("ipmisol".to_owned(), text)] })
}

impl Serial {
    /// Takes a setting: `9600n81`, `EVEN`, `2STOPBITS`, `local`, `speed=…`. Gives why not.
    pub(super) fn set(&mut self, option: &str) -> Option<&'static str> {
        const FLOW: &str = "a line is opened without flow control; lava line BOARD rtscts (or \
                            xonxoff), ~$line and RFC 2217 clients set it";
        let option = option.to_ascii_lowercase();
        let option = option.strip_prefix("speed=").unwrap_or(&option);
        match option {
            "none" | "even" | "odd" | "mark" | "space" => self.parity = option.chars().next()?,
            "1stopbit" => self.stop = '1',
            "2stopbits" => self.stop = '2',
            "5databits" | "6databits" | "7databits" | "8databits" => {
                self.bits = option.chars().next()?;
            }
            _ if option.starts_with(|c: char| c.is_ascii_digit()) => return self.settings(option),
            "xonxoff" | "rtscts" | "xonxoff=true" | "rtscts=true" => return Some(FLOW),
            "-local" | "local=false" => {
                return Some(
                    "a line is open whatever its modem lines say; clients see them by RFC 2217",
                );
            }
            "hangup_when_done" | "hangup_when_done=true" => return Some("a port stays open"),
            "dtrhi" | "rtshi" | "dtr=on" | "rts=on" => {}
            "dtrlo" | "rtslo" | "dtr=off" | "rts=off" => {
                return Some(
                    "both lines are on when a port is opened; lava line and ~$line switch them",
                );
            }
            "" | "local" | "local=true" | "-xonxoff" | "-rtscts" | "xonxoff=false"
            | "rtscts=false" | "-hangup_when_done" | "nobreak" | "-nobreak" | "nouucplock"
            | "remctl" | "-remctl" => {}
            _ if [
                "nouucplock=",
                "nobreak=",
                "hangup_when_done=",
                "drain_time=",
                "char_drain_wait=",
            ]
            .iter()
            .any(|known| option.starts_with(known)) => {}
            _ if option.starts_with("rs485") => return Some("there is no RS-485 mode"),
            _ => return Some("this setting is not known"),
        }
        None
    }

    /// Takes `9600`, `9600n`, `9600n8` or `9600n81`.
    fn settings(&mut self, text: &str) -> Option<&'static str> {
        const WRONG: &str = "it is no line setting such as 115200n81";
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (baud, rest) = text.split_at(digits);
        let mut rest = rest.chars();
        let parity = rest.next().unwrap_or(self.parity);
        let bits = rest.next().unwrap_or(self.bits);
        let stop = rest.next().unwrap_or(self.stop);
        let known = "neoms".contains(parity) && ('5'..='8').contains(&bits) && "12".contains(stop);
        match baud.parse() {
            Ok(baud) if known && baud != 0 && rest.next().is_none() => {
                *self = Self { baud, parity, bits, stop };
                None
            }
            _ => Some(WRONG),
        }
    }

    pub(super) fn text(&self) -> String {
        let Self { baud, parity, bits, stop } = self;
        let stop = if *stop == '2' { "2" } else { "" };
        format!("{baud}{parity}{bits}{stop}")
    }
}

impl Default for Serial {
    /// As ser2net's.
    fn default() -> Self {
        Self { baud: 9600, parity: 'n', bits: '8', stop: '1' }
    }
}
