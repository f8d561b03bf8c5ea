//! What somebody may do to a console or an outlet.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A right; each holds those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Right {
    /// Know that it is there, how it is, and who is on it.
    See,
    /// Read what it prints, and what it has printed.
    Spy,
    /// Type; switch an outlet.
    Write,
    /// Everything else: take it from others, let them go, break, set the line.
    Control,
}

impl Right {
    pub const ALL: [Self; 4] = [Self::See, Self::Spy, Self::Write, Self::Control];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::See => "see",
            Self::Spy => "spy",
            Self::Write => "write",
            Self::Control => "control",
        }
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What stands before a pattern of a server's that is of boards' types, not of their names.
const OF_TYPE: &str = "type=";

/// Names, written as in a shell: `*` is any text, also none, and `?` any one character. `type=panda*` is boards by
/// their types, where those are known.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern(String);

/// Why a text is no [`Pattern`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    #[error("a pattern cannot be empty; every name is \"*\"")]
    Empty,
    #[error("a pattern consists of what a name consists of, '*' and '?'; {0:?} is none of it")]
    Character(char),
}

impl Pattern {
    pub fn matches(&self, name: &str) -> bool {
        matches(&self.0, name)
    }

    /// Whether it is of boards of this type.
    fn is_of(&self, kind: &str) -> bool {
        self.0.strip_prefix(OF_TYPE).is_some_and(|pattern| matches(pattern, kind))
    }

    /// Whether every name matches, whatever it is.
    fn is_everything(&self) -> bool {
        self.0.bytes().all(|c| c == b'*')
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    // Where the last `*` is, and how far the text has come that it stands for.
    let mut star = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == b'?' || *c == name[n] => (p, n) = (p + 1, n + 1),
            _ => {
                let Some((at, taken)) = star else { return false };
                star = Some((at, taken + 1));
                (p, n) = (at + 1, taken + 1);
            }
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let known = |c: char| c.is_ascii_alphanumeric() || "-_.*?".contains(c);
        let names = text.strip_prefix(OF_TYPE).unwrap_or(text);
        match names.chars().find(|c| !known(*c)) {
            Some(wrong) => Err(PatternError::Character(wrong)),
            None if names.is_empty() => Err(PatternError::Empty),
            None => Ok(Self(text.to_owned())),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for Pattern {
    type Error = PatternError;

    fn try_from(text: String) -> Result<Self, PatternError> {
        text.parse()
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.0
    }
}

/// Who may what: the most that any of its patterns grants.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rights(Vec<(Pattern, Right)>);

impl Rights {
    /// One right.
    pub fn of(pattern: Pattern, right: Right) -> Self {
        Self(vec![(pattern, right)])
    }

    pub fn grant(&mut self, pattern: Pattern, right: Right) {
        self.0.push((pattern, right));
    }

    /// The right on a thing of this name; `None` when it may not even be known to be there.
    pub fn on(&self, name: &str) -> Option<Right> {
        let matching = self.0.iter().filter(|(pattern, _)| pattern.matches(name));
        matching.map(|(_, right)| *right).max()
    }

    /// The right on a board of this name and this type.
    pub fn on_board(&self, name: &str, kind: Option<&str>) -> Option<Right> {
        let of_kind = |pattern: &Pattern| kind.is_some_and(|kind| pattern.is_of(kind));
        let matching =
            self.0.iter().filter(|(pattern, _)| pattern.matches(name) || of_kind(pattern));
        matching.map(|(_, right)| *right).max()
    }

    /// The right on every thing there is and will be, as what concerns the whole daemon needs it.
    pub fn on_all(&self) -> Option<Right> {
        let everything = self.0.iter().filter(|(pattern, _)| pattern.is_everything());
        everything.map(|(_, right)| *right).max()
    }

    /// The most that is granted on anything.
    pub fn most(&self) -> Option<Right> {
        self.0.iter().map(|(_, right)| *right).max()
    }

    /// Each pattern with the right that it grants.
    pub fn each(&self) -> impl Iterator<Item = (&Pattern, Right)> {
        self.0.iter().map(|(pattern, right)| (pattern, *right))
    }

    /// These and others.
    #[must_use]
    pub fn and(mut self, others: &Self) -> Self {
        self.0.extend(others.0.iter().cloned());
        self
    }

    /// The same, but none more than this.
    #[must_use]
    pub fn at_most(mut self, most: Right) -> Self {
        self.0.iter_mut().for_each(|(_, right)| *right = (*right).min(most));
        self
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pattern(text: &str) -> Pattern {
        text.parse().unwrap()
    }

    #[test]
    fn patterns_are_those_of_a_shell() {
        for (text, yes, no) in [
            ("panda01", "panda01", "panda011"),
            ("panda*", "panda", "pand"),
            ("*-lab2", "x-lab2", "x-lab2a"),
            ("p*a0?", "panda07", "panda0"),
            ("*", "", "never"),
            ("*a*b", "xaxbxb", "xaxbxc"),
        ] {
            assert!(pattern(text).matches(yes), "{text} {yes}");
            assert!(no == "never" || !pattern(text).matches(no), "{text} {no}");
        }
        let of_type = Rights::of(pattern("type=pan*"), Right::Write);
        assert_eq!(of_type.on_board("b1", Some("panda")), Some(Right::Write));
        assert_eq!(of_type.on_board("panda", Some("beagle")), None);
        assert_eq!(of_type.on("panda").or(of_type.on_all()), None);
        assert_eq!("type=".parse::<Pattern>(), Err(PatternError::Empty));
        assert_eq!("".parse::<Pattern>(), Err(PatternError::Empty));
        assert_eq!("a/*".parse::<Pattern>(), Err(PatternError::Character('/')));
    }

    #[test]
    fn the_most_that_is_granted_counts() {
        let mut rights = Rights::default();
        rights.grant(pattern("*"), Right::See);
        rights.grant(pattern("panda*"), Right::Write);
        rights.grant(pattern("panda0*"), Right::Spy);
        assert_eq!(rights.on("panda01"), Some(Right::Write));
        assert_eq!(rights.on("beagle"), Some(Right::See));
        assert_eq!(rights.on_all(), Some(Right::See));
        assert_eq!(Rights::default().on("panda01"), None);
        assert!(
            Right::See < Right::Spy && Right::Spy < Right::Write && Right::Write < Right::Control
        );
    }

    proptest! {
        #[test]
        fn a_name_matches_itself_with_any_part_left_open(name in "[a-z0-9]{1,20}", at in 0..20usize) {
            let (begin, end) = name.split_at(at.min(name.len()));
            for text in [name.clone(), format!("{begin}*"), format!("*{end}")] {
                prop_assert!(pattern(&text).matches(&name), "{}", text);
            }
        }

        #[test]
        fn many_stars_end_soon(text in "[a*]{1,60}", name in "a{0,64}") {
            pattern(&text).matches(&name);
        }
    }
}
