//! Keys as people write them: `q`, `ctrl-x`, `alt-m`, `shift-tab`, `page-up`, `f5`.

use std::fmt;
use std::str::FromStr;

use super::{Code, Key};

/// Why a text is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no key; write it like q, ctrl-x, alt-m, shift-tab, enter, esc, space, up, page-down or f5"
)]
pub struct ChordError(pub String);

/// Names of keys that are no characters, and of the space.
const NAMES: &[(&str, Code)] = &[
    ("enter", Code::Enter),
    ("esc", Code::Esc),
    ("tab", Code::Tab),
    ("backspace", Code::Backspace),
    ("space", Code::Char(' ')),
    ("up", Code::Up),
    ("down", Code::Down),
    ("left", Code::Left),
    ("right", Code::Right),
    ("home", Code::Home),
    ("end", Code::End),
    ("page-up", Code::PageUp),
    ("page-down", Code::PageDown),
    ("insert", Code::Insert),
    ("delete", Code::Delete),
];

impl FromStr for Key {
    type Err = ChordError;

    fn from_str(text: &str) -> Result<Self, ChordError> {
        let wrong = || ChordError(text.to_owned());
        let mut key = Self::new(Code::Esc);
        let mut rest = text;
        loop {
            let held =
                [("ctrl-", &mut key.ctrl), ("alt-", &mut key.alt), ("shift-", &mut key.shift)];
            let found = held.into_iter().find_map(|(name, held)| {
                let after = rest.strip_prefix(name).filter(|after| !after.is_empty())?;
                Some((after, std::mem::replace(held, true)))
            });
            match found {
                Some((_, true)) => return Err(wrong()),
                Some((after, false)) => rest = after,
                None => break,
            }
        }
        let mut chars = rest.chars();
        let single = chars.next().filter(|c| chars.next().is_none() && !c.is_control());
        let named = NAMES.iter().find(|(name, _)| *name == rest).map(|(_, code)| *code);
        let function = || {
            let number = rest.strip_prefix('f')?.parse().ok()?;
            (1..=12).contains(&number).then_some(Code::F(number))
        };
        key.code = single.map(Code::Char).or(named).or_else(function).ok_or_else(wrong)?;
        // What terminals send for these is another key.
        let same = match key {
            Self { code: Code::Char(c), ctrl: true, .. } => match c {
                '[' => Some(Code::Esc),
                'i' => Some(Code::Tab),
                'j' | 'm' => Some(Code::Enter),
                'h' => Some(Code::Backspace),
                '@' => {
                    key.code = Code::Char(' ');
                    None
                }
                _ => None,
            },
            _ => None,
        };
        if let Some(code) = same {
            (key.code, key.ctrl) = (code, false);
        }
        if let Code::Char(c) = &mut key.code {
            let typed = c.is_ascii_lowercase() || " @[\\]^_".contains(*c);
            // With shift it is another character, and with ctrl there are only these.
            if key.shift || (key.ctrl && !typed) {
                return Err(wrong());
            }
        }
        Ok(key)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (held, name) in [(self.ctrl, "ctrl-"), (self.alt, "alt-"), (self.shift, "shift-")] {
            f.write_str(if held { name } else { "" })?;
        }
        match (self.code, NAMES.iter().find(|(_, code)| *code == self.code)) {
            (_, Some((name, _))) => f.write_str(name),
            (Code::F(number), None) => write!(f, "f{number}"),
            (Code::Char(c), None) => write!(f, "{c}"),
            (other, None) => write!(f, "{other:?}"),
        }
    }
}
