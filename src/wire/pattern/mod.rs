//! What is looked for in the lines of consoles: a regular expression.

mod needs;

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::ParserBuilder;

pub use needs::Needs;

/// The longest expression, in bytes.
const MAX_PATTERN: usize = 1024;
/// How much memory an expression may take when it is compiled, in bytes. Searching takes time in
/// proportion to the text, whatever the expression.
const MAX_COMPILED: usize = 1024 * 1024;
/// How deep the parentheses of an expression may be nested.
const MAX_NESTED: u32 = 50;

/// A regular expression for the lines of a console, in the syntax of Rust's `regex`.
///
/// It looks at bytes: `.` is any of them, `\w`, `\d` and the folding of case know ASCII. `^` and `$`
/// are the ends of the line, [`super::lines::trimmed`].
#[derive(Debug)]
pub struct Pattern {
    line: Regex,
    /// Finds what every line has that matches; a quick way to the next of them.
    first: Option<Regex>,
    needs: Vec<(Needs, Case)>,
}

/// How the text of [`Needs`] is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// As it is.
    Exact,
    /// ASCII letters are in lower case here, and in any case in the line.
    Folded,
}

/// A text that is no [`Pattern`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    #[error("an expression to look for has at most {MAX_PATTERN} bytes; this one has {0}")]
    Long(usize),
    #[error("an expression to look for is not understood: {0}")]
    Wrong(String),
}

impl Pattern {
    /// Compiles an expression.
    ///
    /// # Errors
    /// When it is none, or needs too much memory.
    pub fn new(text: &str, ignore_case: bool) -> Result<Self, PatternError> {
        if text.len() > MAX_PATTERN {
            return Err(PatternError::Long(text.len()));
        }
        let wrong = |error: &dyn std::fmt::Display| PatternError::Wrong(said(&error.to_string()));
        let parsed = ParserBuilder::new()
            .unicode(false)
            .utf8(false)
            .nest_limit(MAX_NESTED)
            .case_insensitive(ignore_case)
            .build()
            .parse(text)
            .map_err(|error| wrong(&error))?;
        let line = compile(text, ignore_case).map_err(|error| wrong(&error))?;
        let mut needs = vec![(Needs::of(&parsed, Case::Exact), Case::Exact)];
        // Case can be folded in the middle of an expression, too, by (?i).
        if ignore_case || text.contains("(?") {
            needs.push((Needs::of(&parsed, Case::Folded), Case::Folded));
        }
        let first = needs.iter().filter_map(|(needs, case)| Some((needs.rarest()?, *case)));
        let first = first.max_by_key(|(texts, _)| texts.iter().map(Vec::len).min());
        let first = first.and_then(|(texts, case)| one_of(&texts, case));
        Ok(Self { line, first, needs })
    }

    /// Whether a line matches; its line end is not a part of it.
    pub fn matches(&self, line: &[u8]) -> bool {
        self.line.is_match(line)
    }

    /// What the first group matches in a text; without a group all that matches.
    pub fn captured<'t>(&self, text: &'t [u8]) -> Option<&'t [u8]> {
        let found = self.line.captures(text)?;
        found.get(1).or_else(|| found.get(0)).map(|group| group.as_bytes())
    }

    /// Where, from `at` on, the next match can be at the earliest: every match in `bytes` that begins
    /// at or after `at` lies in a line that has the place given, or one after it.
    pub fn next(&self, bytes: &[u8], at: usize) -> Option<usize> {
        match &self.first {
            Some(first) => first.find_at(bytes, at).map(|found| found.start()),
            None => (at < bytes.len()).then_some(at),
        }
    }

    /// What every line has that matches: all of these.
    pub fn needs(&self) -> &[(Needs, Case)] {
        &self.needs
    }
}

fn compile(text: &str, ignore_case: bool) -> Result<Regex, regex::Error> {
    RegexBuilder::new(text)
        .unicode(false)
        .case_insensitive(ignore_case)
        .nest_limit(MAX_NESTED)
        .size_limit(MAX_COMPILED)
        .dfa_size_limit(MAX_COMPILED)
        .build()
}

/// An expression for any of some texts.
fn one_of(texts: &[Vec<u8>], case: Case) -> Option<Regex> {
    let escaped =
        |text: &Vec<u8>| -> String { text.iter().map(|byte| format!("\\x{byte:02x}")).collect() };
    let texts: Vec<String> = texts.iter().map(escaped).collect();
    compile(&texts.join("|"), case == Case::Folded).ok()
}

/// The last line of what the parser says, which draws the expression and an arrow above it.
fn said(error: &str) -> String {
    let last = error.lines().last().unwrap_or(error);
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_pattern_is_for_one_line_of_bytes() {
        let matches = |text: &str, line: &[u8]| Pattern::new(text, false).unwrap().matches(line);
        assert!(matches("Oops", b"[ 1.0] Internal error: Oops: 96000004"));
        assert!(matches("^=> $", b"=> "));
        assert!(matches("a.b", b"a\xffb"));
        assert!(matches("é", "café".as_bytes()));
        assert!(!matches("panic", b"PANIC"));
        assert!(Pattern::new("panic", true).unwrap().matches(b"PANIC"));
        assert!(matches("(?i)panic", b"Panic"));
    }

    #[test]
    fn a_group_is_what_is_wanted_of_a_match() {
        let captured = |text: &str| Pattern::new(text, false).unwrap().captured(b"<a>on</a>");
        assert_eq!(captured("<a>([a-z]+)<"), Some(&b"on"[..]));
        assert_eq!(captured("<a>o"), Some(&b"<a>o"[..]));
        assert_eq!(captured("<b>"), None);
    }

    #[test]
    fn what_is_no_pattern_is_told_in_one_line() {
        let told = |text: &str| Pattern::new(text, false).unwrap_err().to_string();
        assert_eq!(told("a(b"), "an expression to look for is not understood: unclosed group");
        assert!(told(&"a".repeat(2000)).ends_with("this one has 2000"));
        let large = told("((a{100}){100}){100}");
        assert!(large.contains("size limit"), "{large}");
        assert!(Pattern::new(&"(".repeat(500), false).is_err());
    }

    #[test]
    fn the_next_place_is_where_a_needed_text_is() {
        let pattern = Pattern::new("^.*(Oops|kernel BUG at).*[0-9]$", false).unwrap();
        let log = b"boring\nkernel BUG at 7\n";
        assert_eq!(pattern.next(log, 0), Some(7));
        assert_eq!(pattern.next(log, 8), None);
        assert_eq!(Pattern::new(".+", false).unwrap().next(log, 3), Some(3));
    }

    proptest! {
        #[test]
        fn no_match_is_passed_over(
            text in "[abA.|()*+?^$\\[\\]{}01-]{1,12}", line in "[abAB01 ]{0,24}", fold: bool,
        ) {
            if let Ok(pattern) = Pattern::new(&text, fold)
                && pattern.matches(line.as_bytes())
                // Where nothing at all matches, so does every place.
                && !pattern.matches(b"")
            {
                prop_assert!(pattern.next(line.as_bytes(), 0).is_some(), "{text:?} {line:?}");
                for (needs, case) in pattern.needs() {
                    let line = match case {
                        Case::Exact => line.clone(),
                        Case::Folded => line.to_ascii_lowercase(),
                    };
                    prop_assert!(needs.are_in(line.as_bytes()), "{text:?} {line:?} {needs:?}");
                }
            }
        }
    }
}
