//! Texts of profiles in which `{port}` and its like stand for what differs from outlet to outlet.
//!
//! | written | becomes, for port 3 |
//! |---|---|
//! | `{port}`, `{outlet}` | the outlet's port as it is configured, the name of its board |
//! | `{port0}`, `{port0:02}` | `2`: counted from 0; with leading zeros |
//! | `{port*2-1:02}` | `05`: times, plus or minus, leading zeros; each may be left out |
//! | `{port:1of24}` | 24 digits, all of them 0, but the third 1 |
//! | `{user}` and other words | what the driver's file says |
//!
//! Any other brace is a brace: JSON and regular expressions need no escapes.

use std::fmt::Write as _;

/// The widest that a number is padded to, and the longest row of digits.
const WIDEST: usize = 64;

/// A text with places to fill in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Word(String),
    Number { times: i64, plus: i64, width: usize },
    OneOf(usize),
}

/// What places are filled with.
#[derive(Debug, Clone, Copy)]
pub struct Values<'a> {
    /// By the names of the words.
    pub words: &'a [(&'a str, &'a str)],
    pub port: &'a str,
}

/// What has to be done to a value so that it stays one value where it is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escape {
    /// Nothing.
    Plain,
    /// A part of a URL's path or query, or of a form (RFC 3986, section 2).
    Percent,
    /// A part of a text in JSON (RFC 8259, section 7).
    Json,
    /// A step of a JSON pointer (RFC 6901, section 3).
    Pointer,
    /// Itself, in a regular expression.
    Regex,
}

impl Template {
    /// Reads a text in which `{port}` and these words have a meaning.
    ///
    /// # Errors
    /// What is wrong with a place, such as a word that is not known.
    pub fn parse(text: &str, words: &[&str]) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('{') {
            literal.push_str(&rest[..at]);
            let inner = rest[at + 1..].split_once('}').filter(|(inner, _)| is_place(inner));
            let Some((inner, after)) = inner else {
                literal.push('{');
                rest = &rest[at + 1..];
                continue;
            };
            if !literal.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut literal)));
            }
            parts.push(part(inner, words)?);
            rest = after;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Text(literal));
        }
        Ok(Self(parts))
    }

    /// Whether the text is the same for every outlet.
    pub fn knows_port(&self) -> bool {
        self.0.iter().any(|part| match part {
            Part::Text(_) => false,
            Part::Word(word) => word == "port" || word == "outlet",
            Part::Number { .. } | Part::OneOf(_) => true,
        })
    }

    /// Whether a port has to be a whole number for it.
    pub(super) fn wants_number(&self) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Number { .. } | Part::OneOf(_)))
    }

    /// Whether this word is a part of it.
    pub fn has(&self, word: &str) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Word(known) if known == word))
    }

    /// The text with everything filled in. `None` when the port is no number and has to be, or does not
    /// fit.
    pub fn fill(&self, values: &Values<'_>, escape: Escape) -> Option<String> {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(literal) => text.push_str(literal),
                Part::Word(word) if word == "port" => escape.push(values.port, &mut text),
                Part::Word(word) => {
                    let (_, value) = values.words.iter().find(|(known, _)| known == word)?;
                    escape.push(value, &mut text);
                }
                Part::Number { times, plus, width } => {
                    let port = i64::from(values.port.parse::<u32>().ok()?);
                    let number = port.checked_mul(*times)?.checked_add(*plus)?;
                    let _ = write!(text, "{:0width$}", u64::try_from(number).ok()?);
                }
                Part::OneOf(count) => {
                    let port =
                        values.port.parse::<usize>().ok().filter(|n| (1..=*count).contains(n))?;
                    text.extend((1..=*count).map(|at| if at == port { '1' } else { '0' }));
                }
            }
        }
        Some(text)
    }
}

impl Escape {
    /// A value as it is put into a text.
    pub fn of(self, value: &str) -> String {
        let mut text = String::new();
        self.push(value, &mut text);
        text
    }

    fn push(self, value: &str, text: &mut String) {
        for character in value.chars() {
            let ascii = character.is_ascii();
            match (self, character) {
                (Self::Percent, c) if !c.is_ascii_alphanumeric() && !"-._~".contains(c) => {
                    for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                        let _ = write!(text, "%{byte:02X}");
                    }
                }
                (Self::Json, '"' | '\\') => text.extend(['\\', character]),
                (Self::Json, '\0'..' ') => {
                    let _ = write!(text, "\\u{:04x}", u32::from(character));
                }
                (Self::Pointer, '~') => text.push_str("~0"),
                (Self::Pointer, '/') => text.push_str("~1"),
                (Self::Regex, c) if ascii && !c.is_ascii_alphanumeric() => {
                    let _ = write!(text, "\\x{:02x}", u32::from(c));
                }
                (_, c) => text.push(c),
            }
        }
    }
}

/// Whether what stands between two braces is meant as a place: it begins with a word in small letters
/// and has nothing else than a place may have.
fn is_place(inner: &str) -> bool {
    inner.starts_with(|c: char| c.is_ascii_lowercase())
        && inner
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "*+-:_".contains(c))
        && inner.split(':').next().is_some_and(|word| word.len() > 1)
}

fn part(inner: &str, words: &[&str]) -> Result<Part, String> {
    let (number, format) = inner.split_once(':').unwrap_or((inner, ""));
    let word = number.split(['*', '+', '-']).next().unwrap_or_default();
    if word != "port" && word != "port0" {
        if inner == "outlet" || words.contains(&inner) {
            return Ok(Part::Word(inner.to_owned()));
        }
        let known = ["port", "port0", "outlet"].iter().chain(words);
        let known: Vec<String> = known.map(|word| format!("{{{word}}}")).collect();
        return Err(format!("{{{inner}}} stands for nothing; known: {}", known.join(", ")));
    }
    let wrong = || {
        format!(
            "{{{inner}}} is not understood; write it like {{port}}, {{port*2-1:02}} or {{port:1of24}}"
        )
    };
    if let Some(count) = format.strip_prefix("1of") {
        let count = count.parse().ok().filter(|count| (1..=WIDEST).contains(count));
        return count.filter(|_| number == "port").map(Part::OneOf).ok_or_else(wrong);
    }
    let width = match format {
        "" if inner.ends_with(':') => return Err(wrong()),
        "" => 0,
        digits => digits.parse().ok().filter(|width| *width <= WIDEST).ok_or_else(wrong)?,
    };
    if inner == "port" {
        return Ok(Part::Word(inner.to_owned()));
    }
    let (times, plus) = factors(&number[word.len()..]).ok_or_else(wrong)?;
    let from = i64::from(word == "port0");
    Ok(Part::Number { times, plus: plus - from * times, width })
}

/// `*2-1`, either of which may be missing.
fn factors(text: &str) -> Option<(i64, i64)> {
    let (times, plus) = match text.find(['+', '-']) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    let number = |digits: &str| digits.parse::<u16>().ok().map(i64::from);
    let times = if times.is_empty() { 1 } else { number(times.strip_prefix('*')?)? };
    let plus = match plus.split_at_checked(1) {
        Some(("-", digits)) => -number(digits)?,
        Some((_, digits)) => number(digits)?,
        None => 0,
    };
    Some((times, plus))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn filled(text: &str, port: &str, escape: Escape) -> Option<String> {
        let words = [("outlet", "panda01"), ("user", "a b")];
        Template::parse(text, &["user"]).unwrap().fill(&Values { words: &words, port }, escape)
    }

    #[test]
    fn ports_are_counted_as_each_pdu_counts() {
        let plain = |text: &str| filled(text, "3", Escape::Plain).unwrap();
        assert_eq!(plain("/relay/{port0}?o={outlet}"), "/relay/2?o=panda01");
        assert_eq!(plain("/30000/{port*2-2:02}"), "/30000/04");
        assert_eq!(plain("{port0*2+1:02}"), "05");
        assert_eq!(plain("{port:1of8}"), "00100000");
        assert_eq!(plain("{port:03} {port+10}"), "003 13");
        assert_eq!(filled("{port0}", "0", Escape::Plain), None);
        assert_eq!(filled("{port0}", "one", Escape::Plain), None);
        assert_eq!(filled("{port:1of8}", "9", Escape::Plain), None);
    }

    #[test]
    fn other_braces_are_braces() {
        let json = r#"{"Outputs":[{"ID":{port},"Action":1}]}"#;
        let expected = r#"{"Outputs":[{"ID":3,"Action":1}]}"#;
        assert_eq!(filled(json, "3", Escape::Json).unwrap(), expected);
        assert_eq!(filled(r"p{port}=(\d{1,2})", "3", Escape::Regex).unwrap(), r"p3=(\d{1,2})");
    }

    #[test]
    fn a_value_stays_one_value_where_it_is_put() {
        let port = "a/../\"b\\ &?#\n.{user}";
        assert_eq!(
            filled("/x/{port}/on", port, Escape::Percent).unwrap(),
            "/x/a%2F..%2F%22b%5C%20%26%3F%23%0A.%7Buser%7D/on"
        );
        let json = filled(r#"{"id":"{port}"}"#, port, Escape::Json).unwrap();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap()["id"], port);
        assert_eq!(filled("/{port}", "a/b~c", Escape::Pointer).unwrap(), "/a~1b~0c");
        assert_eq!(filled("^{port}$", "a.b", Escape::Regex).unwrap(), r"^a\x2eb$");
    }

    #[test]
    fn a_place_that_is_not_known_is_told() {
        let told = |text: &str| Template::parse(text, &["user"]).unwrap_err();
        assert_eq!(
            told("/{prot}"),
            "{prot} stands for nothing; known: {port}, {port0}, {outlet}, {user}"
        );
        assert!(told("{port*x}").starts_with("{port*x} is not understood"));
        assert!(told("{port:1of999}").starts_with("{port:1of999} is not understood"));
        assert!(told("{port:}").starts_with("{port:} is not understood"));
        assert!(told("{port:99}").starts_with("{port:99} is not understood"));
    }

    proptest! {
        #[test]
        fn no_text_and_no_port_does_harm(text in "[{}a-z0-9:*+\\-/ ]{0,24}", port in ".{0,12}") {
            if let Ok(template) = Template::parse(&text, &[]) {
                let values = Values { words: &[("outlet", "x")], port: &port };
                template.fill(&values, Escape::Plain);
            }
        }

        #[test]
        fn json_holds_any_port(port in ".{0,24}") {
            let json = filled(r#"["{port}"]"#, &port, Escape::Json).unwrap();
            let read: Vec<String> = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(&read[0], &port);
        }
    }
}
