//! Kinds of values that several tables here have.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::config::{At, FromNode, Node, Table, Value};

/// A short word that people write as a text or as a number: `port = 3`, `version = "2c"`.
pub(super) struct Word(pub String);

impl FromNode for Word {
    fn from_node(node: &Node, at: &At<'_>) -> Option<Self> {
        match &node.value {
            Value::Int(number) => Some(Self(number.to_string())),
            Value::Text(text) => Some(Self(text.clone())),
            _ => {
                at.expected(node, "a text or a number");
                None
            }
        }
    }
}

/// A duration that has to lie in a range, or its default.
pub(super) fn duration(
    table: &Table<'_>,
    key: &str,
    default: Duration,
    range: RangeInclusive<Duration>,
) -> Duration {
    let given = table.optional::<Duration>(key).unwrap_or(default);
    if !range.contains(&given) {
        let (least, most) = (range.start(), range.end());
        table.problem(key, format!("{given:?} is out of range; {least:?} to {most:?} will do"));
    }
    given
}

/// One of several words, each of which stands for a value.
pub(super) fn one_of<T: Copy>(text: &str, known: &[(&str, T)]) -> Result<T, String> {
    let found = known.iter().find(|(word, _)| *word == text);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
        format!("{text:?} is none of {}", words.join(", "))
    })
}

/// `HOST`, `HOST:PORT` or `[IPv6]:PORT`. `None` for what is none of them.
pub(super) fn host_port(text: &str, default: u16) -> Option<(String, u16)> {
    let (host, port) = match text.rsplit_once(':') {
        _ if text.parse::<std::net::Ipv6Addr>().is_ok() => (text, Some(default)),
        Some((host, port)) => (host, port.parse().ok()),
        None => (text, Some(default)),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let sound = |c: char| c.is_ascii_alphanumeric() || ".:-_%".contains(c);
    let is_host = !host.is_empty() && !host.starts_with('-') && host.chars().all(sound);
    Some((host.to_owned(), port.filter(|_| is_host)?))
}
