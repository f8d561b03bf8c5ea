//! What was found, as files for `lava-serial` and `lava-power`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::found::{Console, Imported, Listen, Outlet};
use super::rack::{Pdu, Rack, Setting, Socket};
use crate::config::{Idle, IdleSend, Manners};
use crate::model::one_line;

/// Above what lava-power is to get.
const POWER: &str = "Below is for lava-power: a file such as /etc/lava/power.toml, without the \"# \". Check \
                     the programs: they get no shell, and no terminal.";

/// The port that conmux's clients know.
const REGISTRY: u16 = 63_000;

/// Everything as one file for lava-serial, with what is for lava-power in comments at its end.
/// `insecure` keeps listeners on every address that they were on.
pub fn whole(found: &Imported, title: &str, insecure: bool) -> String {
    let mut text = format!("# {title}\n{}", serial_toml(found, insecure));
    let power = power_toml(found);
    if !power.is_empty() {
        text.push_str(&format!("\n# {POWER}\n#\n"));
        for line in power.lines() {
            text.push_str(format!("# {line}").trim_end());
            text.push('\n');
        }
    }
    text
}

/// The consoles, as lava-serial reads them.
pub fn serial_toml(found: &Imported, insecure: bool) -> String {
    let registry = found.registry();
    let mut text = match (registry, insecure) {
        (false, _) => String::new(),
        (true, false) => format!("\n[conmux]\nregistry = \"127.0.0.1:{REGISTRY}\"\n"),
        (true, true) => format!("\n[conmux]\nregistry = \"0.0.0.0:{REGISTRY}\"\ninsecure = true\n"),
    };
    if !found.breaks().is_empty() {
        text.push_str("\n[break]\n");
        for (name, keys) in found.breaks() {
            text.push_str(&format!("{} = {}\n", quoted(name.as_str()), quoted(&keys.to_string())));
        }
    }
    for console in found.consoles() {
        text.push_str(&console_toml(console, insecure, registry));
    }
    text
}

/// The outlets, as lava-power reads them; empty without any.
pub fn power_toml(found: &Imported) -> String {
    let outlets: Vec<String> = found.outlets().iter().map(outlet_toml).collect();
    outlets.join("\n")
}

/// What other power daemons had, as lava-power reads it.
pub fn rack_toml(rack: &Rack, title: &str, insecure: bool) -> String {
    let mut text = format!("# {title}\n");
    let fronts = [
        ("pdudaemon", "listen", rack.pdudaemon),
        ("pdudaemon", "tcp", rack.pdudaemon_tcp),
        ("powerman", "listen", rack.powerman),
    ];
    let mut last = "";
    for (table, key, listen) in fronts {
        let Some(listen) = listen else { continue };
        if table != last {
            text.push_str(&format!("\n[{table}]\n"));
            last = table;
            if insecure && !listen.is_loopback() {
                text.push_str("insecure = true\n");
            }
        }
        text.push_str(&format!("{key} = \"{}\"\n", listen.address(insecure)));
    }
    for pdu in &rack.pdus {
        text.push_str(&pdu_toml(pdu));
        if pdu.outlets.is_empty() {
            let name = quoted(pdu.name.as_str());
            text.push_str(&format!(
                "# [[outlet]]\n# name = \"BOARD\"\n# pdu = {name}\n# port = \"1\"\n"
            ));
        }
        for socket in &pdu.outlets {
            text.push_str(&socket_toml(pdu, socket, rack.off_time));
        }
    }
    text
}

pub(super) fn pdu_toml(pdu: &Pdu) -> String {
    let Pdu { origin, name, settings, .. } = pdu;
    let origin = one_line(&origin.to_string());
    let (name, driver) = (quoted(name.as_str()), settings.driver);
    let mut text = format!("\n# {origin}\n[[pdu]]\nname = {name}\ndriver = \"{driver}\"\n");
    for (key, value) in &settings.keys {
        let value = match value {
            Setting::Text(value) => quoted(value),
            Setting::List(words) => list(words),
            Setting::Flag(value) => value.to_string(),
        };
        text.push_str(&format!("{key} = {value}\n"));
    }
    text
}

pub(super) fn socket_toml(pdu: &Pdu, socket: &Socket, off_time: Option<&str>) -> String {
    let Socket { origin, board, port } = socket;
    let origin = one_line(&origin.to_string());
    let (name, pdu, port) = (quoted(board.as_str()), quoted(pdu.name.as_str()), quoted(port));
    let off_time = off_time.map(|time| format!("off_time = \"{time}\"\n")).unwrap_or_default();
    format!("\n# {origin}\n[[outlet]]\nname = {name}\npdu = {pdu}\nport = {port}\n{off_time}")
}

fn console_toml(console: &Console, insecure: bool, registry: bool) -> String {
    let mut text = format!(
        "\n# {}\n[[console]]\nname = {}\nport = {}\n",
        one_line(&console.origin.to_string()),
        quoted(console.name.as_str()),
        quoted(&console.port)
    );
    for (key, listen) in console.listens.all() {
        text.push_str(&format!("{key} = \"{}\"\n", listen.address(insecure)));
    }
    // A port of conmux's that the registry tells is on the registry's address.
    if insecure && (console.listens.exposed() || registry) {
        text.push_str("insecure = true\n");
    }
    text.push_str(&manners_toml(&console.manners));
    text
}

fn manners_toml(manners: &Manners) -> String {
    let mut text = String::new();
    if let Some(Idle { after, leaves }) = &manners.idle {
        let then = if *leaves { "leave" } else { "spy" };
        text.push_str(&format!("idle = \"{}s\"\nidle_then = \"{then}\"\n", after.as_secs()));
    }
    if let Some(IdleSend { keys, after }) = &manners.idle_send {
        let (keys, after) = (quoted(&keys.to_string()), after.as_secs());
        text.push_str(&format!("idle_send = {keys}\nidle_send_after = \"{after}s\"\n"));
    }
    if let Some(keys) = &manners.on_open {
        text.push_str(&format!("on_open = {}\n", quoted(&keys.to_string())));
    }
    for (name, keys) in &manners.breaks {
        text.push_str(&format!("break.{name} = {}\n", quoted(&keys.to_string())));
    }
    text
}

fn outlet_toml(outlet: &Outlet) -> String {
    let Outlet { origin, board, on, off } = outlet;
    // The PDU has the name of the board: a name with anything added may be too long.
    let name = quoted(board.as_str());
    format!(
        "# {}\n[[pdu]]\nname = {name}\ndriver = \"exec\"\non = {}\noff = {}\n\n\
         [[outlet]]\nname = {name}\npdu = {name}\nport = 1\n",
        one_line(&origin.to_string()),
        list(on),
        list(off)
    )
}

impl Listen {
    /// Where it is to be: on loopback, unless everything is to stay as it was.
    pub fn address(self, insecure: bool) -> SocketAddr {
        let host = match self.host {
            Some(host) if insecure || host.is_loopback() => host,
            Some(IpAddr::V6(_)) => Ipv6Addr::LOCALHOST.into(),
            None if insecure => Ipv4Addr::UNSPECIFIED.into(),
            _ => Ipv4Addr::LOCALHOST.into(),
        };
        SocketAddr::new(host, self.port)
    }
}

fn list(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    format!("[{}]", words.join(", "))
}

/// A TOML string.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_is_quoted_to_itself() {
        for text in ["plain", "a \"b\" \\ c", "\u{1b}[2J\u{7f}\u{85}\n\t\r", "ö€😀"] {
            let read: std::collections::BTreeMap<String, String> =
                ::toml::from_str(&format!("a = {}", quoted(text))).unwrap();
            assert_eq!(read["a"], text);
        }
    }
}
