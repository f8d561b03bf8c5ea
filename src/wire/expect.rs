//! What is waited for in what a device says: regular expressions over bytes.

use std::ops::Range;

use regex::bytes::{Regex, RegexBuilder};

/// How much memory an expression may take when it is compiled, in bytes. Searching takes time in
/// proportion to the text, whatever the expression.
const MAX_COMPILED: usize = 1 << 20;

/// A regular expression over bytes, in the syntax of Rust's `regex`: `.` is any byte but a line break,
/// `\xff` is that byte, `\w`, `\d` and the folding of case know ASCII; `^` and `$` are the ends of the text.
#[derive(Debug, Clone)]
pub struct Expected(Regex);

impl Expected {
    /// # Errors
    /// What is wrong with it, in one line.
    pub fn new(text: &str) -> Result<Self, String> {
        let built = RegexBuilder::new(text).unicode(false).size_limit(MAX_COMPILED).build();
        built.map(Self).map_err(|error| {
            // The library draws a picture of several lines; its last one says what is wrong.
            let said = error.to_string();
            let why = said.lines().next_back().unwrap_or_default();
            format!("no regular expression: {}", why.trim_start_matches("error: "))
        })
    }

    /// The same for a text as a whole.
    ///
    /// # Errors
    /// As above.
    pub fn whole(text: &str) -> Result<Self, String> {
        Self::new(&format!("^(?:{text})$"))
    }

    /// The same for the end of a text.
    ///
    /// # Errors
    /// As above.
    pub fn ending(text: &str) -> Result<Self, String> {
        Self::new(&format!("(?:{text})$"))
    }

    /// The same for a stream that is looked at as it comes: `^` and `$` are also the begin and the end of
    /// each line, and `$` is where the stream ends at present.
    ///
    /// # Errors
    /// As above.
    pub fn stream(text: &str) -> Result<Self, String> {
        Self::new(&format!("(?mR)(?:{text})"))
    }

    /// The names of its groups.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        self.0.capture_names().flatten()
    }

    pub fn is_in(&self, text: &[u8]) -> bool {
        self.0.is_match(text)
    }

    /// Where it is first.
    pub fn find(&self, text: &[u8]) -> Option<Range<usize>> {
        self.0.find(text).map(|found| found.range())
    }

    /// Where it is first at or behind a place; what is before that is looked at by `^` and `\b` only.
    pub fn find_from(&self, text: &[u8], from: usize) -> Option<Range<usize>> {
        self.0.find_at(text, from).map(|found| found.range())
    }

    /// What its named groups have found where it is first; `None` where it is not.
    pub fn parts<'t>(&self, text: &'t [u8]) -> Option<Vec<(&str, &'t [u8])>> {
        let captures = self.0.captures(text)?;
        let part = |name| captures.name(name).map(|part| (name, part.as_bytes()));
        Some(self.groups().filter_map(part).collect())
    }

    /// What one of its groups has found, wherever it is.
    pub fn each<'t>(&self, text: &'t [u8], group: &str) -> Vec<&'t [u8]> {
        let found = self.0.captures_iter(text);
        found.filter_map(|captures| captures.name(group).map(|part| part.as_bytes())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_looks_at_bytes() {
        let expected = Expected::new(r"(?s)\xff(?<state>.)").unwrap();
        assert_eq!(expected.find(b"a\xff\x80"), Some(1..3));
        assert_eq!(expected.parts(b"a\xff\x80b"), Some(vec![("state", &b"\x80"[..])]));
        assert_eq!(expected.each(b"\xff1\xff2", "state"), [b"1", b"2"]);
        assert!(!expected.is_in("\u{ff}1".as_bytes()));
        assert!(Expected::whole("a|b").unwrap().is_in(b"b"));
        assert!(!Expected::whole("a|b").unwrap().is_in(b"b\n"));
        assert_eq!(Expected::new("(").unwrap_err(), "no regular expression: unclosed group");
    }
}
