//! What must fit together in a job, beside what each of its keys must be.

use std::collections::BTreeSet;

use super::Limit;
use super::values::no_file_name;
use crate::config::{At, FromNode as _, Node, Place, Problems, Table, Value};
use crate::model::Name;

/// The names of namespaces that LAVA keeps for itself.
const RESERVED: [&str; 2] = ["common", "docker-test-shell"];
/// The namespace of blocks that name none.
const COMMON: &str = "common";

/// The variables that LAVA's templates of devices take from a job's context. A lab may have more.
const VARIABLES: &[&str] = &[
    "arch",
    "boot_character_delay",
    "boot_console",
    "boot_retry",
    "boot_root",
    "booti_dtb_addr",
    "booti_kernel_addr",
    "booti_ramdisk_addr",
    "bootloader_prompt",
    "bootm_dtb_addr",
    "bootm_kernel_addr",
    "bootm_ramdisk_addr",
    "bootz_dtb_addr",
    "bootz_kernel_addr",
    "bootz_ramdisk_addr",
    "console_device",
    "cpu",
    "custom_kernel_args",
    "extra_kernel_args",
    "extra_nfsroot_args",
    "extra_options",
    "failure_retry",
    "guestfs_driveid",
    "guestfs_interface",
    "guestfs_size",
    "kernel_loglevel",
    "kernel_start_message",
    "lava_test_results_dir",
    "machine",
    "memory",
    "menu_interrupt_prompt",
    "model",
    "monitor",
    "mustang_menu_list",
    "netdevice",
    "no_kvm",
    "no_network",
    "serial",
    "test_character_delay",
    "tftp_mac_address",
    "uboot_altbank",
    "uboot_extra_error_message",
    "uboot_needs_interrupt",
    "vga",
];

/// Whether a job may set a variable of this name wherever it runs; another one may be what a device's commands are
/// made of.
pub fn is_context_variable(name: &str) -> bool {
    VARIABLES.contains(&name)
}

/// One slip of the hand for so many letters: what is farther from a variable is most likely one of the
/// lab's own.
const LETTERS_PER_SLIP: usize = 4;

/// Notes values of the context that are no scalars or lists of them, and variables that are most likely misspelt.
pub(super) fn context(top: &Table<'_>) {
    let Some(table) = top.node("context").and_then(|_| top.table("context")) else { return };
    let is_scalar = |node: &Node| !matches!(node.value, Value::List(_) | Value::Map(_));
    for (key, node) in table.entries() {
        let is_list = matches!(&node.value, Value::List(items) if items.iter().all(is_scalar));
        if !is_scalar(node) && !is_list {
            table.at().key(&key.name).expected(node, "a text, a number, or a list of them");
        }
        let is_known = is_context_variable(&key.name);
        let near = Name::nearest(&key.name, VARIABLES.iter().copied());
        let slip = near.filter(|near| {
            let slips = strsim::damerau_levenshtein(near, &key.name);
            slips * LETTERS_PER_SLIP <= near.len()
        });
        if let Some(near) = slip.filter(|_| !is_known) {
            let what = format!("{:?} is no variable of LAVA's; did you mean {near:?}?", key.name);
            table.at().note(key.place, what);
        }
    }
}

/// Whether there is a text with an end of line, or another control character, in the middle.
fn has_lines(node: &Node) -> bool {
    match &node.value {
        Value::List(items) => items.iter().any(has_lines),
        Value::Text(text) => text.trim().chars().any(|c| c.is_control() && c != '\t'),
        _ => false,
    }
}

/// The texts of the context by their keys, those of lists one by one, with those of all roles. A text of several
/// lines is a problem: a template would make keys of the device's dictionary of them.
pub(super) fn context_texts(top: &Table<'_>) -> Vec<(String, String)> {
    let roles = top.node("protocols").and_then(|node| node.get("lava-multinode")?.get("roles"));
    let roles = match roles.map(|node| &node.value) {
        Some(Value::Map(roles)) => roles.as_slice(),
        _ => &[],
    };
    let contexts = roles.iter().filter_map(|(_, role)| role.get("context"));
    let mut texts = Vec::new();
    for context in top.node("context").into_iter().chain(contexts) {
        let Value::Map(entries) = &context.value else { continue };
        for (key, node) in entries {
            if has_lines(node) {
                let what = "a value of the context is one line: a template puts it into the device's dictionary";
                top.at().key("context").key(&key.name).problem(node.place, what);
            }
            let nodes = match &node.value {
                Value::List(items) => items.as_slice(),
                _ => std::slice::from_ref(node),
            };
            let own = nodes.iter().filter_map(Node::as_text);
            texts.extend(own.map(|text| (key.name.clone(), text.to_owned())));
        }
    }
    texts
}

/// Notes what does not fit together.
pub(super) fn job(top: &Table<'_>) {
    let multinode = top.node("protocols").is_some_and(|node| node.get("lava-multinode").is_some());
    if top.node("device_type").is_none() && !multinode {
        // Whoever gives the device itself needs none.
        let what = "\"device_type\" is missing; to choose a board for the job, a server needs it";
        top.at().note(top.place(), what);
    }
    let blocks = blocks(top);
    limits(top, &blocks);
    namespaces(&blocks);
    names(&blocks);
}

/// LAVA refuses a job with two definitions of one name in a namespace; here their numbers tell them apart.
fn names(blocks: &[Written<'_>]) {
    let mut known = BTreeSet::new();
    for block in blocks {
        let namespace = block.body.get("namespace").and_then(Node::as_text).unwrap_or("common");
        let Some(Value::List(items)) = block.body.get("definitions").map(|node| &node.value) else {
            continue;
        };
        for (i, name) in items.iter().enumerate().map(|(i, item)| (i, item.get("name"))) {
            let Some((node, name)) = name.and_then(|node| Some((node, node.as_text()?))) else {
                continue;
            };
            if !known.insert((namespace, name)) {
                let what =
                    format!("there is another definition {name:?}, for which LAVA refuses a job");
                block.at.key("definitions").index(i).key("name").note(node.place, what);
            }
        }
    }
}

/// A block as it is written.
struct Written<'a> {
    at: At<'a>,
    begin: Place,
    body: &'a Node,
}

fn blocks<'a>(top: &Table<'a>) -> Vec<Written<'a>> {
    let Some(Value::List(items)) = top.node("actions").map(|node| &node.value) else {
        return Vec::new();
    };
    let at = top.at().key("actions");
    let written = |(i, item): (usize, &'a Node)| match &item.value {
        Value::Map(entries) => match entries.as_slice() {
            [(key, body)] => {
                Some(Written { at: at.index(i).key(&key.name), begin: key.place, body })
            }
            _ => None,
        },
        _ => None,
    };
    items.iter().enumerate().filter_map(written).collect()
}

/// No limit is longer than the job's own: it could never be reached, and LAVA refuses such a job.
fn limits(top: &Table<'_>, blocks: &[Written<'_>]) {
    let Some(timeouts) = top.node("timeouts") else { return };
    let Some(job) = timeouts.get("job").and_then(seconds) else { return };
    let check = |node: &Node, at: At<'_>| {
        if let Some(limit) = seconds(node).filter(|limit| *limit > job) {
            at.problem(node.place, format!("{limit} s is more than the whole job has, {job} s"));
        }
    };
    let at = top.at().key("timeouts");
    for key in ["action", "connection"] {
        if let Some(node) = timeouts.get(key) {
            check(node, at.key(key));
        }
    }
    for key in ["actions", "connections"] {
        if let Some(Value::Map(entries)) = timeouts.get(key).map(|node| &node.value) {
            entries.iter().for_each(|(name, node)| check(node, at.key(key).key(&name.name)));
        }
    }
    for block in blocks {
        if let Some(node) = block.body.get("timeout") {
            check(node, block.at.key("timeout"));
        }
    }
}

/// A limit that is right; of others their reader has told what is wrong.
fn seconds(node: &Node) -> Option<u64> {
    let problems = Problems::default();
    let limit = Limit::from_node(node, &At::top("", &problems))?;
    problems.is_empty().then_some(limit.seconds)
}

/// Either all blocks have a namespace or none, and the one whose connection is used is there.
fn namespaces(blocks: &[Written<'_>]) {
    let of = |block: &Written<'_>, key: &str| -> Option<(Place, String)> {
        let node = block.body.get(key)?;
        Some((node.place, node.as_text()?.to_owned()))
    };
    let named: BTreeSet<String> =
        blocks.iter().filter_map(|block| Some(of(block, "namespace")?.1)).collect();
    for block in blocks {
        match of(block, "namespace") {
            None if !named.is_empty() && block.body.get("namespace").is_none() => {
                let what = "if one block has a namespace, all must have one";
                block.at.problem(block.begin, what);
            }
            Some((place, name)) if no_file_name("a namespace", &name).is_some() => {
                let what = no_file_name("a namespace", &name).unwrap_or_default();
                block.at.key("namespace").problem(place, what);
            }
            Some((place, name)) if RESERVED.contains(&name.as_str()) => {
                let what = format!("{name:?} is a name that LAVA keeps for itself; take another");
                block.at.key("namespace").problem(place, what);
            }
            _ => {}
        }
        if let Some((place, name)) = of(block, "connection-namespace")
            && !named.contains(&name)
        {
            let near = Name::nearest(&name, named.iter().map(String::as_str));
            let near = near.map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
            let what = format!("no block has the namespace {name:?}{near}");
            block.at.key("connection-namespace").problem(place, what);
        }
        // It is a folder of this host.
        if let Some((place, name)) = of(block, "downloads-namespace")
            && !named.contains(&name)
            && name != COMMON
        {
            let what = format!("no block has the namespace {name:?}");
            block.at.key("downloads-namespace").problem(place, what);
        }
    }
}
