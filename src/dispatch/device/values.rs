//! How the values of a device dictionary are read.

use std::collections::BTreeMap;

use crate::config::{FromNode, Node, Table, Value};
use crate::dispatch::job::{Limit, Text, Texts};

/// A load address: a hexadecimal number, or a variable of U-Boot's.
pub(super) fn address(table: &Table<'_>, key: &str) -> Option<String> {
    let address = filled::<Text>(table, key)?.0;
    let digits = address.strip_prefix("0x").unwrap_or(&address);
    let is_number = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_hexdigit());
    // U-Boot takes "-" for a file that is not there.
    if !is_number && !address.contains('$') && !matches!(address.as_str(), "" | "-") {
        let expected =
            "a load address is a number such as 0x40400000, or a variable such as ${loadaddr}";
        table.problem(key, format!("{address:?}: {expected}"));
    }
    Some(address)
}

/// The command of `connect`, or of the connection that is tagged as primary.
pub(super) fn connect(commands: &Table<'_>) -> Option<String> {
    if let Some(connect) = filled(commands, "connect") {
        return Some(connect);
    }
    let connections = present(commands, "connections")?;
    let primary = connections.entries().iter().find(|(_, node)| {
        let tags = node.get("tags").map(|tags| &tags.value);
        matches!(tags, Some(Value::List(tags)) if tags.iter().any(|tag| tag.as_text() == Some("primary")))
    });
    let first = || connections.entries().first();
    let (_, node) = primary.or_else(first)?;
    node.get("connect").and_then(Node::as_text).map(ToOwned::to_owned)
}

/// The commands of all `connections`, by their names.
pub(super) fn connections(commands: &Table<'_>) -> BTreeMap<String, String> {
    let table = present(commands, "connections");
    let entries = table.as_ref().map(Table::entries).unwrap_or_default();
    let command = |node: &Node| node.get("connect").and_then(Node::as_text).map(ToOwned::to_owned);
    entries.iter().filter_map(|(key, node)| Some((key.name.clone(), command(node)?))).collect()
}

/// The commands of the host that only some methods need, by their names.
pub(super) fn named_commands(commands: &Table<'_>) -> BTreeMap<String, Vec<String>> {
    let names = ["pre_os_command", "pre_power_command", "recovery_exit", "recovery_mode"];
    let there = names.into_iter().filter(|name| commands.node(name).is_some());
    there.map(|name| (name.to_owned(), texts(commands, name))).collect()
}

/// The commands that jobs may ask for by name: what does it, and what undoes it.
pub(super) fn users(commands: &Table<'_>) -> BTreeMap<String, [Vec<String>; 2]> {
    let Some(users) = present(commands, "users") else { return BTreeMap::new() };
    let one = |name: &str| {
        let table = present(&users, name)?;
        Some((name.to_owned(), ["do", "undo"].map(|key| texts(&table, key))))
    };
    users.entries().iter().filter_map(|(key, _)| one(&key.name)).collect()
}

/// What the first of the board's parts is known by.
pub(super) fn board_id(top: &Table<'_>) -> Option<String> {
    let Value::List(parts) = &top.node("device_info")?.value else { return None };
    let id = parts.first()?.get("board_id")?;
    Text::from_node(id, &top.at().key("device_info")).map(|id| id.0)
}

/// A table, unless the key is missing or empty: templates often render empty ones.
pub(super) fn present<'a>(table: &Table<'a>, key: &str) -> Option<Table<'a>> {
    table.node(key).filter(|node| node.value != Value::Null)?;
    table.table(key)
}

/// A value, unless the key is missing or empty.
pub(super) fn filled<T: FromNode>(table: &Table<'_>, key: &str) -> Option<T> {
    table.node(key).filter(|node| node.value != Value::Null)?;
    table.optional(key)
}

pub(super) fn texts(table: &Table<'_>, key: &str) -> Vec<String> {
    filled::<Texts>(table, key).unwrap_or_default().0
}

pub(super) fn limits(table: &Table<'_>, key: &str) -> BTreeMap<String, u64> {
    let limits: Option<BTreeMap<String, Limit>> = filled(table, key);
    limits.unwrap_or_default().into_iter().map(|(name, limit)| (name, limit.seconds)).collect()
}

pub(super) fn names(table: &Table<'_>, key: &str) -> Vec<String> {
    let Some(table) = present(table, key) else { return Vec::new() };
    table.entries().iter().map(|(key, _)| key.name.clone()).collect()
}
