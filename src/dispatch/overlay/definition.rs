//! A test definition: the YAML file that says what to install and what to run.

use std::collections::BTreeMap;

use crate::config::{At, Node, Table};
use crate::dispatch::job::{Text, Texts};

/// The keys of a definition in LAVA.
const TOP: &[&str] = &["metadata", "install", "run", "parse", "params", "parameters", "expected"];
const INSTALL: &[&str] = &["keys", "sources", "deps", "steps", "git-repos"];
const RUN: &[&str] = &["steps"];
const PARSE: &[&str] = &["pattern", "fixupdict"];

type Tables<'a> = Vec<(Table<'a>, &'static [&'static str])>;

/// The parts of a definition that we act on. It may hold more: definitions are shared between labs.
#[derive(Debug, Clone, Default)]
pub struct DefinitionFile {
    pub name: String,
    /// Default values of the parameters.
    pub parameters: BTreeMap<String, String>,
    /// Packages to install.
    pub packages: Vec<String>,
    pub install_steps: Vec<String>,
    pub run_steps: Vec<String>,
    /// Finds results in what the steps print: named groups `test_case_id`, `result`, `measurement`
    /// and `units`.
    pub pattern: Option<String>,
    /// What the words that the pattern finds mean, as `PASS: pass`.
    pub fixup: BTreeMap<String, String>,
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
            table.finish();
        }
        Some(file)
    }

    /// The definition, and its tables with the keys that LAVA knows in each.
    fn read_tables<'a>(node: &'a Node, at: &At<'a>) -> Option<(Self, Tables<'a>)> {
        let top = Table::new(node, at.clone())?;
        let name = top.table("metadata").and_then(|table| table.optional::<Text>("name"));
        let install = top.table("install");
        let texts = |table: Option<&Table<'_>>, key: &str| {
            table.and_then(|table| table.optional::<Texts>(key)).unwrap_or_default().0
        };
        let run = top.table("run");
        match &run {
            None => top.problem("run", "\"run\" is missing: a definition has run: {steps: […]}"),
            Some(run) if run.node("steps").is_none() => {
                run.problem("steps", "\"steps\" is missing");
            }
            Some(_) => {}
        }
        let map = |table: &Table<'_>, key: &str| -> BTreeMap<String, String> {
            let map: Option<BTreeMap<String, Text>> = table.optional(key);
            map.unwrap_or_default().into_iter().map(|(key, text)| (key, text.0)).collect()
        };
        let mut parameters = map(&top, "params");
        parameters.append(&mut map(&top, "parameters"));
        let parse = top.table("parse");
        let pattern = parse.as_ref().and_then(|table| table.optional::<String>("pattern"));
        let file = Self {
            name: name.map(|text| text.0).unwrap_or_default(),
            parameters,
            packages: texts(install.as_ref(), "deps"),
            install_steps: texts(install.as_ref(), "steps"),
            run_steps: texts(run.as_ref(), "steps"),
            pattern: pattern.filter(|pattern| !pattern.is_empty()),
            fixup: parse.as_ref().map(|table| map(table, "fixupdict")).unwrap_or_default(),
        };
        let tables = [(Some(top), TOP), (install, INSTALL), (run, RUN), (parse, PARSE)];
        let tables = tables.into_iter().filter_map(|(table, known)| Some((table?, known)));
        Some((file, tables.collect()))
    }
}
