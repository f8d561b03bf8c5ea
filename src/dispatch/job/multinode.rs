//! `protocols: lava-multinode`: a job for several boards, and what its actions ask of the others.

use std::collections::BTreeMap;

use super::artefact::none_of;
use super::protocols::dropped;
use super::{Job, Limit, Text, Texts, checks};
use crate::config::{At, FromNode, Node, Table, Value};
use crate::dispatch::multinode::group::MAX_MEMBERS;

/// The group that a job is for.
#[derive(Debug, Clone, Default)]
pub struct Multinode {
    pub roles: BTreeMap<String, Role>,
    /// The limit of each wait for the others, in seconds.
    pub timeout: Option<u64>,
    /// The group's name and our role, in a job that LAVA has split already.
    pub target_group: Option<String>,
    pub own_role: Option<String>,
}

/// One or several boards that do the same.
#[derive(Debug, Clone, Default)]
pub struct Role {
    pub device_type: Option<String>,
    /// How many boards have it.
    pub count: usize,
    /// The whole group ends when one of them fails.
    pub essential: bool,
    pub environment: BTreeMap<String, String>,
    /// The role that says when these begin.
    pub start_after: Option<String>,
    /// The limit for that, in seconds.
    pub start_timeout: Option<u64>,
    /// Not a board, but a connection to the board of another role.
    pub connection: Option<String>,
}

/// What an action asks of the group before it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub action: String,
    pub call: Call,
    pub id: String,
    /// What is sent, or, for a wait, by which names the received values are known to later requests.
    pub message: BTreeMap<String, String>,
    pub limit: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    Start,
    Send,
    Wait,
    WaitAll,
    Sync,
}

/// The message that lets a role begin.
pub const LAVA_START: &str = "lava_start";
/// The action that a test shell is called by in requests.
pub const MULTINODE_TEST: &str = "multinode-test";

const CALLS: [(&str, Call); 5] = [
    ("lava-start", Call::Start),
    ("lava-send", Call::Send),
    ("lava-wait", Call::Wait),
    ("lava-wait-all", Call::WaitAll),
    ("lava-sync", Call::Sync),
];

impl Multinode {
    /// How many boards are in the group.
    pub fn size(&self) -> usize {
        self.roles.values().map(|role| role.count).sum()
    }

    /// Reads the protocol of a job's own `protocols`.
    pub(super) fn read(table: Table<'_>) -> Self {
        let own_role: Option<String> = table.optional("role");
        let target_group = table.optional::<Text>("target_group").map(|text| text.0);
        table.optional::<u32>("group_size");
        table.optional::<Text>("sub_id");
        table.optional::<bool>("essential");
        let mut roles = BTreeMap::new();
        if let Some(all) = table.table("roles") {
            for (key, node) in all.entries() {
                let at = all.at().key(&key.name);
                match &node.value {
                    // A job that was split has its boards there, and the role of each.
                    Value::Text(role) => {
                        let role: &mut Role = roles.entry(role.clone()).or_default();
                        role.count += 1;
                    }
                    _ => {
                        let role = Role::from_node(node, &at).unwrap_or_default();
                        roles.insert(key.name.clone(), role);
                    }
                }
            }
        }
        if roles.is_empty() {
            table.problem(
                "roles",
                "\"roles\" says which boards are in the group, and there is none",
            );
        }
        let timeout = table.optional::<Limit>("timeout").map(|limit| limit.seconds);
        let multinode = Self { roles, timeout, target_group, own_role };
        multinode.check(&table);
        table.finish();
        multinode
    }

    fn check(&self, table: &Table<'_>) {
        let known: Vec<&str> = self.roles.keys().map(String::as_str).collect();
        let all = table.node("roles").and_then(|_| table.table("roles"));
        for (name, role) in &self.roles {
            let Some(after) = &role.start_after else { continue };
            let problem = match after {
                after if after == name => "a role cannot wait for itself to begin".to_owned(),
                after if !self.roles.contains_key(after) => none_of(after, &known),
                _ => continue,
            };
            if let Some(role) = all.as_ref().and_then(|all| all.table(name)) {
                role.problem("expect_role", problem);
            }
        }
        let waits = self.roles.values().all(|role| role.start_after.is_some());
        if waits && !self.roles.is_empty() && self.own_role.is_none() {
            table.problem("roles", "all roles wait for another one to begin: none ever does");
        }
        if self.size() > MAX_MEMBERS {
            table.problem("roles", format!("a group has at most {MAX_MEMBERS} boards"));
        }
        if let Some(own) = self.own_role.as_ref().filter(|own| !self.roles.contains_key(*own)) {
            table.problem("role", none_of(own, &known));
        }
    }
}

impl FromNode for Role {
    fn from_node(node: &Node, at: &At<'_>) -> Option<Self> {
        let table = Table::new(node, at.clone())?;
        let environment: Option<BTreeMap<String, Text>> = table.optional("environment");
        let request: Option<String> = table.optional("request");
        let expect: Option<String> = table.optional("expect_role");
        match (request.as_deref(), &expect) {
            (None, None) | (Some("lava-start"), Some(_)) => {}
            (Some("lava-start"), None) => {
                table.problem(
                    "request",
                    "\"expect_role\" is missing: the role that lets this begin",
                );
            }
            (Some(other), _) => table.problem("request", none_of(other, &["lava-start"])),
            (None, Some(_)) => {
                table.problem("expect_role", "\"request: lava-start\" is missing beside it");
            }
        }
        let count: Option<u32> = table.optional("count");
        if count == Some(0) {
            table.problem("count", "a role has at least one board");
        }
        let role = Self {
            device_type: table.optional("device_type"),
            count: count.map_or(1, |count| count as usize),
            essential: table.optional("essential").unwrap_or(false),
            environment: super::texts(environment),
            start_after: expect.filter(|_| request.is_some()),
            start_timeout: table.optional::<Limit>("timeout").map(|limit| limit.seconds),
            connection: table.optional("connection"),
        };
        if role.device_type.is_none() && role.connection.is_none() {
            table.problem("device_type", "\"device_type\" is missing");
        }
        checks::context(&table);
        for known in ["tags", "device", "worker", "host_role", "timeouts"] {
            table.node(known);
        }
        table.finish();
        Some(role)
    }
}

impl Request {
    /// The requests of a block: one, or a list of them.
    pub(super) fn read_all(block: &Table<'_>) -> Vec<Self> {
        if block.node("protocols").is_none() {
            return Vec::new();
        }
        let Some(protocols) = block.table("protocols") else { return Vec::new() };
        protocols.node("lava-xnbd");
        dropped(&protocols);
        let (node, at) = (protocols.node("lava-multinode"), protocols.at().key("lava-multinode"));
        protocols.finish();
        let Some(node) = node else { return Vec::new() };
        match &node.value {
            Value::List(items) => {
                let items = items.iter().enumerate();
                items.filter_map(|(i, item)| Self::from_node(item, &at.index(i))).collect()
            }
            _ => Self::from_node(node, &at).into_iter().collect(),
        }
    }
}

impl FromNode for Request {
    fn from_node(node: &Node, at: &At<'_>) -> Option<Self> {
        let table = Table::new(node, at.clone())?;
        let action = table.required::<String>("action");
        let request = table.required::<String>("request");
        let names: Vec<&str> = CALLS.iter().map(|(name, _)| *name).collect();
        let call = request.as_ref().and_then(|request| {
            let found = CALLS.iter().find(|(name, _)| name == request);
            if found.is_none() {
                table.problem("request", none_of(request, &names));
            }
            found.map(|(_, call)| *call)
        });
        let id = table.optional::<Text>("messageID").map(|text| text.0);
        if id.is_none() && call.is_some_and(|call| call != Call::Start) {
            table.problem("messageID", "\"messageID\" is missing");
        }
        let message: Option<BTreeMap<String, Text>> = table.optional("message");
        let limit = table.optional::<Limit>("timeout").map(|limit| limit.seconds);
        // Whom it is for: everybody hears it.
        table.optional::<Texts>("roles");
        table.finish();
        let id = id.unwrap_or_else(|| LAVA_START.to_owned());
        Some(Self { action: action?, call: call?, id, message: super::texts(message), limit })
    }
}

impl Job {
    /// Checks what only a job for a group has.
    pub(super) fn check_roles(&self, top: &Table<'_>) {
        let Some(group) = &self.multinode else {
            let named = self.blocks.iter().filter(|block| !block.requests.is_empty());
            for block in named {
                let at = At { path: format!("{}.protocols", block.path), ..top.at().clone() };
                at.problem(block.place, "the job is not for a group: it has no \"lava-multinode\"");
            }
            return;
        };
        if self.device_type.is_some() && group.own_role.is_none() {
            top.problem("device_type", "in a job for a group each role has its own device_type");
        }
        let known: Vec<&str> = group.roles.keys().map(String::as_str).collect();
        for block in &self.blocks {
            let at = At { path: format!("{}.role", block.path), ..top.at().clone() };
            if block.roles.is_empty() && group.own_role.is_none() {
                at.problem(
                    block.place,
                    "in a job for a group each block says whose \"role\" it is",
                );
            }
            for role in block.roles.iter().filter(|role| !group.roles.contains_key(*role)) {
                at.problem(block.place, none_of(role, &known));
            }
        }
        for role in known {
            let has = self.blocks.iter().any(|block| block.is_for(role));
            if !has && group.own_role.is_none() {
                top.problem("protocols", format!("no block is for the role {role:?}"));
            }
        }
    }

    /// The part of the job that a board of this role runs.
    pub fn for_role(&self, role: &str) -> Self {
        let mut job = self.clone();
        job.blocks.retain(|block| block.is_for(role));
        if let Some(role) = self.multinode.as_ref().and_then(|group| group.roles.get(role)) {
            job.device_type = role.device_type.clone().or(job.device_type);
            job.environment.extend(role.environment.clone());
        }
        job
    }
}
