//! What words stand for: variables, substitutions, fields.

use super::words::Piece;
use super::{Leave, MAX_VALUE, Run};

impl Run<'_> {
    /// The fields of a word: what is not quoted is split at white space.
    pub(super) fn expand(&mut self, word: &[Piece]) -> Result<Vec<String>, Leave> {
        let values = self.values(word)?;
        let mut fields: Vec<String> = Vec::new();
        let mut open = false;
        for (value, piece) in values.iter().zip(word) {
            let splits = match piece {
                Piece::Text { .. } => false,
                Piece::Variable { quoted, .. } | Piece::Command { quoted, .. } => !quoted,
            };
            if !splits {
                match fields.last_mut().filter(|_| open) {
                    Some(field) => field.push_str(value),
                    None => fields.push(value.clone()),
                }
                open = true;
                continue;
            }
            open &= !value.starts_with(char::is_whitespace);
            for field in value.split_whitespace() {
                match fields.last_mut().filter(|_| open) {
                    Some(last) => last.push_str(field),
                    None => fields.push(field.to_owned()),
                }
                open = false;
            }
            open = !value.is_empty() && !value.ends_with(char::is_whitespace)
                || (open && value.is_empty());
        }
        Ok(fields)
    }

    /// What each piece of a word stands for.
    pub(super) fn values(&mut self, word: &[Piece]) -> Result<Vec<String>, Leave> {
        let mut values = Vec::new();
        for piece in word {
            let mut value = match piece {
                Piece::Text { text, .. } => text.clone(),
                Piece::Variable { name, .. } => self.variable(name),
                Piece::Command { text, .. } => {
                    self.captures.push(String::new());
                    let flow = self.script(text);
                    let output = self.captures.pop().unwrap_or_default();
                    if flow == Err(Leave::All) {
                        return Err(Leave::All);
                    }
                    output.trim_end_matches('\n').to_owned()
                }
            };
            value.truncate(value.floor_char_boundary(MAX_VALUE));
            values.push(value);
        }
        Ok(values)
    }

    pub(super) fn variable(&self, name: &str) -> String {
        let (name, default) = name.split_once(":-").unwrap_or((name, ""));
        match name {
            "?" => self.shell.status.to_string(),
            "$" => "1".to_owned(),
            name => match self.shell.env.get(name) {
                Some(value) if !value.is_empty() => value.clone(),
                _ => default.to_owned(),
            },
        }
    }
}

/// The name of the variable that a word assigns to, if it does.
pub(super) fn assignment(word: &[Piece]) -> Option<&str> {
    let Some(Piece::Text { text, quoted: false }) = word.first() else { return None };
    let (name, _) = text.split_once('=')?;
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (!name.is_empty() && name.chars().all(good)).then_some(name)
}
