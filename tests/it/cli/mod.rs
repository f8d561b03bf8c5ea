//! The stories of `lava` itself: one grammar, boards' names completed, a host that is looked over, a
//! configuration to start with.

mod boards;
mod completion;
mod doctor;
mod init;
mod leases;

use std::path::Path;

use crate::common::{Daemon, LIMIT, TestLab, program, run};

/// Runs `lava` as a user: its exit code, standard output and standard error.
#[track_caller]
fn lava_as(lab: &TestLab, user: &str, args: &[&str]) -> (i32, String, String) {
    let output = run(lab.program("lava").args(args).env("LAVA_USER", user), "", LIMIT);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[track_caller]
fn lava(lab: &TestLab, args: &[&str]) -> (i32, String, String) {
    lava_as(lab, "alice", args)
}

/// Two boards with outlets and looped consoles, on this host's sockets only.
struct Rack {
    _serial: Daemon,
    _power: Daemon,
}

impl Rack {
    fn start(lab: &TestLab) -> Self {
        let capture = lab.path("captures");
        let consoles = ["panda01", "panda02"]
            .map(|name| format!("[[console]]\nname = {name:?}\nport = \"sim:uart\"\n"));
        let serial = lab
            .write("serial.toml", &format!("[capture]\ndir = {capture:?}\n{}", consoles.concat()));
        let outlets = ["panda01", "panda02"].iter().enumerate().map(|(at, name)| {
            format!(
                "[[outlet]]\nname = {name:?}\npdu = \"rack1\"\nport = {}\noff_time = \"10ms\"\n",
                at + 1
            )
        });
        let outlets: String = outlets.collect();
        let power = lab.write(
            "power.toml",
            &format!("[[pdu]]\nname = \"rack1\"\ndriver = \"sim\"\n{outlets}"),
        );
        Self {
            _serial: lab.start("lava-serial", ["--config", &serial]),
            _power: lab.start("lava-power", ["--config", &power]),
        }
    }
}

/// The verbs that `lava --help` lists.
fn verbs(lab: &TestLab) -> Vec<String> {
    let (_, help, _) = lava(lab, &["--help"]);
    verbs_of(&help)
}

/// The verbs that a help lists.
fn verbs_of(help: &str) -> Vec<String> {
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands = commands.take_while(|line| !line.is_empty());
    // A verb begins its line in the second column; what follows is deeper.
    let verb = |line: &str| {
        let line = line.strip_prefix("  ").filter(|rest| !rest.starts_with(' '))?;
        Some(line.split_whitespace().next()?.to_owned())
    };
    commands.filter_map(verb).filter(|verb| verb != "help").collect()
}

#[test]
fn the_readme_has_every_verb() {
    let lab = TestLab::new();
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let rows = readme.lines().filter(|line| line.starts_with("| `lava "));
    let mut told: Vec<String> = rows
        .flat_map(|row| row.split('|').nth(1).unwrap().split('`'))
        .filter_map(|text| text.strip_prefix("lava "))
        .flat_map(|text| text.split_whitespace().next().unwrap().split('/'))
        .map(str::to_owned)
        .collect();
    let mut verbs = verbs(&lab);
    told.sort();
    verbs.sort();
    assert_eq!(told, verbs);
}

#[test]
fn what_was_mistyped_is_guessed() {
    let lab = TestLab::new();
    let _rack = Rack::start(&lab);
    let (code, _, told) = lava(&lab, &["stauts", "panda01"]);
    assert!(code == 2 && told.contains("'status'"), "{told}");
    let (code, _, told) = lava(&lab, &["boards", "--jsno"]);
    assert!(code == 2 && told.contains("'--json'"), "{told}");
    let (code, _, told) = lava(&lab, &["status", "pamda01"]);
    assert!(code == 2 && told.contains("did you mean \"panda01\"?"), "{told}");
}

#[test]
fn short_verbs_switch_as_the_long_ones_do() {
    let lab = TestLab::new();
    let _rack = Rack::start(&lab);
    let state = |args: &[&str]| {
        let (code, out, err) = lava(&lab, args);
        assert_eq!(code, 0, "{err}");
        out.split(" (").next().unwrap().to_owned()
    };
    assert_eq!(state(&["on", "panda01"]), "panda01 is on");
    assert_eq!(state(&["reset", "panda01"]), "panda01 was off, and now is on");
    assert_eq!(state(&["power", "reset", "panda01"]), "panda01 was off, and now is on");
    assert_eq!(state(&["off", "panda0[12]"]), "panda01 is off");
    assert_eq!(state(&["power", "status", "panda02"]), "panda02 is off");
    let (_, out, _) = lava(&lab, &["status", "--json", "panda02"]);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["state"], "off");
}

#[test]
fn every_program_and_verb_has_a_manual_page() {
    let lab = TestLab::new();
    let dir = lab.path("man");
    let (code, _, err) = lava(&lab, &["man", dir.to_str().unwrap()]);
    assert_eq!(code, 0, "{err}");
    let page = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap();
    for verb in verbs(&lab) {
        let program = ["console", "power", "serial"].contains(&verb.as_str());
        let name = if program { format!("lava-verb-{verb}") } else { format!("lava-{verb}") };
        assert!(page(&format!("{name}.1")).contains(".SH"), "{verb}");
    }
    for program in ["lava-console", "lava-serial", "lava-power", "lava-ssh", "lava-dispatcher"] {
        assert!(page(&format!("{program}.1")).contains(".SH OPTIONS"), "{program}");
    }
    assert!(page("lava-console.1").contains("send\\-line") && page("lava-ssh.1").contains("check"));
    assert!(page("lava-power.1").contains("config") && page("lava-verb-power.1").contains("probe"));
}

/// The folder that our programs are in.
fn programs() -> String {
    program("lava").parent().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn every_verb_has_json_but_those_that_have_nothing_to_tell_a_program() {
    let lab = TestLab::new();
    let without = ["broadcast", "completions", "demo", "man", "top"];
    let mut all: Vec<Vec<String>> = verbs(&lab).into_iter().map(|verb| vec![verb]).collect();
    while let Some(words) = all.pop() {
        let mut args: Vec<&str> = words.iter().map(String::as_str).collect();
        args.push("--help");
        let (code, help, _) = lava(&lab, &args);
        assert_eq!(code, 0, "{words:?}");
        let deeper = verbs_of(&help);
        if deeper.is_empty() {
            let has = help.contains("--json");
            assert_eq!(has, !without.contains(&words[0].as_str()), "{words:?}: {help}");
        }
        all.extend(deeper.into_iter().map(|verb| [words.clone(), vec![verb]].concat()));
    }
    let _rack = Rack::start(&lab);
    for verb in ["close", "open"] {
        let (code, out, err) = lava(&lab, &[verb, "panda0*", "--json"]);
        let told =
            ["panda01", "panda02"].map(|name| format!("{{\"board\":{name:?},\"done\":true}}\n"));
        assert_eq!((code, out), (0, told.concat()), "{err}");
    }
}
