//! What is sent to a PDU and what is looked for in its answers, with places for values.
//!
//! A text to send knows the escapes `\r \n \t \e \0 \\ \{` and `\xNN`, and the places `{port}`,
//! `{byte:port+100}` and so on, `{heard:NAME}` for what a pattern of the same conversation found,
//! and `{xor}` for the exclusive or of all bytes before it. A pattern is a regular expression over
//! bytes, in which the same places stand for themselves, whatever characters they consist of.

use std::collections::BTreeMap;
use std::fmt;

use super::expression::{Expression, Values};
use crate::wire::expect::Expected;

/// A text to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Bytes(Vec<u8>),
    Value(Expression),
    Heard(String),
    Xor,
}

/// A text to send in which everything is known but what the PDU will have said.
#[derive(Clone, PartialEq, Eq)]
pub struct Words {
    parts: Vec<Word>,
    /// Shown to nobody.
    secret: bool,
}

#[derive(Clone, PartialEq, Eq)]
enum Word {
    Bytes(Vec<u8>),
    Heard(String),
    Xor,
}

/// What the named groups of patterns have found.
pub type Heard = BTreeMap<String, Vec<u8>>;

/// A regular expression with places for values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Value(Expression),
}

impl Template {
    /// # Errors
    /// The first thing that is wrong with it, in words.
    pub(super) fn parse(text: &str, known: &[String]) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut bytes = Vec::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let after = &rest[c.len_utf8()..];
            match c {
                '\\' => rest = escape(after, &mut bytes)?,
                '{' => {
                    let end = after.find('}').ok_or_else(|| {
                        format!("{rest:?} has no end; a brace itself is written \\{{")
                    })?;
                    if !bytes.is_empty() {
                        parts.push(Part::Bytes(std::mem::take(&mut bytes)));
                    }
                    let inner = &after[..end];
                    parts.push(match inner.strip_prefix("heard:") {
                        Some(name) if is_name(name) => Part::Heard(name.to_owned()),
                        _ if inner == "xor" => Part::Xor,
                        _ => Part::Value(Expression::parse(inner, known)?),
                    });
                    rest = &after[end + 1..];
                }
                c => {
                    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                    rest = after;
                }
            }
        }
        if !bytes.is_empty() {
            parts.push(Part::Bytes(bytes));
        }
        Ok(Self(parts))
    }

    /// Whether it has a place for this value.
    pub(super) fn names(&self, name: &str) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Value(value) if value.names(name)))
    }

    /// The names that it wants to have been heard.
    pub(super) fn hears(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Heard(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// # Errors
    /// When a value is not there or has no place.
    pub(super) fn words(&self, values: &Values) -> Result<Words, String> {
        let word = |part: &Part| {
            Ok(match part {
                Part::Bytes(bytes) => Word::Bytes(bytes.clone()),
                Part::Value(value) => Word::Bytes(value.bytes(values)?),
                Part::Heard(name) => Word::Heard(name.clone()),
                Part::Xor => Word::Xor,
            })
        };
        let parts = self.0.iter().map(word).collect::<Result<_, String>>()?;
        Ok(Words { parts, secret: self.names("password") })
    }
}

impl Words {
    /// The bytes to send; `None` when a pattern was to find something and did not.
    pub fn bytes(&self, heard: &Heard) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        for part in &self.parts {
            match part {
                Word::Bytes(known) => bytes.extend_from_slice(known),
                Word::Heard(name) => bytes.extend_from_slice(heard.get(name)?),
                Word::Xor => bytes.push(bytes.iter().fold(0, |sum, byte| sum ^ byte)),
            }
        }
        Some(bytes)
    }

    /// Whether a password is in it.
    pub fn is_secret(&self) -> bool {
        self.secret
    }
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.secret {
            return f.write_str("***");
        }
        for part in &self.parts {
            match part {
                Word::Bytes(bytes) => write!(f, "{}", bytes.escape_ascii())?,
                Word::Heard(name) => write!(f, "{{heard:{name}}}")?,
                Word::Xor => f.write_str("{xor}")?,
            }
        }
        Ok(())
    }
}

impl Pattern {
    /// # Errors
    /// The first thing that is wrong with it, in words.
    pub(super) fn parse(text: &str, known: &[String]) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            let inner = rest[open + 1..].split('}').next().unwrap_or_default();
            match Expression::parse(inner, known) {
                // Counts, classes and other braces of regular expressions are left to them.
                Err(_) => {
                    plain.push_str(&rest[..=open]);
                    rest = &rest[open + 1..];
                }
                Ok(expression) if expression.names("password") => {
                    return Err("a password is not to be looked for".to_owned());
                }
                Ok(expression) => {
                    plain.push_str(&rest[..open]);
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    pieces.push(Piece::Value(expression));
                    rest = &rest[open + inner.len() + 2..];
                }
            }
        }
        plain.push_str(rest);
        pieces.push(Piece::Text(plain));
        let pattern = Self(pieces);
        pattern.build(|_| Ok(b"1".to_vec()))?;
        Ok(pattern)
    }

    /// # Errors
    /// When a value is not there or has no place.
    pub(super) fn expected(&self, values: &Values) -> Result<Expected, String> {
        self.build(|value| value.bytes(values))
    }

    /// The names of what it finds.
    pub(super) fn finds(&self) -> Vec<String> {
        let expected = self.build(|_| Ok(b"1".to_vec()));
        expected.iter().flat_map(Expected::groups).map(str::to_owned).collect()
    }

    fn build(
        &self,
        value: impl Fn(&Expression) -> Result<Vec<u8>, String>,
    ) -> Result<Expected, String> {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(plain) => text.push_str(plain),
                Piece::Value(place) => {
                    for byte in value(place)? {
                        text.push_str(&format!("\\x{byte:02x}"));
                    }
                }
            }
        }
        Expected::new(&text)
    }
}

/// Reads what follows a backslash, and gives what follows that.
fn escape<'a>(text: &'a str, bytes: &mut Vec<u8>) -> Result<&'a str, String> {
    let unknown = || {
        let shown: String = text.chars().take(1).collect();
        format!("\\{shown} is none of \\r, \\n, \\t, \\e, \\0, \\\\, \\{{ and \\xNN")
    };
    let first = text.chars().next().ok_or_else(unknown)?;
    let after = &text[first.len_utf8()..];
    bytes.push(match first {
        'r' => b'\r',
        'n' => b'\n',
        't' => b'\t',
        'e' => 0x1b,
        '0' => 0,
        '\\' => b'\\',
        '{' => b'{',
        'x' => {
            let digits = after.get(..2).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
            let digits = digits.ok_or_else(unknown)?;
            bytes.push(u8::from_str_radix(digits, 16).map_err(|error| error.to_string())?);
            return Ok(&after[2..]);
        }
        _ => return Err(unknown()),
    });
    Ok(after)
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn known() -> Vec<String> {
        ["port", "user", "password"].map(str::to_owned).to_vec()
    }

    fn values(port: &str) -> Values {
        Values::from([
            ("port".to_owned(), port.to_owned()),
            ("password".to_owned(), "s3cret".to_owned()),
        ])
    }

    fn sent(text: &str, port: &str) -> Vec<u8> {
        let words = Template::parse(text, &known()).unwrap().words(&values(port)).unwrap();
        words.bytes(&Heard::from([("n".to_owned(), b"2".to_vec())])).unwrap()
    }

    #[test]
    fn what_is_sent_has_escapes_places_and_a_checksum() {
        assert_eq!(sent(r"on {port}\r", "3"), b"on 3\r");
        assert_eq!(sent(r"\x20{byte:port}\0", "3"), b"\x20\x03\x00");
        assert_eq!(sent(r"\{{port}}\\\e\n", "3"), b"{3}\\\x1b\n");
        assert_eq!(sent(r"{heard:n}\r", "3"), b"2\r");
        assert_eq!(sent(r"\x06\x01{bit:port}{xor}", "3"), b"\x06\x01\x08\x0f");
        assert_eq!(sent("übung", "3"), "übung".as_bytes());
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (text, told) in [
            (r"\q", r"\q is none of"),
            (r"\x2", r"\x is none of"),
            (r"\", r"\ is none of"),
            ("{port", "has no end"),
            ("{prt}", "has no value"),
            ("{}", "has no value"),
        ] {
            let error = Template::parse(text, &known()).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
        let error = Pattern::parse("(", &known()).unwrap_err();
        assert!(error.starts_with("no regular expression: unclosed group"), "{error}");
    }

    #[test]
    fn nobody_sees_a_password() {
        let words = Template::parse(r"{password}\r", &known()).unwrap().words(&values("1"));
        assert_eq!(format!("{words:?}"), "Ok(***)");
    }

    #[test]
    fn a_pattern_takes_a_value_for_what_it_is() {
        let find = |pattern: &str, port: &str, text: &str| {
            let pattern = Pattern::parse(pattern, &known()).unwrap();
            pattern.expected(&values(port)).unwrap().is_in(text.as_bytes())
        };
        assert!(find(r"^{port} +ON$", ".A1", ".A1  ON"));
        assert!(!find(r"^{port} +ON$", ".A1", "BA1  ON"));
        assert!(find(r"[0-9]{2,3}{port-1}\x{41}", "3", "0992A"));
        assert!(find(r"\xff", "1", "\u{ff}") == "\u{ff}".as_bytes().contains(&0xff));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,40}", near in r"[\\{}a-z0-9:+=]{0,30}", port in ".{0,8}") {
            for text in [text, near] {
                if let Ok(template) = Template::parse(&text, &known())
                    && let Ok(words) = template.words(&values(&port))
                {
                    let _ = words.bytes(&Heard::new());
                }
                if let Ok(pattern) = Pattern::parse(&text, &known()) {
                    let _ = pattern.expected(&values(&port));
                }
            }
        }

        #[test]
        fn every_byte_can_be_sent_and_looked_for(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let written: String = bytes.iter().map(|byte| format!("\\x{byte:02X}")).collect();
            prop_assert_eq!(&sent(&written, "1"), &bytes);
            let pattern = Pattern::parse(&format!("(?s)^{written}$"), &known()).unwrap();
            prop_assert!(pattern.expected(&values("1")).unwrap().is_in(&bytes));
        }

        #[test]
        fn a_port_in_a_pattern_finds_itself_only(port in ".{1,12}", text in ".{0,12}") {
            let regex = Pattern::parse("^{port}$", &known()).unwrap().expected(&values(&port)).unwrap();
            prop_assert!(regex.is_in(port.as_bytes()));
            prop_assert_eq!(regex.is_in(text.as_bytes()), text == port);
        }
    }
}
