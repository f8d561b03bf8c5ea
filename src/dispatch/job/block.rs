//! One block of a job: `deploy`, `boot`, `test` or `command`.

use std::collections::BTreeMap;

use super::artefact::none_of;
use super::{
    Boot, Container, Definition, Deploy, Interactive, Limit, Monitor, Request, Service, Texts,
    keys, undone,
};
use crate::config::{At, FromNode, Node, Place, Table, Value};
use crate::dispatch::names;
use crate::model::Name;

/// A block, and what every kind of block has.
#[derive(Debug, Clone)]
pub struct Block {
    /// Where it stands in the job file, as `actions[1].boot`.
    pub path: String,
    /// Where its method is named, `to: tftp`, `method: u-boot` or a command's `name`; of tests, its key.
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
    /// In a job for a group: whose block it is.
    pub roles: Vec<String>,
    /// What its actions ask of the group.
    pub requests: Vec<Request>,
    /// Seconds before each further try.
    pub retry_interval: Option<u32>,
    /// What it asks that cannot be done yet; it must not be run.
    pub undone: Vec<String>,
    pub kind: Kind,
}

/// What a block does.
#[derive(Debug, Clone)]
pub enum Kind {
    Deploy(Box<Deploy>),
    Boot(Box<Boot>),
    Test(Vec<Definition>),
    Monitors(Vec<Monitor>),
    Interactive(Vec<Interactive>),
    /// Definitions that run in a container of this host.
    DockerTest {
        container: Container,
        /// Whose downloads it has, if not its own.
        downloads_namespace: Option<String>,
        definitions: Vec<Definition>,
    },
    Services(Vec<Service>),
    Command {
        name: String,
    },
}

const KINDS: [&str; 4] = ["deploy", "boot", "test", "command"];

impl Block {
    /// The namespace, by the name that LAVA gives to "none".
    pub fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or("common")
    }

    pub fn is_test(&self) -> bool {
        matches!(
            self.kind,
            Kind::Test(_)
                | Kind::Monitors(_)
                | Kind::Interactive(_)
                | Kind::DockerTest { .. }
                | Kind::Services(_)
        )
    }

    /// Whether a board of this role runs it.
    pub fn is_for(&self, role: &str) -> bool {
        self.roles.is_empty() || self.roles.iter().any(|own| own == role)
    }

    /// Whether the job goes on with the next block when the time of this one is over.
    pub fn is_skipped_when_late(&self) -> bool {
        self.is_test() && self.timeout.is_some_and(|limit| limit.skip)
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
        let near = Name::nearest(&key.name, KINDS);
        if !KINDS.contains(&key.name.as_str()) {
            let hint = match near {
                Some(near) => format!("did you mean {near:?}?"),
                None => format!("known here: {}", KINDS.join(", ")),
            };
            at.problem(key.place, format!("unknown key {:?}; {hint}", key.name));
        }
        // What is in a misspelt block is checked as what it was most likely meant to be.
        let name = near?;
        let table = Table::new(body, at.key(&key.name))?;
        names::check(&table, "timeouts");
        let timeouts: Option<BTreeMap<String, Limit>> = table.optional("timeouts");
        let timeouts = timeouts.unwrap_or_default();
        let block = Self {
            path: table.at().path.clone(),
            place: method(name, &table).map_or(key.place, |node| node.place),
            namespace: table.optional("namespace"),
            connection_namespace: table.optional("connection-namespace"),
            timeout: table.optional("timeout"),
            timeouts: timeouts.into_iter().map(|(name, limit)| (name, limit.seconds)).collect(),
            failure_retry: count("failure_retry", &table),
            repeat: count("repeat", &table),
            roles: table.optional::<Texts>("role").unwrap_or_default().0,
            requests: Request::read_all(&table),
            retry_interval: count("failure_retry_interval", &table),
            undone: undone::look(name, body, table.at()),
            kind: kind(name, &table),
        };
        match &block.kind {
            Kind::Deploy(deploy) => keys::check_deploy(&table, &deploy.to),
            Kind::Boot(boot) => keys::check_boot(&table, &boot.method),
            Kind::Test(_)
            | Kind::Monitors(_)
            | Kind::Interactive(_)
            | Kind::DockerTest { .. }
            | Kind::Services(_)
            | Kind::Command { .. } => table.finish(),
        }
        Some(block)
    }
}

/// A number of times or seconds, one at least.
fn count(key: &str, table: &Table<'_>) -> Option<u32> {
    let count = table.optional(key)?;
    if count == 0 {
        table.problem(key, "it is 1 at least");
    }
    Some(count)
}

/// Where a block names its method.
fn method<'a>(block: &str, table: &Table<'a>) -> Option<&'a Node> {
    table.node(match block {
        "deploy" => "to",
        "boot" => "method",
        "command" => "name",
        _ => return None,
    })
}

fn kind(block: &str, table: &Table<'_>) -> Kind {
    match block {
        "deploy" => {
            let to = known(table, "to", keys::deploys());
            Kind::Deploy(Box::new(Deploy::read(to.as_deref().unwrap_or("tftp"), table)))
        }
        "boot" => {
            let method = known(table, "method", keys::boots());
            Kind::Boot(Box::new(Boot::read(method.as_deref().unwrap_or("u-boot"), table)))
        }
        "test" => {
            let others = ["docker", "interactive", "monitors", "services"];
            match others.into_iter().find(|other| table.node(other).is_some()) {
                Some("monitors") => Kind::Monitors(Monitor::read_all(table)),
                Some("interactive") => Kind::Interactive(Interactive::read_all(table)),
                Some("docker") => Kind::DockerTest {
                    container: Container::read_for_tests(table).unwrap_or_default(),
                    downloads_namespace: table.optional("downloads-namespace"),
                    definitions: Definition::read_all(table),
                },
                Some(_) => Kind::Services(Service::read_all(table)),
                None => Kind::Test(Definition::read_all(table)),
            }
        }
        _ => Kind::Command { name: table.required("name").unwrap_or_default() },
    }
}

/// The method of a block: for a misspelt one, after a note, what it was most likely meant to be, so
/// that the rest of the block can be checked. What is like no method at all has no strategy, and is
/// told there.
fn known(
    table: &Table<'_>,
    key: &str,
    methods: impl Iterator<Item = &'static str> + Clone,
) -> Option<String> {
    let method = table.required::<String>(key)?;
    if methods.clone().any(|known| known == method) {
        return Some(method);
    }
    let Some(near) = Name::nearest(&method, methods.clone()) else { return Some(method) };
    table.problem(key, none_of(&method, &methods.collect::<Vec<_>>()));
    Some(near.to_owned())
}
