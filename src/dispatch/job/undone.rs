//! Keys of LAVA's that are accepted and do nothing here: which are noted, and which are refused before a run,
//! since without them something else would be tested.

use crate::config::{At, Key as Written, Node, Problem, Value};

/// The kind of block, the key, and the value that asks for something.
type Key = (&'static str, &'static str, Asks);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asks {
    True,
    /// Whatever it is, unless it is empty.
    Any,
}

/// Each with the methods that do have a use for it, and why it has no effect in others.
const NOTED: &[(Key, &[&str], &str)] = &[
    (
        ("boot", "kernel-config", Asks::Any),
        &[],
        "nothing here depends on how a kernel was configured",
    ),
    (
        ("boot", "kernel-start-message", Asks::Any),
        &["kexec"],
        "only a prompt is waited for, and a kernel is known by its own first line",
    ),
    (
        ("boot", "hostID", Asks::Any),
        &[],
        "it is logged in where the device dictionary says; no address of the group is looked up",
    ),
    (
        ("boot", "host_key", Asks::Any),
        &[],
        "it is logged in where the device dictionary says; no address of the group is looked up",
    ),
    (("deploy", "overlay_path", Asks::Any), &[], "the tests are put at / of the root file system"),
];

/// What only older LAVAs have, beside the blocks' methods that are told where a strategy is looked for.
const DROPPED: &[(&str, &[&str], &str, &str)] = &[
    ("boot", &["avh"], "docker", "the board is a model at its service; no container takes part"),
    (
        "boot",
        &["u-boot"],
        "type",
        "how a kernel is booted is the \"type\" of the kernel in the deploy block",
    ),
    ("deploy", &["fastboot"], "connection", "LAVA has dropped LXC; \"docker\" does the same"),
    ("deploy", &["fvp"], "ramdisk", "an image has \"format\" and \"overlays\" for it"),
    ("deploy", &[], "enable", "nothing is switched on or off by it"),
    ("deploy", &["sata", "sd", "usb"], "tool", "\"writer\" and \"download\" name the tools"),
    (
        "test",
        &[],
        "expected",
        "it belongs into a definition: what one has to report is listed there",
    ),
];

/// Each with the reason.
const REFUSED: &[(Key, &str)] = &[
    (
        ("boot", "on_panic", Asks::True),
        "a kernel is not loaded here for the case of a panic; load it in a test",
    ),
    (
        ("deploy", "authorize", Asks::Any),
        "the tests bring no ssh key to the board here; have the lab's public key in its image",
    ),
];

/// What is inside these is not the block's own; of boots the parameters are.
const FOREIGN: [&str; 4] = ["repository", "params", "headers", "parameters"];

/// A block that is looked through.
struct Block<'a> {
    kind: &'a str,
    /// As `u-boot`; empty for a test.
    method: &'a str,
}

/// Looks through a block, and gives what must not be run.
pub(super) fn look(kind: &str, body: &Node, at: &At<'_>) -> Vec<String> {
    let method = body.get(if kind == "deploy" { "to" } else { "method" });
    let block = Block { kind, method: method.and_then(Node::as_text).unwrap_or_default() };
    for (of, methods, key, why) in DROPPED {
        let Value::Map(entries) = &body.value else { continue };
        let is_of = *of == kind && (methods.is_empty() || methods.contains(&block.method));
        for (key, node) in entries.iter().filter(|(own, _)| is_of && own.name == *key) {
            if Asks::Any.by(node) {
                no_effect(key, &at.key(&key.name), why);
            }
        }
    }
    let mut refused = Vec::new();
    walk(&block, body, at, &mut refused);
    refused
}

fn no_effect(key: &Written, at: &At<'_>, why: &str) {
    at.note(key.place, format!("this has no effect here: {why}"));
}

fn walk(block: &Block<'_>, node: &Node, at: &At<'_>, refused: &mut Vec<String>) {
    match &node.value {
        Value::List(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(block, item, &at.index(index), refused);
            }
        }
        Value::Map(entries) => {
            for (key, node) in entries {
                let (name, at) = (key.name.as_str(), at.key(&key.name));
                let asked =
                    |(of, key, asks): &Key| *of == block.kind && *key == name && asks.by(node);
                let noted = NOTED.iter().find(|(key, _, _)| asked(key));
                if let Some((_, _, why)) =
                    noted.filter(|(_, users, _)| !users.contains(&block.method))
                {
                    no_effect(key, &at, why);
                }
                if let Some((_, why)) = REFUSED.iter().find(|(key, _)| asked(key)) {
                    let problem = Problem {
                        file: at.file.to_owned(),
                        place: key.place,
                        path: at.path.clone(),
                        message: format!(
                            "this cannot be done yet, and without it something else would be tested: {why}"
                        ),
                    };
                    refused.push(problem.to_string());
                }
                let is_own = block.kind == "boot" && name == "parameters";
                if is_own || !FOREIGN.contains(&name) {
                    walk(block, node, &at, refused);
                }
            }
        }
        _ => {}
    }
}

impl Asks {
    fn by(self, node: &Node) -> bool {
        match (self, &node.value) {
            (Self::True, value) => *value == Value::Bool(true),
            (Self::Any, Value::Null) => false,
            (Self::Any, Value::List(items)) => !items.is_empty(),
            (Self::Any, Value::Text(text)) => !text.is_empty(),
            (Self::Any, _) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Problems;

    #[test]
    fn what_does_nothing_is_noted_and_what_would_change_the_test_is_refused() {
        let problems = Problems::default();
        let at = At::top("job.yaml", &problems);
        let node = crate::yaml::parse(
            "method: kexec\nkernel: k\non_panic: true\nkernel-config: c\nuse_bootscript: false\n\
             repository: {on_panic: true}\n",
            &at,
        );
        let refused = look("boot", &node.unwrap(), &at);
        assert_eq!(refused.len(), 1, "{refused:?}");
        assert!(refused[0].starts_with("job.yaml:3:1: on_panic: "), "{refused:?}");
        let notes = problems.notes("job.yaml");
        let why = "nothing here depends on how a kernel was configured";
        let what = format!("job.yaml:4:1: kernel-config: this has no effect here: {why}");
        assert_eq!(notes, [what]);
    }
}
