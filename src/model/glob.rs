//! Patterns of names as shells have them: `rack*`, `panda0?`, `panda[1-3]`, `[!p]*`.

use std::str::FromStr;

/// A pattern that names match or do not, as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(Vec<Token>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    One(char),
    /// `?`
    Any,
    /// `*`
    Many,
    /// `[a-z_]`: ranges of characters, and whether it is any other that is meant.
    Set {
        ranges: Vec<(char, char)>,
        except: bool,
    },
}

impl Glob {
    /// Whether a text is a pattern, and not just a name.
    pub fn is_pattern(text: &str) -> bool {
        text.contains(['*', '?', '['])
    }

    pub fn matches(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        let (mut at, mut token) = (0, 0);
        // The last `*`, and how much it stands for at present: more is tried when the rest fails.
        let mut star: Option<(usize, usize)> = None;
        while at < name.len() {
            match self.0.get(token) {
                Some(Token::Many) => {
                    star = Some((token, at));
                    token += 1;
                }
                Some(one) if one.matches(name[at]) => {
                    at += 1;
                    token += 1;
                }
                _ => {
                    let Some((star_token, begin)) = star else { return false };
                    star = Some((star_token, begin + 1));
                    (token, at) = (star_token + 1, begin + 1);
                }
            }
        }
        self.0[token..].iter().all(|token| *token == Token::Many)
    }
}

impl Token {
    fn matches(&self, c: char) -> bool {
        match self {
            Self::One(one) => *one == c,
            Self::Any | Self::Many => true,
            Self::Set { ranges, except } => {
                ranges.iter().any(|(from, to)| (*from..=*to).contains(&c)) != *except
            }
        }
    }
}

impl FromStr for Glob {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut tokens = Vec::new();
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            tokens.push(match c {
                '*' => Token::Many,
                '?' => Token::Any,
                '[' => {
                    let (set, after) = rest
                        .as_str()
                        .split_once(']')
                        .ok_or_else(|| format!("{text:?} is no pattern: a \"[\" has no \"]\""))?;
                    rest = after.chars();
                    parse_set(set).ok_or_else(|| {
                        format!("{text:?} is no pattern: [{set}] is no set such as [1-3]")
                    })?
                }
                one => Token::One(one),
            });
        }
        Ok(Self(tokens))
    }
}

fn parse_set(set: &str) -> Option<Token> {
    let inner = set.strip_prefix(['!', '^']);
    let except = inner.is_some();
    let mut chars = inner.unwrap_or(set).chars().peekable();
    let mut ranges = Vec::new();
    while let Some(from) = chars.next() {
        let to = match chars.next_if_eq(&'-') {
            Some(_) => chars.next()?,
            None => from,
        };
        ranges.push((from, to));
    }
    let sound = !ranges.is_empty() && ranges.iter().all(|(from, to)| from <= to);
    sound.then_some(Token::Set { ranges, except })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(pattern: &str, name: &str) -> bool {
        pattern.parse::<Glob>().unwrap().matches(name)
    }

    #[test]
    fn names_match_as_in_a_shell() {
        for (pattern, yes, no) in [
            ("panda*", "panda01", "xpanda01"),
            ("*01", "panda01", "panda010"),
            ("p*a*1", "panda01", "panda02"),
            ("panda0?", "panda01", "panda0"),
            ("panda[1-3x]", "pandax", "panda4"),
            ("[!p]*", "beagle", "panda"),
            ("panda", "panda", "panda1"),
            ("**", "", "\u{0}none"),
        ] {
            assert!(matches(pattern, yes), "{pattern} {yes}");
            assert!(pattern == "**" || !matches(pattern, no), "{pattern} {no}");
        }
        assert!(Glob::is_pattern("rack*") && !Glob::is_pattern("rack-1"));
        assert!("rack[1".parse::<Glob>().unwrap_err().contains("has no \"]\""));
        for wrong in ["[]", "[3-1]", "[a-]", "[!]"] {
            assert!(wrong.parse::<Glob>().is_err(), "{wrong}");
        }
    }

    /// What a pattern means, without any thought of speed.
    fn means(tokens: &[Token], name: &[char]) -> bool {
        match (tokens, name) {
            ([], rest) => rest.is_empty(),
            ([Token::Many, tokens @ ..], _) => {
                (0..=name.len()).any(|skip| means(tokens, &name[skip..]))
            }
            ([token, tokens @ ..], [c, name @ ..]) => token.matches(*c) && means(tokens, name),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn a_pattern_matches_what_it_means(pattern in "[ab*?]{0,8}", name in "[ab]{0,10}") {
            let glob: Glob = pattern.parse().unwrap();
            let chars: Vec<char> = name.chars().collect();
            prop_assert_eq!(glob.matches(&name), means(&glob.0, &chars));
        }

        #[test]
        fn no_text_makes_it_panic(pattern in "[a*?\\[\\]!^-]{0,12}", name in ".{0,10}") {
            if let Ok(glob) = pattern.parse::<Glob>() {
                glob.matches(&name);
            }
        }
    }
}
