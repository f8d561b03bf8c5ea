//! `top.toml`: what a person has settled about `lava top`.

mod action;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use action::{ACTIONS, About, Action};

use super::{At, Node, Problems, Table, Value, read_all};
use crate::model::Failure;
use crate::wire::keyboard::Key;

/// The host's file, after the user's own.
const HOST_FILE: &str = "/etc/lava/top.toml";
/// How often outlets are asked for their states, when nothing is said of it.
const POWER_EVERY: Duration = Duration::from_secs(300);

/// What is settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopConfig {
    /// Of each action at least one, in the order of [`ACTIONS`].
    keys: Vec<Vec<Key>>,
    pub sort: Sort,
    /// Whether clicks and the wheel are ours. Without, the terminal selects text with them.
    pub mouse: bool,
    /// How often outlets are asked for their states, which asks their PDUs; `None` is when told to.
    pub power_every: Option<Duration>,
}

/// What the list of boards is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    #[default]
    Name,
    /// Who printed last comes first.
    Activity,
    /// Who prints most comes first.
    Rate,
    Power,
    /// What is in trouble comes first.
    Health,
    Holder,
}

impl Sort {
    pub const ALL: [Self; 6] =
        [Self::Name, Self::Activity, Self::Rate, Self::Power, Self::Health, Self::Holder];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Activity => "activity",
            Self::Rate => "rate",
            Self::Power => "power",
            Self::Health => "health",
            Self::Holder => "holder",
        }
    }
}

impl std::str::FromStr for Sort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.map(Self::as_str);
        let found = Self::ALL.into_iter().find(|sort| sort.as_str() == text);
        found.ok_or_else(|| format!("{text:?} is none of {}", known.join(", ")))
    }
}

impl Default for TopConfig {
    fn default() -> Self {
        // Those that are built in are all keys; the tests say so.
        let keys = |about: &About| about.keys.iter().filter_map(|key| key.parse().ok()).collect();
        Self {
            keys: ACTIONS.iter().map(keys).collect(),
            sort: Sort::default(),
            mouse: true,
            power_every: Some(POWER_EVERY),
        }
    }
}

impl TopConfig {
    /// Reads the user's file, else the host's; the defaults when there is neither.
    ///
    /// # Errors
    /// [`crate::model::Kind::Config`] with everything that is wrong with it.
    pub fn find() -> Result<Self, Failure> {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let config = set("XDG_CONFIG_HOME").map(PathBuf::from);
        let config = config.or_else(|| Some(PathBuf::from(set("HOME")?).join(".config")));
        let own = config.map(|dir| dir.join("lava/top.toml"));
        let found = own.into_iter().chain([PathBuf::from(HOST_FILE)]).find(|file| file.exists());
        found.map_or_else(|| Ok(Self::default()), |file| Self::read(&file))
    }

    /// Reads the host's file; the defaults when there is none.
    ///
    /// # Errors
    /// As [`Self::find`].
    pub fn of_host() -> Result<Self, Failure> {
        let file = Path::new(HOST_FILE);
        if file.exists() { Self::read(file) } else { Ok(Self::default()) }
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
            config.sort = table.parsed("sort", str::parse).unwrap_or_default();
            config.mouse = table.optional("mouse").unwrap_or(config.mouse);
            match table.parsed("power_every", crate::model::units::duration) {
                Some(Duration::ZERO) => config.power_every = None,
                Some(every) => config.power_every = Some(every.max(Duration::from_secs(1))),
                None => {}
            }
            if let Some(keys) = table.table("keys") {
                config.read_keys(keys);
            }
            table.finish();
        }
        problems.check(Some(config))
    }

    /// What a key does.
    pub fn action(&self, key: Key) -> Option<Action> {
        let at = self.keys.iter().position(|keys| keys.contains(&key))?;
        Some(ACTIONS[at].action)
    }

    /// The keys that do something.
    pub fn keys(&self, action: Action) -> &[Key] {
        let at = ACTIONS.iter().position(|about| about.action == action);
        at.map_or(&[], |at| &self.keys[at])
    }

    fn read_keys(&mut self, table: Table<'_>) {
        let mut settled = Vec::new();
        for (at, about) in ACTIONS.iter().enumerate() {
            let Some(node) = table.node(about.name) else { continue };
            let keys = keys(node, &table.at().key(about.name));
            // Who settles a key for one thing takes it from what it does by default.
            self.keys.iter_mut().for_each(|others| others.retain(|key| !keys.contains(key)));
            settled.push((at, keys, node));
        }
        for (one, (at, keys, node)) in settled.iter().enumerate() {
            for (other, others, _) in &settled[..one] {
                if let Some(key) = keys.iter().find(|key| others.contains(key)) {
                    let what = format!("{key} is {:?} already", ACTIONS[*other].name);
                    table.at().key(ACTIONS[*at].name).problem(node.place, what);
                }
            }
            self.keys[*at].clone_from(keys);
            if let Some(key) = keys.iter().find(|key| ACTIONS[*at].is_typed_with(**key)) {
                let what = format!("{key} is typed at boards; take one such as ctrl-] or f12");
                table.at().key(ACTIONS[*at].name).problem(node.place, what);
            }
        }
        for (about, keys) in ACTIONS.iter().zip(&self.keys) {
            // Without these nobody finds out again.
            if keys.is_empty() && matches!(about.action, Action::Quit | Action::Leave) {
                let what = format!("{:?} has no key left", about.name);
                table.at().problem(table.place(), what);
            }
        }
        table.finish();
    }
}

/// One key, or a list of them.
fn keys(node: &Node, at: &At<'_>) -> Vec<Key> {
    let nodes = match &node.value {
        Value::List(nodes) => &nodes[..],
        _ => std::slice::from_ref(node),
    };
    let mut keys = Vec::new();
    for node in nodes {
        match &node.value {
            Value::Text(text) => match text.parse::<Key>() {
                Ok(key) => keys.push(key),
                Err(error) => at.problem(node.place, error.to_string()),
            },
            _ => at.expected(node, "a key as a text, or a list of them"),
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<TopConfig, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("top.toml");
        std::fs::write(&path, text).unwrap();
        let place = format!("{}/", dir.path().display());
        TopConfig::read(&path).map_err(|failure| failure.to_string().replace(&place, ""))
    }

    #[test]
    fn the_example_is_complete_and_shows_the_defaults() {
        let example = include_str!("../../../conf/top.toml");
        assert_eq!(read(example).unwrap(), TopConfig::default());
        for about in ACTIONS {
            let shown = example.lines().any(|line| line.starts_with(&format!("{} = ", about.name)));
            assert!(shown, "conf/top.toml does not show {}", about.name);
            assert!(about.keys.iter().all(|key| key.parse::<Key>().is_ok()), "{}", about.name);
        }
    }

    #[test]
    fn each_key_does_one_thing() {
        let config = TopConfig::default();
        for (at, keys) in config.keys.iter().enumerate() {
            for key in keys {
                assert_eq!(config.action(*key), Some(ACTIONS[at].action), "{key}");
            }
        }
        let config = read("[keys]\nquit = [\"Q\", \"f10\"]\nhelp = \"q\"\n").unwrap();
        assert_eq!(config.action(Key::char('q')), Some(Action::Help));
        assert_eq!(config.action("f10".parse().unwrap()), Some(Action::Quit));
        assert_eq!(config.action(Key::char('?')), None);
    }

    #[test]
    fn what_ends_typing_is_nothing_that_one_types() {
        for key in ["a", "space", "enter", "ctrl-m", "backspace", "ctrl-i"] {
            let told = read(&format!("[keys]\nleave = [\"f12\", \"{key}\"]\n")).unwrap_err();
            assert!(told.starts_with("top.toml:2:9: keys.leave: "), "{told}");
            assert!(told.contains("is typed at boards"), "{told}");
        }
        let esc = read("[keys]\nleave = \"ctrl-[\"\n").unwrap();
        assert_eq!(esc.action("esc".parse().unwrap()), Some(Action::Leave));
    }

    #[test]
    fn everything_wrong_is_told_with_its_place() {
        let told = read(
            "sort = \"nam\"\npower_every = \"soon\"\n[keys]\nquit = \"pgup\"\nhelp = [\"x\", 5]\n\
             sort = \"x\"\nfroce = \"F\"\n",
        );
        assert_eq!(
            told.unwrap_err(),
            "top.toml:1:8: sort: \"nam\" is none of name, activity, rate, power, health, holder\n\
             top.toml:2:15: power_every: \"soon\" is no duration; write it like 500ms, 5s, 1m30s, 2h or 7d\n\
             top.toml:3:1: keys: \"quit\" has no key left\n\
             top.toml:4:8: keys.quit: \"pgup\" is no key; write it like q, ctrl-x, alt-m, shift-tab, \
             enter, esc, space, up, page-down or f5\n\
             top.toml:5:8: keys.help: x is \"sort\" already\n\
             top.toml:5:14: keys.help: expected a key as a text, or a list of them, found a whole \
             number\n\
             top.toml:7:1: keys: unknown key \"froce\"; did you mean \"force\"?"
        );
    }
}
