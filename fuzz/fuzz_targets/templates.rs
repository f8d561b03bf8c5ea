//! Profiles of HTTP and MQTT devices, and what such devices answer: nothing of either does harm, and a
//! value that is filled in stays one value.
#![no_main]

use lavamux::config::power::{Escape, Template, Values};
use libfuzzer_sys::fuzz_target;

const WORDS: &[&str] = &["user", "password", "token", "topic", "us"];

// The first line is a template, the second a port, the third the value of every word.
fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.splitn(3, '\n');
    let (template, port) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let value = lines.next().unwrap_or_default();
    let Ok(template) = Template::parse(template, WORDS) else { return };
    let words: Vec<(&str, &str)> =
        WORDS.iter().chain(&["outlet"]).map(|word| (*word, value)).collect();
    let values = Values { words: &words, port };
    for escape in [Escape::Plain, Escape::Percent, Escape::Json, Escape::Pointer, Escape::Regex] {
        let _ = template.fill(&values, escape);
    }
    let json = format!("\"{}\"", Escape::Json.of(value));
    assert_eq!(serde_json::from_str::<String>(&json).ok().as_deref(), Some(value));
    let percent = Escape::Percent.of(value);
    assert!(percent.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte)));
});
