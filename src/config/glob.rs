//! Patterns for texts that a device says of itself: `FT232*`, `A50285B?`.

use std::str::FromStr;

use super::{At, FromNode, Node};
use crate::model;

/// The longest pattern, in characters.
const MAX_GLOB: usize = 256;

/// A pattern for a whole text, as [`model::Glob`]; letters match in either case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(model::Glob);

impl Glob {
    /// Whether the whole text is like the pattern. Takes at most their lengths' product of steps.
    pub fn matches(&self, text: &str) -> bool {
        self.0.matches(&text.to_lowercase())
    }
}

impl FromStr for Glob {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("an empty pattern matches nothing; leave the key out".into());
        }
        if text.chars().count() > MAX_GLOB {
            return Err(format!("a pattern has at most {MAX_GLOB} characters"));
        }
        text.to_lowercase().parse().map(Self)
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
}
