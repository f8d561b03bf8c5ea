//! Names of boards, consoles, PDUs and outlets.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest name, in bytes: it has to fit a file name, a URL and a column on a screen.
pub const MAX_NAME: usize = 64;

/// The name of a board, console, PDU or outlet.
///
/// Letters, digits, `-`, `_` and `.`; starts with a letter or digit; 1 to [`MAX_NAME`] bytes. So
/// that a name can be a file name, a URL segment and a shell word without any quoting.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// Why a text is no [`Name`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("a name cannot be empty")]
    Empty,
    #[error("a name has at most {MAX_NAME} bytes; this one has {0}")]
    TooLong(usize),
    #[error("a name starts with a letter or a digit, not with {0:?}")]
    Start(char),
    #[error("a name consists of letters, digits, '-', '_' and '.'; {0:?} is none of them")]
    Character(char),
}

impl Name {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The known name that is most like `typed`, if one is near enough to be a slip of the hand.
    /// What is longer than a name can be is none.
    pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
        if typed.len() > MAX_NAME {
            return None;
        }
        known
            .into_iter()
            .map(|name| (strsim::damerau_levenshtein(typed, name), name))
            .filter(|(distance, name)| *distance <= name.len().max(typed.len()) / 3 + 1)
            .min()
            .map(|(_, name)| name)
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let first = text.chars().next().ok_or(NameError::Empty)?;
        if text.len() > MAX_NAME {
            return Err(NameError::TooLong(text.len()));
        }
        if !first.is_ascii_alphanumeric() {
            return Err(NameError::Start(first));
        }
        match text.chars().find(|c| !c.is_ascii_alphanumeric() && !"-_.".contains(*c)) {
            Some(wrong) => Err(NameError::Character(wrong)),
            None => Ok(Self(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// The longest text that somebody may call themselves, in bytes.
const MAX_USER: usize = 64;

/// What somebody calls themselves, made fit for other people's terminals: control characters become
/// `?`, and it ends after [`MAX_USER`] bytes.
pub fn user_text(said: &str) -> String {
    printable(said, MAX_USER)
}

/// The longest text of a device that is shown, in bytes: what USB can carry.
const MAX_SHOWN: usize = 255;

/// What a device says of itself, made fit for a terminal in the same way.
pub fn shown(said: &str) -> String {
    printable(said, MAX_SHOWN)
}

/// A text of somebody else, made fit for a terminal in the same way: at most `most` bytes.
pub fn printable(said: &str, most: usize) -> String {
    let mut text = String::new();
    for c in said.chars().take_while(|c| *c != '\0') {
        if text.len() + c.len_utf8() > most {
            break;
        }
        text.push(visible(c));
    }
    text
}

/// The same for all of it, which stays on one line.
pub fn one_line(said: &str) -> String {
    said.chars().map(visible).collect()
}

fn visible(c: char) -> char {
    if is_shown(c) { c } else { '?' }
}

/// Whether a terminal only shows a character: it is no control character, and none of those that turn the
/// direction of what stands around it (Unicode's bidirectional algorithm, UAX #9, section 2).
pub fn is_shown(c: char) -> bool {
    let turns = matches!(
        c,
        '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    !c.is_control() && !turns
}

/// Whether a user goes by this name, the one that was proved or the one that they call themselves.
pub fn goes_by(user: &str, name: &str) -> bool {
    user.split_once(" (").is_some_and(|(proved, _)| proved == name) || calls_oneself(user, name)
}

/// Whether a user calls themselves so: `alice (ci-42)`, who has shown alice's token, is `ci-42`, and so
/// is `power (alice (ci-42))`, for whom another daemon has spoken.
pub fn calls_oneself(mut user: &str, name: &str) -> bool {
    loop {
        if user == name {
            return true;
        }
        match user.strip_suffix(')').and_then(|user| user.split_once(" (")) {
            Some((_, said)) => user = said,
            None => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_users_name_cannot_draw_on_other_peoples_terminals() {
        assert_eq!(user_text("alice"), "alice");
        assert_eq!(user_text("\x1b[2Jmallory\n"), "?[2Jmallory?");
        assert_eq!(user_text(&"é".repeat(100)).len(), 64);
    }

    #[test]
    fn what_one_calls_oneself_stands_behind_the_name_that_was_proved() {
        for user in ["ci-42", "alice (ci-42)", "power (alice (ci-42))"] {
            assert!(calls_oneself(user, "ci-42"), "{user}");
        }
        assert!(!calls_oneself("alice (ci-42)", "alice") && !calls_oneself("x ci-42)", "ci-42"));
    }

    #[test]
    fn a_name_is_a_file_name_a_url_segment_and_a_shell_word() {
        assert!("panda01".parse::<Name>().is_ok());
        assert!("ttyUSB0-if00.1_a".parse::<Name>().is_ok());
        assert_eq!("".parse::<Name>(), Err(NameError::Empty));
        assert_eq!("../etc".parse::<Name>(), Err(NameError::Start('.')));
        assert_eq!("a/b".parse::<Name>(), Err(NameError::Character('/')));
        assert_eq!("a".repeat(65).parse::<Name>(), Err(NameError::TooLong(65)));
    }

    #[test]
    fn the_nearest_name_is_only_given_when_it_is_near() {
        let known = ["panda01", "panda02", "beagle07"];
        assert_eq!(Name::nearest("pand01", known), Some("panda01"));
        assert_eq!(Name::nearest("beagel07", known), Some("beagle07"));
        assert_eq!(Name::nearest("juno", known), None);
        let long = "a".repeat(MAX_NAME + 1);
        assert_eq!(Name::nearest(&long, [long.as_str()]), None);
    }
}
