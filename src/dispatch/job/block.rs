//! One block of a job: `deploy`, `boot`, `test` or `command`.

use std::collections::BTreeMap;

use super::{Boot, Definition, Limit, Text, Tftp};
use crate::config::{At, FromNode, Node, Place, Table, Value};
use crate::model::Name;

/// A block, and what every kind of block has.
#[derive(Debug, Clone)]
pub struct Block {
    /// Where it stands in the job file.
    pub place: Place,
    /// Blocks of the same namespace share what they deploy and their connection.
    pub namespace: Option<String>,
    pub connection_namespace: Option<String>,
    pub timeout: Option<Limit>,
    /// Time limits in seconds by the name of an action inside this block.
    pub timeouts: BTreeMap<String, u64>,
    /// How often the block's retry actions try.
    pub failure_retry: Option<u32>,
    pub repeat: Option<u32>,
    pub kind: Kind,
}

/// What a block does. `Other` is what we have no strategy for.
#[derive(Debug, Clone)]
pub enum Kind {
    Deploy(Tftp),
    OtherDeploy { to: String },
    Boot(Box<Boot>),
    OtherBoot { method: String },
    Test(Vec<Definition>),
    OtherTest { what: String },
    Command { name: String },
}

const KINDS: [&str; 4] = ["deploy", "boot", "test", "command"];

impl Block {
    /// The namespace, by the name that LAVA gives to "none".
    pub fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or("common")
    }

    pub fn is_test(&self) -> bool {
        matches!(self.kind, Kind::Test(_) | Kind::OtherTest { .. })
    }

    /// Whose connection this block uses.
    pub fn connection_namespace(&self) -> &str {
        self.connection_namespace.as_deref().unwrap_or_else(|| self.namespace())
    }
}

impl FromNode for Block {
    fn from_node(node: &Node, at: &At<'_>) -> Option<Self> {
        let Value::Map(entries) = &node.value else {
            at.expected(node, "a block such as \"deploy:\"");
            return None;
        };
        let [(key, body)] = entries.as_slice() else {
            at.problem(node.place, "a block has one key: deploy, boot, test or command");
            return None;
        };
        if !KINDS.contains(&key.name.as_str()) {
            let hint = match Name::nearest(&key.name, KINDS) {
                Some(near) => format!("did you mean {near:?}?"),
                None => format!("known here: {}", KINDS.join(", ")),
            };
            at.problem(key.place, format!("unknown key {:?}; {hint}", key.name));
            return None;
        }
        let table = Table::new(body, at.key(&key.name))?;
        let timeouts: Option<BTreeMap<String, Limit>> = table.optional("timeouts");
        let timeouts = timeouts.unwrap_or_default();
        let block = Self {
            place: key.place,
            namespace: table.optional("namespace"),
            connection_namespace: table.optional("connection-namespace"),
            timeout: table.optional("timeout"),
            timeouts: timeouts.into_iter().map(|(name, limit)| (name, limit.seconds)).collect(),
            failure_retry: table.optional("failure_retry"),
            repeat: table.optional("repeat"),
            kind: kind(&key.name, &table)?,
        };
        table.optional::<u32>("failure_retry_interval");
        table.node("protocols");
        table.optional::<Text>("role");
        // Keys of strategies that we do not have are not ours to judge.
        match block.kind {
            Kind::Deploy(_) | Kind::Boot(_) | Kind::Test(_) | Kind::Command { .. } => {
                table.finish();
            }
            _ => {}
        }
        Some(block)
    }
}

fn kind(key: &str, table: &Table<'_>) -> Option<Kind> {
    Some(match key {
        "deploy" => match table.required::<String>("to")? {
            to if to == "tftp" => Kind::Deploy(Tftp::read(table)),
            to => Kind::OtherDeploy { to },
        },
        "boot" => match table.required::<String>("method")? {
            method if method == "u-boot" => Kind::Boot(Box::new(Boot::read(table))),
            method => Kind::OtherBoot { method },
        },
        "test" => {
            let others = ["docker", "interactive", "monitors", "services"];
            match others.into_iter().find(|other| table.node(other).is_some()) {
                Some(what) => Kind::OtherTest { what: what.to_owned() },
                None => Kind::Test(Definition::read_all(table)),
            }
        }
        _ => Kind::Command { name: table.required("name")? },
    })
}
