//! powerman's configuration, `powerman.conf`: devices, and the nodes on their plugs. See powerman.conf(5).
//!
//! A statement a line, its words in double quotes where they have to be. What talks to a device is in
//! the files that it includes, `*.dev`; here profiles have that.

mod spec;

use std::collections::BTreeMap;

use super::found::{Imported, Listen, Origin};
use super::{DEPTH, INCLUDED, ImportError, Include};
use crate::wire::hostlist;

/// powerman's own port.
const PORT: u16 = 10_101;

/// Reads one file.
pub(super) fn read(
    file: &str,
    text: &str,
    include: &mut Include<'_>,
    into: &mut Imported,
) -> Result<(), ImportError> {
    let mut conf = Conf { include, devices: BTreeMap::new(), included: 0, listens: false };
    conf.file(file, text, 0, into)?;
    if !conf.listens && !into.rack().pdus.is_empty() {
        let host = "127.0.0.1".parse().ok();
        into.rack_mut().powerman = Some(Listen { host, port: PORT });
    }
    Ok(())
}

struct Conf<'a, 'b> {
    include: &'a mut Include<'b>,
    /// Their places; `None` for one that is left out.
    devices: BTreeMap<String, Option<usize>>,
    included: usize,
    listens: bool,
}

impl Conf<'_, '_> {
    fn file(
        &mut self,
        file: &str,
        text: &str,
        depth: usize,
        into: &mut Imported,
    ) -> Result<(), ImportError> {
        // How many brackets of a specification are open.
        let mut open = 0_usize;
        for (number, line) in (1..).zip(text.lines()) {
            let origin = Origin::new(file, number);
            let Some(words) = words(line) else {
                into.lost(&origin, "statement", "a quote is open in it");
                continue;
            };
            let count = |bracket: &str| words.iter().filter(|word| *word == bracket).count();
            if open > 0 {
                open = (open + count("{")).saturating_sub(count("}"));
                continue;
            }
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            match words[..] {
                [] => {}
                ["include", path] => self.include(&origin, path, depth, into)?,
                ["device", name, kind, ref way @ ..] => {
                    self.device(&origin, name, kind, way, into);
                }
                ["node", nodes, device] => self.nodes(&origin, nodes, device, None, into),
                ["node", nodes, device, plugs] => {
                    self.nodes(&origin, nodes, device, Some(plugs), into);
                }
                ["listen", address] => self.listen(&origin, address, into),
                ["alias", name, ..] => into.lost(
                    &origin,
                    &format!("alias {name}"),
                    "a name for several outlets; give one board several of them, or write a range",
                ),
                ["tcpwrappers", ..] => into.lost(
                    &origin,
                    "tcpwrappers",
                    "there is no list of hosts; listeners are on loopback",
                ),
                ["plug_log_level", ..] => into.changed(
                    &origin,
                    "plug_log_level",
                    "every operation leaves a line on standard error, and so in the journal",
                ),
                ["specification", name, ..] => {
                    let told =
                        "what talks to a device is in a profile here; see conf/profiles/dialogue";
                    into.lost(&origin, &format!("specification {name}"), told);
                    open = count("{").saturating_sub(count("}"));
                }
                [word, ..] => into.lost(&origin, word, "it is no statement of powerman's"),
            }
        }
        Ok(())
    }

    fn include(
        &mut self,
        origin: &Origin,
        path: &str,
        depth: usize,
        into: &mut Imported,
    ) -> Result<(), ImportError> {
        // Specifications of devices: profiles have what they have.
        if path.ends_with(".dev") {
            return Ok(());
        }
        if depth == DEPTH || self.included == INCLUDED {
            return Err(ImportError::new(&origin.file, origin.line, "too many files are included"));
        }
        self.included += 1;
        match (self.include)(path) {
            Ok(files) => {
                files.iter().try_for_each(|(file, text)| self.file(file, text, depth + 1, into))
            }
            Err(why) => {
                into.lost(origin, &format!("include {path}"), why);
                Ok(())
            }
        }
    }

    fn device(
        &mut self,
        origin: &Origin,
        name: &str,
        kind: &str,
        way: &[&str],
        into: &mut Imported,
    ) {
        let place = spec::settings(kind, way).and_then(|(settings, note)| {
            if let Some(note) = note {
                into.lost(origin, &format!("device {name}"), note);
            }
            into.add_pdu(origin, name, settings)
        });
        let place = match place {
            Ok(place) => Some(place),
            Err(why) => {
                into.lost(origin, &format!("device {name}"), format!("it is left out: {why}"));
                None
            }
        };
        self.devices.insert(name.to_owned(), place);
    }

    fn nodes(
        &self,
        origin: &Origin,
        nodes: &str,
        device: &str,
        plugs: Option<&str>,
        into: &mut Imported,
    ) {
        let what = format!("node {nodes}");
        let place = match self.devices.get(device) {
            Some(Some(place)) => *place,
            Some(None) => return into.lost(origin, &what, "its device is left out, as told"),
            None => return into.lost(origin, &what, format!("there is no device {device:?}")),
        };
        let names = match hostlist::expand(nodes) {
            Ok(names) => names,
            Err(why) => return into.lost(origin, &what, why.to_string()),
        };
        let plugs = match plugs.map(hostlist::expand).transpose() {
            Ok(Some(plugs)) => plugs,
            Ok(None) => {
                let taken = into.rack().pdus[place].outlets.len();
                let last = taken + names.len();
                let told = format!("its plugs are taken to be {} to {last}", taken + 1);
                into.changed(origin, &what, told);
                (taken + 1..=last).map(|plug| plug.to_string()).collect()
            }
            Err(why) => return into.lost(origin, &what, why.to_string()),
        };
        if names.len() != plugs.len() {
            let told = format!("it has {} names for {} plugs", names.len(), plugs.len());
            return into.lost(origin, &what, told);
        }
        for (name, plug) in names.iter().zip(&plugs) {
            into.add_socket(origin, place, name, plug);
        }
    }

    fn listen(&mut self, origin: &Origin, address: &str, into: &mut Imported) {
        let what = format!("listen {address}");
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok().filter(|port| *port != 0)),
            None => (address, Some(PORT)),
        };
        let Some(port) = port else {
            return into.lost(origin, &what, "it has no TCP port");
        };
        if self.listens {
            return into.lost(origin, &what, "there is one address here, and another one has it");
        }
        self.listens = true;
        let host = into.listener(origin, &what, host);
        let listen = Listen { host, port };
        into.listens(origin, &what, listen);
        into.rack_mut().powerman = Some(listen);
    }
}

/// Splits a statement into words; `None` when a quote is open.
fn words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while let Some(c) = rest.chars().next() {
        let (word, after) = match c {
            '#' => break,
            '"' => rest[1..].split_once('"')?,
            '{' | '}' => rest.split_at(1),
            _ => {
                let ends = |c: char| c.is_whitespace() || "#\"{}".contains(c);
                rest.split_at(rest.find(ends).unwrap_or(rest.len()))
            }
        };
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    Some(words)
}
