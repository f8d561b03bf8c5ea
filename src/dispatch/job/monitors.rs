//! A test block with `monitors`: results are found in what the board prints by itself.

use std::collections::BTreeMap;

use super::artefact::none_of;
use super::{Text, Texts};
use crate::config::Table;
use crate::dispatch::expect::Patterns;

/// One thing to watch for.
#[derive(Debug, Clone)]
pub struct Monitor {
    pub name: String,
    /// Regular expressions for the output between which results are looked for.
    pub start: String,
    pub end: String,
    /// Finds a result: named groups `test_case_id`, `result`, `measurement` and `units`.
    pub pattern: String,
    /// What the words that the pattern finds mean.
    pub fixup: BTreeMap<String, String>,
    /// The test cases that have to be reported.
    pub expected: Option<Vec<String>>,
}

/// What a test case can come to.
const RESULTS: [&str; 4] = ["fail", "pass", "skip", "unknown"];

impl Monitor {
    /// Reads the monitors of a test block.
    pub(in crate::dispatch) fn read_all(block: &Table<'_>) -> Vec<Self> {
        block.optional::<Text>("name");
        let monitors: Vec<Self> =
            block.tables("monitors").into_iter().filter_map(Self::read).collect();
        if monitors.is_empty() {
            block.problem("monitors", "a block with monitors has at least one");
        }
        monitors
    }

    fn read(table: Table<'_>) -> Option<Self> {
        let fixup: Option<BTreeMap<String, Text>> = table.optional("fixupdict");
        for meaning in fixup.iter().flat_map(|fixup| fixup.values()) {
            if !RESULTS.contains(&meaning.0.as_str()) {
                table.problem("fixupdict", none_of(&meaning.0, &RESULTS));
            }
        }
        let text = |key: &str| {
            let text = table.required::<String>(key)?;
            if let Err(why) = Patterns::new([&text]) {
                table.problem(key, why);
            }
            Some(text)
        };
        let (start, end, pattern) = (text("start"), text("end"), text("pattern"));
        let monitor = Self {
            name: table.required::<String>("name").unwrap_or_default(),
            start: start.unwrap_or_default(),
            end: end.unwrap_or_default(),
            pattern: pattern.unwrap_or_default(),
            fixup: fixup.unwrap_or_default().into_iter().map(|(k, text)| (k, text.0)).collect(),
            expected: table.optional::<Texts>("expected").map(|texts| texts.0),
        };
        table.finish();
        Some(monitor)
    }
}
