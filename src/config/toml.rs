//! TOML text into a [`Node`] tree.

use std::ops::Range;

use ::toml::Spanned;
use ::toml::de::{DeTable, DeValue};

use super::node::Places;
use super::{At, Key, Node, Place, Value};

/// Reads TOML text; `None` after a note of each place where its syntax is wrong.
pub fn parse(text: &str, at: &At<'_>) -> Option<Node> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let places = Places::new(text);
    for error in &errors {
        let span = error.span().unwrap_or_default();
        let message = syntax(text, &span, error.message());
        at.problem(places.of(span.start), message);
    }
    if !errors.is_empty() {
        return None;
    }
    let value = map(&places, table.into_inner(), at)?;
    Some(Node { place: Place { line: 1, column: 1 }, value })
}

/// A text as TOML has it, with its quotes.
pub fn quoted(text: &str) -> String {
    ::toml::Value::from(text).to_string()
}

/// The parser's message, in our words where people make the mistake often.
fn syntax(text: &str, span: &Range<usize>, message: &str) -> String {
    let before = text.get(..span.start).unwrap_or_default().trim_end_matches([' ', '\t']);
    let after = text.get(span.start..).unwrap_or_default().trim_start_matches([' ', '\t']);
    if before.ends_with('=') && (after.is_empty() || after.starts_with(['\n', '\r', '#'])) {
        return "a value is missing after \"=\"".to_owned();
    }
    match text.get(span.clone()) {
        Some(key) if message == "duplicate key" => format!("the key {key:?} is given twice"),
        _ => message.replace('\n', "; "),
    }
}

fn map(places: &Places<'_>, table: DeTable<'_>, at: &At<'_>) -> Option<Value> {
    let mut entries = Vec::with_capacity(table.len());
    for (key, value) in table {
        let place = places.of(key.span().start);
        let name = key.into_inner().into_owned();
        let node = node(places, value, &at.key(&name))?;
        entries.push((Key { place, name }, node));
    }
    entries.sort_by_key(|(key, _)| key.place);
    Some(Value::Map(entries))
}

fn node(places: &Places<'_>, value: Spanned<DeValue<'_>>, at: &At<'_>) -> Option<Node> {
    let place = places.of(value.span().start);
    let value = match value.into_inner() {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Boolean(value) => Value::Bool(value),
        DeValue::Integer(number) => {
            match i64::from_str_radix(&number.as_str().replace('_', ""), number.radix()) {
                Ok(number) => Value::Int(number),
                Err(_) => {
                    at.problem(place, format!("{} does not fit 64 bits", number.as_str()));
                    return None;
                }
            }
        }
        DeValue::Float(number) => match number.as_str().replace('_', "").parse() {
            Ok(number) => Value::Float(number),
            Err(_) => {
                at.problem(place, format!("{} is no number", number.as_str()));
                return None;
            }
        },
        DeValue::Datetime(time) => Value::Text(time.to_string()),
        DeValue::Array(items) => {
            let nodes = items.into_iter().enumerate();
            Value::List(nodes.filter_map(|(i, item)| node(places, item, &at.index(i))).collect())
        }
        DeValue::Table(table) => map(places, table, at)?,
    };
    Some(Node { place, value })
}

#[cfg(test)]
mod tests {
    use super::super::{Problems, Size, Table};
    use super::*;
    use crate::model::Name;
    use std::time::Duration;

    fn problems_of(text: &str, read: impl FnOnce(Table<'_>)) -> String {
        let problems = Problems::default();
        let at = At::top("lab.toml", &problems);
        if let Some(node) = parse(text, &at) {
            read(Table::new(&node, at.clone()).unwrap());
        }
        problems.check(Some(())).err().map(|failure| failure.to_string()).unwrap_or_default()
    }

    #[test]
    fn all_problems_are_told_at_once_with_their_places() {
        let text = "[[console]]\nnmae = \"panda01\"\nlimit = \"lots\"\nwait = 5\n\n[htpp]\n";
        let told = problems_of(text, |top| {
            for table in top.tables("console") {
                table.required::<Name>("name");
                table.optional::<Size>("limit");
                table.optional::<Duration>("wait");
                table.finish();
            }
            top.table("http");
            top.finish();
        });
        assert_eq!(
            told,
            "lab.toml:1:1: console[0]: \"name\" is missing\n\
             lab.toml:2:1: console[0]: unknown key \"nmae\"; did you mean \"name\"?\n\
lab.toml:3:9: console[0].limit: \"lots\" is no size; write it like 4096, 64KiB or 1GiB\n\
             lab.toml:4:8: console[0].wait: expected a duration such as \"5s\", found a whole number\n\
                          lab.toml:6:2: unknown key \"htpp\"; did you mean \"http\"?"
        );
    }

    #[test]
    fn every_syntax_error_has_its_place() {
        let told = problems_of("a = 1\nb = \na = 2\n[c\n", |top| drop(top));
        let lines: Vec<&str> = told.lines().collect();
        assert!(
            lines.iter().any(|line| line.ends_with("a value is missing after \"=\"")),
            "{told}"
        );
        assert!(lines.contains(&"lab.toml:3:1: the key \"a\" is given twice"), "{told}");
        assert!(lines.iter().any(|line| line.starts_with("lab.toml:4:")), "{told}");
    }
}
