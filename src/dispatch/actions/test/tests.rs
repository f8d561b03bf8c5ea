//! Test shells on a board in memory whose line loses characters.

mod dialogues;
mod ends;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::monitor::TestMonitor;
use super::shell::TestShell;
use crate::config::{At, Problems};
use crate::dispatch::action::Action as _;
use crate::dispatch::connection::{Script, ScriptHandle};
use crate::dispatch::context::{Context, Settings};
use crate::dispatch::device::Device;
use crate::dispatch::error::Error;
use crate::dispatch::job::{Job, Monitor};
use crate::dispatch::log::Log;
use crate::dispatch::overlay::{DefinitionFile, Origin, TestRun};
use crate::dispatch::progress::Silent;
use crate::dispatch::session::Session;
use crate::dispatch::signals;

const JOB: &str = "job_name: x
visibility: public
timeouts: {job: {minutes: 5}}
actions: [{test: {definitions: [{name: t, from: inline, path: t, repository: {run: {steps: []}}}]}}]
";

/// A job at its test shell, with one definition, and the board's side of its console.
fn job(dir: &std::path::Path, definition: &str) -> (Context, ScriptHandle) {
    let problems = Problems::default();
    let at = At::top("job.yaml", &problems);
    let read = |text: &str| crate::yaml::parse(text, &at).unwrap();
    let job = Job::read(&read(JOB), &at);
    let file = DefinitionFile::read(&read(definition), &at);
    let (job, file) = problems.check(job.zip(file)).unwrap();
    let settings = Settings {
        job_id: "1".into(),
        output: dir.to_owned(),
        tftp_dir: dir.to_owned(),
        dispatcher_ip: "127.0.0.1".into(),
        ..Settings::default()
    };
    let log = Log::create(&dir.join("log"), &[], Arc::new(Silent)).unwrap();
    let (job, device, settings) = (Arc::new(job), Arc::<Device>::default(), Arc::new(settings));
    let mut context = Context::new(job, device, settings, log.clone(), Arc::new(Silent));
    context.now.deadline = Instant::now() + Duration::from_secs(300);
    let (run, uuid, origin) = ("0_t".into(), "u".into(), Origin::default());
    let test = TestRun { stage: 0, run, uuid, file, repository: None, origin };
    context.shared().tests.push(test);
    let (script, board) = Script::new();
    context.connect(Session::new(Box::new(script), log));
    (context, board)
}

/// What a board says of one run: its signals, each with the line that vouches for it.
fn vouched(signals: &[&str]) -> Vec<String> {
    let line = |(number, signal): (u64, &&str)| {
        format!("{signal}\r\n<LAVA_CHECK {number} {}>\r\n", signals::check(number, signal))
    };
    (1..).zip(signals).map(line).collect()
}

fn total(number: u64) -> String {
    format!("<LAVA_CHECK_TOTAL {number} {}>\r\n", signals::check(number, "TOTAL"))
}

/// Plays a board: what it says first, and its answers when it is asked again.
async fn play(mut board: ScriptHandle, first: String, all: Vec<String>) -> Vec<String> {
    let mut asked = Vec::new();
    let runner = board.line().await.unwrap();
    assert_eq!(runner, "/lava-1/bin/lava-test-runner /lava-1/0");
    board.say(&total(0)).await;
    board.say(&first).await;
    while let Some(line) = board.line().await {
        let Some(numbers) = line.strip_prefix("/lava-1/bin/lava-signals-again /lava-1/0") else {
            panic!("{line:?} was typed")
        };
        asked.push(numbers.trim().to_owned());
        board.say(&format!("{line}\r\n")).await;
        for number in numbers.split_whitespace() {
            board.say(&all[number.parse::<usize>().unwrap() - 1]).await;
        }
        board.say(&total(all.len() as u64)).await;
    }
    asked
}

/// Runs a definition's test shell. Gives its results, how it ended, what was asked for again and the
/// log.
async fn run(
    definition: &str,
    first: String,
    all: Vec<String>,
) -> (Vec<String>, Result<(), Error>, Vec<String>, String) {
    let dir = tempfile::tempdir().unwrap();
    let (mut context, board) = job(dir.path(), definition);
    let job = async {
        let done = TestShell { stage: 0, multinode: false }.run(&mut context).await;
        let results = context.results.all().iter().map(|case| {
            let set = case.set.as_ref().map(|set| format!("{set}/")).unwrap_or_default();
            format!("{} {set}{} {}", case.definition, case.case, case.result)
        });
        let results = results.collect();
        drop(context);
        (results, done)
    };
    let ((results, done), asked) = tokio::join!(job, play(board, first, all));
    let log = std::fs::read_to_string(dir.path().join("log")).unwrap();
    (results, done, asked, log)
}

const PLAIN: &str = "run: {steps: []}";
const SIGNALS: [&str; 6] = [
    "<LAVA_SIGNAL_STARTRUN 0_t u>",
    "<LAVA_SIGNAL_TESTSET START s>",
    "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass>",
    "<LAVA_SIGNAL_TESTSET STOP>",
    "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=b RESULT=fail>",
    "<LAVA_SIGNAL_ENDRUN 0_t u>",
];
const RESULTS: [&str; 3] = ["0_t s/a pass", "0_t b fail", "lava 0_t pass"];

fn exit(signals: &[String], total_line: &str) -> String {
    signals.concat() + total_line + "<LAVA_TEST_RUNNER EXIT>\r\n"
}

#[tokio::test(start_paused = true)]
async fn a_good_line_is_asked_for_nothing() {
    let all = vouched(&SIGNALS);
    let (results, done, asked, _) = run(PLAIN, exit(&all, &total(6)), all).await;
    assert_eq!((results.as_slice(), done), (&RESULTS.map(String::from)[..], Ok(())));
    assert_eq!(asked, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn damaged_signals_are_asked_for_again_and_count_in_their_order() {
    let all = vouched(&SIGNALS);
    let mut came = all.clone();
    came[1] = came[1].replace("START s", "STRT s");
    came[2] = came[2].replace("=a R", "=a[  12.3] usb 1-1: new device\r\n R");
    came[4] = came[4].replace("fail", "pass");
    came[5] = String::new();
    let (results, done, asked, log) = run(PLAIN, exit(&came, &total(6)), all).await;
    assert_eq!((results.as_slice(), done), (&RESULTS.map(String::from)[..], Ok(())));
    assert_eq!(asked, ["2 3 5 6"]);
    assert!(log.contains("came damaged"), "{log}");
}

#[tokio::test(start_paused = true)]
async fn signals_that_are_lost_at_the_end_are_missed_by_their_number() {
    let all = vouched(&SIGNALS);
    let (results, done, asked, _) = run(PLAIN, exit(&all[..4], ""), all.clone()).await;
    assert_eq!((results.as_slice(), done), (&RESULTS.map(String::from)[..], Ok(())));
    assert_eq!(asked, ["", "5 6"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_damaged_each_time_is_told_and_the_rest_counts() {
    let mut all = vouched(&SIGNALS);
    all[2] = all[2].replace("pass", "fail");
    let (results, done, asked, log) = run(PLAIN, exit(&all, &total(6)), all).await;
    assert_eq!((results, done), (RESULTS[1..].iter().map(|r| (*r).into()).collect(), Ok(())));
    assert_eq!(asked, ["3"; 4]);
    assert!(log.contains("results are missing"), "{log}");
}

#[tokio::test(start_paused = true)]
async fn a_raise_ends_the_job_at_once() {
    let raise = "<LAVA_SIGNAL_TESTRAISE no disk>";
    let signals = ["<LAVA_SIGNAL_STARTRUN 0_t u>", raise];
    let mut came = vouched(&signals);
    came[0] = "<LAVA_SIGNAL_STARTRUN 0_t\r\n".into();
    let (_, done, asked, _) = run(PLAIN, came.concat(), Vec::new()).await;
    assert_eq!(done, Err(Error::Test("the test ended the job: no disk".into())));
    assert_eq!(asked, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn expected_cases_that_are_missing_have_failed_and_so_have_others() {
    let mut signals = SIGNALS;
    signals[4] = "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=b RESULT=pass>";
    let all = vouched(&signals);
    let definition = "run: {steps: []}\nexpected: [a, c]";
    let (results, done, _, log) = run(definition, exit(&all, &total(6)), all).await;
    assert_eq!(results, ["0_t s/a pass", "0_t b fail", "0_t c fail", "lava 0_t pass"]);
    assert_eq!(done, Ok(()));
    assert!(log.contains(r#"\"b\" is reported as pass, and is not expected"#), "{log}");
    // A definition that never began owes all of them.
    let (results, ..) = run(definition, exit(&[], &total(0)), Vec::new()).await;
    assert_eq!(results, ["0_t a fail", "0_t c fail"]);
}

#[tokio::test(start_paused = true)]
async fn a_definitions_own_pattern_finds_results_between_its_signals() {
    let ends = vouched(&[SIGNALS[0], SIGNALS[5]]);
    let said = "+ echo net: OK\r\nnet: OK\r\n[    3.1] usb: BAD\r\n";
    let first = format!("no: OK\r\n{}{said}{}no: OK\r\n", ends[0], ends[1]);
    let definition = "run: {steps: []}
parse: {pattern: '(?P<test_case_id>[+ a-z]*\\w+): (?P<result>OK|BAD)$', fixupdict: {OK: pass, BAD: fail}}";
    let (results, ..) = run(definition, exit(&[first], &total(2)), ends).await;
    assert_eq!(results, ["0_t net pass", "0_t usb fail", "lava 0_t pass"]);
}

#[tokio::test(start_paused = true)]
async fn feedback_is_what_the_console_of_another_namespace_says() {
    let dir = tempfile::tempdir().unwrap();
    let (mut context, board) = job(dir.path(), PLAIN);
    let problems = Problems::default();
    let at = At::top("job.yaml", &problems);
    let (head, block) = JOB.trim_end().split_once("[{test: {").unwrap();
    let block = block.strip_suffix(']').unwrap();
    let two =
        format!("{head}[{{test: {{namespace: linux, {block}, {{test: {{namespace: m4, {block}]\n");
    let two = Job::read(&crate::yaml::parse(&two, &at).unwrap(), &at);
    context.job = Arc::new(problems.check(two).unwrap());
    let (script, mut other) = Script::new();
    context.now.line = "m4".into();
    context.connect(Session::new(Box::new(script), context.log.clone()));
    context.now.line = "common".into();
    other.say("m4: all is well\r\n").await;
    let asks = ["m4", "m5"].map(|name| format!("<LAVA_SIGNAL_TESTFEEDBACK {name}>"));
    let all = vouched(&[SIGNALS[0], &asks[0], &asks[1], SIGNALS[5]]);
    let job = async {
        let done = TestShell { stage: 0, multinode: false }.run(&mut context).await;
        drop(context);
        done
    };
    let (done, _) = tokio::join!(job, play(board, exit(&all, &total(4)), all.clone()));
    assert_eq!(done, Ok(()));
    let log = std::fs::read_to_string(dir.path().join("log")).unwrap();
    let of = |what: &str| log.find(what).unwrap_or_else(|| panic!("no {what:?} in {log}"));
    assert!(of("Requesting feedback from namespace: m4") < of("m4: all is well"), "{log}");
    let line = log.lines().find(|line| line.contains("m4: all is well")).unwrap();
    assert!(line.contains(r#""lvl":"feedback""#) && line.ends_with(r#","ns":"m4"}"#), "{line}");
    assert!(of("m4: all is well") < of("m5 is not a valid namespace"), "{log}");
}

#[tokio::test(start_paused = true)]
async fn signals_in_the_kernels_log_count_whatever_is_printed_before_them() {
    let kernel = |line: &str| format!("[   12.345678] {line}");
    let all = vouched(&SIGNALS);
    let lines = all.concat();
    let said: Vec<String> = lines.split_inclusive("\r\n").map(kernel).collect();
    let (results, done, asked, _) = run(PLAIN, exit(&said, &total(6)), all).await;
    assert_eq!((results.as_slice(), done), (&RESULTS.map(String::from)[..], Ok(())));
    assert_eq!(asked, [""; 0]);
}

const MONITOR: &str = "{name: app, start: 'tc_start()', end: PROJECT EXECUTION,
pattern: '(?P<result>PASS|FAIL|BAD) - (?P<test_case_id>.*)\\.', fixupdict: {BAD: fail}, expected: [a, c]}";

/// Runs the monitor while a board says something. Gives its results and how it ended.
async fn monitor(said: &[&str]) -> (Vec<String>, Result<(), Error>) {
    monitor_of(MONITOR, said).await
}

async fn monitor_of(monitor: &str, said: &[&str]) -> (Vec<String>, Result<(), Error>) {
    let dir = tempfile::tempdir().unwrap();
    let (mut context, mut board) = job(dir.path(), PLAIN);
    let text = format!("{{monitors: [{monitor}]}}");
    let problems = Problems::default();
    let at = At::top("job.yaml", &problems);
    let block = crate::yaml::parse(&text, &at).unwrap();
    let table = crate::config::Table::new(&block, at.clone()).unwrap();
    let monitors = problems.check(Some(Monitor::read_all(&table))).unwrap();
    for piece in said {
        board.say(piece).await;
    }
    let done = TestMonitor(monitors).run(&mut context).await;
    let results = context.results.all().iter();
    (
        results.map(|case| format!("{} {} {}", case.definition, case.case, case.result)).collect(),
        done,
    )
}

#[tokio::test(start_paused = true)]
async fn a_monitor_finds_results_between_its_marks() {
    let said = [
        "PASS - early.\r\ntc_st",
        "art() \r\nPASS - a.\r\nBAD - b",
        "c.\r\nPROJECT EXEC",
        "UTION\r\n",
    ];
    let (results, done) = monitor(&said).await;
    assert_eq!(results, ["app a pass", "app bc fail", "app c fail"]);
    assert_eq!(done, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_monitor_names_its_suite_and_cases_as_lava_does_and_a_measurement_is_a_pass() {
    const BENCH: &str = "{name: Zephyr Bench, start: BEGIN, end: END,
pattern: 'took (?P<test_case_id>[^:]+):.*?(?P<measurement>[\\d.]+) us'}";
    let said = ["BEGIN\r\ntook Kernel.Sched/Init:\r\n 4.5 us\r\ntook Two  Words: 7 us\r\nEND\r\n"];
    let (results, done) = monitor_of(BENCH, &said).await;
    assert_eq!(results, ["zephyr-bench kernel_sched_init pass", "zephyr-bench two_words pass"]);
    assert_eq!(done, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_kernel_that_panics_for_good_ends_a_monitor_and_a_reboot_does_not() {
    let banner = "U-Boot 2023.01 (x)\r\n[    0.000000] Linux version 6.1.0\r\n".repeat(4);
    let panic = "[    1.2] Kernel panic - not syncing: x\r\n";
    let begin = Instant::now();
    let end = format!(
        "tc_start()\r\n{banner}{panic}[    1.3] ---[ end Kernel panic - not syncing: x ]---\r\n"
    );
    let (_, done) = monitor(&[&end]).await;
    assert!(matches!(&done, Err(Error::Dead(_))), "{done:?}");
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    // One that says it will reboot may be what is tested.
    let reboots = format!("tc_start()\r\n{panic}[    1.3] Rebooting in 20 seconds..\r\n");
    let (_, done) = monitor(&[&reboots]).await;
    assert!(matches!(&done, Err(Error::Timeout { .. })), "{done:?}");
}

#[tokio::test(start_paused = true)]
async fn a_monitor_that_does_not_end_says_what_it_waited_for_and_keeps_its_results() {
    let (results, done) = monitor(&["tc_start()\r\nPASS - a.\r\n"]).await;
    assert_eq!(results, ["app a pass", "app c fail"]);
    let why = done.unwrap_err().to_string();
    assert!(why.contains("the end of the monitor \"app\"") && why.contains("PASS - a."), "{why}");
}
