//! JSON as it is printed: for programs, and harmless where a person lets it run over a terminal.

use serde::Serialize;

/// A value as one line of JSON. What JSON lets stand in a text although terminals obey it (DEL and the
/// controls U+0080 to U+009F, among them CSI) is written as `\u009b`, which readers take for the same.
///
/// # Errors
/// When the value has keys that are no texts.
pub fn json_text(value: &impl Serialize) -> serde_json::Result<String> {
    serde_json::to_string(value).map(|json| escaped(&json))
}

/// The same for a text that is JSON already: such characters stand in strings alone.
pub fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '\u{7f}'..='\u{9f}' => text.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_control_of_eight_bits_is_written_in_letters() {
        let json = json_text(&serde_json::json!({"a\u{7f}": "caf\u{e9} \u{9b}6n\x1b"})).unwrap();
        assert_eq!(json, r#"{"a\u007f":"café \u009b6n\u001b"}"#);
    }

    proptest! {
        #[test]
        fn nothing_in_it_is_obeyed_and_readers_have_the_same(text in "(\\PC|\\p{Cc}|\"|\\\\){0,40}") {
            let json = json_text(&text).unwrap();
            prop_assert!(!json.contains(char::is_control), "{json:?}");
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
    }
}
