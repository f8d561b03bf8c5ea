//! A test block with `definitions`.

use std::collections::BTreeMap;

use super::artefact::{none_of, one_of};
use super::{MaybeText, Text, Texts};
use crate::config::{FromNode, Node, Table, Value};
use crate::dispatch::overlay::DefinitionFile;
use crate::model::Name;

/// One test definition to run on the board.
#[derive(Debug, Clone)]
pub struct Definition {
    pub name: String,
    pub source: Source,
    /// The definition's file in its repository.
    pub path: String,
    /// Exported before the steps; replaces the definition's own values.
    pub parameters: BTreeMap<String, String>,
    /// Parts of the install section to leave out: `keys`, `sources`, `deps`, `steps` or `all`.
    pub skip_install: Vec<String>,
    /// Signals are written to the kernel's log instead of the console.
    pub kmsg: bool,
    /// The test cases that the run has to report; replaces the definition's own list.
    pub expected: Option<Vec<String>>,
}

/// Where a definition comes from.
#[derive(Debug, Clone)]
pub enum Source {
    Git {
        repository: String,
        branch: Option<String>,
        revision: Option<String>,
        /// Whether the clone's own folder goes to the board as well; if the job does not say, it does for who asks
        /// git.
        history: Option<bool>,
        recursive: bool,
        /// Whether only the tip is fetched; if the job does not say, it is all for who asks git.
        shallow: Option<bool>,
    },
    /// Written in the job file itself.
    Inline(Box<Node>),
    /// A tar archive to download.
    Url {
        repository: String,
        /// How many folders at the beginning of its paths are left out.
        strip: Option<u32>,
    },
    /// A tar archive in the job file itself, in base64.
    Tar {
        archive: String,
        strip: Option<u32>,
    },
    Bzr {
        repository: String,
        revision: Option<String>,
    },
}

impl Source {
    /// Where it is fetched from, if it is not in the job file.
    pub fn repository(&self) -> Option<&str> {
        match self {
            Self::Inline(_) | Self::Tar { .. } => None,
            Self::Git { repository, .. }
            | Self::Url { repository, .. }
            | Self::Bzr { repository, .. } => Some(repository),
        }
    }
}

impl Definition {
    /// Reads the definitions of a test block.
    pub(super) fn read_all(block: &Table<'_>) -> Vec<Self> {
        block.optional::<Text>("name");
        block.node("expected");
        if block.node("definitions").is_none() {
            let what = "a test block has one of definitions, interactive, monitors and services";
            block.problem("definitions", what);
        }
        // Two may have one name: on the board and in results their number stands before it.
        let definitions: Vec<Self> =
            block.tables("definitions").into_iter().filter_map(Self::read).collect();
        if definitions.is_empty()
            && let Some(node) = block.node("definitions")
            && matches!(&node.value, Value::List(items) if items.is_empty())
        {
            block.at().key("definitions").note(node.place, "there is none, so nothing is tested");
        }
        definitions
    }

    fn read(table: Table<'_>) -> Option<Self> {
        let name = table.required::<String>("name");
        if let Some(wrong) = name.as_ref().and_then(|name| {
            name.chars().find(|c| !c.is_ascii_alphanumeric() && !"-_.+".contains(*c))
        }) {
            let what = format!("a definition's name is a file name; {wrong:?} cannot be in it");
            table.problem("name", what);
        }
        let source = Source::read(&table);
        // Both count, and what is in the second goes before it.
        let map = |key: &str| -> BTreeMap<String, MaybeText> {
            let there = table.node(key).is_some_and(|node| node.value != Value::Null);
            there.then(|| table.optional(key)).flatten().unwrap_or_default()
        };
        let mut parameters = map("parameters");
        parameters.append(&mut map("params"));
        let signal = one_of(&table, "lava-signal", &["kmsg", "stdout"]);
        let definition = Self {
            name: name.unwrap_or_default(),
            path: table.required("path").unwrap_or_default(),
            source: source.unwrap_or(Source::Url { repository: String::new(), strip: None }),
            parameters: parameters.into_iter().map(|(key, value)| (key, value.0)).collect(),
            skip_install: skip_install(&table),
            kmsg: signal.as_deref() == Some("kmsg"),
            expected: table.optional::<Texts>("expected").map(|texts| texts.0),
        };
        // `tar` finds out by itself how an archive is packed.
        one_of(&table, "compression", &["bz2", "gz", "xz", "zip", "zstd"]);
        table.finish();
        Some(definition)
    }
}

fn skip_install(table: &Table<'_>) -> Vec<String> {
    let parts: Vec<String> = table.optional("skip_install").unwrap_or_default();
    let known = ["all", "deps", "git-repos", "keys", "sources", "steps"];
    for part in parts.iter().filter(|part| !known.contains(&part.as_str())) {
        table.problem("skip_install", none_of(part, &known));
    }
    parts
}

impl Source {
    fn read(table: &Table<'_>) -> Option<Self> {
        let known = ["bzr", "git", "inline", "tar", "url"];
        one_of(table, "from", &known);
        if table.node("from").is_none() {
            table.problem("from", "\"from\" is missing");
        }
        let from = table.node("from").and_then(Node::as_text);
        let from = from.and_then(|from| Name::nearest(from, known));
        let repository = table.node("repository");
        if repository.is_none() {
            table.problem("repository", "\"repository\" is missing");
        }
        let at = table.at().key("repository");
        let branch = table.optional("branch");
        let revision = table.optional::<Text>("revision").map(|text| text.0);
        // LAVA's own default is the whole history; few tests look at it, and it is large.
        let history = table.optional("history");
        let recursive = table.optional("recursive").unwrap_or(false);
        let shallow = table.optional("shallow");
        let strip = table.optional("strip-components");
        let repository = repository?;
        match (from?, &repository.value) {
            ("inline", Value::Map(_)) => {
                DefinitionFile::read_inline(repository, &at);
                Some(Self::Inline(Box::new(repository.clone())))
            }
            ("inline", _) => {
                at.expected(repository, "the test definition itself, as a table");
                None
            }
            ("git", _) => {
                let repository = String::from_node(repository, &at)?;
                Some(Self::Git { repository, branch, revision, history, recursive, shallow })
            }
            ("bzr", _) => {
                let repository = String::from_node(repository, &at)?;
                Some(Self::Bzr { repository, revision })
            }
            (from, _) => {
                let text = String::from_node(repository, &at)?;
                let is_url = ["http://", "https://", "file://"].iter().any(|s| text.starts_with(s));
                Some(match from == "tar" && !is_url {
                    true => Self::Tar { archive: text, strip },
                    false => Self::Url { repository: text, strip },
                })
            }
        }
    }
}
