use super::*;
use crate::config::{At, Problems};
use crate::dispatch::job::{Definition, Source};
use crate::dispatch::signals;
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
        expected: None,
    }
}

/// The shells that the helpers have to run in, by their names in the search path.
const SHELLS: [&str; 2] = ["dash", "busybox"];

/// Runs a stage of definitions on this host as a board would, in each of the shells, without the
/// lines that vouch for signals. There are no other programs than busybox's.
fn run_on_this_host(definitions: &[(&str, &[(&str, &str)])]) -> String {
    let said = SHELLS.map(|shell| {
        let said = Stage::new(shell, definitions).run();
        let lines = said.lines().filter(|line| !line.starts_with("<LAVA_CHECK"));
        lines.map(|line| format!("{line}\n")).collect::<String>()
    });
    let [dash, busybox] = said;
    assert_eq!(dash, busybox, "dash and busybox differ");
    dash
}

/// A stage of tests in a folder of this host.
struct Stage {
    dir: tempfile::TempDir,
    lava_dir: String,
    path: String,
}

impl Stage {
    fn new(shell: &str, definitions: &[(&str, &[(&str, &str)])]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let lava_dir = dir.path().join("lava-1").display().to_string();
        let mut overlay = Overlay::default();
        overlay.add_helpers(&lava_dir).unwrap();
        let target = [("device_ip", "10.0.0.7\n"), ("storage", "SATA\t/dev/sda\nUSB\t/dev/sdb\n")];
        let target = Target(target.map(|(name, text)| (name, text.to_owned())).into());
        overlay.add_target(&lava_dir, &target).unwrap();
        let mut conf = String::new();
        for (i, (yaml, parameters)) in definitions.iter().enumerate() {
            let (run, uuid) = (format!("{i}_t"), format!("u{i}"));
            let test = TestRun { stage: 0, run, uuid, file: definition(yaml), repository: None };
            let (wanted, folder) = (wanted("t", parameters), test.folder(&lava_dir));
            let script = run_script(&test, &wanted, &lava_dir);
            overlay.add(format!("{folder}/run.sh"), true, script).unwrap();
            if let Some(install) = install_script(&test, &wanted, &lava_dir, Some("debian")) {
                overlay.add(format!("{folder}/install.sh"), true, install).unwrap();
            }
            conf.push_str(&format!("{folder}\n"));
        }
        overlay.add(format!("{lava_dir}/0/lava-test-runner.conf"), false, conf).unwrap();
        let programs = dir.path().join("programs");
        let path = install(shell, &programs);
        let sh = format!("#!{}/sh\n", programs.display());
        for (path, entry) in &overlay.entries {
            let Entry::File { bytes, .. } = entry else { continue };
            std::fs::create_dir_all(Path::new(path).parent().unwrap()).unwrap();
            let text = String::from_utf8(bytes.clone()).unwrap().replacen("#!/bin/sh\n", &sh, 1);
            std::fs::write(path, text).unwrap();
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self { dir, lava_dir, path }
    }

    /// Adds a program that the board has.
    fn program(&self, name: &str, text: &str) {
        let path = self.dir.path().join("programs").join(name);
        let _ = std::fs::remove_file(&path);
        let sh = self.dir.path().join("programs/sh");
        std::fs::write(&path, format!("#!{}\n{text}\n", sh.display())).unwrap();
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn run(&self) -> String {
        let stage = format!("{}/0", self.lava_dir);
        self.helper("lava-test-runner", &[&stage]).0
    }

    /// What a helper says, and how it ends.
    fn helper(&self, name: &str, arguments: &[&str]) -> (String, bool) {
        let output = Command::new(format!("{}/bin/{name}", self.lava_dir))
            .args(arguments)
            .env("PATH", &self.path)
            .env_remove("LAVA_SIGNALS")
            .output()
            .unwrap();
        (String::from_utf8(output.stdout).unwrap(), output.status.success())
    }
}

/// Makes a folder with the shell as `sh` and busybox's programs, and gives it as the search path:
/// what the helpers do with packages must not reach this host.
fn install(shell: &str, folder: &Path) -> String {
    std::fs::create_dir(folder).unwrap();
    let (shell, busybox) = (find(shell), find("busybox"));
    std::os::unix::fs::symlink(shell, folder.join("sh")).unwrap();
    let list = Command::new(&busybox).arg("--list").output().unwrap().stdout;
    let list = String::from_utf8(list).unwrap();
    let managers = ["dpkg", "rpm"];
    let applets = list.lines().filter(|name| *name != "sh" && !managers.contains(name));
    for name in applets {
        std::os::unix::fs::symlink(&busybox, folder.join(name)).unwrap();
    }
    folder.display().to_string()
}

/// Where a program of this host is.
fn find(program: &str) -> PathBuf {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut files = std::env::split_paths(&path).map(|dir| dir.join(program));
    let found = files.find(|path| path.exists());
    found.unwrap_or_else(|| panic!("no {program} on this host: apt install {program}"))
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
  - lava-test-case broken --result
  - echo saved > file
  - lava-test-case saved --result skip --output file
  - lava-test-reference bug --result fail --reference https://bugs/1
  - lava-test-feedback other
  - lava-test-event half way
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
<LAVA_SIGNAL_STARTTC saved>
saved
<LAVA_SIGNAL_ENDTC saved>
<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=saved RESULT=skip>
<LAVA_SIGNAL_TESTREFERENCE bug fail https://bugs/1>
<LAVA_SIGNAL_TESTFEEDBACK other>
<LAVA_SIGNAL_TESTEVENT half way>
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
fn a_background_process_is_ended_with_all_that_it_started() {
    let said = run_on_this_host(&[(
        "run:
  steps:
  - lava-background-process-start sleeper --cmd 'echo up; echo $$ > pid; sleep 1000; echo never'
  - while ! test -s pid; do :; done
  - lava-background-process-stop sleeper
  - while kill -0 -\"$(cat pid)\" 2>/dev/null; do :; done
  - lava-background-process-stop sleeper
",
        &[],
    )]);
    let case = "TEST_CASE_ID=sleeper-background-process-stop RESULT";
    let cases: Vec<&str> = said.lines().filter(|line| line.contains(case)).collect();
    assert!(cases[0].contains("RESULT=pass") && cases[1].contains("RESULT=fail"), "{said}");
    assert!(said.contains("up\n") && !said.contains("never"), "{said}");
}

#[test]
fn the_helpers_know_what_the_lab_knows_of_the_board() {
    for shell in SHELLS {
        let stage = Stage::new(shell, &[]);
        let said = |name: &str, arguments: &[&str]| stage.helper(name, arguments);
        assert_eq!(said("lava-target-ip", &[]), ("10.0.0.7\n".into(), true));
        assert_eq!(said("lava-target-mac", &[]), (String::new(), false));
        assert_eq!(said("lava-probe-ip", &[]), (String::new(), false));
        let all = "SATA\t/dev/sda\nUSB\t/dev/sdb\n";
        assert_eq!(said("lava-target-storage", &[]), (all.into(), true));
        assert_eq!(said("lava-target-storage", &["USB"]), ("/dev/sdb\n".into(), true));
        assert_eq!(said("lava-target-storage", &["UMS"]), (String::new(), false));
        assert_eq!(said("lava-echo-ipv4", &["lo"]), ("127.0.0.1\n".into(), true));
        assert!(!said("lava-echo-ipv4", &["no-such"]).1);
    }
}

#[test]
fn packages_keys_and_sources_are_installed_before_the_steps() {
    let yaml = "install:
  deps: [curl make]
  deps-debian: [libc6]
  deps-fedora: [glibc]
  keys: [ABCD]
  sources: ['ppa:lab/tools']
  steps: ['echo step']
run: {steps: []}
";
    let dnf = "rpm --import ABCD\ndnf -y config-manager --add-repo ppa:lab/tools\n\
               dnf -e 0 -y install curl make libc6\nstep\n";
    let apt = "apt-key adv --keyserver keyserver.ubuntu.com --recv-keys ABCD\n\
               add-apt-repository -y ppa:lab/tools\n\
               apt-get update -q\napt-get install -q -y curl make libc6\nstep\n";
    let boards: [(&[&str], &str); 2] =
        [(&["dnf", "rpm"], dnf), (&["apt-get", "apt-key", "add-apt-repository"], apt)];
    // Where busybox is the shell, `rpm` is busybox's own.
    let boards = [("dash", boards[0]), ("dash", boards[1]), ("busybox", boards[1])];
    for (shell, (programs, wanted)) in boards {
        let stage = Stage::new(shell, &[(yaml, &[])]);
        for program in programs {
            stage.program(program, &format!("echo {program} \"$@\""));
        }
        let said = stage.run();
        assert!(said.contains(wanted), "{shell}: {said}");
    }
}

#[test]
fn a_board_without_a_package_manager_says_so() {
    for shell in SHELLS {
        let stage = Stage::new(shell, &[("install: {deps: [make]}\nrun: {steps: []}", &[])]);
        assert!(stage.run().ends_with("<LAVA_TEST_RUNNER INSTALL_FAIL>\n"));
    }
}

#[test]
fn signals_are_numbered_kept_and_said_again() {
    for shell in SHELLS {
        let steps = "run: {steps: ['lava-test-case a --result pass', 'lava-test-raise \"a < b\"']}";
        let stage = Stage::new(shell, &[(steps, &[])]);
        let said = stage.run();
        let lines: Vec<&str> = said.lines().collect();
        assert!(lines[0].starts_with("<LAVA_CHECK_TOTAL 0 "), "{said}");
        let case = "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass>";
        let at = lines.iter().position(|line| *line == case).unwrap();
        let check = signals::check(2, case);
        assert_eq!(lines[at + 1], format!("<LAVA_CHECK 2 {check}>"));
        assert!(said.contains("<LAVA_SIGNAL_TESTRAISE a ( b>"), "{said}");
        let folder = format!("{}/0", stage.lava_dir);
        let (again, _) = stage.helper("lava-signals-again", &[&folder, "2", "4"]);
        let again: Vec<&str> = again.lines().collect();
        assert_eq!(again[..2], lines[at..at + 2]);
        assert_eq!(again[2], "<LAVA_SIGNAL_ENDRUN 0_t u0>");
        assert_eq!(again[4], format!("<LAVA_CHECK_TOTAL 4 {}>", signals::check(4, "TOTAL")));
    }
}

#[test]
fn signals_of_several_processes_at_once_each_have_a_number() {
    for shell in SHELLS {
        let steps = "run: {steps: ['for i in 1 2 3 4 5 6 7 8; do lava-test-case c$i --result pass & done; wait']}";
        let said = Stage::new(shell, &[(steps, &[])]).run();
        let mut numbers: Vec<u32> = said
            .lines()
            .filter_map(|line| line.strip_prefix("<LAVA_CHECK ")?.split(' ').next()?.parse().ok())
            .collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=10).collect::<Vec<_>>(), "{said}");
    }
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

/// What the dispatcher types as the answer to the call of this number.
fn answer(number: u64, text: &str) -> String {
    format!("LAVA_ANSWER {number} {} {text}\r\n", signals::check(number, text))
}

#[test]
fn a_board_asks_its_group_again_when_the_answer_came_damaged() {
    for shell in SHELLS {
        let stage = Stage::new(shell, &[]);
        let cache = stage.dir.path().join("cache");
        let typed = [
            &answer(1, "2").replace("2\r", "3\r"),
            "noise\n",
            &answer(1, "2"),
            &answer(2, "b:ip=10.0.0.1"),
            &answer(2, "b:ip=10.0.0.1"),
            &answer(3, "b:port=80"),
        ];
        let script = format!("{}/bin/lava-wait-all up server", stage.lava_dir);
        let said = stage.typed_at(&script, &typed.concat(), &cache);
        let request = "<LAVA_WAIT_ALL up server>";
        let first = format!("<LAVA_MULTI_NODE 1 {}> {request}", signals::check(1, request));
        let data = |number: u64, index: u64| {
            let request = format!("<LAVA_DATA 1 {index}>");
            format!("<LAVA_MULTI_NODE {number} {}> {request}", signals::check(number, &request))
        };
        let expected = [first.clone(), first, data(2, 1), data(3, 2)];
        assert_eq!(said.lines().collect::<Vec<_>>(), expected, "{shell}");
        let cached = std::fs::read_to_string(&cache).unwrap();
        assert_eq!(cached, "b:ip=10.0.0.1\nb:port=80\n", "{shell}");
    }
}

#[test]
fn a_message_is_a_word_and_pairs() {
    for shell in SHELLS {
        let stage = Stage::new(shell, &[]);
        let cache = stage.dir.path().join("cache");
        for wrong in ["", "'a b'", "up '=1'", "up word", "up 'k=a b'"] {
            let script = format!("{}/bin/lava-send {wrong} || echo refused", stage.lava_dir);
            assert_eq!(stage.typed_at(&script, "", &cache), "refused\n", "{shell}: {wrong}");
        }
        let script = format!("{}/bin/lava-send up ip=1 empty= 'x=<a>'", stage.lava_dir);
        let said = stage.typed_at(&script, &answer(1, "0"), &cache);
        assert!(said.ends_with("> <LAVA_SEND up ip=1 empty= x=(a)>\n"), "{shell}: {said}");
    }
}

impl Stage {
    /// What a script says whose input and output are the console.
    fn typed_at(&self, script: &str, typed: &str, cache: &Path) -> String {
        use std::io::Write as _;
        for (name, text) in GROUP_HELPERS {
            let text = text.replacen("#!/bin/sh", &format!("#!{}/sh", self.path), 1);
            let path = format!("{}/bin/{name}", self.lava_dir);
            std::fs::write(&path, text).unwrap();
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        std::fs::create_dir_all(format!("{}/group", self.lava_dir)).unwrap();
        let mut child = Command::new(format!("{}/sh", self.path))
            .args(["-c", script])
            .env("PATH", &self.path)
            .env("LAVA_MULTI_NODE_CACHE", cache)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
        String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
    }
}
