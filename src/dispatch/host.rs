//! Programs of this host that actions run: their words, and what they say, in the job's log.

use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use tokio::process::Command;
use tokio::time::timeout;

use super::context::{Context, Settings};
use super::error::Error;
use super::job::Container;
use super::log::Log;
use super::power::user;
use crate::sys::Program;

/// So much is kept of the beginning of what a program says, and of its end, in bytes; all of it is in the log.
const MAX_SAID: usize = 32 * 1024;
/// So much of it is in the message when the program fails, in bytes.
const MAX_TOLD: usize = 300;
/// How long the removal of a container may take.
const REMOVAL: Duration = Duration::from_secs(30);

/// A container that was started for the job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    pub name: String,
    /// What docker is told before its verb, such as the daemon that has the container.
    pub options: Vec<String>,
}

impl Started {
    /// One of docker's own daemon.
    pub fn here(name: impl Into<String>) -> Self {
        Self { name: name.into(), options: Vec::new() }
    }

    /// The words that remove it, whatever runs in it.
    pub fn removal(&self) -> Vec<String> {
        let texts = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        [texts(&["docker"]), self.options.clone(), texts(&["rm", "--force", &self.name])].concat()
    }
}

/// Runs a program to its end and gives what it said. What it leaves in the background is not waited for.
/// Cancel safe: the program is killed with all that it has started in its process group.
///
/// # Errors
/// [`Error::Infrastructure`] when it cannot be started or fails, with what it said last.
pub(super) async fn run(words: &[String], context: &mut Context) -> Result<String, Error> {
    run_as(words, &context.settings, &context.log).await
}

/// The same for the job that runs with these settings, also when it is over.
///
/// # Errors
/// As [`run`].
pub(super) async fn run_as(
    words: &[String],
    settings: &Settings,
    log: &Log,
) -> Result<String, Error> {
    let shown = words.join(" ");
    let failed = |what: &dyn std::fmt::Display| Error::Infrastructure(format!("{shown:?}: {what}"));
    let Some((program, arguments)) = words.split_first() else {
        return Err(failed(&"there is no program"));
    };
    log.info(format!("host: {shown}"));
    let mut command = Command::new(program);
    command.args(arguments).env("LAVA_USER", user(&settings.job_id));
    command.env("TMPDIR", settings.scratch());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let program = Program::spawn(command).map_err(|error| failed(&error))?.keeping(MAX_SAID);
    let ended = program.telling(&|line| log.debug(format!("host: {line}"))).await;
    let ended = ended.map_err(|error| failed(&error))?;
    if ended.status.success() {
        return Ok(ended.output + &ended.errors);
    }
    let said = if ended.errors.trim().is_empty() { &ended.output } else { &ended.errors };
    let from = said.trim().len().saturating_sub(MAX_TOLD);
    let told = String::from_utf8_lossy(&said.trim().as_bytes()[from..]).into_owned();
    Err(failed(&format!("{}; it said {told:?}", ended.status)))
}

/// Runs a program as [`run`] does, where there is a container in that. The container has a name, and is removed
/// when this is cut short: killing docker's client does not end it.
///
/// # Errors
/// As [`run`].
pub(super) async fn run_in(
    container: Option<&Container>,
    words: Vec<String>,
    context: &mut Context,
) -> Result<String, Error> {
    let Some(container) = container else { return run(&words, context).await };
    let name = helper_name(context);
    let words = contained(container, &context.scratch(), &name, words);
    run_named(name, &words, context).await
}

/// The words that run a program as [`run_in`] does, for a time when the job is over.
pub(super) fn words_in(
    container: Option<&Container>,
    words: Vec<String>,
    context: &Context,
) -> Vec<String> {
    let Some(container) = container else { return words };
    let name = format!("lava-undo-{}-{}", context.settings.job_id, words.join("-"));
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let name: String = name.chars().map(|c| if is_plain(c) { c } else { '-' }).collect();
    contained(container, &context.scratch(), &name, words)
}

/// Runs the words that start a container of this name, which ends with its program.
///
/// # Errors
/// As [`run`].
pub(super) async fn run_named(
    name: String,
    words: &[String],
    context: &mut Context,
) -> Result<String, Error> {
    // One that a try before this has left may hold the board's USB interface.
    remove_helpers(context).await;
    add_container(Started::here(name.clone()), context).await;
    context.leavings.helpers.push(name.clone());
    let said = run(words, context).await?;
    // It has removed itself.
    context.leavings.helpers.retain(|helper| *helper != name);
    context.leavings.containers.retain(|container| container.name != name);
    Ok(said)
}

/// A name for a container that helps the running action.
pub(super) fn helper_name(context: &Context) -> String {
    static HELPERS: AtomicU32 = AtomicU32::new(0);
    let number = HELPERS.fetch_add(1, Ordering::Relaxed);
    format!("lava-help-{}-{}-{number}", context.settings.job_id, context.now.level)
}

/// A container is about to be started, and is removed at the job's end. One of that name that a try before this has
/// left is removed first.
pub(super) async fn add_container(container: Started, context: &mut Context) {
    if context.leavings.containers.contains(&container) {
        remove_container(&container, &context.settings, &context.log).await;
    } else {
        context.leavings.note_container(container).await;
    }
}

/// Removes the helpers that were left.
async fn remove_helpers(context: &mut Context) {
    let helpers: Vec<_> = context.leavings.helpers.iter().cloned().map(Started::here).collect();
    remove_containers(&helpers, &context.settings, &context.log).await;
    // Not before: one that is cut off here is tried again at the job's end.
    context.leavings.helpers.clear();
    context.leavings.containers.retain(|container| !helpers.contains(container));
}

/// Removes containers side by side, whatever runs in them: a docker that hangs with one keeps no other. Which are still
/// there is noted in the log.
pub(super) async fn remove_containers(containers: &[Started], settings: &Settings, log: &Log) {
    let each = containers.iter().map(|container| remove_container(container, settings, log));
    join_all(each).await;
}

async fn remove_container(container: &Started, settings: &Settings, log: &Log) {
    let name = &container.name;
    match timeout(REMOVAL, run_as(&container.removal(), settings, log)).await {
        Ok(Ok(_)) => {}
        // It had come to its end, and was started with `--rm`.
        Ok(Err(error)) if is_no_container(&error.to_string()) => {}
        Ok(Err(error)) => log.warning(error.to_string()),
        Err(_) => log.warning(format!("the container {name} is still there")),
    }
}

/// Whether docker says that there is no such container, or that it goes by itself: one that was started with
/// `--rm` does when its client has hung up.
fn is_no_container(said: &str) -> bool {
    let said = said.to_ascii_lowercase();
    said.contains("no such container")
        || (said.contains("removal of container") && said.contains("is already in progress"))
}

/// The words that run a program in a container, which sees a folder of this host by the same name,
/// and the host's USB devices.
fn contained(container: &Container, folder: &Path, name: &str, words: Vec<String>) -> Vec<String> {
    let Container { image, local, .. } = container;
    let folder = folder.display();
    let volume = format!("--volume={folder}:{folder}");
    let usb = ["--volume=/dev/bus/usb:/dev/bus/usb", "--device-cgroup-rule=c 189:* rmw"];
    let pull = if *local { "--pull=never" } else { "--pull=missing" };
    let name = format!("--name={name}");
    let run = ["docker", "run", "--rm", "--init", pull, &name, &volume];
    let run = run.into_iter().chain(usb).chain(["--", image.as_str()]);
    run.map(ToOwned::to_owned).chain(words).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_in_a_container_has_the_jobs_folder_and_the_usb_devices() {
        let words = || vec!["fastboot".to_owned(), "devices".to_owned()];
        let folder = Path::new("/srv/job");
        let container = Container {
            image: "lavalabteam/adb-fastboot".into(),
            local: true,
            ..Container::default()
        };
        assert_eq!(
            contained(&container, folder, "lava-help-7-2-0", words()).join(" "),
            "docker run --rm --init --pull=never --name=lava-help-7-2-0 \
             --volume=/srv/job:/srv/job --volume=/dev/bus/usb:/dev/bus/usb --device-cgroup-rule=c 189:* rmw -- \
             lavalabteam/adb-fastboot fastboot devices"
        );
    }
}
