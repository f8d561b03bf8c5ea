//! What kind of board a request asks for: `panda arch=armv7 ram>=1GB tag=hdmi`.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use crate::model::name::NameError;
use crate::model::{Name, units};

/// So many words describe a board at most.
pub const MAX_TERMS: usize = 32;

/// What is known of a board that a request can ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traits {
    pub name: Name,
    /// LAVA's device type.
    pub kind: Name,
    pub tags: BTreeSet<String>,
    /// `arch` → `armv7`, `ram` → `1GB`.
    pub attributes: BTreeMap<String, String>,
}

/// A description that boards answer to: all its terms have to hold.
///
/// A bare word is a device type. `name`, `type` and `tag` are what they say, every other key an
/// attribute. A board without an attribute answers to no term on it, not even to `!=`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Spec {
    terms: Vec<Term>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Term {
    key: String,
    relation: Relation,
    value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Relation {
    Equal,
    Unequal,
    AtLeast,
    AtMost,
    More,
    Less,
}

/// In the order in which they are looked for: `>=` before `>`.
const RELATIONS: [(&str, Relation); 6] = [
    (">=", Relation::AtLeast),
    ("<=", Relation::AtMost),
    ("!=", Relation::Unequal),
    ("=", Relation::Equal),
    (">", Relation::More),
    ("<", Relation::Less),
];

/// Why a text describes no board.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    #[error("a board is described by {MAX_TERMS} words at most, not by {0}")]
    TooMany(usize),
    #[error(
        "{word:?} is no device type: {source}; write panda, arch=armv7, ram>=1GB, tag=hdmi or name=panda01"
    )]
    Kind { word: String, source: NameError },
    #[error("{word:?} has nothing {side} its {sign}; write it like ram>=1GB")]
    Half { word: String, side: &'static str, sign: &'static str },
    #[error("{word:?}: a {key} is the same or not; only = and != are for it")]
    NoOrder { word: String, key: String },
    #[error(
        "{word:?}: {value:?} is no number and no size; {sign} is for these, as in ram>=1GB or cpus>=2"
    )]
    NoQuantity { word: String, value: String, sign: &'static str },
}

impl Spec {
    pub fn answers(&self, board: &Traits) -> bool {
        self.terms.iter().all(|term| term.holds(board))
    }

    /// The terms that this board does not answer to.
    pub fn unmet(&self, board: &Traits) -> Vec<String> {
        self.terms.iter().filter(|term| !term.holds(board)).map(Term::to_string).collect()
    }

    /// The terms that none of these boards answers to: why a request waits for ever.
    pub fn unheard(&self, boards: &[&Traits]) -> Vec<String> {
        let unheard = |term: &&Term| !boards.iter().any(|board| term.holds(board));
        self.terms.iter().filter(unheard).map(Term::to_string).collect()
    }
}

impl FromStr for Spec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let words: Vec<_> = text.split_whitespace().collect();
        if words.len() > MAX_TERMS {
            return Err(SpecError::TooMany(words.len()));
        }
        let mut terms = words.into_iter().map(Term::read).collect::<Result<Vec<_>, _>>()?;
        terms.sort();
        terms.dedup();
        Ok(Self { terms })
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.terms.is_empty() {
            return f.write_str("any board");
        }
        for (at, term) in self.terms.iter().enumerate() {
            write!(f, "{}{term}", if at == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

impl Term {
    fn read(word: &str) -> Result<Self, SpecError> {
        let found = RELATIONS.iter().filter_map(|(sign, relation)| {
            word.find(sign).map(|at| (at, std::cmp::Reverse(sign.len()), *sign, *relation))
        });
        let Some((at, _, sign, relation)) = found.min_by_key(|(at, len, ..)| (*at, *len)) else {
            return match word.parse::<Name>() {
                Ok(_) => Ok(Self::new("type", Relation::Equal, word)),
                Err(source) => Err(SpecError::Kind { word: word.to_owned(), source }),
            };
        };
        let (key, value) = (&word[..at], &word[at + sign.len()..]);
        let word = || word.to_owned();
        if key.is_empty() || value.is_empty() {
            let side = if key.is_empty() { "before" } else { "after" };
            return Err(SpecError::Half { word: word(), side, sign });
        }
        if !matches!(relation, Relation::Equal | Relation::Unequal) {
            if matches!(key, "name" | "type" | "tag") {
                return Err(SpecError::NoOrder { word: word(), key: key.to_owned() });
            }
            if quantity(value).is_none() {
                return Err(SpecError::NoQuantity { word: word(), value: value.to_owned(), sign });
            }
        }
        Ok(Self::new(key, relation, value))
    }

    fn new(key: &str, relation: Relation, value: &str) -> Self {
        Self { key: key.to_owned(), relation, value: value.to_owned() }
    }

    fn holds(&self, board: &Traits) -> bool {
        let same = match self.key.as_str() {
            "name" => board.name.as_str() == self.value,
            "type" => board.kind.as_str() == self.value,
            "tag" => board.tags.contains(&self.value),
            key => {
                let Some(has) = board.attributes.get(key) else { return false };
                return self.relation.holds(has, &self.value);
            }
        };
        same == (self.relation == Relation::Equal)
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key == "type" && self.relation == Relation::Equal {
            return f.write_str(&self.value);
        }
        let sign = RELATIONS.iter().find(|(_, relation)| *relation == self.relation);
        write!(f, "{}{}{}", self.key, sign.map_or("=", |(sign, _)| sign), self.value)
    }
}

impl Relation {
    /// Sizes and numbers are compared as such, so that `ram=1GB` holds for `1000MB`; else as text.
    fn holds(self, has: &str, wanted: &str) -> bool {
        let order = match (quantity(has), quantity(wanted)) {
            (Some(has), Some(wanted)) => has.cmp(&wanted),
            _ => {
                return has != wanted && self == Self::Unequal
                    || has == wanted && self == Self::Equal;
            }
        };
        match self {
            Self::Equal => order == Ordering::Equal,
            Self::Unequal => order != Ordering::Equal,
            Self::AtLeast => order != Ordering::Less,
            Self::AtMost => order != Ordering::Greater,
            Self::More => order == Ordering::Greater,
            Self::Less => order == Ordering::Less,
        }
    }
}

/// A number or a size: `2`, `1GB`, `512MiB`. A version such as `1.2.3` is none.
fn quantity(text: &str) -> Option<u64> {
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    units::size(text).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn panda() -> Traits {
        Traits {
            name: "panda01".parse().unwrap(),
            kind: "panda".parse().unwrap(),
            tags: ["hdmi".to_owned()].into(),
            attributes: [("arch", "armv7"), ("ram", "1GB"), ("cpus", "2"), ("soc", "omap4430")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
        }
    }

    #[test]
    fn boards_answer_to_their_description() {
        let yes = [
            "",
            "panda",
            "type=panda arch=armv7 ram>=1GB cpus>=2",
            "ram=1000MB ram<2GiB ram>512MiB cpus!=1 cpus<=2",
            "tag=hdmi tag!=wifi name=panda01 name!=panda02",
            "soc=omap4430 arch!=armv8",
        ];
        let no = [
            "beagle",
            "ram>1GB",
            "cpus>=4",
            "tag=wifi",
            "tag!=hdmi",
            "disk=ssd",
            "disk!=ssd",
            "arch>=7",
        ];
        let answers = |text: &&str| text.parse::<Spec>().unwrap().answers(&panda());
        assert_eq!(
            yes.iter().filter(|text| !answers(text)).collect::<Vec<_>>(),
            [""; 0].iter().collect::<Vec<_>>()
        );
        assert_eq!(
            no.iter().filter(|text| answers(text)).collect::<Vec<_>>(),
            [""; 0].iter().collect::<Vec<_>>()
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let spec: Spec = "panda ram>=4GB tag=wifi".parse().unwrap();
        assert_eq!(spec.unmet(&panda()), ["ram>=4GB", "tag=wifi"]);
        assert_eq!(spec.unheard(&[&panda()]), ["ram>=4GB", "tag=wifi"]);
        assert_eq!(spec.to_string(), "ram>=4GB tag=wifi panda");
    }

    #[test]
    fn a_slip_is_told() {
        let told = |text: &str| text.parse::<Spec>().unwrap_err().to_string();
        assert!(told("pan da!").contains("\"da!\" is no device type"), "{}", told("pan da!"));
        assert!(told("ram>=").contains("nothing after its >="));
        assert!(told("=armv7").contains("nothing before its ="));
        assert!(told("tag>=3").contains("only = and != are for it"));
        assert!(told("ram>=much").contains("is no number and no size"));
        assert!(told(&"x ".repeat(33)).contains("32 words at most, not by 33"));
    }

    proptest! {
        #[test]
        fn no_text_is_too_much(text in "[a-z=<>!0-9GB. é]{0,40}") {
            if let Ok(spec) = text.parse::<Spec>() {
                spec.answers(&panda());
                if !spec.terms.is_empty() {
                    prop_assert_eq!(spec.to_string().parse::<Spec>(), Ok(spec));
                }
            }
        }
    }
}
