//! conserver's `conserver.cf`.
//!
//! `default` blocks hold values that consoles include; the one named `*` is part of every console.
//! Names of blocks are the same in any case. A later console of a name takes the place of an earlier.

mod console;
mod statements;
mod subst;

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use self::console::Settings;
use self::statements::{Statement, What, statements};
use super::found::{Imported, Listens, Origin};
use super::{ImportError, Include};
use crate::model::Name;

/// Reads a file and those that it includes.
pub(super) fn read(
    file: &str,
    text: &str,
    include: &mut Include<'_>,
    into: &mut Imported,
) -> Result<(), ImportError> {
    let mut cf = Cf::default();
    let mut block: Option<Block> = None;
    for Statement { origin, what } in statements(file, text, include)? {
        match what {
            What::Begin { kind, name } => block = Some(cf.begin(origin, &kind, name, into)),
            What::Item { key, value } => match &mut block {
                Some(block) => cf.item(block, &origin, &key, &value, into),
                None => into.lost(&origin, &key, "it is outside of a block"),
            },
            What::Void => {
                if let Some(block) = block.take() {
                    into.lost(
                        &block.origin,
                        &block.name,
                        "the block is not whole, and is left out",
                    );
                }
            }
            What::End => block.take().into_iter().for_each(|block| cf.end(block, into)),
            What::Wrong { text, why } => into.lost(&origin, &text, why),
        }
    }
    cf.finish(into);
    Ok(())
}

#[derive(Default)]
struct Cf {
    defaults: HashMap<String, Settings>,
    consoles: Vec<Block>,
}

struct Block {
    origin: Origin,
    kind: Kind,
    name: String,
    settings: Settings,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Console,
    Default,
    Break,
    Access,
    Config,
    /// Told as a whole when it begins.
    Other,
}

impl Cf {
    fn begin(&mut self, origin: Origin, kind: &str, name: String, into: &mut Imported) -> Block {
        let told = format!("{kind} {name}");
        let kind = match kind {
            "console" => Kind::Console,
            "default" => Kind::Default,
            "access" => Kind::Access,
            "config" => Kind::Config,
            "break" => Kind::Break,
            "group" => {
                into.lost(
                    &origin,
                    &told,
                    "rights are those of tokens, whose consoles are names and patterns: lava token new \
                     USER --write 'CONSOLES'",
                );
                Kind::Other
            }
            "task" => {
                into.lost(
                    &origin,
                    &told,
                    "no commands of a console's own are run; what switches power is made an outlet \
                     in lava-power's file, with driver = \"exec\"",
                );
                Kind::Other
            }
            _ => {
                into.lost(&origin, &told, "it is no block of conserver");
                Kind::Other
            }
        };
        let mut settings = Settings::default();
        if kind == Kind::Console
            && let Some(all) = self.defaults.get("*")
        {
            settings.include(all);
        }
        Block { origin, kind, name, settings }
    }

    fn item(
        &self,
        block: &mut Block,
        origin: &Origin,
        key: &str,
        value: &str,
        into: &mut Imported,
    ) {
        let what = format!("{key} {value}");
        match block.kind {
            Kind::Console | Kind::Default if key == "include" => {
                match self.defaults.get(&value.to_lowercase()) {
                    Some(default) => block.settings.include(default),
                    None => into.lost(origin, &what, "there is no such default block before it"),
                }
            }
            Kind::Console | Kind::Default => block.settings.set(origin, key, value, into),
            Kind::Break => match key {
                "string" | "delay" => block.settings.keep(key, value),
                // Nobody is asked; a break is sent by its name, not by one key.
                "confirm" => {}
                _ => into.lost(origin, &what, "this key is not known"),
            },
            Kind::Access => access(origin, key, value, into),
            Kind::Config => config(origin, key, &what, into),
            Kind::Other => {}
        }
    }

    fn end(&mut self, block: Block, into: &mut Imported) {
        match block.kind {
            Kind::Break => {
                let keys = console::break_keys(&block.settings);
                match (block.name.parse::<Name>(), keys) {
                    (Ok(name), Ok(keys)) => into.add_break(name, keys),
                    (_, Err(why)) => {
                        into.lost(&block.origin, &format!("break {}", block.name), why);
                    }
                    (Err(error), _) => into.lost(&block.origin, "break", error.to_string()),
                }
            }
            Kind::Default => {
                self.defaults.insert(block.name.to_lowercase(), block.settings);
            }
            Kind::Console => self.consoles.push(block),
            Kind::Access | Kind::Config | Kind::Other => {}
        }
    }
}

impl Cf {
    /// Adds the consoles. A later one of a name takes the place of an earlier, unless it has no line.
    fn finish(self, into: &mut Imported) {
        let mut whole: Vec<(Block, String)> = Vec::new();
        let mut places = HashMap::new();
        for block in self.consoles {
            let told = format!("console {}", block.name);
            match console::port(&block.origin, &block.name, &block.settings, into) {
                Ok(port) => match places.entry(block.name.to_lowercase()) {
                    Entry::Occupied(place) => {
                        let earlier = std::mem::replace(&mut whole[*place.get()], (block, port)).0;
                        into.lost(
                            &earlier.origin,
                            &told,
                            "a later one of this name takes its place",
                        );
                    }
                    Entry::Vacant(place) => {
                        place.insert(whole.len());
                        whole.push((block, port));
                    }
                },
                Err(why) => into.lost(&block.origin, &told, format!("it is left out: {why}")),
            }
        }
        for (block, port) in whole {
            let manners = console::manners(&block.origin, &block.settings, into);
            let added = into.add(&block.origin, &block.name, port, Listens::default(), manners);
            if let (Some(_), Some(host)) = (added, block.settings.elsewhere()) {
                let text = format!("who has this file serves it; leave it to the file of {host}");
                into.lost(&block.origin, &format!("console {}: master", block.name), text);
            }
        }
    }
}

/// The names in a list.
fn list(value: &str) -> impl Iterator<Item = &str> {
    value.split([',', ' ', '\x0c', '\x0b', '\t', '\n', '\r']).filter(|name| !name.is_empty())
}

fn access(origin: &Origin, key: &str, value: &str, into: &mut Imported) {
    let mut who = list(value);
    // Who is on this host reaches the consoles through the Unix socket.
    if key == "trusted" && who.all(|host| matches!(host, "127.0.0.1" | "::1" | "localhost")) {
        return;
    }
    into.lost(
        origin,
        &format!("{key} {value}"),
        "hosts are not told apart, people and programs are, by tokens: lava token new USER --write \
         'CONSOLES'; [http] with TLS lets them in from other hosts",
    );
}

fn config(origin: &Origin, key: &str, what: &str, into: &mut Imported) {
    match key {
        "passwdfile" | "defaultaccess" => {
            into.lost(origin, what, "people log in with tokens: lava token new USER --write 'CONSOLES'");
        }
        "sslcredentials" | "sslcacertificatefile" | "sslreqclientcert" | "sslrequired" => {
            into.lost(origin, what, "[http] has TLS: cert, key, and client_ca for certificates of clients");
        }
        "redirect" => {
            into.lost(origin, what, "clients find a board's host in lab.toml, or are told it by --server");
        }
        "logfile" | "unifiedlog" => into.changed(
            origin,
            what,
            "what the daemon says goes to standard error, and so to the journal; consoles are recorded \
             under [capture]",
        ),
        "primaryport" | "secondaryport" => into.changed(
            origin,
            what,
            "conserver's protocol is not served; lava-console finds the consoles of a host by itself",
        ),
        // How the daemon runs, and how often it tries a line that is down: that is done well without.
        "autocomplete" | "daemonmode" | "initdelay" | "reinitcheck" | "setproctitle" => {}
        _ => into.lost(origin, what, "this key is not known"),
    }
}
