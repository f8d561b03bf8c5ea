use super::*;
use crate::config::{At, Problems};
use crate::dispatch::job::{Definition, Source};
use std::process::Command;

fn definition(yaml: &str) -> DefinitionFile {
    let problems = Problems::default();
    let at = At::top("smoke.yaml", &problems);
    let node = crate::yaml::parse(yaml, &at).unwrap();
    let file = DefinitionFile::read(&node, &at);
    problems.check(file).unwrap()
}

fn wanted(name: &str, parameters: &[(&str, &str)]) -> Definition {
    let node = crate::config::Node {
        place: crate::config::Place::default(),
        value: crate::config::Value::Null,
    };
    Definition {
        name: name.into(),
        source: Source::Inline(Box::new(node)),
        path: "smoke.yaml".into(),
        parameters: parameters.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
        skip_install: Vec::new(),
        kmsg: false,
    }
}

/// Writes a stage of definitions below a folder of this host and runs it there, as a board would.
fn run_on_this_host(definitions: &[(&str, &[(&str, &str)])]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let lava_dir = dir.path().join("lava-1").display().to_string();
    let mut overlay = Overlay::default();
    overlay.add_helpers(&lava_dir).unwrap();
    let mut conf = String::new();
    for (i, (yaml, parameters)) in definitions.iter().enumerate() {
        let (run, uuid) = (format!("{i}_t"), format!("u{i}"));
        let test = TestRun { stage: 0, run, uuid, file: definition(yaml), repository: None };
        let (wanted, folder) = (wanted("t", parameters), test.folder(&lava_dir));
        overlay
            .add(format!("{folder}/run.sh"), true, run_script(&test, &wanted, &lava_dir))
            .unwrap();
        if let Some(install) = install_script(&test, &wanted, &lava_dir) {
            overlay.add(format!("{folder}/install.sh"), true, install).unwrap();
        }
        conf.push_str(&format!("{folder}\n"));
    }
    overlay.add(format!("{lava_dir}/0/lava-test-runner.conf"), false, conf).unwrap();
    for (path, entry) in &overlay.entries {
        let Entry::File { executable, bytes } = entry else { continue };
        std::fs::create_dir_all(Path::new(path).parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
        use std::os::unix::fs::PermissionsExt as _;
        let mode = if *executable { 0o755 } else { 0o644 };
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let output = Command::new(format!("{lava_dir}/bin/lava-test-runner"))
        .arg(format!("{lava_dir}/0"))
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_helpers_report_what_the_steps_do() {
    let said = run_on_this_host(&[(
        "params: {WHO: nobody, WHAT: \"it's\"}
run:
  steps:
  - lava-test-set start basics
  - lava-test-case good --shell true
  - lava-test-case bad --shell false
  - lava-test-case quoted --shell 'test \"$(echo a b)\" = \"a b\"'
  - lava-test-set stop
  - lava-test-case speed --result pass --measurement 1.5 --units MB/s
  - echo \"$WHO $WHAT\"
  - lava-test-case 'a b' --result pass
  - lava-test-raise no more
",
        &[("WHO", "alice")],
    )]);
    assert_eq!(
        said,
        "<LAVA_SIGNAL_STARTRUN 0_t u0>
<LAVA_SIGNAL_TESTSET START basics>
<LAVA_SIGNAL_STARTTC good>
<LAVA_SIGNAL_ENDTC good>
<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=good RESULT=pass>
<LAVA_SIGNAL_STARTTC bad>
<LAVA_SIGNAL_ENDTC bad>
<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=bad RESULT=fail>
<LAVA_SIGNAL_STARTTC quoted>
<LAVA_SIGNAL_ENDTC quoted>
<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=quoted RESULT=pass>
<LAVA_SIGNAL_TESTSET STOP>
<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=speed RESULT=pass UNITS=MB/s MEASUREMENT=1.5>
alice it's
<LAVA_SIGNAL_TESTRAISE no more>
<LAVA_SIGNAL_ENDRUN 0_t u0>
<LAVA_TEST_RUNNER EXIT>
"
    );
}

#[test]
fn a_step_that_fails_ends_its_definition_and_the_next_one_runs() {
    let said = run_on_this_host(&[
        ("run: {steps: ['cat', 'false', 'echo never']}", &[]),
        ("run: {steps: ['echo second']}", &[]),
    ]);
    assert!(!said.contains("never") && !said.contains("ENDRUN 0_t"), "{said}");
    assert!(said.contains("second\n<LAVA_SIGNAL_ENDRUN 1_t u1>"), "{said}");
    assert!(said.ends_with("<LAVA_TEST_RUNNER EXIT>\n"), "{said}");
}

#[test]
fn an_install_that_fails_is_told_before_anything_runs() {
    let said = run_on_this_host(&[("install: {steps: ['false']}\nrun: {steps: ['echo x']}", &[])]);
    assert_eq!(said, "<LAVA_TEST_RUNNER INSTALL_FAIL>\n");
}

#[test]
fn a_background_process_is_ended_and_said_to_have_run() {
    let said = run_on_this_host(&[(
        "run:
  steps:
  - lava-background-process-start sleeper --cmd 'echo up; exec sleep 1000'
  - lava-background-process-stop sleeper
",
        &[],
    )]);
    assert!(said.contains("TEST_CASE_ID=sleeper-background-process-stop RESULT=pass"), "{said}");
}

#[test]
fn an_archive_has_every_folder_before_its_files() {
    let mut overlay = Overlay::default();
    overlay.add("/lava-1/bin/x", true, "x").unwrap();
    overlay.add("/lava-1/0/y", false, "y").unwrap();
    let archive = overlay.write(Vec::new()).unwrap();
    let text = String::from_utf8_lossy(&archive).into_owned();
    let at = |name: &str| text.find(&format!("{name}\0")).unwrap();
    assert!(at("lava-1") < at("lava-1/0"));
    assert!(at("lava-1/0") < at("lava-1/0/y"));
    assert!(at("lava-1/bin") < at("lava-1/bin/x"));
}
