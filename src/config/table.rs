//! Reading a map key by key, noting what is wrong.

use std::cell::RefCell;

use super::{FromNode, Key, Node, Place, Problem, Problems, Value};
use crate::model::Name;

/// Where a reader stands: the file, the path in it, and where problems go.
#[derive(Debug, Clone)]
pub struct At<'a> {
    pub file: &'a str,
    /// As `console[2].port`; empty at the top.
    pub path: String,
    pub problems: &'a Problems,
}

impl<'a> At<'a> {
    pub fn top(file: &'a str, problems: &'a Problems) -> Self {
        Self { file, path: String::new(), problems }
    }

    /// The same, one key deeper.
    pub fn key(&self, key: &str) -> Self {
        let path =
            if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        Self { path, ..self.clone() }
    }

    /// The same, at an element of a list.
    pub fn index(&self, index: usize) -> Self {
        Self { path: format!("{}[{index}]", self.path), ..self.clone() }
    }

    pub fn problem(&self, place: Place, message: impl Into<String>) {
        self.problems.add(Problem {
            file: self.file.to_owned(),
            place,
            path: self.path.clone(),
            message: message.into(),
        });
    }

    /// Notes what is odd but allowed.
    pub fn note(&self, place: Place, message: impl Into<String>) {
        self.problems.note(Problem {
            file: self.file.to_owned(),
            place,
            path: self.path.clone(),
            message: message.into(),
        });
    }

    /// Notes that a value is of the wrong kind.
    pub fn expected(&self, node: &Node, what: &str) {
        self.problem(node.place, format!("expected {what}, found {}", node.value.kind()));
    }
}

/// A map that is being read. Every key that is asked for is known; [`Table::finish`] then reports
/// the unknown ones, each with the nearest known key.
#[derive(Debug)]
pub struct Table<'a> {
    place: Place,
    at: At<'a>,
    entries: &'a [(Key, Node)],
    known: RefCell<Vec<String>>,
}

impl<'a> Table<'a> {
    /// The node as a map, or `None` after a note that a map was expected.
    pub fn new(node: &'a Node, at: At<'a>) -> Option<Self> {
        match &node.value {
            Value::Map(entries) => {
                Some(Self { place: node.place, at, entries, known: RefCell::default() })
            }
            _ => {
                at.expected(node, "a table");
                None
            }
        }
    }

    pub fn place(&self) -> Place {
        self.place
    }

    pub fn at(&self) -> &At<'a> {
        &self.at
    }

    /// The node of a key, if it is there. Marks the key as known.
    pub fn node(&self, key: &str) -> Option<&'a Node> {
        self.known.borrow_mut().push(key.to_owned());
        self.entries.iter().find(|(k, _)| k.name == key).map(|(_, node)| node)
    }

    /// The entries, for maps whose keys are free. Marks all of them as known.
    pub fn entries(&self) -> &'a [(Key, Node)] {
        self.known.borrow_mut().extend(self.entries.iter().map(|(key, _)| key.name.clone()));
        self.entries
    }

    /// A value that may be left out.
    pub fn optional<T: FromNode>(&self, key: &str) -> Option<T> {
        let node = self.node(key)?;
        T::from_node(node, &self.at.key(key))
    }

    /// A value that must be there; a note is made when it is not.
    pub fn required<T: FromNode>(&self, key: &str) -> Option<T> {
        if self.entries.iter().any(|(k, _)| k.name == key) {
            return self.optional(key);
        }
        self.known.borrow_mut().push(key.to_owned());
        self.at.problem(self.place, format!("{key:?} is missing"));
        None
    }

    /// A text that may be left out, read by `parse`, whose error becomes a note.
    pub fn parsed<T, E: ToString>(
        &self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let node = self.node(key)?;
        let at = self.at.key(key);
        let text = String::from_node(node, &at)?;
        parse(&text).map_err(|error| at.problem(node.place, error.to_string())).ok()
    }

    /// The tables of a list such as `[[console]]`; none if the key is left out.
    pub fn tables(&self, key: &str) -> Vec<Table<'a>> {
        let Some(node) = self.node(key) else { return Vec::new() };
        let at = self.at.key(key);
        match &node.value {
            Value::List(items) => {
                let tables = items.iter().enumerate();
                tables.filter_map(|(i, item)| Table::new(item, at.index(i))).collect()
            }
            _ => {
                at.expected(node, &format!("a list of tables ([[{key}]])"));
                Vec::new()
            }
        }
    }

    /// A table such as `[http]`, if it is there.
    pub fn table(&self, key: &str) -> Option<Table<'a>> {
        let node = self.node(key)?;
        Table::new(node, self.at.key(key))
    }

    /// Notes something wrong with the value of a key, or with the table when it is not there.
    pub fn problem(&self, key: &str, message: impl Into<String>) {
        let entry = self.entries.iter().find(|(k, _)| k.name == key);
        let place = entry.map_or(self.place, |(_, node)| node.place);
        self.at.key(key).problem(place, message);
    }

    /// Notes every key that nobody asked for.
    pub fn finish(self) {
        let known = self.known.borrow();
        for (key, _) in self.entries.iter().filter(|(key, _)| !known.contains(&key.name)) {
            let unused = known.iter().map(String::as_str);
            let hint = match Name::nearest(&key.name, unused) {
                Some(near) => format!("; did you mean {near:?}?"),
                None if known.is_empty() => String::new(),
                None => {
                    let mut all = known.clone();
                    all.sort();
                    all.dedup();
                    format!("; known here: {}", all.join(", "))
                }
            };
            self.at.problem(key.place, format!("unknown key {:?}{hint}", key.name));
        }
    }
}
