//! Which keys make an escape for this person.

use clap::Args;

use crate::config::KeyConfig;
use crate::model::{Failure, Kind};
use crate::wire::escape::{Escapes, Introducer, Keymap};

#[derive(Debug, Default, Args)]
pub(super) struct KeyArgs {
    /// What begins an escape, as ~$, ^A or ^Ec; "none" for no escapes. Else: $LAVA_ESCAPE,
    /// ~/.config/lava/console.toml, /etc/lava/console.toml, and what the keymap has.
    #[arg(long, value_name = "KEYS", value_parser = Introducer::or_none)]
    escape: Option<OrNone>,
    /// lava: ~$ and a word. conserver: ^Ec and a letter. conman: & and a letter. Else: $LAVA_KEYMAP,
    /// the same files.
    #[arg(long, value_name = "NAME")]
    keymap: Option<Keymap>,
}

/// In this form clap does not take it for an option that may be left out twice.
type OrNone = Option<Introducer>;

impl KeyArgs {
    /// Recognises what was asked for; `title` is in the prompt.
    ///
    /// # Errors
    /// When a variable or a file is wrong.
    pub(super) fn escapes(&self, title: &str) -> Result<Escapes, Failure> {
        self.escapes_by(KeyConfig::find()?, title)
    }

    /// The same, where the files are read already.
    ///
    /// # Errors
    /// When a variable is wrong.
    pub(super) fn escapes_by(&self, config: KeyConfig, title: &str) -> Result<Escapes, Failure> {
        let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let wrong = |name: &'static str| {
            move |error: String| Failure::new(Kind::User, format!("${name}: {error}"))
        };
        let keymap = match (self.keymap, set("LAVA_KEYMAP")) {
            (Some(keymap), _) => keymap,
            (None, Some(text)) => text.parse().map_err(wrong("LAVA_KEYMAP"))?,
            (None, None) => config.keymap.unwrap_or_default(),
        };
        // What a file says belongs to its keymap.
        let config = config.escape.filter(|_| config.keymap.unwrap_or_default() == keymap);
        let introducer = match (&self.escape, set("LAVA_ESCAPE")) {
            (Some(escape), _) => escape.clone(),
            (None, Some(text)) => Introducer::or_none(&text).map_err(wrong("LAVA_ESCAPE"))?,
            (None, None) => config.unwrap_or_else(|| Some(keymap.introducer())),
        };
        Ok(Escapes::with(keymap, introducer, title))
    }
}
