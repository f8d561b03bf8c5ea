//! Patterns for texts that a device says of itself: `FT232*`, `A50285B?`.

use std::str::FromStr;

use super::{At, FromNode, Node};

/// The longest pattern, in characters.
const MAX_GLOB: usize = 256;

/// A pattern for a whole text: `*` is any text, `?` any character, and letters match in either
/// case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(Vec<char>);

impl Glob {
    /// Whether the whole text is like the pattern. Takes at most their lengths' product of steps.
    pub fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().flat_map(char::to_lowercase).collect();
        let (mut at, mut pattern) = (0, 0);
        // Where the last `*` was, and the text behind what it stands for so far.
        let mut star: Option<(usize, usize)> = None;
        while at < text.len() {
            match self.0.get(pattern) {
                Some('*') => {
                    star = Some((pattern, at));
                    pattern += 1;
                }
                Some(c) if *c == '?' || *c == text[at] => {
                    at += 1;
                    pattern += 1;
                }
                _ => match &mut star {
                    Some((star, behind)) => {
                        *behind += 1;
                        at = *behind;
                        pattern = *star + 1;
                    }
                    None => return false,
                },
            }
        }
        self.0[pattern..].iter().all(|c| *c == '*')
    }
}

impl FromStr for Glob {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("an empty pattern matches nothing; leave the key out".into());
        }
        let pattern: Vec<char> = text.chars().flat_map(char::to_lowercase).collect();
        if pattern.len() > MAX_GLOB {
            return Err(format!("a pattern has at most {MAX_GLOB} characters"));
        }
        Ok(Self(pattern))
    }
}

impl FromNode for Glob {
    fn from_node(node: &Node, at: &At<'_>) -> Option<Self> {
        let text = String::from_node(node, at)?;
        text.parse().map_err(|error: String| at.problem(node.place, error)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(pattern: &str, text: &str) -> bool {
        pattern.parse::<Glob>().unwrap().matches(text)
    }

    #[test]
    fn a_pattern_is_for_the_whole_text() {
        assert!(matches("FT232*", "ft232r usb uart"));
        assert!(matches("*-usb-0:1.?:*", "pci-0000:00:14.0-usb-0:1.4:1.0-port0"));
        assert!(matches("a*b*c", "aXbXbXc"));
        assert!(matches("*", ""));
        assert!(!matches("0403", "04033"));
        assert!(!matches("a?c", "ac"));
        assert!("".parse::<Glob>().is_err());
    }

    /// The plain way to say what a pattern means.
    fn plainly(pattern: &[char], text: &[char]) -> bool {
        match (pattern.first(), text.first()) {
            (None, None) => true,
            (Some('*'), _) => {
                plainly(&pattern[1..], text) || (!text.is_empty() && plainly(pattern, &text[1..]))
            }
            (Some(p), Some(t)) if *p == '?' || p == t => plainly(&pattern[1..], &text[1..]),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn it_means_what_it_plainly_means(pattern in "[ab*?]{1,8}", text in "[ab]{0,8}") {
            let (p, t): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
            prop_assert_eq!(matches(&pattern, &text), plainly(&p, &t));
        }
    }
}
