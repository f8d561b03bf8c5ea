//! pdudaemon's configuration, JSON: the daemon, PDUs by their host names, and aliases for ports.

mod drivers;
mod snmp;

use std::collections::BTreeMap;

use super::ImportError;
use super::found::{Imported, Listen, Origin};
use crate::config::{At, Node, Problems, Value};
use drivers::Found;

/// pdudaemon's own port.
const PORT: u16 = 16_421;

/// How long its reboot leaves a port off when the client does not say.
const OFF_TIME: &str = "5s";

/// Reads one file.
pub(super) fn read(file: &str, text: &str, into: &mut Imported) -> Result<(), ImportError> {
    if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text) {
        return Err(ImportError::new(file, error.line() as u32, format!("it is no JSON: {error}")));
    }
    // JSON is YAML, which is read with its places, but for tabs: there are none within a JSON string.
    into.rack_mut().off_time = Some(OFF_TIME);
    let problems = Problems::default();
    let node = crate::yaml::parse(&text.replace('\t', " "), &At::top(file, &problems));
    let top = problems.check(node).map_err(|failure| ImportError(failure.message))?;
    let mut known = BTreeMap::new();
    for (origin, key, node) in entries(file, &top)? {
        match key {
            "daemon" => daemon(file, node, into)?,
            "pdus" => known = pdus(file, node, into)?,
            "aliases" => {}
            _ => into.lost(&origin, key, "this key is not known"),
        }
    }
    // They may stand before the PDUs that they name.
    if let Some(node) = top.get("aliases") {
        aliases(file, node, &known, into)?;
    }
    for (name, (origin, place)) in known {
        let Some((place, _)) = place else { continue };
        if into.rack().pdus[place].outlets.is_empty() {
            let told = "no alias tells which of its ports are in use; add an [[outlet]] for each";
            into.lost(&origin, &format!("PDU {name}"), told);
        }
    }
    Ok(())
}

/// A PDU's statement, and its place and what stands before a port; `None` when it is left out.
type Known = BTreeMap<String, (Origin, Option<(usize, String)>)>;

fn daemon(file: &str, node: &Node, into: &mut Imported) -> Result<(), ImportError> {
    let mut listen = Listen { host: None, port: PORT };
    let mut is_http = false;
    for (origin, key, node) in entries(file, node)? {
        let value = word(node);
        match (key, value.as_deref()) {
            ("hostname", Some(host)) => {
                listen.host = into.listener(&origin, &format!("hostname {host}"), host);
            }
            ("port", Some(port)) => match port.parse().ok().filter(|port| *port != 0) {
                Some(port) => listen.port = port,
                None => into.lost(&origin, &format!("port {port}"), "it is no TCP port"),
            },
            ("listener", Some(word)) => is_http = word == "http",
            ("logging_level", _) => into.changed(
                &origin,
                key,
                "what the daemon says goes to standard error, and so to the journal; LAVA_LOG=debug tells more",
            ),
            // Of no use to pdudaemon either.
            ("dbname", _) => {}
            _ => into.lost(&origin, key, "this key is not known"),
        }
    }
    let origin = Origin::new(file, node.place.line);
    into.listens(&origin, "hostname", listen);
    let rack = into.rack_mut();
    *(if is_http { &mut rack.pdudaemon } else { &mut rack.pdudaemon_tcp }) = Some(listen);
    Ok(())
}

fn pdus(file: &str, node: &Node, into: &mut Imported) -> Result<Known, ImportError> {
    let mut known = Known::new();
    for (origin, name, node) in entries(file, node)? {
        let what = format!("PDU {name}");
        let mut keys = Keys::new();
        for (origin, key, node) in entries(file, node)? {
            match word(node) {
                Some(value) => drop(keys.insert(key.to_owned(), (origin, value))),
                None => into.lost(&origin, &format!("{what} {key}"), "it is no text and no number"),
            }
        }
        for key in ["retries", "retrydelay"] {
            if let Some((origin, _)) = keys.remove(key) {
                let told =
                    "lava-power reads back what it has asked for, and repeats only what is safe";
                into.changed(&origin, &format!("{what} {key}"), told);
            }
        }
        let Some((_, driver)) = keys.remove("driver") else {
            into.lost(&origin, &what, "it is left out: it has no driver");
            continue;
        };
        let place = match drivers::settings(&driver, name, &mut keys) {
            Ok(Found { settings, note, before }) => {
                if let Some(note) = note {
                    into.changed(&origin, &what, note);
                }
                for (key, (origin, _)) in keys {
                    into.lost(&origin, &format!("{what} {key}"), "this key has no equivalent");
                }
                match into.add_pdu(&origin, name, settings) {
                    Ok(place) => Some((place, before)),
                    Err(why) => {
                        into.lost(&origin, &what, format!("it is left out: {why}"));
                        None
                    }
                }
            }
            Err(why) => {
                into.lost(&origin, &what, format!("it is left out: {why}"));
                None
            }
        };
        known.insert(name.to_owned(), (origin, place));
    }
    Ok(known)
}

fn aliases(file: &str, node: &Node, known: &Known, into: &mut Imported) -> Result<(), ImportError> {
    for (origin, alias, node) in entries(file, node)? {
        let what = format!("alias {alias}");
        let get = |key| node.get(key).and_then(word);
        let (Some(hostname), Some(port)) = (get("hostname"), get("port")) else {
            into.lost(&origin, &what, "it has a hostname and a port, of which one is missing");
            continue;
        };
        match known.get(&hostname) {
            None => into.lost(&origin, &what, format!("there is no PDU {hostname:?}")),
            Some((_, None)) => into.lost(&origin, &what, "its PDU is left out, as told"),
            Some((_, Some((place, before)))) => {
                let driver = &into.rack().pdus[*place].settings;
                match drivers::port(driver, &format!("{before}{port}")) {
                    Ok(port) => into.add_socket(&origin, *place, alias, &port),
                    Err(why) => into.lost(&origin, &what, why),
                }
            }
        }
    }
    Ok(())
}

/// What a PDU's driver is told, with the places.
type Keys = BTreeMap<String, (Origin, String)>;

/// The entries of an object, with their lines.
fn entries<'a>(
    file: &'a str,
    node: &'a Node,
) -> Result<impl Iterator<Item = (Origin, &'a str, &'a Node)>, ImportError> {
    let Value::Map(entries) = &node.value else {
        let what = "an object is expected here; it is no configuration of pdudaemon's";
        return Err(ImportError::new(file, node.place.line, what));
    };
    let entry = |(key, node)| {
        let key: &crate::config::Key = key;
        (Origin::new(file, key.place.line), key.name.as_str(), node)
    };
    Ok(entries.iter().map(|(key, node)| (key, node)).map(entry))
}

/// A text or a number, as a text.
fn word(node: &Node) -> Option<String> {
    match &node.value {
        Value::Text(text) => Some(text.clone()),
        Value::Int(number) => Some(number.to_string()),
        Value::Bool(is_so) => Some(is_so.to_string()),
        _ => None,
    }
}
