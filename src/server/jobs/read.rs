//! What a job definition asks of the lab.

use super::Viewers;
use super::submit::PRIORITY;
use crate::config::{At, FromNode as _, Key, Node, Problems, Value};
use crate::dispatch::job::{Job, Limit, Texts, is_context_variable};
use crate::model::{Failure, Kind, Name};
use crate::sched::MAX_LENGTH;

/// The largest job definition, in bytes.
const MAX_DEFINITION: usize = 1024 * 1024;
/// A job has its boards longer than its own limit says: for its checks before and its end after it, in
/// seconds.
const AROUND_S: u64 = 600;
/// LAVA's.
const PRIORITIES: [(&str, u8); 3] = [("high", 100), ("medium", 50), ("low", 0)];

/// A definition that was understood.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) name: String,
    pub(super) priority: u8,
    /// A description for each board.
    pub(super) specs: Vec<String>,
    pub(super) roles: Vec<Option<String>>,
    pub(super) length_s: u64,
    pub(super) queue_s: Option<u64>,
    pub(super) worker: Option<Name>,
    pub(super) viewers: Option<Viewers>,
}

/// Reads a definition; `file` is what it is called in messages.
///
/// # Errors
/// Everything that is wrong with it, with line and column.
pub(super) fn read(definition: &str, file: &str) -> Result<Wanted, Failure> {
    if definition.len() > MAX_DEFINITION {
        let what = format!("a job definition has {} KiB at most", MAX_DEFINITION / 1024);
        return Err(Failure::new(Kind::User, what));
    }
    let problems = Problems::default();
    let at = At::top(file, &problems);
    let node = crate::yaml::parse(definition, &at);
    let job = node.as_ref().and_then(|node| Job::read(node, &at));
    if let Some(node) = &node {
        contexts(node, &at);
    }
    // What was noted so far may be anything, a group of a thousand million boards for one.
    let job = problems.check(job)?;
    let wanted = node.as_ref().and_then(|node| wanted(node, &job, &at));
    problems.check(wanted)
}

/// Notes what a job's context has that is no variable of LAVA's: a template could make a command of a worker of it.
fn contexts(node: &Node, at: &At<'_>) {
    let roles = ["protocols", "lava-multinode", "roles"];
    let roles = roles.iter().try_fold(node, |node, key| node.get(key)).map_or(&[][..], entries);
    for holder in std::iter::once(node).chain(roles.iter().map(|(_, role)| role)) {
        for (key, _) in holder.get("context").map_or(&[][..], entries) {
            if !is_context_variable(&key.name) {
                let what = "no variable of LAVA's: a server takes only those";
                at.key("context").key(&key.name).problem(key.place, what);
            }
        }
    }
}

fn entries(node: &Node) -> &[(Key, Node)] {
    match &node.value {
        Value::Map(entries) => entries,
        _ => &[],
    }
}

fn wanted(node: &Node, job: &Job, at: &At<'_>) -> Option<Wanted> {
    let (mut specs, mut roles) = (Vec::new(), Vec::new());
    match &job.multinode {
        None => {
            specs.push(spec(node, job.device_type.as_deref(), at)?);
            roles.push(None);
        }
        Some(group) => {
            let all = node.get("protocols")?.get("lava-multinode")?.get("roles")?;
            for (name, role) in group.roles.iter().filter(|(_, role)| role.connection.is_none()) {
                let at = at.key("protocols").key("lava-multinode").key("roles").key(name);
                let spec = spec(all.get(name)?, role.device_type.as_deref(), &at)?;
                specs.extend(vec![spec; role.count]);
                roles.extend(vec![Some(name.clone()); role.count]);
            }
        }
    }
    let pause = job.debug.pause_on_failure.map_or(0, |pause| pause.as_secs());
    let queue = node.get("timeouts").and_then(|limits| limits.get("queue"));
    let queue = queue.and_then(|limit| Limit::from_node(limit, &at.key("timeouts").key("queue")));
    let worker = node.get("worker").and_then(|name| Name::from_node(name, &at.key("worker")));
    Some(Wanted {
        name: job.name.clone(),
        priority: node.get("priority").map_or(PRIORITY, priority),
        specs,
        roles,
        length_s: job.timeouts.job.saturating_add(pause).saturating_add(AROUND_S).min(MAX_LENGTH),
        queue_s: queue.map(|limit| limit.seconds),
        worker,
        viewers: node.get("visibility").and_then(viewers),
    })
}

/// A job's, or a role's, board as a request has it: `panda tag=hdmi`.
fn spec(node: &Node, kind: Option<&str>, at: &At<'_>) -> Option<String> {
    let device = node.get("device").and_then(Node::as_text);
    if kind.is_none() && device.is_none() {
        let what = "\"device_type\" is missing: what kind of board it is for";
        at.key("device_type").problem(node.place, what);
        return None;
    }
    let tags = node.get("tags");
    let tags = tags.and_then(|tags| Texts::from_node(tags, &at.key("tags"))).unwrap_or_default();
    let tags = tags.0.iter().map(|tag| format!("tag={tag}"));
    let device = device.map(|name| format!("name={name}"));
    let words: Vec<String> =
        kind.map(str::to_owned).into_iter().chain(device).chain(tags).collect();
    Some(words.join(" "))
}

fn priority(node: &Node) -> u8 {
    match &node.value {
        Value::Int(number) => u8::try_from(*number).unwrap_or(PRIORITY),
        Value::Text(word) => {
            let found = PRIORITIES.iter().find(|(name, _)| name == word);
            found.map_or(PRIORITY, |(_, priority)| *priority)
        }
        _ => PRIORITY,
    }
}

fn viewers(node: &Node) -> Option<Viewers> {
    match &node.value {
        Value::Text(word) if word == "personal" => Some(Viewers::Nobody),
        Value::Map(_) => {
            let Some(Value::List(groups)) = node.get("group").map(|groups| &groups.value) else {
                return Some(Viewers::Nobody);
            };
            let names = groups.iter().filter_map(Node::as_text).map(str::to_owned);
            Some(Viewers::Groups(names.collect()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOB: &str = "job_name: a
visibility: public
timeouts: {job: {minutes: 5}, action: {minutes: 1}}
actions: []
";

    #[test]
    fn a_template_gets_no_command_from_a_job() {
        for context in [
            "device_type: x\ncontext: {hard_reset_command: reboot -f}\n",
            "protocols: {lava-multinode: {timeout: {minutes: 1}, roles: {a: {count: 1, device_type: x, \
             context: {hard_reset_command: reboot -f}}}}}\n",
        ] {
            let told = read(&format!("{JOB}{context}"), "job.yaml").unwrap_err().to_string();
            assert!(told.contains("hard_reset_command: no variable of LAVA's"), "{told}");
        }
    }

    #[test]
    fn a_group_of_a_thousand_million_boards_is_only_an_error() {
        let group = "protocols: {lava-multinode: {timeout: {minutes: 1}, roles: {a: {count: 4000000000, \
                     device_type: x}}}}\n";
        assert!(read(&format!("{JOB}{group}"), "job.yaml").is_err());
    }
}
