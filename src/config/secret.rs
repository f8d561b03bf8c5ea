//! Passwords and the like, which nobody gets to see.

use std::fmt;
use std::path::Path;

use super::{Table, credential};

/// The largest secret file that is read, in bytes.
const MAX_SECRET: usize = 4096;

/// A text that is shown as `***` wherever it is printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The secret of a table: `KEY` itself or the contents of the file that `KEY_file` names, seen
    /// from the folder of the configuration file, or `credential:NAME` for one of systemd's. `None` when neither is there, and after a note.
    ///
    /// One line break at the end of the file does not count.
    pub fn of(table: &Table<'_>, key: &str) -> Option<Self> {
        let file_key = format!("{key}_file");
        let inline = table.optional::<String>(key).map(Self);
        if table.node(&file_key).is_none() {
            return inline;
        }
        if table.node(key).is_some() {
            table.problem(&file_key, format!("{key:?} is given too; only one of them can be"));
            return None;
        }
        let path = credential::file(table, &file_key)?;
        read(&path).map_err(|why| table.problem(&file_key, why)).ok()
    }

    /// The same, where one of the two must be there.
    pub fn required(table: &Table<'_>, key: &str) -> Option<Self> {
        let file_key = format!("{key}_file");
        if table.node(key).is_none() && table.node(&file_key).is_none() {
            table
                .at()
                .problem(table.place(), format!("{key:?} (or {file_key:?}, a path) is missing"));
        }
        Self::of(table, key)
    }
}

fn read(path: &Path) -> Result<Secret, String> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| format!("{shown}: {error}"))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    match text.strip_suffix('\r').unwrap_or(text) {
        "" => Err(format!("{shown} is empty")),
        text if text.len() > MAX_SECRET => Err(format!("{shown} has more than {MAX_SECRET} bytes")),
        text => Ok(Secret::new(text)),
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::super::{At, Problems, toml};
    use super::*;

    fn community_of(text: &str, file: &Path) -> Result<Option<Secret>, String> {
        let problems = Problems::default();
        let at = At::top(file.to_str().unwrap(), &problems);
        let node = toml::parse(text, &at).unwrap();
        let secret = Secret::of(&Table::new(&node, at).unwrap(), "community");
        problems.check(Some(secret)).map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_secret_is_read_from_a_file_beside_the_configuration() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("word"), "s3cret\n").unwrap();
        let config = dir.path().join("power.toml");
        let secret = community_of("community_file = \"word\"\n", &config).unwrap();
        assert_eq!(secret, Some(Secret::new("s3cret")));
        let missing = community_of("community_file = \"none\"\n", &config).unwrap_err();
        assert!(missing.contains("power.toml:1:18: community_file: "), "{missing}");
        let both = community_of("community = \"a\"\ncommunity_file = \"word\"\n", &config);
        assert!(both.unwrap_err().contains("only one of them"));
    }

    #[test]
    fn nobody_sees_a_secret() {
        assert_eq!(format!("{:?}", Some(Secret::new("s3cret"))), "Some(***)");
    }
}
