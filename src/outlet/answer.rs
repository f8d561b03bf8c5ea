//! Finding a value in what a PDU answered. All of it is hostile: found or not, nothing else.

use crate::config::power::{Escape, Finder, Meaning, Quantity, Values};
use crate::model::State;
use crate::wire::pattern::Pattern;

/// How much of a value is shown to people, in characters.
const SHOWN: usize = 60;

/// The value in an answer, as text; JSON's numbers and truth values as JSON writes them.
pub(super) fn find(finder: &Finder, values: &Values<'_>, answer: &[u8]) -> Option<String> {
    match finder {
        Finder::Whole => Some(String::from_utf8_lossy(answer).trim().to_owned()),
        Finder::At(pointers) => {
            let json = serde_json::from_slice::<serde_json::Value>(answer).ok()?;
            let at = |pointer: Option<String>| json.pointer(&pointer?).and_then(text);
            pointers.iter().find_map(|pointer| at(pointer.fill(values, Escape::Pointer)))
        }
        Finder::Match(pattern) => {
            let pattern = pattern.fill(values, Escape::Regex)?;
            let found = Pattern::new(&pattern, false).ok()?.captured(answer)?.to_owned();
            Some(String::from_utf8_lossy(&found).into_owned())
        }
    }
}

/// What state a value means. `None` when it is neither on nor off.
pub(super) fn state(meaning: &Meaning, value: &str) -> Option<State> {
    if meaning.on.iter().any(|on| on == value) {
        Some(State::On)
    } else if meaning.off.iter().any(|off| off == value) {
        Some(State::Off)
    } else {
        None
    }
}

/// A number that was measured.
pub(super) fn quantity(quantity: &Quantity, values: &Values<'_>, answer: &[u8]) -> Option<f64> {
    let value = find(&quantity.finder, values, answer)?.parse::<f64>().ok()?;
    Some(value * quantity.times).filter(|value| value.is_finite())
}

/// A value as it can be shown to people: in quotes, its first characters, without any of these secrets,
/// also as a request that is echoed spells them.
pub(super) fn shown<'a>(value: &str, secrets: impl IntoIterator<Item = &'a str>) -> String {
    let mut value = value.to_owned();
    for secret in secrets.into_iter().filter(|secret| !secret.is_empty()) {
        for spelling in [Escape::Percent, Escape::Json, Escape::Plain] {
            value = value.replace(&spelling.of(secret), "***");
        }
    }
    match value.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{:?}...", &value[..end]),
        None => format!("{value:?}"),
    }
}

fn text(value: &serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Number(number) => Some(number.to_string()),
        serde_json::Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::power::Template;

    const VALUES: Values<'_> = Values { words: &[], port: "2" };

    fn at(pointer: &str) -> Finder {
        Finder::At(vec![Template::parse(pointer, &[]).unwrap()])
    }

    fn matching(pattern: &str) -> Finder {
        Finder::Match(Template::parse(pattern, &[]).unwrap())
    }

    #[test]
    fn a_value_is_found_where_the_profile_says() {
        let json = br#"{"r":[{"on":true},{"on":false}],"POWER2":"ON","n":1.5,"x":null}"#;
        let found = |finder: Finder| find(&finder, &VALUES, json);
        assert_eq!(found(at("/r/{port0}/on")).as_deref(), Some("false"));
        assert_eq!(found(at("/POWER{port}")).as_deref(), Some("ON"));
        assert_eq!(found(at("/n")).as_deref(), Some("1.5"));
        for nothing in ["/x", "/r", "/POWER3", "/r/7/on"] {
            assert_eq!(found(at(nothing)), None, "{nothing}");
        }
        assert_eq!(found(matching(r#""POWER{port}":"(\w+)""#)).as_deref(), Some("ON"));
        assert_eq!(find(&Finder::Whole, &VALUES, b" true\n").as_deref(), Some("true"));
        let milli = Quantity { finder: at("/n"), times: 0.001 };
        assert_eq!(quantity(&milli, &VALUES, json), Some(0.0015));
    }

    #[test]
    fn what_is_shown_is_short_and_has_no_secret() {
        let page = format!("<p>admin:hunter2{}", "x".repeat(999));
        let said = shown(&page, ["hunter2", ""]);
        assert!(said.starts_with("\"<p>admin:***xxx") && said.len() < 80, "{said}");
        assert_eq!(shown("a\nb\u{1b}[2J", []), "\"a\\nb\\u{1b}[2J\"");
        let echoed =
            shown("GET /?pw=p%26ss%20%22word {\"pw\": \"p&ss \\\"word\"}", ["p&ss \"word"]);
        assert_eq!(echoed, "\"GET /?pw=*** {\\\"pw\\\": \\\"***\\\"}\"");
    }

    proptest! {
        #[test]
        fn no_answer_does_harm(answer in proptest::collection::vec(any::<u8>(), 0..64)) {
            for finder in [Finder::Whole, at("/a/{port0}"), matching("<({port}|[a-z]*)>")] {
                if let Some(value) = find(&finder, &VALUES, &answer) {
                    shown(&value, ["a"]);
                }
            }
        }
    }
}
