//! `ser2net.yaml`.
//!
//! Version 1 is not YAML, however much it looks like it: keys such as `connection` are given again
//! and again, with their names as anchors, and texts have aliases in them, `*(name)`. So each such
//! line gets a key of its own first, in place, and `*(name)` becomes the `=(name)` of version 2; then
//! a YAML parser reads either.

use std::collections::HashMap;

use super::super::{DEPTH, INCLUDED, ImportError, Include};
use super::gensio::{self, Accepter, Serial};
use super::option;
use crate::config::{At, Manners, Node, Problems, Value};
use crate::import::found::{Imported, Listens, Origin};

/// The most YAML documents of one file: each is padded so that its lines keep their numbers.
const MAX_DOCUMENTS: usize = 64;

/// The keys at the top of version 1, each for one thing …
pub(super) const KEYS: &[&str] =
    &["connection", "rotator", "define", "default", "delete_default", "led", "admin", "include"];
/// … and of version 2, each for all things of a kind.
pub(super) const LISTS: &[&str] =
    &["connections", "rotators", "defines", "defaults", "delete_defaults", "leds"];

/// The longest text that aliases may come to, in bytes: they may use each other.
const LONGEST: usize = 4096;

/// Reads a file and those that it includes.
pub(super) fn read(
    file: &str,
    text: &str,
    include: &mut Include<'_>,
    into: &mut Imported,
) -> Result<(), ImportError> {
    let mut yaml = Yaml {
        file: file.to_owned(),
        defines: HashMap::new(),
        serial: Serial::default(),
        included: 0,
        depth: 0,
    };
    yaml.file(text, include, into)
}

struct Yaml {
    file: String,
    defines: HashMap<String, String>,
    /// How a line is set that does not tell.
    serial: Serial,
    /// How many files have been included, and how deep.
    included: usize,
    depth: usize,
}

impl Yaml {
    fn file(
        &mut self,
        text: &str,
        include: &mut Include<'_>,
        into: &mut Imported,
    ) -> Result<(), ImportError> {
        let two = text.lines().any(|line| LISTS.iter().any(|key| is_key(line, key)));
        for document in documents(text) {
            let document = if two { document } else { own_keys(&document) };
            let problems = Problems::default();
            let node = crate::yaml::parse(&document, &At::top(&self.file, &problems));
            let node = problems.check(node).map_err(|failure| ImportError(failure.message))?;
            match &node.value {
                Value::Map(entries) => {
                    for (key, node) in entries {
                        let (line, mut key) = (key.place.line, key.name.splitn(3, ' '));
                        let kind = key.next().unwrap_or_default();
                        let anchor = key.nth(1).filter(|name| !name.is_empty());
                        let origin = Origin::new(&self.file, line);
                        self.entry(&origin, kind, anchor, node, include, into)?;
                    }
                }
                Value::Null => {}
                _ => {
                    return Err(ImportError::new(
                        &self.file,
                        node.place.line,
                        "it is no ser2net.yaml",
                    ));
                }
            }
        }
        Ok(())
    }

    /// One entry of the top: its key, and in version 1 its anchor.
    fn entry(
        &mut self,
        origin: &Origin,
        kind: &str,
        anchor: Option<&str>,
        node: &Node,
        include: &mut Include<'_>,
        into: &mut Imported,
    ) -> Result<(), ImportError> {
        match (kind, anchor) {
            ("define", Some(name)) => self.define(origin, name, node, into),
            ("defines", _) => each(node, |line, name, node| {
                let value = node.get("value").unwrap_or(node);
                self.define(&Origin::new(&origin.file, line), name, value, into);
            }),
            ("default", _) => self.set_default(origin, None, node, into),
            ("defaults", _) => each(node, |line, name, node| {
                self.set_default(&Origin::new(&origin.file, line), Some(name), node, into);
            }),
            ("delete_default" | "delete_defaults", _) => {
                into.lost(origin, kind, "defaults of a class are not told apart");
            }
            ("connection", name) => self.connection(origin, name, node, into),
            ("connections", _) => each(node, |line, name, node| {
                self.connection(&Origin::new(&origin.file, line), Some(name), node, into);
            }),
            ("rotator" | "rotators", _) => {
                into.lost(origin, kind, "a client asks for a console by its name");
            }
            ("led" | "leds", _) => into.lost(origin, kind, "no LEDs are driven"),
            ("admin", _) => {
                into.lost(origin, kind, "the HTTP interface controls the consoles: [http] listen");
            }
            ("include", _) => {
                self.include(origin, &text(node).unwrap_or_default(), include, into)?;
            }
            ("define" | "version", _) => {}
            _ => into.lost(origin, kind, "this key is not known"),
        }
        Ok(())
    }

    fn include(
        &mut self,
        origin: &Origin,
        path: &str,
        include: &mut Include<'_>,
        into: &mut Imported,
    ) -> Result<(), ImportError> {
        self.included += 1;
        let read = match () {
            () if self.depth >= DEPTH => {
                Err(format!("files include each other more than {DEPTH} deep"))
            }
            () if self.included > INCLUDED => {
                Err(format!("more than {INCLUDED} files are included"))
            }
            () => include(path),
        };
        match read {
            Ok(files) => {
                for (file, text) in files {
                    let outer = std::mem::replace(&mut self.file, file);
                    self.depth += 1;
                    self.file(&text, include, into)?;
                    self.depth -= 1;
                    self.file = outer;
                }
            }
            Err(why) => into.lost(origin, &format!("include {path}"), why),
        }
        Ok(())
    }

    fn define(&mut self, origin: &Origin, name: &str, node: &Node, into: &mut Imported) {
        let value = text(node).and_then(|value| self.expand(&value));
        match value {
            Some(value) => drop(self.defines.insert(name.to_owned(), value)),
            None => {
                into.lost(origin, &format!("define {name}"), "it is no text, or a very long one");
            }
        }
    }

    /// `name`, `value` and `class` of something that holds for what follows.
    fn set_default(
        &mut self,
        origin: &Origin,
        name: Option<&str>,
        node: &Node,
        into: &mut Imported,
    ) {
        let name = node.get("name").and_then(text).or_else(|| name.map(str::to_owned));
        let value = node.get("value").or(Some(node)).and_then(text).unwrap_or_default();
        let class = node.get("class").and_then(text).unwrap_or_default();
        match (name.as_deref().unwrap_or_default(), class.as_str()) {
            ("speed", "" | "serialdev") => {
                if let Some(why) = self.serial.set(&value) {
                    into.lost(origin, &format!("speed {value}"), why);
                }
            }
            (name, "" | "ser2net") if name.contains('-') || name == "kickolduser" => {
                option::tell(origin, name, &value, into);
            }
            (name, "" | "serialdev") => {
                if let Some(why) = self.serial.set(&format!("{name}={value}")) {
                    into.lost(origin, &format!("default {name}"), why);
                }
            }
            (name, class) => {
                into.lost(origin, &format!("default {name} of {class}"), "it is about no line");
            }
        }
    }

    fn connection(&self, origin: &Origin, name: Option<&str>, node: &Node, into: &mut Imported) {
        let Value::Map(entries) = &node.value else {
            return into.lost(origin, "connection", "it has no accepter and no connector");
        };
        let given = node.get("name").and_then(text);
        let (mut accepter, mut connector, mut enabled) = (None, None, true);
        let mut manners = Manners::default();
        for (key, node) in entries {
            let origin = Origin::new(&self.file, key.place.line);
            let value = text(node).and_then(|value| self.expand(&value)).unwrap_or_default();
            match key.name.as_str() {
                "accepter" => accepter = Some(value),
                "connector" => connector = Some(value),
                "name" => {}
                "enable" => enabled = !matches!(value.as_str(), "off" | "false" | "no"),
                "timeout" => option::timeout(&origin, &value, &mut manners, into),
                "options" => self.options(node, &mut manners, into),
                // ser2net's own example has options here, and ser2net refuses them.
                key => into.lost(&origin, key, "this key is not known in a connection"),
            }
        }
        let (Some(accepter), Some(connector)) = (accepter, connector) else {
            return into.lost(origin, "connection", "it has no accepter, or no connector");
        };
        let name = given.as_deref().or(name).unwrap_or("console");
        if !enabled {
            return into.lost(origin, name, "it is not enabled, and so it is left out");
        }
        let listens = self.listeners(origin, &accepter, into);
        match gensio::connector(&connector, &self.serial, name) {
            Ok(connector) => {
                for (option, why) in connector.lost {
                    into.lost(origin, &option, why);
                }
                into.add(origin, name, connector.port, listens, manners);
            }
            Err(why) => into.lost(origin, name, format!("it is left out: {why}")),
        }
    }

    fn listeners(&self, origin: &Origin, accepter: &str, into: &mut Imported) -> Listens {
        match gensio::accepter(accepter) {
            Ok(Accepter::Raw(listen)) => Listens { raw: Some(listen), ..Listens::default() },
            Ok(Accepter::Telnet(listen)) => Listens { telnet: Some(listen), ..Listens::default() },
            Ok(Accepter::Nowhere) => Listens::default(),
            Err(why) => {
                into.lost(origin, &format!("accepter {accepter}"), why);
                Listens::default()
            }
        }
    }

    fn options(&self, node: &Node, manners: &mut Manners, into: &mut Imported) {
        let Value::Map(entries) = &node.value else { return };
        for (key, node) in entries {
            let value = text(node).and_then(|value| self.expand(&value)).unwrap_or_default();
            let origin = Origin::new(&self.file, key.place.line);
            option::take(&origin, &key.name, &value, manners, into);
        }
    }

    /// Puts the texts of `=(name)` in; `None` when it gets too long.
    fn expand(&self, text: &str) -> Option<String> {
        let mut expanded = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("=(") {
            expanded.push_str(before);
            let defined = after
                .split_once(')')
                .and_then(|(name, after)| Some((self.defines.get(name)?, after)));
            rest = match defined {
                Some((value, after)) => {
                    expanded.push_str(value);
                    after
                }
                None => {
                    expanded.push_str("=(");
                    after
                }
            };
            if expanded.len() > LONGEST {
                return None;
            }
        }
        expanded.push_str(rest);
        (expanded.len() <= LONGEST).then_some(expanded)
    }
}

/// A scalar as text.
fn text(node: &Node) -> Option<String> {
    match &node.value {
        Value::Text(text) => Some(text.clone()),
        Value::Int(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Null => Some(String::new()),
        Value::List(_) | Value::Map(_) => None,
    }
}

/// The things of a map by their keys, or of a list by their `name`, each with its line.
fn each(node: &Node, mut f: impl FnMut(u32, &str, &Node)) {
    match &node.value {
        Value::Map(entries) => {
            entries.iter().for_each(|(key, node)| f(key.place.line, &key.name, node));
        }
        Value::List(nodes) => {
            for node in nodes {
                let name = node.get("name").and_then(text).unwrap_or_default();
                f(node.place.line, &name, node);
            }
        }
        _ => {}
    }
}

/// The YAML documents of a text, each with its lines where they were; those beyond the limit are a part of
/// the last one, which then is no good YAML.
fn documents(text: &str) -> Vec<String> {
    let mut documents = vec![String::new()];
    for (number, line) in text.lines().enumerate() {
        let mark = line == "---" || line == "..." || line.starts_with("--- ");
        let split = mark && documents.len() < MAX_DOCUMENTS;
        if split {
            documents.push("\n".repeat(number));
        }
        if let Some(document) = documents.last_mut() {
            document.push_str(if split || line.starts_with('%') { "" } else { line });
            document.push('\n');
        }
    }
    let said = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    documents.retain(|document| document.lines().any(said));
    documents
}

fn is_key(line: &str, key: &str) -> bool {
    line.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with(':'))
}

/// Gives each thing of version 1 a key of its own: `connection: &con1` in line 7 becomes
/// `'connection 7 con1': &con1`.
fn own_keys(text: &str) -> String {
    let mut own = String::with_capacity(text.len());
    for (number, line) in (1..).zip(text.lines()) {
        match KEYS.iter().find(|key| is_key(line, key)) {
            Some(key) => {
                let value = line.split_once(':').map_or("", |(_, value)| value);
                let anchor = value
                    .trim_start()
                    .strip_prefix('&')
                    .and_then(|name| name.split_whitespace().next());
                let name = anchor.unwrap_or_default().replace('\'', "''");
                own.push_str(&format!("'{key} {number} {name}':{value}"));
            }
            None => own.push_str(line),
        }
        own.push('\n');
    }
    own.replace("*(", "=(").replace("*{", "={")
}
