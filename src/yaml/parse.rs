//! YAML text into a [`Node`] tree.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, Location, Spanned};

use crate::config::{At, Key, Node, Place, Value};

/// Reads YAML text; `None` after a note where its syntax is wrong.
pub fn parse(text: &str, at: &At<'_>) -> Option<Node> {
    let options = serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::LastWins,
        legacy_octal_numbers: true,
        strict_booleans: true,
    };
    match serde_saphyr::from_str_with_options::<Spanned<Tree>>(text, options) {
        Ok(tree) => {
            let mut node = node(tree);
            settle(&mut node, at);
            Some(node)
        }
        Err(error) => {
            let place = error.location().map_or(Place::default(), place);
            at.problem(place, message(&error));
            None
        }
    }
}

/// Of equal keys the last one counts, as for LAVA, which says nothing; here it is noted.
fn settle(node: &mut Node, at: &At<'_>) {
    match &mut node.value {
        Value::List(items) => {
            items.iter_mut().enumerate().for_each(|(i, item)| settle(item, &at.index(i)));
        }
        Value::Map(entries) => {
            let mut last = BTreeMap::new();
            for (i, (key, _)) in entries.iter().enumerate() {
                if let Some(before) = last.insert(key.name.clone(), i) {
                    let line = key.place.line;
                    let what =
                        format!("{:?} is given again in line {line}, which counts", key.name);
                    at.note(entries[before].0.place, what);
                }
            }
            let mut i = 0;
            entries.retain(|(key, _)| {
                i += 1;
                last.get(&key.name) == Some(&(i - 1))
            });
            entries.iter_mut().for_each(|(key, node)| settle(node, &at.key(&key.name)));
        }
        _ => {}
    }
}

/// The first line of the library's message, without the place that it repeats.
fn message(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let line = text.lines().next().unwrap_or_default();
    let line = line.rsplit_once(" at line ").map_or(line, |(before, _)| before);
    line.trim_start_matches("error: ").to_owned()
}

fn place(location: Location) -> Place {
    Place { line: location.line() as u32, column: location.column() as u32 }
}

/// A value before its own place is known: the place is that of the `Spanned` around it.
struct Tree(Value);

fn node(tree: Spanned<Tree>) -> Node {
    Node { place: place(tree.referenced), value: tree.value.0 }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor).map(Tree)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        // Larger than any count or time in a job: kept as the float that it is nearest to.
        Ok(i64::try_from(value).map_or(Value::Float(value as f64), Value::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<Spanned<Tree>>()? {
            list.push(node(item));
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map: Vec<(Key, Node)> = Vec::new();
        while let Some(key) = entries.next_key::<Spanned<String>>()? {
            let value = node(entries.next_value::<Spanned<Tree>>()?);
            map.push((Key { place: place(key.referenced), name: key.value }, value));
        }
        Ok(Value::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Problems;

    fn read(text: &str) -> Node {
        let problems = Problems::default();
        parse(text, &At::top("job.yaml", &problems)).unwrap()
    }

    #[test]
    fn every_value_knows_its_place() {
        let node = read("job_name: x\nactions:\n- deploy:\n    to: tftp\n");
        let Value::List(actions) = &node.get("actions").unwrap().value else { panic!() };
        let deploy = actions[0].get("deploy").unwrap();
        assert_eq!(deploy.get("to").unwrap().place, Place { line: 4, column: 9 });
        let Value::Map(entries) = &deploy.value else { panic!() };
        assert_eq!(entries[0].0.place, Place { line: 4, column: 5 });
    }

    #[test]
    fn scalars_mean_what_they_mean_to_lava() {
        let node = read("{a: 010, b: '010', c: true, d: ~, e: 1.5, f: y, g: 0x10, h: [], i: on}");
        let of = |key| node.get(key).unwrap().value.clone();
        assert_eq!(of("a"), Value::Int(8));
        assert_eq!(of("b"), Value::Text("010".into()));
        assert_eq!(of("c"), Value::Bool(true));
        assert_eq!(of("d"), Value::Null);
        assert_eq!(of("e"), Value::Float(1.5));
        assert_eq!(of("f"), Value::Text("y".into()));
        assert_eq!(of("g"), Value::Int(16));
        assert_eq!(of("h"), Value::List(Vec::new()));
    }

    #[test]
    fn the_last_of_two_equal_keys_wins_and_the_other_is_noted() {
        assert_eq!(read("a: 1\na: 2\n").get("a").unwrap().value, Value::Int(2));
        let problems = Problems::default();
        let text = "base: &b {x: 1}\nk:\n- url: a\n  size: 1\n  url: b\nuse: {<<: *b, x: 2}\n";
        let node = parse(text, &At::top("job.yaml", &problems)).unwrap();
        assert_eq!(node.get("use").unwrap().get("x").unwrap().value, Value::Int(2));
        let notes = problems.notes("job.yaml");
        assert_eq!(notes, ["job.yaml:3:3: k[0]: \"url\" is given again in line 5, which counts"]);
    }

    #[test]
    fn aliases_and_merge_keys_are_followed() {
        let node = read("base: &b {x: 1}\nuse:\n  <<: *b\n  y: 2\n");
        assert_eq!(node.get("use").unwrap().get("x").unwrap().value, Value::Int(1));
    }

    #[test]
    fn a_syntax_error_has_its_place() {
        let problems = Problems::default();
        assert_eq!(parse("a: 1\nb: [1,\n", &At::top("job.yaml", &problems)), None);
        let told = problems.check(Some(())).unwrap_err().to_string();
        assert!(told.starts_with("job.yaml:"), "{told}");
        assert!(!told.contains('\n'), "{told}");
    }
}
