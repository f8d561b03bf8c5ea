//! Keys of LAVA's that are accepted and do nothing yet: which are noted, and which are refused before a run,
//! since without them something else would be tested.

use crate::config::{At, Node, Problem, Value};

/// The kind of block, the key, and the value that asks for something.
type Key = (&'static str, &'static str, Asks);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asks {
    True,
    /// Whatever it is, unless it is empty.
    Any,
}

const NOTED: &[Key] = &[
    ("boot", "kernel-config", Asks::Any),
    ("boot", "kernel-start-message", Asks::Any),
    ("boot", "shutdown-message", Asks::Any),
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

/// What is inside these is not the block's own.
const FOREIGN: [&str; 4] = ["repository", "parameters", "params", "headers"];

/// Looks through a block, and gives what must not be run.
pub(super) fn look(block: &str, body: &Node, at: &At<'_>) -> Vec<String> {
    let mut refused = Vec::new();
    walk(block, body, at, &mut refused);
    refused
}

fn walk(block: &str, node: &Node, at: &At<'_>, refused: &mut Vec<String>) {
    match &node.value {
        Value::List(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(block, item, &at.index(index), refused);
            }
        }
        Value::Map(entries) => {
            for (key, node) in entries {
                let (name, at) = (key.name.as_str(), at.key(&key.name));
                let asked = |(of, key, asks): &Key| *of == block && *key == name && asks.by(node);
                if NOTED.iter().any(asked) {
                    at.note(key.place, "this has no effect yet");
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
                if !FOREIGN.contains(&name) {
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
        assert_eq!(notes, ["job.yaml:4:1: kernel-config: this has no effect yet"]);
    }
}
