//! The options of a connection that are ser2net's own, by their names in YAML.

use std::time::Duration;

use crate::config::{Idle, Manners};
use crate::import::found::{Imported, Origin};
use crate::model::Keys;

/// The least that chardelay and buffers do is done without being asked; any number of clients may
/// connect, so nobody is kicked out; what is off is off.
const NEEDLESS: &[&str] = &[
    "accepter-retry-time",
    "connector-retry-time",
    "dev-to-net-bufsize",
    "kickolduser",
    "max-connections",
    "net-to-dev-bufsize",
    "chardelay",
    "chardelay-max",
    "chardelay-min",
    "chardelay-scale",
];

/// Takes an option that a console has too; tells what becomes of any other.
pub(super) fn take(
    origin: &Origin,
    name: &str,
    value: &str,
    manners: &mut Manners,
    into: &mut Imported,
) {
    match (name, keys(value)) {
        ("openstr", Some(keys)) => {
            manners.on_open = Some(keys);
            let text =
                "it is sent whenever the port is opened, whether somebody is connected or not";
            into.changed(origin, &format!("openstr: {value}"), text);
        }
        _ => tell(origin, name, value, into),
    }
}

/// Takes the time after which an idle client is let go, in seconds; 0 is never.
pub(super) fn timeout(origin: &Origin, value: &str, manners: &mut Manners, into: &mut Imported) {
    match value.trim().parse() {
        Ok(0) => {}
        Ok(seconds) => {
            manners.idle = Some(Idle { after: Duration::from_secs(seconds), leaves: true });
            let text = "a client is idle that types nothing, also while the board prints";
            into.changed(origin, &format!("timeout {value}"), text);
        }
        Err(_) => into.lost(origin, &format!("timeout {value}"), "it is no number of seconds"),
    }
}

/// ser2net's strings have C's escapes, which are ours too, and others for names and times, which
/// nobody here knows.
fn keys(text: &str) -> Option<Keys> {
    let mut keys = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next()? {
                c if "abfnrtvx01234567\\?'\"".contains(c) => keys.extend(['\\', c]),
                _ => return None,
            },
            '^' => keys.push_str("\\^"),
            c => keys.push(c),
        }
    }
    keys.parse().ok()
}

/// Tells what becomes of an option.
pub(super) fn tell(origin: &Origin, name: &str, value: &str, into: &mut Imported) {
    let what = format!("{name}: {value}");
    if NEEDLESS.contains(&name) || matches!(value, "false" | "off" | "no" | "") {
        return;
    }
    match name {
        _ if name.starts_with("trace-") => into.changed(
            origin,
            &what,
            "every console is recorded with its times, whether somebody is connected or not: see [capture]",
        ),
        _ if name.starts_with("mdns") => {
            into.lost(origin, &what, "consoles are not announced; clients find them in lab.toml");
        }
        "banner" => into.lost(origin, &what, "nobody is greeted"),
        "openstr" | "closestr" => into.lost(
            origin,
            &what,
            "on_open has what is sent when the port is opened, without names and times; it stays open",
        ),
        "closeon" | "sendon" => into.lost(origin, &what, "bytes are passed on as they come, and clients stay"),
        "telnet-brk-on-sync" => {
            into.lost(origin, &what, "a break is sent for telnet's BRK, and as RFC 2217 has it");
        }
        "signature" => into.lost(origin, &what, "an RFC 2217 client that asks is told lava-serial's own"),
        "led-rx" | "led-tx" => into.lost(origin, &what, "no LEDs are driven; /metrics has how much comes"),
        "remaddr" | "authdir" | "authdir-admin" | "pamauth" | "allowed-users" => into.lost(
            origin,
            &what,
            "raw and telnet ports know nobody, and so are on loopback; people log in by [http], with \
             tokens and TLS",
        ),
        "connback" => into.lost(origin, &what, "no connections are made to clients"),
        "no-con-to-acc" | "no-acc-to-con" => {
            into.lost(origin, &what, "a client that only looks attaches with mode=spy");
        }
        _ => into.lost(origin, &what, "this option is not known"),
    }
}
