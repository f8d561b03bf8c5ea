//! What definitions that were written for LAVA rely on, and boards that can not write.

use std::collections::BTreeMap;

use super::{SHELLS, Stage, definition, run_on_this_host};
use crate::config::{At, Problems};
use crate::dispatch::context::Settings;
use crate::dispatch::device::Device;
use crate::dispatch::job::Job;
use crate::dispatch::overlay::environment;
use crate::dispatch::signals;

#[test]
fn a_board_that_can_not_write_says_its_signals_all_the_same() {
    for shell in SHELLS {
        // Full, or read-only, from the start: nothing is numbered.
        let steps = "run: {steps: ['lava-test-case a --result pass']}";
        let stage = Stage::new(shell, &[(steps, &[])]);
        for file in ["signals", "signals.count"] {
            std::fs::create_dir_all(format!("{}/0/{file}", stage.lava_dir)).unwrap();
            let said = stage.run();
            assert!(!said.contains("LAVA_CHECK"), "{shell}: {said}");
            let case = "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass>\n";
            assert!(said.contains(case), "{shell}: {said}");
            assert!(said.ends_with("<LAVA_TEST_RUNNER EXIT>\n"), "{shell}: {said}");
        }
        // In the middle: what cannot be kept is vouched for without a number.
        let full = r#"run: {steps: ['lava-test-case a --result pass',
          'rm "$LAVA_SIGNALS.count"; mkdir "$LAVA_SIGNALS.count"',
          'lava-test-case b --result fail', 'lava-test-case c --result fail']}"#;
        let said = Stage::new(shell, &[(full, &[])]).run();
        for (number, case) in [(2, "a RESULT=pass"), (0, "b RESULT=fail"), (0, "c RESULT=fail")] {
            let signal = format!("<LAVA_SIGNAL_TESTCASE TEST_CASE_ID={case}>");
            let check = signals::check(number, &signal);
            let both = format!("{signal}\n<LAVA_CHECK {number} {check}>\n");
            assert!(said.contains(&both), "{shell}: {said}");
        }
        assert!(
            said.contains(&format!("<LAVA_CHECK_TOTAL 2 {}>", signals::check(2, "TOTAL"))),
            "{said}"
        );
    }
}

#[test]
fn steps_are_the_shells_as_lava_has_them() {
    let said = run_on_this_host(&[(
        r#"run:
  steps:
  - lava-test-case second --shell "echo one two | awk '{print $2}'"
  - lava-test-case variable --shell WHO=alice env '|' grep ^WHO=
  - lava-test-case both --shell cd / '&&' pwd
  - lava-test-case not --shell '!' false
  - lava-test-case words --shell echo 'a b' c
  - set -- x; echo $1
"#,
        &[],
    )]);
    for (case, line) in
        [("second", "two"), ("variable", "WHO=alice"), ("both", "/"), ("words", "a b c")]
    {
        let said = said.split(&format!("<LAVA_SIGNAL_STARTTC {case}>")).nth(1).unwrap();
        let said = said.split("<LAVA_SIGNAL_ENDTC").next().unwrap();
        assert!(said.lines().any(|said| said == line), "{case}: {said}");
    }
    assert_eq!(said.matches("RESULT=pass").count(), 5, "{said}");
    assert!(said.contains("\nx\n"), "{said}");
}

#[test]
fn what_is_installed_is_filled_in_by_the_boards_shell() {
    let yaml = "params: {PKGS: 'make gcc'}
install: {deps: ['linux-$(echo headers)', $PKGS]}
run: {steps: []}
";
    let stage = Stage::new("dash", &[(yaml, &[])]);
    stage.program("apt-get", "echo apt-get \"$@\"");
    let said = stage.run();
    assert!(said.contains("apt-get install -q -y linux-headers make gcc\n"), "{said}");
}

#[test]
fn the_environment_has_what_the_device_the_job_and_the_dispatcher_have() {
    let problems = Problems::default();
    let at = At::top("device.yaml", &problems);
    let read = |text: &str| crate::yaml::parse(text, &at).unwrap();
    let device = "environment: {LAB: \"my lab's\", WHO: lab}
storage_info: [{SATA: /dev/sda}]
constants: {posix: {lava_test_results_dir: /data/lava-%s, lava_test_sh_cmd: /system/bin/sh}}
";
    let job = "job_name: x
visibility: public
timeouts: {job: {minutes: 5}}
environment: {WHO: job}
actions: []
";
    let device = Device::read(&read(device), &at).unwrap();
    let job = Job::read(&read(job), &at).unwrap();
    let settings =
        Settings { job_id: "7".into(), dispatcher_ip: "10.0.2.2".into(), ..Settings::default() };
    let wanted = r"export LAB='my lab'\''s'
export WHO='lab'
export LAVA_STORAGE_INFO_0_SATA='/dev/sda'
export WHO='job'
export LAVA_JOB_ID='7'
export LAVA_DISPATCHER_IP='10.0.2.2'
export LAVA_DISPATCHER_PREFIX=''
";
    assert_eq!(environment(&job, &device, &settings, &BTreeMap::new()), wanted);
    assert_eq!((device.lava_dir("7").as_str(), device.shell()), ("/data/lava-7", "/system/bin/sh"));
    let problems = Problems::default();
    let at = At::top("device.yaml", &problems);
    Device::read(&read("constants: {posix: {lava_test_results_dir: /lava}}"), &at);
    assert!(problems.check(None::<()>).unwrap_err().to_string().contains("it has %s in it"));
}

#[test]
fn what_templates_leave_empty_is_empty() {
    let file = definition(
        "params: {SKIPFILE: null, LEVEL: 3}
parameters:
install: {deps: null, steps: [a, null, b], git-repos: null}
run: {steps: }
parse: {pattern: }
expected:
",
    );
    assert_eq!(file.parameters["SKIPFILE"], "");
    assert_eq!(file.install_steps, ["a", "b"]);
    assert!(file.packages.is_empty() && file.run_steps.is_empty());
    assert_eq!((file.pattern, file.expected), (None, None));
}

#[test]
fn a_repository_may_be_named_by_a_parameter() {
    let file = definition(
        "params: {ODP_BRANCH: master, ODP_URL: 'https://git/odp.git'}
install: {git-repos: [{url: ODP_URL, branch: ODP_BRANCH}, {url: 'https://git/x.git', destination: DIR}]}
run: {steps: []}
",
    );
    let mut values = file.parameters.clone();
    values.insert("ODP_BRANCH".into(), "next".into());
    let filled = file.repositories[0].filled(&values).unwrap();
    assert_eq!((filled.url.as_str(), filled.destination.as_str()), ("https://git/odp.git", "odp"));
    assert_eq!(filled.branch.as_deref(), Some("next"));
    values.insert("DIR".into(), "../out".into());
    assert!(file.repositories[1].filled(&values).is_err());
}
