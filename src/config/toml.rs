//! TOML text into a [`Node`] tree.

use ::toml::Spanned;
use ::toml::de::{DeTable, DeValue};

use super::{At, Key, Node, Place, Value};

/// Reads TOML text; `None` after a note where its syntax is wrong.
pub fn parse(text: &str, at: &At<'_>) -> Option<Node> {
    match DeTable::parse(text) {
        Ok(table) => Some(Node {
            place: Place { line: 1, column: 1 },
            value: map(text, table.into_inner(), at)?,
        }),
        Err(error) => {
            let place = Place::of(text, error.span().map_or(0, |span| span.start));
            at.problem(place, error.message().replace('\n', "; "));
            None
        }
    }
}

fn map(text: &str, table: DeTable<'_>, at: &At<'_>) -> Option<Value> {
    let mut entries = Vec::with_capacity(table.len());
    for (key, value) in table {
        let place = Place::of(text, key.span().start);
        let name = key.into_inner().into_owned();
        let node = node(text, value, &at.key(&name))?;
        entries.push((Key { place, name }, node));
    }
    entries.sort_by_key(|(key, _)| key.place);
    Some(Value::Map(entries))
}

fn node(text: &str, value: Spanned<DeValue<'_>>, at: &At<'_>) -> Option<Node> {
    let place = Place::of(text, value.span().start);
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
            Value::List(nodes.filter_map(|(i, item)| node(text, item, &at.index(i))).collect())
        }
        DeValue::Table(table) => map(text, table, at)?,
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
             lab.toml:3:9: console[0].limit: \"lots\" is no size; write it like 4096, 64KiB or 1GiB\n\
             lab.toml:4:8: console[0].wait: expected a duration such as \"5s\", found a whole number\n\
             lab.toml:2:1: console[0]: unknown key \"nmae\"; did you mean \"name\"?\n\
             lab.toml:6:2: unknown key \"htpp\"; did you mean \"http\"?"
        );
    }

    #[test]
    fn a_syntax_error_has_its_place() {
        let told = problems_of("a = 1\nb = \n", |top| drop(top));
        assert!(told.starts_with("lab.toml:2:"), "{told}");
    }
}
