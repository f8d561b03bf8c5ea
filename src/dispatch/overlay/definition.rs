//! A test definition: the YAML file that says what to install and what to run.

use std::collections::BTreeMap;

use crate::config::{At, Node, Table, Value};
use crate::dispatch::job::{Entries, MaybeText, Text, Texts};

/// The keys of a definition in LAVA.
const TOP: &[&str] = &["metadata", "install", "run", "parse", "params", "parameters", "expected"];
const INSTALL: &[&str] = &["keys", "sources", "deps", "steps", "git-repos"];
/// Before the name of a distribution: its packages.
const DEPS_OF: &str = "deps-";
const RUN: &[&str] = &["steps"];
const PARSE: &[&str] = &["pattern", "fixupdict"];

type Tables<'a> = Vec<(Table<'a>, &'static [&'static str])>;

/// The parts of a definition that we act on. It may hold more: definitions are shared between labs.
#[derive(Debug, Clone, Default)]
pub struct DefinitionFile {
    pub name: String,
    /// Default values of the parameters.
    pub parameters: BTreeMap<String, String>,
    /// Keys and places of packages, for the board's package manager.
    pub keys: Vec<String>,
    pub sources: Vec<String>,
    /// Packages to install.
    pub packages: Vec<String>,
    /// Further ones by the distribution that needs them, as `debian`.
    pub packages_of: BTreeMap<String, Vec<String>>,
    /// Repositories to clone beside the definition.
    pub repositories: Vec<Repository>,
    pub install_steps: Vec<String>,
    pub run_steps: Vec<String>,
    /// Finds results in what the steps print: named groups `test_case_id`, `result`, `measurement`
    /// and `units`.
    pub pattern: Option<String>,
    /// What the words that the pattern finds mean, as `PASS: pass`.
    pub fixup: BTreeMap<String, String>,
    /// The test cases that a run has to report.
    pub expected: Option<Vec<String>>,
}

/// One of `git-repos`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    pub url: String,
    pub branch: Option<String>,
    /// The folder, relative to the definition's.
    pub destination: String,
}

impl Repository {
    /// With what is the name of a parameter replaced by its value.
    ///
    /// # Errors
    /// When the destination is no folder of the definition's then.
    pub fn filled(&self, values: &BTreeMap<String, String>) -> Result<Self, String> {
        let value = |text: &str| values.get(text).cloned().unwrap_or_else(|| text.to_owned());
        let branch = self.branch.as_deref().map(value).filter(|branch| !branch.is_empty());
        let url = value(&self.url);
        let destination = match self.destination == folder_of(&self.url) {
            true => folder_of(&url),
            false => value(&self.destination),
        };
        is_below(&destination)?;
        Ok(Self { branch, url, destination })
    }
}

/// Where a repository goes that has no destination.
fn folder_of(url: &str) -> String {
    let last = url.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    last.trim_end_matches(".git").to_owned()
}

/// # Errors
/// When a destination is no folder below the definition's own.
fn is_below(destination: &str) -> Result<(), String> {
    match destination.split('/').any(|part| matches!(part, "" | "." | "..")) {
        true => {
            Err(format!("{destination:?}: the destination is a folder below the definition's own"))
        }
        false => Ok(()),
    }
}

impl DefinitionFile {
    /// Reads a definition; `None` after notes of what is wrong. Keys that we do not know are left
    /// alone.
    pub fn read(node: &Node, at: &At<'_>) -> Option<Self> {
        Self::read_tables(node, at).map(|(file, _)| file)
    }

    /// Reads a definition that is written in the job file; there, unknown keys are problems.
    pub fn read_inline(node: &Node, at: &At<'_>) -> Option<Self> {
        let (file, tables) = Self::read_tables(node, at)?;
        for (table, known) in tables {
            for key in known {
                table.node(key);
            }
            let own = distributions(node).into_iter().map(|(key, _)| key);
            own.for_each(|key| {
                table.node(key);
            });
            table.finish();
        }
        Some(file)
    }

    /// The definition, and its tables with the keys that LAVA knows in each.
    fn read_tables<'a>(node: &'a Node, at: &At<'a>) -> Option<(Self, Tables<'a>)> {
        let top = Table::new(node, at.clone())?;
        let name = top.table("metadata").and_then(|table| table.optional::<Text>("name"));
        let install = given(&top, "install");
        let texts = |table: Option<&Table<'_>>, key: &str| {
            table.and_then(|table| table.optional::<Entries>(key)).unwrap_or_default().0
        };
        let run = given(&top, "run");
        match &run {
            None if top.node("run").is_none() => {
                top.problem("run", "\"run\" is missing: a definition has run: {steps: […]}");
            }
            Some(run) if run.node("steps").is_none() => {
                run.problem("steps", "\"steps\" is missing");
            }
            _ => {}
        }
        let map = |table: &Table<'_>, key: &str| -> BTreeMap<String, String> {
            let there = table.node(key).is_some_and(|node| node.value != Value::Null);
            let map: Option<BTreeMap<String, MaybeText>> =
                there.then(|| table.optional(key)).flatten();
            map.unwrap_or_default().into_iter().map(|(key, text)| (key, text.0)).collect()
        };
        let mut parameters = map(&top, "params");
        parameters.append(&mut map(&top, "parameters"));
        let parse = given(&top, "parse");
        let pattern = parse.as_ref().and_then(|table| table.optional::<MaybeText>("pattern"));
        let pattern = pattern.map(|pattern| pattern.0);
        let file = Self {
            name: name.map(|text| text.0).unwrap_or_default(),
            parameters,
            keys: texts(install.as_ref(), "keys"),
            sources: texts(install.as_ref(), "sources"),
            packages: texts(install.as_ref(), "deps"),
            packages_of: install.as_ref().map(|table| packages_of(node, table)).unwrap_or_default(),
            repositories: install.as_ref().map(repositories).unwrap_or_default(),
            install_steps: texts(install.as_ref(), "steps"),
            run_steps: texts(run.as_ref(), "steps"),
            pattern: pattern.filter(|pattern| !pattern.is_empty()),
            fixup: parse.as_ref().map(|table| map(table, "fixupdict")).unwrap_or_default(),
            expected: given_node(&top, "expected")
                .and_then(|_| top.optional::<Texts>("expected"))
                .map(|texts| texts.0),
        };
        let tables = [(Some(top), TOP), (install, INSTALL), (run, RUN), (parse, PARSE)];
        let tables = tables.into_iter().filter_map(|(table, known)| Some((table?, known)));
        Some((file, tables.collect()))
    }
}

/// A value that is there and not empty.
fn given_node<'a>(table: &Table<'a>, key: &str) -> Option<&'a Node> {
    table.node(key).filter(|node| node.value != Value::Null)
}

/// A table that is there and not empty: templates leave keys without a value.
fn given<'a>(table: &Table<'a>, key: &str) -> Option<Table<'a>> {
    given_node(table, key).and_then(|_| table.table(key))
}

/// The keys of `install` that have the packages of a distribution, and the distribution.
fn distributions(definition: &Node) -> Vec<(&str, &str)> {
    let Some(Value::Map(entries)) = definition.get("install").map(|node| &node.value) else {
        return Vec::new();
    };
    let keys = entries.iter().map(|(key, _)| key.name.as_str());
    let named = |key: &'_ str| key.strip_prefix(DEPS_OF).is_some_and(|name| !name.is_empty());
    keys.filter(|key| named(key)).map(|key| (key, &key[DEPS_OF.len()..])).collect()
}

fn packages_of(definition: &Node, install: &Table<'_>) -> BTreeMap<String, Vec<String>> {
    let packages = |key: &str| install.optional::<Entries>(key).unwrap_or_default().0;
    let of = distributions(definition).into_iter();
    of.map(|(key, name)| (name.to_owned(), packages(key))).collect()
}

/// Each entry is an address, or a table with one and more.
fn repositories(install: &Table<'_>) -> Vec<Repository> {
    let Some(node) = given_node(install, "git-repos") else { return Vec::new() };
    let at = install.at().key("git-repos");
    let Value::List(items) = &node.value else {
        at.expected(node, "a list of repositories");
        return Vec::new();
    };
    let items = items.iter().enumerate();
    items.filter_map(|(i, item)| repository(item, &at.index(i))).collect()
}

fn repository(node: &Node, at: &At<'_>) -> Option<Repository> {
    let named = |url: String, branch, destination: Option<String>| {
        let destination = destination.unwrap_or_else(|| folder_of(&url));
        Repository { url, branch, destination }
    };
    let repository = match &node.value {
        Value::Text(url) => named(url.clone(), None, None),
        Value::Map(_) => {
            let table = Table::new(node, at.clone())?;
            let skipped = table.optional("skip_by_default").unwrap_or(false);
            let destination = table.optional::<Text>("destination").map(|text| text.0);
            let branch = table.optional::<Text>("branch").map(|text| text.0);
            let url = table.required("url")?;
            if skipped {
                return None;
            }
            named(url, branch, destination)
        }
        _ => {
            at.expected(node, "an address, or {url: …, branch: …, destination: …}");
            return None;
        }
    };
    match is_below(&repository.destination) {
        Ok(()) => Some(repository),
        Err(why) => {
            at.problem(node.place, why);
            None
        }
    }
}
