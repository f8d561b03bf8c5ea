//! The scripts that run a test definition on the board. POSIX sh: a board may have nothing but busybox.

use std::collections::BTreeMap;

use super::TestRun;
use crate::dispatch::job::{Definition, Job};

/// `environment`, sourced before the tests: the job's own, and `more` that counts before it.
pub fn environment(job: &Job, job_id: &str, more: &BTreeMap<String, String>) -> String {
    let mut text = format!("export LAVA_JOB_ID={}\n", quoted(job_id));
    for (key, value) in job.environment.iter().chain(more) {
        text.push_str(&format!("export {key}={}\n", quoted(value)));
    }
    text
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
    for step in &test.file.run_steps {
        text.push_str(step);
        text.push('\n');
    }
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
    let mut helper = |what: &str, name: &str, words: &[String]| {
        if !words.is_empty() && !skips(what) {
            let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
            text.push_str(&format!("{name} {}\n", words.join(" ")));
        }
    };
    helper("keys", "lava-add-keys", &file.keys);
    helper("sources", "lava-add-sources", &file.sources);
    let own = os.and_then(|os| file.packages_of.get(os)).into_iter().flatten();
    // An entry may be several packages in one text.
    let packages = file.packages.iter().chain(own).flat_map(|text| text.split_whitespace());
    let packages: Vec<String> = packages.map(ToOwned::to_owned).collect();
    helper("deps", "lava-install-packages", &packages);
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
