//! The scripts that run a test definition on the board. POSIX sh: a board may have nothing but busybox.

use std::collections::BTreeMap;

use super::TestRun;
use crate::dispatch::context::Settings;
use crate::dispatch::device::Device;
use crate::dispatch::job::{Definition, Job};

/// `environment`, sourced before the tests: what the device's dictionary has, the job's own, `more` that
/// counts before it, and where the board is.
pub fn environment(
    job: &Job,
    device: &Device,
    settings: &Settings,
    more: &BTreeMap<String, String>,
) -> String {
    let own = job.environment.iter().chain(more).map(|(key, value)| (key.as_str(), value.as_str()));
    let device = device.exports.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    let place = [
        ("LAVA_JOB_ID", settings.job_id.as_str()),
        ("LAVA_DISPATCHER_IP", settings.dispatcher_ip.as_str()),
        ("LAVA_DISPATCHER_PREFIX", ""),
    ];
    let all = device.chain(own).chain(place).filter(|(key, _)| is_variable(key));
    all.map(|(key, value)| format!("export {key}={}\n", quoted(value))).collect()
}

/// `run.sh`: the parameters, then the steps between the signals that say so.
pub fn run_script(test: &TestRun, definition: &Definition, lava_dir: &str) -> String {
    let TestRun { run, uuid, .. } = test;
    let mut text = String::from("#!/bin/sh\n");
    text.push_str(&format!("export TESTRUN_ID={run}\n"));
    if definition.kmsg {
        text.push_str("export LAVA_SIGNAL_TO=kmsg\n");
    }
    text.push_str(&format!(". {lava_dir}/bin/lava-common-functions\n"));
    text.push_str(&format!("cd {}\n", test.folder(lava_dir)));
    text.push_str(&parameters(&test.file.parameters, "the definition's own"));
    text.push_str(&parameters(&definition.parameters, "the job's"));
    text.push_str(&format!("UUID={uuid}\n"));
    text.push_str(&format!("lava_signal STARTRUN \"{run} {uuid}\"\n"));
    // Whoever reads the log sees which step is at work.
    text.push_str("set -x\n");
    for step in &test.file.run_steps {
        text.push_str(&for_an_inner_shell(step));
        text.push('\n');
    }
    text.push_str("set +x\n");
    text.push_str(&format!("lava_signal ENDRUN \"{run} {uuid}\"\n"));
    text
}

/// `install.sh`, unless there is nothing to install or the job says to skip it. `os` is the board's
/// distribution, as the job has it.
pub fn install_script(
    test: &TestRun,
    definition: &Definition,
    lava_dir: &str,
    os: Option<&str>,
) -> Option<String> {
    let file = &test.file;
    let skips = |what: &str| definition.skip_install.iter().any(|s| s == what || s == "all");
    let mut text = String::new();
    // As they stand: the board's shell fills in what they have of variables and commands.
    let mut helper = |what: &str, name: &str, words: &str| {
        if !words.is_empty() && !skips(what) {
            text.push_str(&format!("{name} {words}\n"));
        }
    };
    file.keys.iter().for_each(|key| helper("keys", "lava-add-keys", key));
    file.sources.iter().for_each(|source| helper("sources", "lava-add-sources", source));
    let own = os.and_then(|os| file.packages_of.get(os)).into_iter().flatten();
    let packages: Vec<&str> = file.packages.iter().chain(own).map(String::as_str).collect();
    helper("deps", "lava-install-packages", &packages.join(" "));
    if !skips("steps") {
        for step in &file.install_steps {
            text.push_str(step);
            text.push('\n');
        }
    }
    let head = format!("#!/bin/sh\ncd {}\n", test.folder(lava_dir));
    let head = head + &parameters(&file.parameters, "the definition's own");
    let head = head + &parameters(&definition.parameters, "the job's");
    (!text.is_empty()).then(|| head + &text)
}

/// A step whose `$1` is for a shell that it starts: LAVA has it so in steps with `--shell` and `--cmd`.
fn for_an_inner_shell(step: &str) -> String {
    if !step.contains("--shell") && !step.contains("--cmd") {
        return step.to_owned();
    }
    let mut text = String::with_capacity(step.len() + 4);
    let mut rest = step;
    while let Some(at) = rest.find('$') {
        let after = &rest[at + 1..];
        let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        let goes_on = after[digits..].starts_with(|c: char| c.is_alphanumeric() || c == '_');
        text.push_str(&rest[..at]);
        text.push_str(if digits > 0 && !goes_on { r"\$" } else { "$" });
        rest = after;
    }
    text + rest
}

fn parameters(values: &BTreeMap<String, String>, whose: &str) -> String {
    let mut text = format!("# Parameters, {whose}\n");
    for (key, value) in values.iter().filter(|(key, _)| is_variable(key)) {
        text.push_str(&format!("{key}={}\n", quoted(value)));
    }
    text
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// A text as one word of the shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
