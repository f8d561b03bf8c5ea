//! When a job ends before its time, and what it leaves: reboots, oopses, a pause for people, signals, and
//! the end of the dispatcher itself. The boards are scripted; a real panic is in `qemu_jobs`.

use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use super::jobs::{GOOD, dispatch, job, read, text};
use super::scripted_board::{self, Play, ScriptedBoard};
use crate::common::{LIMIT, Process, TestLab, http, run, signal, wait_until};

/// The dispatcher with a job, not started yet.
fn dispatcher(lab: &TestLab, device: &str, more: &[&str]) -> Command {
    dispatcher_of(lab, device, |job| job, more)
}

fn dispatcher_of(
    lab: &TestLab,
    device: &str,
    change: impl Fn(String) -> String,
    more: &[&str],
) -> Command {
    let job = job(lab, change);
    let mut command = lab.program("lava-dispatcher");
    command.args(["run", &job, "--device", device, "--job-id", "7", "--dispatcher-ip", "10.0.2.2"]);
    let tftp = lab.path("tftp");
    std::fs::create_dir_all(&tftp).unwrap();
    command.arg("--output").arg(lab.path("out")).arg("--tftp-dir").arg(tftp).args(more);
    command
}

fn logged(lab: &TestLab, what: &str) -> bool {
    std::fs::read_to_string(lab.path("out/output.jsonl")).is_ok_and(|log| log.contains(what))
}

/// Has the power be switched off by a command that takes its time.
fn slow_power_off(lab: &TestLab, device: &str) {
    let off = lab.path("off").display().to_string();
    let dictionary = std::fs::read_to_string(device).unwrap();
    let slow =
        dictionary.replace(&format!("touch {off}"), &format!("sh -c \"sleep 2; touch {off}\""));
    assert_ne!(slow, dictionary);
    std::fs::write(device, slow.replace("power-off: {seconds: 10}", "power-off: {seconds: 1}"))
        .unwrap();
}

#[test]
fn a_board_that_reboots_by_itself_is_not_waited_for() {
    let lab = TestLab::new();
    let (_board, device) = ScriptedBoard::start(&lab, Play::Reboot);
    let done = dispatch(&lab, &job(&lab, |job| job), &device, &[]);
    assert_eq!(done.status.code(), Some(1));
    let told = text(&done.stderr);
    assert!(
        told.starts_with("the board rebooted by itself: \"U-Boot 2023.01 (scripted)\""),
        "{told}"
    );
    assert!(lab.path("off").exists(), "the board was not switched off");
}

#[test]
fn an_oops_on_the_way_is_in_the_results_and_ends_nothing() {
    let lab = TestLab::new();
    let (_board, device) = ScriptedBoard::start(&lab, Play::Oops(GOOD));
    let done = dispatch(&lab, &job(&lab, |job| job), &device, &[]);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    let results = read(&lab, "results.yaml");
    let messages = results.split("- definition: ").find(|r| r.contains("case: kernel-messages\n"));
    let messages = messages.unwrap_or_else(|| panic!("no kernel messages in {results}"));
    assert!(messages.contains("  result: fail\n") && messages.contains("    oops: "), "{messages}");
    assert!(messages.contains("1: [    1.2] Unable to handle kernel NULL"), "{messages}");
}

#[test]
fn a_failed_job_holds_its_board_for_people_until_it_is_told_to_go_on() {
    let lab = TestLab::new();
    let board = ScriptedBoard::new(&lab, Play::Panic, false);
    board.let_power_work();
    let port = format!("tcp:127.0.0.1:{}", board.port);
    let capture = lab.path("capture").display().to_string();
    let args =
        ["--name", "panda01", "--port", &port, "--http", "127.0.0.1:0", "--capture", &capture];
    let serial = lab.start("lava-serial", args);
    let address = serial.address("http");
    let device = scripted_board::device(&lab, &format!("http://{address}/consoles/panda01"));
    // The command line says for how long, whatever the job says.
    let debug = |job| format!("{job}{DEBUG}");
    let mut asks = dispatcher_of(&lab, &device, debug, &["--pause-on-failure", "1h"]);
    let mut job = Process::spawn(&mut asks);
    wait_until(LIMIT, "the job is paused", || logged(&lab, "paused for 3600 s"));
    wait_until(LIMIT, "anybody may type", || {
        http(address, "GET", "/consoles/panda01", "").json()["holder"].is_null()
    });
    assert!(!lab.path("off").exists(), "the board was switched off");
    let mut attach = lab.program("lava");
    let attached = run(attach.args(["attach", "7", "--send-line", "what is it"]), "", LIMIT);
    assert_eq!(attached.status.code(), Some(0), "{}", text(&attached.stderr));
    wait_until(LIMIT, "the board hears it", || board.heard().contains(&"what is it".to_owned()));
    signal(job.pid(), Signal::TERM);
    // What failed is still what the panic was.
    assert_eq!(job.wait(LIMIT).code(), Some(1));
    assert!(lab.path("off").exists(), "the board was not switched off");
    let mut attach = lab.program("lava");
    let gone = run(attach.args(["attach", "7"]), "", LIMIT);
    assert!(text(&gone.stderr).contains("no job \"7\" is at a console"), "{}", text(&gone.stderr));
}

/// How a job asks to be held.
const DEBUG: &str = "debug: {pause_on_failure: {hours: 2}}\n";

#[test]
fn a_job_says_itself_that_it_wants_to_be_held_when_it_fails() {
    let lab = TestLab::new();
    let (_board, device) = ScriptedBoard::start(&lab, Play::Panic);
    let mut asks = dispatcher_of(&lab, &device, |job| format!("{job}{DEBUG}"), &[]);
    let mut job = Process::spawn(&mut asks);
    wait_until(LIMIT, "the job is paused", || logged(&lab, "paused for 7200 s"));
    assert!(!lab.path("off").exists(), "the board was switched off");
    signal(job.pid(), Signal::TERM);
    assert_eq!(job.wait(LIMIT).code(), Some(1));
    assert!(lab.path("off").exists(), "the board was not switched off");
}

#[test]
fn signals_end_a_job_in_good_order_however_many_and_whatever_the_time_outs_say() {
    let lab = TestLab::new();
    let (_board, device) = ScriptedBoard::start(&lab, Play::Hang);
    slow_power_off(&lab, &device);
    let mut job = Process::spawn(&mut dispatcher(&lab, &device, &[]));
    wait_until(LIMIT, "the job waits for the login", || logged(&lab, "Linux version 6.1.0"));
    signal(job.pid(), Signal::INT);
    wait_until(LIMIT, "the board is being switched off", || logged(&lab, "sleep 2; touch"));
    signal(job.pid(), Signal::TERM);
    signal(job.pid(), Signal::INT);
    assert_eq!(job.wait(LIMIT).code(), Some(130));
    assert!(lab.path("off").exists(), "the board was not switched off");
    assert!(read(&lab, "results.yaml").contains("  error_type: Canceled\n"));
}

#[test]
fn a_killed_dispatcher_leaves_no_process_no_file_and_no_powered_board() {
    let lab = TestLab::new();
    let (board, device) = ScriptedBoard::start(&lab, Play::Hang);
    let dictionary = std::fs::read_to_string(&device).unwrap();
    // Something that the job has started goes on by itself, in a session of its own.
    let stray =
        format!("sh -c \"setsid sleep 86399.7 & echo cycle > {}\"", lab.path("power").display());
    let cycle = format!("sh -c \"echo cycle > {}\"", lab.path("power").display());
    assert!(dictionary.contains(&cycle), "{dictionary}");
    std::fs::write(&device, dictionary.replace(&cycle, &stray)).unwrap();
    let mut job = Process::spawn(&mut dispatcher(&lab, &device, &[]));
    wait_until(LIMIT, "the job waits for the login", || logged(&lab, "Linux version 6.1.0"));
    let marks = environment_of(job.pid());
    let mark = marks.iter().find(|entry| entry.starts_with("LAVA_JOB_MARK=")).cloned().unwrap();
    assert!(processes_with(&mark).len() >= 2, "the job and the stray one");
    signal(job.pid(), Signal::KILL);
    job.wait(LIMIT);
    wait_until(LIMIT, "the guard has cleaned up", || {
        logged(&lab, "cleaned up after the dispatcher")
    });
    assert!(lab.path("off").exists(), "the board was not switched off");
    wait_until(LIMIT, "all processes are gone", || processes_with(&mark).is_empty());
    assert!(!lab.path("out/scratch").exists() && !lab.path("tftp/7").exists());
    assert!(logged(&lab, "the job's dispatcher was killed"));
    drop(board);
}

fn environment_of(id: u32) -> Vec<String> {
    let environment = std::fs::read(Path::new("/proc").join(id.to_string()).join("environ"));
    let environment = environment.unwrap_or_default();
    environment.split(|byte| *byte == 0).map(|e| String::from_utf8_lossy(e).into_owned()).collect()
}

fn processes_with(entry: &str) -> Vec<u32> {
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let ids = all.filter_map(|process| process.file_name().to_str()?.parse().ok());
    ids.filter(|id| environment_of(*id).iter().any(|own| own == entry)).collect()
}
