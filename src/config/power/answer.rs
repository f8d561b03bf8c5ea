//! What a profile wants to know of an answer: where in it a value is, and what the value means.

use super::template::Template;
use crate::config::{At, FromNode, Node, Table, Value};

/// Where in an answer the value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finder {
    /// The answer as a whole, without white space around it.
    Whole,
    /// JSON pointers (RFC 6901): the first that points at something.
    At(Vec<Template>),
    /// A regular expression: its first group, else all that it matches. No value when it does not.
    Match(Template),
}

/// Values that mean on, and values that mean off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meaning {
    pub finder: Finder,
    pub on: Vec<String>,
    /// No value of `on`.
    pub off: Vec<String>,
}

/// A value that has to be one of some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    pub finder: Finder,
    pub is: Vec<String>,
}

/// Where a number is, and what it has to be multiplied by to be in volts, amperes or watts.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantity {
    pub finder: Finder,
    pub times: f64,
}

/// Values as texts, numbers or truth values, one or a list of them; kept as JSON prints them.
struct Words(Vec<String>);

impl Finder {
    /// The keys `at` and `match`.
    pub(super) fn read(table: &Table<'_>, words: &[&str]) -> Option<Self> {
        let template = |text: &str| Template::parse(text, words);
        let pattern = table.parsed("match", |text| {
            // What a port becomes in it is escaped, so that a pattern that is sound once always is.
            let sample = template(text)?;
            let all: Vec<_> = words.iter().chain(&["outlet"]).map(|word| (*word, "1")).collect();
            let values = super::template::Values { words: &all, port: "1" };
            let filled = sample.fill(&values, super::template::Escape::Regex).unwrap_or_default();
            let checked = crate::wire::pattern::Pattern::new(&filled, false);
            checked.map(|_| sample).map_err(|error| error.to_string())
        });
        let pointers = table.optional::<Words>("at").and_then(|pointers| {
            let read = pointers.0.iter().map(|text| {
                if !text.is_empty() && !text.starts_with('/') {
                    return Err(format!("{text:?} is no JSON pointer; write it like /relays/0/on"));
                }
                template(text)
            });
            let read: Result<Vec<_>, _> = read.collect();
            read.map_err(|error| table.problem("at", error)).ok()
        });
        match (table.node("match").is_some(), table.node("at").is_some()) {
            (true, true) => {
                table.problem("at", "\"match\" is given too; only one of them can be");
                None
            }
            (true, false) => pattern.map(Self::Match),
            (false, true) => pointers.map(Self::At),
            (false, false) => Some(Self::Whole),
        }
    }

    pub(super) fn templates(&self) -> &[Template] {
        match self {
            Self::Whole => &[],
            Self::At(pointers) => pointers,
            Self::Match(pattern) => std::slice::from_ref(pattern),
        }
    }
}

impl Meaning {
    /// The keys `at` or `match`, `on` and `off`.
    pub(super) fn read(table: &Table<'_>, words: &[&str]) -> Option<Self> {
        let finder = Finder::read(table, words);
        let on = table.required::<Words>("on");
        let off = table.required::<Words>("off");
        if let (Some(on), Some(off)) = (&on, &off)
            && let Some(both) = on.0.iter().find(|value| off.0.contains(value))
        {
            table.problem("off", format!("{both} means on already"));
        }
        Some(Self { finder: finder?, on: on?.0, off: off?.0 })
    }
}

impl Check {
    /// The keys `at` or `match`, and `is`, which may be left out after `match`. `None` when neither is
    /// there, and after a note.
    pub(super) fn read(table: &Table<'_>, words: &[&str]) -> Option<Self> {
        let finder = Finder::read(table, words);
        let is = table.optional::<Words>("is").map(|words| words.0);
        match (finder?, is) {
            (Finder::Whole, None) => None,
            (Finder::At(_), None) => {
                table.problem("at", "\"is\", the values that it may have, is missing");
                None
            }
            (finder, is) => Some(Self { finder, is: is.unwrap_or_default() }),
        }
    }
}

impl Quantity {
    /// A table with `at` or `match`, and `times`.
    pub(super) fn read(table: Table<'_>, words: &[&str]) -> Option<Self> {
        let finder = Finder::read(&table, words);
        let times = match table.node("times") {
            None => Some(1.0),
            Some(Node { value: Value::Float(times), .. }) => Some(*times),
            Some(Node { value: Value::Int(times), .. }) => Some(*times as f64),
            Some(_) => {
                table.problem("times", "expected a number");
                None
            }
        };
        table.finish();
        Some(Self { finder: finder?, times: times? })
    }
}

impl FromNode for Words {
    fn from_node(node: &Node, at: &At<'_>) -> Option<Self> {
        let one = |node: &Node, at: &At<'_>| match &node.value {
            Value::Text(text) => Some(text.clone()),
            Value::Int(number) => Some(number.to_string()),
            Value::Bool(truth) => Some(truth.to_string()),
            _ => {
                at.expected(node, "a text, a number, true or false");
                None
            }
        };
        let Value::List(items) = &node.value else {
            return one(node, at).map(|word| Self(vec![word]));
        };
        let read: Vec<_> =
            items.iter().enumerate().map(|(i, item)| one(item, &at.index(i))).collect();
        read.into_iter().collect::<Option<_>>().map(Self)
    }
}
