//! The kinds of values that job and device files have beside the plain ones.

use crate::config::{At, FromNode, Node, Table, Value};

/// A text, or a number or truth value where LAVA's users write one without quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text(pub String);

/// A text that a template may have left empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MaybeText(pub String);

/// Steps, packages and the like: one text or a list of them; entries may be empty, or all of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entries(pub Vec<String>);

/// One text or a list of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Texts(pub Vec<String>);

/// A time limit, written as `{minutes: 5}`; several units add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    pub seconds: u64,
    /// For a test block: go on with the next block when the time is over.
    pub skip: bool,
}

/// The longest name of a namespace, an image or an overlay, in characters.
const MAX_NAME: usize = 100;

/// Why a name of the job's cannot be one of a file on this host, if it cannot.
pub(super) fn no_file_name(what: &str, name: &str) -> Option<String> {
    let may_be = |c: char| c.is_ascii_alphanumeric() || "-_.:+".contains(c);
    let is_plain = !name.is_empty() && name.len() <= MAX_NAME && name.chars().all(may_be);
    (!is_plain || name.starts_with('.')).then(|| {
        format!(
            "{name:?} cannot name {what}: 1 to {MAX_NAME} letters, digits and \"-_.:+\", and no '.' at the \
             beginning"
        )
    })
}

/// Notes the keys of a table that cannot be names of files.
pub(super) fn file_names(table: &Table<'_>, what: &str) {
    for (key, _) in table.entries() {
        if let Some(why) = no_file_name(what, &key.name) {
            table.at().problem(key.place, why);
        }
    }
}

impl FromNode for Text {
    fn from_node(node: &Node, at: &At<'_>) -> Option<Self> {
        match &node.value {
            Value::Text(text) => Some(Self(text.clone())),
            Value::Int(number) => Some(Self(number.to_string())),
            Value::Float(number) => Some(Self(number.to_string())),
            // As Python writes them, since that is what test definitions have got until now.
            Value::Bool(true) => Some(Self("True".into())),
            Value::Bool(false) => Some(Self("False".into())),
            _ => {
                at.expected(node, "a text");
                None
            }
        }
    }
}

impl FromNode for MaybeText {
    fn from_node(node: &Node, at: &At<'_>) -> Option<Self> {
        match &node.value {
            Value::Null => Some(Self::default()),
            _ => Text::from_node(node, at).map(|text| Self(text.0)),
        }
    }
}

impl FromNode for Entries {
    fn from_node(node: &Node, at: &At<'_>) -> Option<Self> {
        match &node.value {
            Value::Null => Some(Self::default()),
            Value::List(items) => {
                let items = items.iter().enumerate();
                let filled = items.filter(|(_, item)| item.value != Value::Null);
                let texts = filled.map(|(i, item)| Text::from_node(item, &at.index(i)));
                let texts: Option<Vec<Text>> = texts.collect();
                Some(Self(texts?.into_iter().map(|text| text.0).collect()))
            }
            _ => Texts::from_node(node, at).map(|texts| Self(texts.0)),
        }
    }
}

impl FromNode for Texts {
    fn from_node(node: &Node, at: &At<'_>) -> Option<Self> {
        match &node.value {
            Value::List(_) => {
                let texts = Vec::<Text>::from_node(node, at)?;
                Some(Self(texts.into_iter().map(|text| text.0).collect()))
            }
            Value::Text(text) => Some(Self(vec![text.clone()])),
            _ => {
                at.expected(node, "a text or a list of texts");
                None
            }
        }
    }
}

impl FromNode for Limit {
    fn from_node(node: &Node, at: &At<'_>) -> Option<Self> {
        let Value::Map(_) = &node.value else {
            at.expected(node, "a time limit such as {minutes: 5}");
            return None;
        };
        let table = Table::new(node, at.clone())?;
        let units = [("days", 86_400), ("hours", 3_600), ("minutes", 60), ("seconds", 1)];
        let before = at.problems.count();
        let mut seconds = 0_u64;
        for (unit, factor) in units {
            let count = table.optional::<u32>(unit).unwrap_or(0);
            seconds += u64::from(count) * factor;
        }
        let skip = table.optional("skip").unwrap_or(false);
        table.finish();
        // A misspelt unit or a count that is no number is told already.
        if seconds == 0 && !skip && at.problems.count() == before {
            at.problem(node.place, "a time limit is at least one second, as in {minutes: 5}");
        }
        Some(Self { seconds, skip })
    }
}
