//! What a job that has run leaves behind, and what is seen of it while it runs.

use std::fs::File;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Output, Stdio};

use super::jobs::{GOOD, JOB, dispatch, job, read, text};
use super::scripted_board::{Play, ScriptedBoard};
use crate::common::{Heard, LIMIT, Process, Terminal, TestLab};

/// Runs the example job, with its errors and its progress on a terminal.
fn run_at_a_terminal(lab: &TestLab, reports: &[(&str, String)]) -> (Heard, String) {
    let (_board, device) = ScriptedBoard::start(lab, Play::Tests(GOOD));
    std::fs::create_dir_all(lab.path("tftp")).unwrap();
    let mut command = lab.program("lava-dispatcher");
    command.arg("run").arg(job(lab, |job| job)).arg("--device").arg(device).args(["--job-id", "7"]);
    command.arg("--output").arg(lab.path("out")).arg("--tftp-dir").arg(lab.path("tftp"));
    for (option, file) in reports {
        command.arg(option).arg(file);
    }
    let terminal = Terminal::new();
    let heard = Heard::from(terminal.near());
    let stdout = File::create(lab.path("stdout")).unwrap();
    command.stdin(Stdio::null()).stdout(stdout).stderr(terminal.far_end());
    let status = Process::spawn(&mut command).wait(JOB);
    let said = std::fs::read_to_string(lab.path("stdout")).unwrap();
    assert_eq!(status.code(), Some(0), "{said}{}", heard.text());
    heard.find(LIMIT, 0, "✓ 4 finalize".as_bytes()).unwrap();
    (heard, said)
}

fn show(lab: &TestLab, args: &[&str]) -> Output {
    let out = lab.path("out").display().to_string();
    lab.run("lava-dispatcher", [&["show", &out], args].concat(), "")
}

fn shown(lab: &TestLab, args: &[&str]) -> String {
    let output = show(lab, args);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn a_job_is_seen_live_and_again_from_what_it_left() {
    let lab = TestLab::new();
    let file = |name: &str| lab.path(name).display().to_string();
    let reports =
        [("--junit", file("r.xml")), ("--tap", file("r.tap")), ("--json", file("r.json"))];
    let (heard, said) = run_at_a_terminal(&lab, &reports);

    // The tree is on the terminal, the lines are for who reads standard output.
    let live = heard.text();
    for part in ["1 of 4 tftp-deploy", "2.4.4.1 login-action", "✓ 0_smoke/uptime: pass", "\u{1b}["]
    {
        assert!(live.contains(part), "no {part:?} in:\n{live}");
    }
    assert!(said.contains("\ndone  2 ") && !said.contains('\u{1b}'), "{said}");

    let junit = std::fs::read_to_string(lab.path("r.xml")).unwrap();
    assert!(junit.contains("<testsuite name=\"0_smoke\" tests=\"2\" failures=\"0\""), "{junit}");
    assert_eq!(shown(&lab, &["--format", "junit"]), junit);
    let tap = std::fs::read_to_string(lab.path("r.tap")).unwrap();
    assert!(tap.contains("ok 1 - 0_smoke/linux\n"), "{tap}");
    let json = std::fs::read_to_string(lab.path("r.json")).unwrap();
    assert!(json.contains("\"job\": \"complete\""), "{json}");
    let results = std::fs::read_to_string(lab.path("out/results.yaml")).unwrap();
    assert_eq!(
        shown(&lab, &["--format", "yaml"]).matches("- definition:").count(),
        results.matches("- definition:").count()
    );

    filters_find_their_lines(&lab);
    the_index_and_lavas_log_are_the_same_log(&lab);
}

fn filters_find_their_lines(lab: &TestLab) {
    let all = shown(lab, &[]);
    let lines = |args: &[&str]| shown(lab, args).lines().map(ToOwned::to_owned).collect::<Vec<_>>();
    let typed = lines(&["--level", "input"]);
    assert!(
        !typed.is_empty() && typed.iter().all(|line| line[10..].starts_with("input ")),
        "{all}"
    );
    assert_eq!(lines(&["--source", "input"]), typed);
    let login = lines(&["--action", "login-action", "--source", "target"]);
    assert!(login.iter().any(|line| line.contains("login:")), "{login:#?}");
    assert!(!login.iter().any(|line| line.contains("LAVA_SIGNAL")), "{login:#?}");
    let level = lines(&["--action", "2.4.4"]);
    assert!(level.first().is_some_and(|line| line.contains("start: 2.4.4 ")), "{level:#?}");
    assert!(
        level.last().is_some_and(|line| line.contains("auto-login-action: pass")),
        "{level:#?}"
    );
    let found = lines(&["--grep", "linux BOARD [0-9]", "--ignore-case", "--source", "target"]);
    assert_eq!(found.len(), 1, "{found:#?}");
    // The lines that a result names are those of its case.
    let numbered = lines(&["--numbers", "--grep", "Linux board"]);
    let number = numbered[0].split_whitespace().next().unwrap().to_owned();
    assert_eq!(lines(&["--lines", &number]), found);
    let after = lines(&["--lines", &format!("{number}-")]);
    assert!(after.len() > 5 && all.ends_with(&(after.join("\n") + "\n")), "{after:#?}");

    for (args, told) in [
        (&["--level", "targt"][..], "invalid value 'targt' for '--level <LEVEL>'"),
        (&["--grep", "("], "is not understood"),
        (&["--format", "junit", "--level", "info"], "filters are for the log"),
        (&["--since", "yesterdayish"], "yesterdayish"),
        (
            &["--action", "auto-login"],
            "no action \"auto-login\"; did you mean \"auto-login-action\"?",
        ),
    ] {
        let refused = show(lab, args);
        assert_eq!(refused.status.code(), Some(2), "{args:?}");
        assert!(text(&refused.stderr).contains(told), "{}", text(&refused.stderr));
    }
}

fn the_index_and_lavas_log_are_the_same_log(lab: &TestLab) {
    let log = std::fs::read(lab.path("out/output.jsonl")).unwrap();
    let places = |file: &str| -> Vec<usize> {
        let index = std::fs::read(lab.path(file)).unwrap();
        let place = |entry: &[u8]| u64::from_le_bytes(entry.try_into().unwrap()) as usize;
        index.chunks(8).map(place).collect()
    };
    let begins = |bytes: &[u8]| -> Vec<usize> {
        let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(i, _)| i + 1);
        std::iter::once(0).chain(ends).filter(|begin| *begin < bytes.len()).collect()
    };
    assert_eq!(places("out/output.jsonl.idx"), begins(&log));

    let into = lab.path("lava").display().to_string();
    shown(lab, &["--export", &into]);
    let yaml = std::fs::read_to_string(lab.path("lava/output.yaml")).unwrap();
    assert_eq!(places("lava/output.idx"), begins(yaml.as_bytes()));
    assert_eq!(shown(lab, &["--format", "lava"]), yaml);
    // Line for line the same entries, in LAVA's structure.
    let theirs = super::corpus::value(&yaml, "output.yaml").unwrap();
    let theirs = theirs.as_array().unwrap();
    let ours = String::from_utf8(log).unwrap();
    assert_eq!(theirs.len(), ours.lines().count());
    for (their, our) in theirs.iter().zip(ours.lines()) {
        let our: serde_json::Value = serde_json::from_str(our).unwrap();
        assert_eq!(their["lvl"], our["lvl"]);
        let keys: Vec<&String> = their.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["dt", "lvl", "msg"], "{their}");
        match our["msg"].as_str() {
            Some(text) => assert_eq!(their["msg"], text.replace('\u{1b}', "")),
            None => assert_eq!(their["msg"]["case"], our["msg"]["case"]),
        }
    }
}

#[test]
fn the_job_and_its_board_are_kept_with_the_results_without_the_secrets() {
    let lab = TestLab::new();
    let (_board, device) = ScriptedBoard::start(&lab, Play::Tests(GOOD));
    let notify = "notify: {criteria: {status: finished}, callback: {url: 'http://h/', token: s3cr3tword}}\n\
                  secrets: {CALLBACK: s3cr3tword}\n";
    let job = job(&lab, |job| format!("{notify}{job}"));
    let done = dispatch(&lab, &job, &device, &[]);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    let kept = read(&lab, "definition.yaml");
    let written = std::fs::read_to_string(&job).unwrap();
    assert_eq!(kept, written.replace("s3cr3tword", "[MASKED]"));
    assert_eq!(read(&lab, "device.yaml"), std::fs::read_to_string(&device).unwrap());
    for name in ["definition.yaml", "device.yaml"] {
        let mode = std::fs::metadata(lab.path("out").join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}
