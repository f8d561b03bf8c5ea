//! Where test definitions come from, and that those in the style of Linaro's collection run as they
//! are: scripts that source a library, write a file of results and have it reported at the end. The
//! library here is our own, with the names of theirs.

use base64::Engine as _;

use super::dialogue::{HEAD, complete, stand_in};
use super::host_board::{blocks, device, host_board};
use crate::common::{LIMIT, TestLab, run};

const SH_TEST_LIB: &str = r#"#!/bin/sh
error_msg() { echo "ERROR: $1" >&2; exit 1; }
info_msg() { echo "INFO: $1" >&2; }
create_out_dir() { [ -z "$1" ] && error_msg "no folder"; mkdir -p "$1" || error_msg "no $1"; }
exist() { command -v "$1" >/dev/null 2>&1; }
exit_on_fail() { [ "$?" -eq 0 ] || { echo "$1 fail" | tee -a "$RESULT_FILE"; exit 1; }; }
check_return() {
    if [ "$?" -ne 0 ]; then echo "$1 fail" | tee -a "$RESULT_FILE"; return 1; fi
    echo "$1 pass" | tee -a "$RESULT_FILE"
}
report_pass() { echo "$1 pass" | tee -a "$RESULT_FILE"; }
report_fail() { echo "$1 fail" | tee -a "$RESULT_FILE"; }
add_metric() { echo "$1 $2 $3 $4" | tee -a "$RESULT_FILE"; }
"#;

const SEND_TO_LAVA: &str = r#"#!/bin/sh
# Reports each line of a file: "CASE RESULT [MEASUREMENT UNITS]", or the begin and end of a set.
while read -r first second third fourth; do
    case $first in
    lava-test-set) lava-test-set "$second" "$third" ;;
    *)
        if [ -n "$third" ]; then
            lava-test-case "$first" --result "$second" --measurement "$third" --units "$fourth"
        else
            lava-test-case "$first" --result "$second"
        fi
        ;;
    esac
done <"$1"
"#;

const SMOKE_SH: &str = r#"#!/bin/sh
. ../../lib/sh-test-lib
OUTPUT="$(pwd)/output"
RESULT_FILE="${OUTPUT}/result.txt"
export RESULT_FILE
while getopts "s:t:" o; do
    case "$o" in
    s) SKIP_INSTALL="${OPTARG}" ;;
    t) TESTS="${OPTARG}" ;;
    *) exit 1 ;;
    esac
done
create_out_dir "${OUTPUT}"
info_msg "skipping the installation: ${SKIP_INSTALL}"
echo "lava-test-set start basic" >>"${RESULT_FILE}"
for t in ${TESTS}; do
    "$t" >/dev/null
    check_return "$t"
done
echo "lava-test-set stop" >>"${RESULT_FILE}"
exist no-such-program || report_fail absent
add_metric bogomips pass 48.5 BogoMIPS
"#;

const SMOKE_YAML: &str = r#"metadata:
  format: Lava-Test Test Definition 1.0
  name: smoke-tests-basic
  description: "Basic system test"
  maintainer: [nobody@example.com]
  os: [debian, ubuntu]
  scope: [functional]
  environment: [lava-test-shell]
  devices: [hi6220-hikey]
params:
  SKIP_INSTALL: "False"
  TESTS: "pwd uname"
run:
  steps:
  - cd ./automated/linux/smoke/
  - ./smoke.sh -s "${SKIP_INSTALL}" -t "${TESTS}"
  - ../../utils/send-to-lava.sh ./output/result.txt
"#;

const REST_YAML: &str = r#"metadata: {format: Lava-Test Test Definition 1.0, name: rest}
run:
  steps:
  - lava-background-process-start load --cmd "while sleep 1; do :; done"
  - lava-background-process-stop load
  - lava-test-reference bug --result fail --reference https://example.com/bug/1
"#;

/// Runs a program that makes the repositories.
fn made(lab: &TestLab, folder: &str, words: &[&str]) {
    let mut command = lab.tool(words[0]);
    command.args(&words[1..]).current_dir(lab.path(folder)).env("BRZ_EMAIL", "t <t@example.com>");
    let done = run(&mut command, "", LIMIT);
    assert!(done.status.success(), "{words:?}: {done:?}");
}

fn executable(path: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Writes a library, a test that uses it, and its definition, as Linaro's collection has them.
pub(crate) fn in_linaros_style(lab: &TestLab, top: &str) {
    lab.write(&format!("{top}/lib/sh-test-lib"), SH_TEST_LIB);
    executable(&lab.write(&format!("{top}/utils/send-to-lava.sh"), SEND_TO_LAVA));
    executable(&lab.write(&format!("{top}/linux/smoke/smoke.sh"), SMOKE_SH));
    lab.write(&format!("{top}/linux/smoke/smoke.yaml"), SMOKE_YAML);
}

#[test]
fn definitions_from_archives_and_bzr_run_as_they_are() {
    let lab = TestLab::new();
    host_board(&lab);
    // As an archive of a repository is: all in one folder.
    in_linaros_style(&lab, "archive/test-definitions-2026.11/automated");
    made(&lab, "archive", &["tar", "-czf", "smoke.tar.gz", "test-definitions-2026.11"]);
    lab.write("inside/defs/rest.yaml", REST_YAML);
    made(&lab, "inside", &["tar", "-cJf", "../rest.tar.xz", "defs"]);
    let inside = std::fs::read(lab.path("rest.tar.xz")).unwrap();
    let inside = base64::engine::general_purpose::STANDARD.encode(inside);
    lab.write(
        "branch/where.yaml",
        "metadata: {format: Lava-Test Test Definition 1.0, name: where}\n\
         run: {steps: [lava-test-case no-history --shell '! test -e .bzr']}\n",
    );
    for words in [&["brz", "init", "-q"][..], &["brz", "add", "-q"], &["brz", "commit", "-qm", "x"]]
    {
        made(&lab, "branch", words);
    }
    let job = format!(
        "device_type: docker\n{HEAD}{}- test:
    definitions:
    - {{name: smoke, from: url, repository: 'file://{archive}', compression: gz,
       path: automated/linux/smoke/smoke.yaml, parameters: {{SKIP_INSTALL: 'True'}}}}
    - {{name: rest, from: tar, repository: '{inside}', path: defs/rest.yaml}}
    - {{name: where, from: bzr, repository: '{branch}', path: where.yaml, revision: 1}}
",
        blocks(""),
        archive = lab.path("archive/smoke.tar.gz").display(),
        branch = lab.path("branch").display(),
    );
    // One case fails because the program is not there, as it should, and one by its author's wish.
    let done = super::dialogue::dispatch(&lab, &job, &device("docker01"));
    let results = std::fs::read_to_string(lab.path("out/results.yaml")).unwrap_or_default();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(said, "2 test cases failed\n", "{results}");
    for expected in [
        "- definition: 0_smoke\n  case: pwd\n  result: pass\n  set: basic\n",
        "- definition: 0_smoke\n  case: uname\n  result: pass\n  set: basic\n",
        "- definition: 0_smoke\n  case: absent\n  result: fail\n",
        "  case: bogomips\n  result: pass\n  measurement: 48.5\n  units: BogoMIPS\n",
        "  case: load-background-process-stop\n  result: pass\n",
        "  case: bug\n  result: fail\n  reference: https://example.com/bug/1\n",
        "- definition: 2_where\n  case: no-history\n  result: pass\n",
    ] {
        assert!(results.contains(expected), "no {expected:?} in:\n{results}");
    }
}

#[test]
fn a_definition_that_is_not_where_it_should_be_is_told_with_what_was_looked_for() {
    let lab = TestLab::new();
    host_board(&lab);
    lab.write("archive/a/smoke.yaml", SMOKE_YAML);
    std::os::unix::fs::symlink("/etc", lab.path("archive/out")).unwrap();
    made(&lab, "archive", &["tar", "-czf", "smoke.tar.gz", "a", "out"]);
    for (path, why) in
        [("b/smoke.yaml", "No such file"), ("out/passwd", "leads out of the repository")]
    {
        let job = format!(
            "{HEAD}{}- test:
    definitions:
    - {{name: smoke, from: url, repository: 'file://{}', path: {path}}}
",
            blocks(""),
            lab.path("archive/smoke.tar.gz").display(),
        );
        let done = super::dialogue::dispatch(&lab, &job, &device("docker01"));
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(1), "{said}");
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn signals_that_a_script_prints_itself_count_between_those_of_the_helpers() {
    let lab = TestLab::new();
    host_board(&lab);
    let raw = |case: &str| {
        format!("\"printf '<LAVA_SIGNAL_%s TEST_CASE_ID={case} RESULT=pass>\\\\n' TESTCASE\"")
    };
    let job = format!(
        "device_type: docker\n{HEAD}{}- test:
    definitions:
    - name: mixed
      from: inline
      path: mixed.yaml
      repository:
        metadata: {{format: Lava-Test Test Definition 1.0, name: mixed}}
        run:
          steps:
          - lava-test-case first --result pass
          - {}
          - {}
          - lava-test-case second --shell true
          - {}
",
        blocks(""),
        raw("own-1"),
        raw("own-2"),
        raw("own-3"),
    );
    let log = complete(&lab, &job, &device("docker01"));
    assert!(log.contains("<LAVA_CHECK 1 "), "the board has no sha256sum: {log}");
    assert!(!log.contains("came damaged"), "{log}");
    let results = super::dialogue::noted(&lab, "out/results.yaml");
    let of = "- definition: 0_mixed\n  case: ";
    let cases = results.split(of).skip(1).filter_map(|rest| rest.lines().next());
    assert_eq!(
        cases.collect::<Vec<_>>(),
        ["first", "own-1", "own-2", "second", "own-3"],
        "{results}"
    );
}

#[test]
fn a_definition_that_asks_git_for_its_history_has_all_of_it() {
    let lab = TestLab::new();
    host_board(&lab);
    lab.write(
        "repo/t.yaml",
        "metadata: {format: Lava-Test Test Definition 1.0, name: t}\n\
         run: {steps: ['lava-test-case commits-$(git rev-list --count HEAD) --result pass']}\n",
    );
    let who = ["-c", "user.name=t", "-c", "user.email=t@example.com"];
    let commit = [&["git"][..], &who, &["commit", "-q", "--allow-empty", "-m", "x"]].concat();
    for words in [&["git", "init", "-q"][..], &["git", "add", "."], &commit, &commit] {
        made(&lab, "repo", words);
    }
    let job = format!(
        "device_type: docker\n{HEAD}{}- test:
    definitions:
    - {{name: t, from: git, repository: 'file://{}', path: t.yaml}}
",
        blocks(""),
        lab.path("repo").display(),
    );
    complete(&lab, &job, &device("docker01"));
    let results = super::dialogue::noted(&lab, "out/results.yaml");
    assert!(results.contains("case: commits-2\n"), "{results}");
}

#[test]
fn a_test_that_raises_ends_the_job() {
    let lab = TestLab::new();
    host_board(&lab);
    let definition = REST_YAML.replace("lava-test-reference", "lava-test-raise enough; echo");
    lab.write("inside/rest.yaml", &definition);
    made(&lab, "inside", &["tar", "-cf", "../rest.tar", "rest.yaml"]);
    let job = format!(
        "device_type: docker\n{HEAD}{}- test: {{definitions: [{{name: r, from: tar, repository: 'file://{}', path: rest.yaml}}]}}\n",
        blocks(""),
        lab.path("rest.tar").display(),
    );
    let done = super::dialogue::dispatch(&lab, &job, &device("docker01"));
    assert_eq!(String::from_utf8_lossy(&done.stderr), "the test ended the job: enough\n");
}

#[test]
fn a_plain_job_needs_nothing_of_a_group() {
    let lab = TestLab::new();
    host_board(&lab);
    let job = format!("{HEAD}{}{}", blocks(""), super::dialogue::SMOKE);
    complete(&lab, &job, &device("docker01"));
    let boards = std::fs::read_dir(lab.path("boards")).unwrap();
    let board = boards.map(|entry| entry.unwrap().path()).next().unwrap();
    assert!(board.join("bin/lava-test-case").exists() && !board.join("bin/lava-sync").exists());
}

#[test]
fn tests_in_a_container_know_their_board_and_it_is_there_again_after_them() {
    let lab = TestLab::new();
    host_board(&lab);
    let smoke = |name: &str| super::dialogue::SMOKE.replace("smoke", name);
    let inside = smoke("inside")
        .replace("- test:\n", "- test:\n    docker: {image: adb, local: true}\n")
        .replace("uname -a", "test $LAVA_BOARD_ID = 0123-abc");
    let job = format!("{HEAD}{}{}{inside}{}", blocks(""), smoke("before"), smoke("after"));
    let device = device("docker01") + "device_info: [{board_id: 0123-abc}]\n";
    complete(&lab, &job, &device);
    let results = std::fs::read_to_string(lab.path("out/results.yaml")).unwrap();
    for suite in ["0_before", "1_inside", "2_after"] {
        let passed = format!("- definition: {suite}\n  case: linux\n  result: pass\n");
        assert!(results.contains(&passed), "no {suite} in {results}");
    }
    // As LAVA has it, with all definitions of the namespace in each overlay.
    let (job, device) = (lab.path("job.yaml"), lab.path("device.yaml"));
    let mut tree = lab.program("lava-dispatcher");
    tree.arg("pipeline").arg(&job).arg("--device").arg(&device);
    let tree = String::from_utf8(run(&mut tree, "", LIMIT).stdout).unwrap();
    let names: Vec<&str> = tree.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
    let begin = names.iter().position(|name| *name == "lava-docker-test").unwrap();
    let end = names.iter().rposition(|name| *name == "lava-test-retry").unwrap();
    let own: Vec<&str> =
        names[begin..end].iter().copied().filter(|name| name.starts_with("lava-")).collect();
    assert_eq!(
        own,
        [
            "lava-docker-test",
            "lava-docker-test-set-environment",
            "lava-create-overlay",
            "lava-multinode-overlay",
            "lava-docker-test-shell"
        ]
    );
    assert_eq!(names[begin..end].iter().filter(|name| **name == "test-overlay").count(), 3);
    assert_eq!(names[end - 1], "read-feedback");

    // A slip is one here, too, and no name is more than a name.
    let text = std::fs::read_to_string(&job).unwrap();
    let wrong =
        "{image: adb, locall: true, network_from: 'a --privileged', devices: [/dev/sda:/x]}";
    let wrong = lab.write("wrong.yaml", &text.replace("{image: adb, local: true}", wrong));
    let mut told = lab.program("lava-dispatcher");
    let told = run(told.arg("pipeline").arg(wrong).arg("--device").arg(&device), "", LIMIT);
    let told = String::from_utf8_lossy(&told.stderr).into_owned();
    for why in ["did you mean \"local\"?", "a container's name has", "a path such as /dev/kvm"] {
        assert!(told.contains(why), "no {why:?} in {told}");
    }

    // Where there is no docker, that is told before anything is run.
    let few = lab.path("few");
    std::fs::create_dir(&few).unwrap();
    // What starts the programs of these tests.
    std::os::unix::fs::symlink("/usr/bin/setpriv", few.join("setpriv")).unwrap();
    let mut without = lab.program("lava-dispatcher");
    without.env("PATH", &few).arg("run").arg(&job).arg("--validate");
    without.arg("--device").arg(&device).arg("--output").arg(lab.path("nothing"));
    let done = run(&mut without, "", LIMIT);
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(said.contains("the program \"docker\" is not on this host"), "{said}");
}

#[test]
fn repositories_are_cloned_side_by_side_and_told_in_the_jobs_order() {
    let lab = TestLab::new();
    host_board(&lab);
    // Each clone waits until the other one has begun; one after the other, neither would end.
    let git = r#"case "$*" in *ls-remote*) exit;; *rev-parse*) echo 1234; exit;; esac
for to do :; done
name=${to##*/}
case $name in git-0-0_slow) other=git-0-1_quick;; *) other=git-0-0_slow;; esac
touch "$to/begun"
while ! [ -e "${to%/*}/$other/begun" ]; do sleep 0.05; done
echo "run: {steps: [lava-test-case $name --result pass]}" > "$to/t.yaml""#;
    stand_in(&lab, "git", git);
    let job = format!(
        "device_type: docker\n{HEAD}{}- test:
    definitions:
    - {{name: slow, from: git, repository: 'https://lab.invalid/slow', path: t.yaml}}
    - {{name: quick, from: git, repository: 'https://lab.invalid/quick', path: t.yaml}}
",
        blocks(""),
    );
    let log = complete(&lab, &job, &device("docker01"));
    let at = |what: &str| log.find(what).unwrap_or_else(|| panic!("no {what:?} in {log}"));
    assert!(at("lab.invalid/slow is at 1234") < at("lab.invalid/quick is at 1234"), "{log}");
}
