//! `console.toml`: how a person types escapes, and what the terminal gets.

use std::path::{Path, PathBuf};

use super::{At, Problems, Table, read_all};
use crate::model::Failure;
use crate::wire::escape::{Introducer, Keymap};

/// The host's file, after the user's own.
const HOST_FILE: &str = "/etc/lava/console.toml";

/// What somebody has settled about consoles.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyConfig {
    pub keymap: Option<Keymap>,
    /// `Some(None)` is no escapes at all.
    pub escape: Option<Option<Introducer>>,
    /// Whether a terminal gets everything that a board prints, or only what shows something.
    pub raw_terminal: Option<bool>,
}

impl KeyConfig {
    /// Reads the user's file, else the host's; nothing is settled when there is neither.
    ///
    /// # Errors
    /// [`crate::model::Kind::Config`] with everything that is wrong with it.
    pub fn find() -> Result<Self, Failure> {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let config = set("XDG_CONFIG_HOME").map(PathBuf::from);
        let config = config.or_else(|| Some(PathBuf::from(set("HOME")?).join(".config")));
        let own = config.map(|dir| dir.join("lava/console.toml"));
        let found = own.into_iter().chain([PathBuf::from(HOST_FILE)]).find(|file| file.exists());
        found.map_or(Ok(Self::default()), |file| Self::read(&file))
    }

    /// Reads a file.
    ///
    /// # Errors
    /// As [`Self::find`].
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let problems = Problems::default();
        let mut config = Self::default();
        for (file, node) in &read_all(&[path.to_owned()], &problems) {
            let Some(table) = Table::new(node, At::top(file, &problems)) else { continue };
            config.keymap = table.parsed("keymap", str::parse);
            config.escape = table.parsed("escape", Introducer::or_none);
            config.raw_terminal = table.optional("raw_terminal");
            table.finish();
        }
        problems.check(Some(config))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_shows_defaults() {
        let example = concat!(env!("CARGO_MANIFEST_DIR"), "/conf/console.toml");
        let config = KeyConfig::read(example.as_ref()).unwrap();
        assert_eq!(config.keymap, Some(Keymap::default()));
        assert_eq!(config.escape, Some(Some(Keymap::default().introducer())));
        assert_eq!(config.raw_terminal, Some(false));
    }
}
