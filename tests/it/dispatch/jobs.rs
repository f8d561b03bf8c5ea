//! Whole jobs on a scripted board: what is typed, what comes of it, and how the program exits.

use std::process::Output;
use std::time::Duration;

use serde_json::Value;

use super::scripted_board::{self, Play, ScriptedBoard};
use crate::common::{LIMIT, TestLab, WebSocket, http, run, wait_until};

/// Longer than any of these jobs may take.
pub(super) const JOB: Duration = Duration::from_secs(60);

pub(super) const GOOD: &str = "<LAVA_SIGNAL_STARTRUN 0_smoke 7_1.1.2.1>\r
<LAVA_SIGNAL_STARTTC linux>\r
Linux board 6.1.0\r
<LAVA_SIGNAL_ENDTC linux>\r
<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=linux RESULT=pass>\r
<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=uptime RESULT=pass UNITS=seconds MEASUREMENT=4.5>\r
<LAVA_SIGNAL_ENDRUN 0_smoke 7_1.1.2.1>\r
<LAVA_TEST_RUNNER EXIT>\r
";

const BAD: &str = "<LAVA_SIGNAL_STARTRUN 0_smoke 7_1.1.2.1>\r
<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=linux RESULT=fail>\r
<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=odd RESULT=splendid>\r
<LAVA_TEST_RUNNER EXIT>\r
";

/// Writes the example job with files that are there, changed by `change`.
pub(super) fn job(lab: &TestLab, change: impl FnOnce(String) -> String) -> String {
    let kernel = lab.write("files/Image", "a kernel");
    let ramdisk = lab.write("files/initrd.cpio.gz", "a ramdisk");
    let example = include_str!("../../../conf/jobs/uboot-smoke.yaml");
    let job =
        example.replace("/srv/lava/Image", &kernel).replace("/srv/lava/initrd.cpio.gz", &ramdisk);
    lab.write("job.yaml", &change(job))
}

pub(super) fn dispatch(lab: &TestLab, job: &str, device: &str, more: &[&str]) -> Output {
    let (output, tftp) = (lab.path("out"), lab.path("tftp"));
    std::fs::create_dir_all(&tftp).unwrap();
    let mut command = lab.program("lava-dispatcher");
    command.args(["run", job, "--device", device, "--job-id", "7", "--dispatcher-ip", "10.0.2.2"]);
    command.arg("--output").arg(&output).arg("--tftp-dir").arg(&tftp).args(more);
    run(&mut command, "", JOB)
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(super) fn read(lab: &TestLab, name: &str) -> String {
    std::fs::read_to_string(lab.path("out").join(name)).unwrap()
}

#[test]
fn a_job_runs_from_power_on_to_its_results() {
    let lab = TestLab::new();
    let (board, device) = ScriptedBoard::start(&lab, Play::Tests(GOOD));
    let done = dispatch(&lab, &job(&lab, |job| job), &device, &[]);
    let said = text(&done.stdout);
    assert_eq!(done.status.code(), Some(0), "{said}{}", text(&done.stderr));
    for line in [
        "begin 2.4.1.1    pdu-reboot",
        "done  2.4.4.1    login-action",
        "case  0_smoke/linux: pass",
    ] {
        assert!(said.contains(line), "no {line:?} in:\n{said}");
    }
    let heard = board.heard();
    let typed = |line: &str| assert!(heard.iter().any(|l| l == line), "no {line:?} in {heard:#?}");
    typed("setenv serverip 10.0.2.2");
    typed("tftpboot 0x40400000 7/kernel/Image");
    typed("tftpboot 0x44000000 7/ramdisk/ramdisk.cpio");
    // Without a device tree of the job's the board has its own.
    typed("booti 0x40400000 0x44000000 ${fdtcontroladdr}");
    typed("root");
    typed(". /lava-7/environment");
    typed("/lava-7/bin/lava-test-runner /lava-7/0");
    assert!(!heard.iter().any(|line| line.contains("{DTB")), "{heard:#?}");

    let results = read(&lab, "results.yaml");
    let uptime = "- definition: 0_smoke\n  case: uptime\n  result: pass\n  measurement: 4.5\n  units: seconds\n";
    assert!(results.contains(uptime), "{results}");
    assert!(results.contains("    job: complete\n"), "{results}");
    let log = read(&lab, "output.jsonl");
    let target = log.lines().find(|line| line.contains("Linux board 6.1.0")).unwrap();
    assert!(target.contains(r#""lvl":"target""#) && target.contains(r#""time":"2"#), "{target}");
    assert!(lab.path("off").exists(), "the board was not switched off");
    assert!(!lab.path("tftp").join("7").exists(), "the job's files are still there");
}

#[test]
fn a_jobs_device_tree_is_not_loaded_over_the_one_that_u_boot_works_with() {
    let lab = TestLab::new();
    let (board, device) = ScriptedBoard::start(&lab, Play::Tests(GOOD));
    let tree = lab.write("files/board.dtb", "a device tree");
    let tree = format!("    dtb: {{url: 'file://{tree}'}}\n    kernel:\n");
    let job = job(&lab, |job| job.replacen("    kernel:\n", &tree, 1));
    let done = dispatch(&lab, &job, &device, &[]);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    let heard = board.heard();
    for typed in [
        "tftpboot 0x43f00000 7/dtb/board.dtb && setenv fdtcontroladdr 0x43f00000",
        "booti 0x40400000 0x44000000 ${fdtcontroladdr}",
    ] {
        assert!(heard.iter().any(|line| line == typed), "{typed}: {heard:#?}");
    }
}

#[test]
fn a_failed_case_is_the_programs_failure_though_the_job_is_complete() {
    let lab = TestLab::new();
    let (_board, device) = ScriptedBoard::start(&lab, Play::Tests(BAD));
    let done = dispatch(&lab, &job(&lab, |job| job), &device, &[]);
    assert_eq!(done.status.code(), Some(1), "{}", text(&done.stdout));
    // The case itself, and the definition that did not come to its end.
    assert_eq!(text(&done.stderr), "2 test cases failed\n");
    assert!(read(&lab, "results.yaml").contains("    job: complete\n"));
    let log = read(&lab, "output.jsonl");
    assert!(log.contains("none of pass, fail, skip and unknown"), "{log}");
}

#[test]
fn a_panic_ends_the_boot_at_once_and_is_told_with_its_line() {
    let lab = TestLab::new();
    let (_board, device) = ScriptedBoard::start(&lab, Play::Panic);
    let done = dispatch(&lab, &job(&lab, |job| job), &device, &[]);
    assert_eq!(done.status.code(), Some(1));
    let line = "\"[    1.2] Kernel panic - not syncing: No working init found.\"";
    let told = text(&done.stderr);
    assert!(told.starts_with(&format!("the kernel panicked: {line} while ")), "{told}");
    assert!(told.contains("login-action waited for \"login:\"; the last lines: "), "{told}");
    let results = read(&lab, "results.yaml");
    assert!(results.contains("    job: incomplete\n"), "{results}");
    assert!(results.contains("  error_type: Job\n"), "{results}");
    let messages = results.split("- definition: ").find(|r| r.contains("case: kernel-messages\n"));
    let messages = messages.unwrap_or_else(|| panic!("no kernel messages in {results}"));
    assert!(
        messages.contains("  result: fail\n") && messages.contains("    panic: "),
        "{messages}"
    );
    assert!(lab.path("off").exists(), "the board was not switched off");
}

#[test]
fn a_time_out_tells_what_was_waited_for_and_what_was_seen() {
    let lab = TestLab::new();
    let (_board, device) = ScriptedBoard::start(&lab, Play::Hang);
    let short = |job: String| {
        job.replace(
            "  connection: {minutes: 2}",
            "  connection: {minutes: 2}\n  actions: {auto-login-action: {seconds: 1}}",
        )
    };
    let done = dispatch(&lab, &job(&lab, short), &device, &[]);
    assert_eq!(done.status.code(), Some(1));
    let told = text(&done.stderr);
    assert!(told.contains("waiting for \"login:\""), "{told}");
    assert!(told.contains("Linux version 6.1.0 (scripted)"), "{told}");
}

#[test]
fn a_console_that_cannot_be_reached_is_the_labs_fault() {
    let lab = TestLab::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let example = include_str!("../../../conf/devices/qemu-uboot.yaml");
    let device = example
        .replace("lava-console panda01", &format!("telnet 127.0.0.1 {free}"))
        .replace("lava power cycle panda01", "/bin/true")
        .replace("lava power on panda01", "/bin/true")
        .replace("lava power off panda01", "/bin/true");
    let device = lab.write("device.yaml", &device);
    let done = dispatch(&lab, &job(&lab, |job| job), &device, &[]);
    assert_eq!(done.status.code(), Some(3), "{}", text(&done.stderr));
    assert!(text(&done.stderr).contains("cannot connect to the console"));
    let progress = text(&done.stdout);
    assert_eq!(progress.matches("cannot connect to the console").count(), 1, "{progress}");
}

#[test]
fn validate_tells_all_that_is_missing_and_runs_nothing() {
    let lab = TestLab::new();
    let example = include_str!("../../../conf/devices/qemu-uboot.yaml");
    let device = example
        .replace("lava power cycle panda01", "no-such-pduclient --reboot")
        .replace("bootloader_prompt: '=> '", "bootloader_prompt: '(=> '");
    let device = lab.write("device.yaml", &device);
    let gone = |job: String| {
        job.replace("files/Image", "files/Image.gone").replace("'board# '", "'[board# '")
    };
    let done = dispatch(&lab, &job(&lab, gone), &device, &["--validate"]);
    let told = text(&done.stderr);
    assert_eq!(done.status.code(), Some(2), "{told}");
    for fault in [
        "1.3.1 file-download: ",
        "Image.gone: No such file or directory",
        "2.4.1.1 pdu-reboot: the program \"no-such-pduclient\" is not on this host",
        "2.4.2 bootloader-interrupt: the device's u-boot: \"(=> \" is no regular expression",
        "2.4.4 auto-login-action: the boot block: \"[board# \" is no regular expression",
    ] {
        assert!(told.contains(fault), "no {fault:?} in:\n{told}");
    }
    assert!(text(&done.stdout).starts_with("- name: tftp-deploy\n"), "{}", text(&done.stdout));
    assert!(!lab.path("out").exists(), "something was run");
}

#[test]
fn validate_finds_what_would_end_the_job_half_way() {
    let lab = TestLab::new();
    let example = include_str!("../../../conf/devices/qemu-uboot.yaml");
    let device = example
        .replace("lava-console panda01", "lava-console pamda01")
        .replace("  hard_reset: lava power cycle panda01\n", "")
        .replace("devicetype: qemu-uboot", "devicetype: panda")
        .replacen("  booti:", "  bootz:", 1);
    let device = lab.write("device.yaml", &device);
    let inventory =
        "[[board]]\nname = \"panda01\"\nconsole = \"http://127.0.0.1:1/consoles/panda01\"\n";
    let inventory = lab.write("lab.toml", inventory);
    let job = job(&lab, |job| job);
    let mut command = lab.program("lava-dispatcher");
    let (out, tftp) =
        (lab.path("out").display().to_string(), lab.path("gone").display().to_string());
    command.args(["run", &job, "--device", &device, "--output", &out, "--tftp-dir", &tftp]);
    command.args(["--lab", &inventory]);
    let done = run(&mut command, "", JOB);
    let told = text(&done.stderr);
    assert_eq!(done.status.code(), Some(2), "{told}");
    for fault in [
        "the job is for \"qemu-uboot\", the device (",
        "gone is no folder, so no TFTP server serves it; name the server's folder with --tftp-dir DIR",
        "has no load address \"parameters: booti: kernel\"",
        "2.3 connect-device: there is no board \"pamda01\"",
        "did you mean \"panda01\"?",
        "2.4.1.1 send-reboot-commands: the device (",
    ] {
        assert!(told.contains(fault), "no {fault:?} in:\n{told}");
    }
    assert!(!lab.path("out").exists() && !lab.path("gone").exists(), "something was run");
}

#[test]
fn a_lab_that_does_not_answer_is_told_once() {
    let lab = TestLab::new();
    let device = lab.write("device.yaml", include_str!("../../../conf/devices/qemu-uboot.yaml"));
    let done = dispatch(&lab, &job(&lab, |job| job), &device, &[]);
    let told = text(&done.stderr) + &text(&done.stdout);
    assert_eq!(told.matches("no lava-serial and no lava-power runs").count(), 1, "{told}");
    assert_eq!(done.status.code(), Some(3), "{told}");
}

#[test]
fn a_job_may_wait_for_as_long_as_it_wants() {
    let lab = TestLab::new();
    let board = ScriptedBoard::new(&lab, Play::Tests(GOOD), false);
    let config = format!(
        "[http]\nlisten = \"127.0.0.1:0\"\n[capture]\ndir = {:?}\n[[console]]\nname = \"panda01\"\n\
         port = \"tcp:127.0.0.1:{}\"\nidle = \"1s\"\nidle_then = \"leave\"\n",
        lab.path("capture"),
        board.port
    );
    let serial = lab.start("lava-serial", ["--config", &lab.write("serial.toml", &config)]);
    let address = serial.address("http");
    let device = scripted_board::device(&lab, &format!("http://{address}/consoles/panda01"));
    let job = job(&lab, |job| job);
    std::thread::scope(|scope| {
        let job = scope.spawn(|| dispatch(&lab, &job, &device, &[]));
        // The board's power hangs meanwhile.
        wait_until(LIMIT, "the job has typed nothing for long", || {
            let console = http(address, "GET", "/consoles/panda01", "").json();
            let events = http(address, "GET", "/consoles/panda01/events", "").text();
            assert!(!events.contains("\"kind\":\"idle\""), "{events}");
            console["sessions"][0]["idle_s"].as_u64().is_some_and(|idle| idle >= 3)
        });
        board.let_power_work();
        let done = job.join().unwrap();
        assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    });
}

#[test]
fn a_job_does_not_reset_a_board_that_somebody_else_has_leased() {
    let lab = TestLab::new();
    let capture = lab.path("capture").display().to_string();
    let serial = ["--name", "panda01", "--port", "sim:uart", "--capture", &capture];
    let serial = lab.start("lava-serial", [&serial[..], &["--http", "127.0.0.1:0"]].concat());
    let config = format!(
        "[http]\nlisten = \"127.0.0.1:0\"\n[[pdu]]\nname = \"rack\"\ndriver = \"sim\"\n\
         [[outlet]]\nname = \"panda01\"\npdu = \"rack\"\nport = 1\n\
         console = \"http://{}/consoles/panda01\"\n",
        serial.address("http")
    );
    let power = lab.start("lava-power", ["--config", &lab.write("power.toml", &config)]);
    let address = power.address("http");
    let lease = http(address, "POST", "/leases/panda01", r#"{"user":"alice","for":"1h"}"#);
    assert_eq!(lease.status, 200, "{}", lease.text());
    let device = lab.write("device.yaml", include_str!("../../../conf/devices/qemu-uboot.yaml"));
    let done = dispatch(&lab, &job(&lab, |job| job), &device, &[]);
    let told = text(&done.stderr);
    assert!(told.contains("panda01 is leased by alice since "), "{told}{}", text(&done.stdout));
    assert!(!done.status.success());
    assert_eq!(http(address, "GET", "/outlets/panda01", "").json()["state"], "off");
}

#[test]
fn pduclient_in_a_device_dictionary_switches_the_jobs_own_board() {
    let lab = TestLab::new();
    let board = ScriptedBoard::new(&lab, Play::Tests(GOOD), false);
    board.let_power_work();
    let port = format!("tcp:127.0.0.1:{}", board.port);
    let capture = lab.path("capture").display().to_string();
    let serial =
        ["--name", "panda01", "--port", &port, "--http", "127.0.0.1:0", "--capture", &capture];
    let serial = lab.start("lava-serial", serial);
    let cycle = format!("echo cycle > {}", lab.path("power").display());
    let config = format!(
        "[http]\nlisten = \"127.0.0.1:0\"\n[[pdu]]\nname = \"rack1\"\ndriver = \"exec\"\n\
         on = [\"sh\", \"-c\", {cycle:?}]\noff = [\"true\"]\n\
         [[outlet]]\nname = \"panda01\"\npdu = \"rack1\"\nport = 7\noff_time = \"0s\"\n\
         console = \"http://{}/consoles/panda01\"\n",
        serial.address("http")
    );
    let power = lab.start("lava-power", ["--config", &lab.write("power.toml", &config)]);
    let device = scripted_board::device(&lab, "lava-console panda01");
    let dictionary = std::fs::read_to_string(&device).unwrap();
    let reset = dictionary.lines().find(|line| line.trim_start().starts_with("hard_reset:"));
    let pduclient =
        "  hard_reset: pduclient --daemon lab.invalid --hostname rack1 --port 07 --command reboot";
    let dictionary = dictionary.replace(reset.unwrap(), pduclient);
    let device = lab.write("device.yaml", &dictionary);
    // The job holds the console meanwhile, and lava-power lets nobody else switch the board.
    let done = dispatch(&lab, &job(&lab, |job| job), &device, &[]);
    assert_eq!(done.status.code(), Some(0), "{}{}", text(&done.stdout), text(&done.stderr));
    let history = http(power.address("http"), "GET", "/outlets/panda01/history", "").text();
    assert!(history.contains("job:7") && history.contains("cycle"), "{history}");
}

#[test]
fn a_person_takes_the_console_from_a_job_and_gives_it_back() {
    let lab = TestLab::new();
    let board = ScriptedBoard::new(&lab, Play::Tests(GOOD), false);
    let port = format!("tcp:127.0.0.1:{}", board.port);
    let capture = lab.path("capture").display().to_string();
    let args =
        ["--name", "panda01", "--port", &port, "--http", "127.0.0.1:0", "--capture", &capture];
    let serial = lab.start("lava-serial", args);
    let address = serial.address("http");
    let device = scripted_board::device(&lab, &format!("http://{address}/consoles/panda01"));
    let job = job(&lab, |job| job);
    std::thread::scope(|scope| {
        let job = scope.spawn(|| dispatch(&lab, &job, &device, &[]));
        wait_until(LIMIT, "the job holds the console", || {
            let console = http(address, "GET", "/consoles/panda01", "").json();
            console["holder"]["user"] == "job:7"
        });
        let alice = WebSocket::attach(address, "panda01", "user=alice");
        alice.ask(r#"{"id":1,"request":"force"}"#);
        alice.expect_message("alice has it", |m| m["type"] == "mode" && m["mode"] == "exclusive");
        board.let_power_work();
        alice.heard().find(LIMIT, 0, b"Hit any key").unwrap();
        // The job would have stopped the countdown by now, if it could.
        let warned = || read(&lab, "output.jsonl").contains("alice has taken the console");
        wait_until(LIMIT, "the job knows", warned);
        assert_eq!(board.heard(), Vec::<String>::new());
        alice.ask(r#"{"id":2,"request":"release"}"#);
        let done = job.join().unwrap();
        let log = || read(&lab, "output.jsonl");
        assert_eq!(done.status.code(), Some(0), "{}{}", text(&done.stderr), log());
    });
    let log = read(&lab, "output.jsonl");
    let of = |part: &str| -> Value {
        let line = log.lines().find(|line| line.contains(part));
        serde_json::from_str(line.unwrap_or_else(|| panic!("no {part:?} in {log}"))).unwrap()
    };
    assert_eq!(of("has given the console back")["lvl"], "info");
    // The line's own place in the console's stream: what is captured there is what was logged.
    let offset = of("Linux board 6.1.0")["offset"].as_u64().unwrap();
    let there = format!("/consoles/panda01/history?from={offset}&to={}", offset + 17);
    assert_eq!(text(&http(address, "GET", &there, "").body), "Linux board 6.1.0");
    let results = read(&lab, "results.yaml");
    assert!(results.contains("  end_offset: "), "{results}");
    let events = text(&http(address, "GET", "/consoles/panda01/events?from=0", "").body);
    assert!(events.contains(r#""kind":"job","id":"7","phase":"done""#), "{events}");
}
