//! The job definition: LAVA v2 YAML, all of its problems at once.
//!
//! Blocks are read key by key, and unknown keys are problems, whatever their method; what has no effect here is
//! noted (`undone`). Which strategy is missing the pipeline says.

mod artefact;
mod block;
mod boot;
mod checks;
mod deploy;
mod interactive;
mod keys;
mod monitors;
mod multinode;
mod notify;
mod protocols;
mod services;
mod test;
mod undone;
mod values;

pub(super) use artefact::none_of;
pub use artefact::{Artefact, Checksum, Compression, Overlay};
pub use block::{Block, Kind};
pub use boot::{AutoLogin, Boot, Commands, Fvp, Kexec, Media, Qdl, SshServer, Transfer};
pub use checks::is_context_variable;
pub use deploy::{ARTEFACTS, Container, Deploy, Iso, PersistentRoot, Tool};
pub use interactive::{Interactive, Item as InteractiveItem, Line as InteractiveLine};
pub(super) use keys::{boots, deploys};
pub use monitors::Monitor;
pub use multinode::{Call, LAVA_START, MULTINODE_TEST, Multinode, Request, Role};
pub use services::Service;
pub use test::{Definition, Source};
pub use values::{Entries, Limit, MaybeText, Text, Texts};

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use self::protocols::Protocols;
use super::masked::passes;
use super::names;
use crate::config::{At, FromNode, Node, Table, Value};
use crate::model::Name;

/// A job as its author wrote it.
#[derive(Debug, Clone)]
pub struct Job {
    /// The file it was read from, for messages.
    pub file: String,
    pub name: String,
    pub device_type: Option<String>,
    pub timeouts: Timeouts,
    /// Exported into the test shell's environment.
    pub environment: BTreeMap<String, String>,
    /// Written into the test shell's `secrets`; never logged.
    pub secrets: BTreeMap<String, String>,
    /// What gets it images of its server's; never logged.
    pub passes: BTreeSet<String>,
    /// The group of boards that it is for, if it is for several.
    pub multinode: Option<Multinode>,
    /// The port of `protocols: lava-xnbd`; `None` for a free one.
    pub nbd_port: Option<u16>,
    pub debug: Debugging,
    /// The texts of `context` by their keys, which a device's template may put anywhere.
    pub context: Vec<(String, String)>,
    pub blocks: Vec<Block>,
}

/// What the job wants when it fails; a key of ours, which LAVA has not.
#[derive(Debug, Clone, Default)]
pub struct Debugging {
    /// How long the board is held for people.
    pub pause_on_failure: Option<Duration>,
}

/// The job's own time limits, in seconds.
#[derive(Debug, Clone, Default)]
pub struct Timeouts {
    pub job: u64,
    /// For every action that has none of its own.
    pub action: Option<u64>,
    /// By the name of the action.
    pub actions: BTreeMap<String, u64>,
    /// For every wait on a connection.
    pub connection: Option<u64>,
    pub connections: BTreeMap<String, u64>,
}

impl Job {
    /// The containers of this host that it wants.
    pub fn containers(&self) -> impl Iterator<Item = &Container> {
        self.blocks
            .iter()
            .flat_map(|block| match &block.kind {
                Kind::Deploy(deploy) => {
                    let postprocess = deploy.postprocess.as_ref().map(|(container, _)| container);
                    [deploy.container.as_ref(), postprocess]
                }
                Kind::Boot(boot) => [boot.container.as_ref(), None],
                Kind::DockerTest { container, .. } => [Some(container), None],
                _ => [None, None],
            })
            .flatten()
    }

    /// Reads a job; `None` after notes of what is wrong. Even when it is given, the job must not be
    /// used if there are problems.
    pub fn read(node: &Node, at: &At<'_>) -> Option<Self> {
        let top = Table::new(node, at.clone())?;
        let name = top.required::<String>("job_name");
        if name.as_ref().is_some_and(|name| name.is_empty() || name.chars().count() > 200) {
            top.problem("job_name", "a job's name has 1 to 200 characters");
        }
        let timeouts = top.required::<Timeouts>("timeouts");
        let protocols = Protocols::read(&top);
        visibility(&top);
        priority(&top);
        top.optional::<Vec<Text>>("tags");
        let job = Self {
            file: at.file.to_owned(),
            name: name.unwrap_or_default(),
            device_type: top.optional("device_type"),
            timeouts: timeouts.unwrap_or_default(),
            environment: texts(top.optional("environment")),
            secrets: texts(top.optional("secrets")),
            passes: passes(node),
            multinode: protocols.multinode,
            nbd_port: protocols.nbd_port,
            debug: top.optional("debug").unwrap_or_default(),
            context: checks::context_texts(&top),
            blocks: blocks(&top),
        };
        job.check_roles(&top);
        top.optional::<Text>("device");
        top.optional::<Text>("worker");
        if top.optional::<bool>("reboot_to_fastboot").is_some()
            && let Some(node) = top.node("reboot_to_fastboot")
        {
            let what = "this has no effect here: LAVA has dropped it with LXC, which it was for";
            top.at().key("reboot_to_fastboot").note(node.place, what);
        }
        if let Some(table) = top.table("metadata") {
            table.entries();
        }
        checks::context(&top);
        notify::check(&top);
        checks::job(&top);
        top.finish();
        Some(job)
    }
}

impl FromNode for Debugging {
    fn from_node(node: &Node, at: &At<'_>) -> Option<Self> {
        let table = Table::new(node, at.clone())?;
        let pause = table.optional::<Limit>("pause_on_failure");
        table.finish();
        Some(Self { pause_on_failure: pause.map(|limit| Duration::from_secs(limit.seconds)) })
    }
}

impl FromNode for Timeouts {
    fn from_node(node: &Node, at: &At<'_>) -> Option<Self> {
        let table = Table::new(node, at.clone())?;
        for key in ["actions", "connections"] {
            names::check(&table, key);
        }
        let seconds = |limit: Limit| limit.seconds;
        let named = |map: Option<BTreeMap<String, Limit>>| {
            map.unwrap_or_default().into_iter().map(|(name, limit)| (name, limit.seconds)).collect()
        };
        let timeouts = Self {
            job: table.required::<Limit>("job").map_or(0, seconds),
            action: table.optional::<Limit>("action").map(seconds),
            actions: named(table.optional("actions")),
            connection: table.optional::<Limit>("connection").map(seconds),
            connections: named(table.optional("connections")),
        };
        table.optional::<Limit>("queue");
        table.finish();
        Some(timeouts)
    }
}

fn blocks(top: &Table<'_>) -> Vec<Block> {
    let Some(node) = top.node("actions") else {
        top.problem("actions", "\"actions\" is missing");
        return Vec::new();
    };
    let at = top.at().key("actions");
    let Value::List(items) = &node.value else {
        at.expected(node, "a list of deploy, boot, test and command blocks");
        return Vec::new();
    };
    if items.is_empty() {
        at.problem(node.place, "a job has at least one block");
    }
    let blocks = items.iter().enumerate();
    let blocks: Vec<Block> =
        blocks.filter_map(|(i, item)| Block::from_node(item, &at.index(i))).collect();
    blocks
}

fn visibility(top: &Table<'_>) {
    let expected = "public, personal, or {group: [NAME, …]}";
    match top.node("visibility").map(|node| (node, &node.value)) {
        None => top.problem("visibility", "\"visibility\" is missing"),
        Some((_, Value::Text(text))) if matches!(text.as_str(), "public" | "personal") => {}
        Some((_, Value::Map(_))) => {
            if let Some(table) = top.table("visibility") {
                table.required::<Vec<String>>("group");
                table.finish();
            }
        }
        Some((_, Value::Text(text))) => {
            let near = Name::nearest(text, ["public", "personal"]);
            let near = near.map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
            top.problem("visibility", format!("expected {expected}, found {text:?}{near}"));
        }
        Some((node, _)) => top.at().key("visibility").expected(node, expected),
    }
}

fn priority(top: &Table<'_>) {
    let expected = "high, medium, low, or 0 to 100";
    match top.node("priority").map(|node| (node, &node.value)) {
        None | Some((_, Value::Int(0..=100))) => {}
        Some((_, Value::Text(text))) if matches!(text.as_str(), "high" | "medium" | "low") => {}
        Some((node, _)) => top.at().key("priority").expected(node, expected),
    }
}

fn texts(map: Option<BTreeMap<String, Text>>) -> BTreeMap<String, String> {
    map.unwrap_or_default().into_iter().map(|(key, text)| (key, text.0)).collect()
}

#[cfg(test)]
mod tests;
