//! The options of a connection that are ser2net's own, by their names in YAML.

use crate::import::found::{Imported, Origin};

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
            "nothing is sent when a client comes or goes, for the line stays open; send it yourself",
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
            "hosts and users are not told apart, so listeners are on loopback; let people in through ssh",
        ),
        "connback" => into.lost(origin, &what, "no connections are made to clients"),
        "no-con-to-acc" | "no-acc-to-con" => {
            into.lost(origin, &what, "a client that only looks attaches with mode=spy");
        }
        _ => into.lost(origin, &what, "this option is not known"),
    }
}
