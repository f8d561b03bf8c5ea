//! YAML text into [`Node`] trees with places, and values as YAML text.
//!
//! Reads what LAVA's own parser reads: the last of two equal keys wins, `010` is octal. The only
//! user of the YAML library.

mod parse;

pub use parse::parse;

use serde::Serialize;

use crate::config::{At, Node, Problem, Problems};

/// Reads a YAML file; `None` after a note of what was wrong with it.
pub fn read_file(path: &std::path::Path, problems: &Problems) -> Option<Node> {
    read_with_text(path, problems)?.1
}

/// The same, and the text of the file as it is, which may be no YAML.
pub fn read_with_text(
    path: &std::path::Path,
    problems: &Problems,
) -> Option<(String, Option<Node>)> {
    let file = path.display().to_string();
    match crate::config::read_text(path) {
        Ok(text) => {
            let node = parse(&text, &At::top(&file, problems));
            Some((text, node))
        }
        Err(message) => {
            problems.add(Problem { file, place: Default::default(), path: String::new(), message });
            None
        }
    }
}

/// A value as YAML text.
///
/// # Errors
/// Only for values that YAML cannot hold, such as a map whose keys are lists.
pub fn to_string(value: &impl Serialize) -> Result<String, String> {
    serde_saphyr::to_string(value).map_err(|error| error.to_string())
}
