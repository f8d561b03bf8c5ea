//! The overlay over the console, by ZMODEM: real `sz` and `rz`, on a line of lava-serial's whose board is a script, and
//! on a QEMU with a real kernel.

use std::path::Path;
use std::process::Command;

use super::dialogue::{HEAD, SMOKE, complete, dispatch};
use crate::common::job::{Done, LOGIN, job_file, shipped, smoke, test};
use crate::common::{Daemon, LIMIT, TestLab, needs, run};
use crate::qemu_jobs::amd64;

/// A shell on a terminal that does few things; `rz` is the real one, or what there is of it.
const BOARD: &str = "cd ROOT
printf '/ # '
while IFS= read -r line; do
  case $line in
  rz) RZ ;;
  'tar -C '*) $line ;;
  *lava-test-runner*)
    test -x ROOT/lava-7/bin/lava-test-runner || exit
    echo '<LAVA_SIGNAL_STARTRUN 0_smoke 7_1>'
    echo '<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=linux RESULT=pass>'
    echo '<LAVA_SIGNAL_ENDRUN 0_smoke 7_1>'
    echo '<LAVA_TEST_RUNNER EXIT>' ;;
  esac
  printf '/ # '
done";

/// A lava-serial whose console's board is the script, its folder, and the device dictionary.
fn board(lab: &TestLab, rz: &str) -> (Daemon, String) {
    let root = lab.path("board").display().to_string();
    std::fs::create_dir(&root).unwrap();
    let script = lab.write("board.sh", &BOARD.replace("ROOT", &root).replace("RZ", rz));
    let port = format!("exec:sh {script}");
    let capture = lab.path("capture").display().to_string();
    let args =
        ["--name", "panda01", "--port", &port, "--capture", &capture, "--http", "127.0.0.1:0"];
    let serial = lab.start("lava-serial", args);
    let device = format!(
        "hostname: panda01
commands: {{connect: 'http://{}/consoles/panda01'}}
actions: {{deploy: {{methods: {{overlay: }}}}, boot: {{methods: {{minimal: }}}}}}
",
        serial.address("http")
    );
    (serial, device)
}

fn job(lab: &TestLab) -> String {
    let unpack = format!("tar -C {} -xzf", lab.path("board").display());
    format!(
        "{HEAD}- deploy: {{to: overlay}}
- boot:
    method: minimal
    reset: false
    prompts: ['/ # ']
    transfer_overlay: {{transfer_method: zmodem, unpack_command: '{unpack}'}}
{SMOKE}"
    )
}

#[test]
fn the_overlay_goes_over_the_shared_console_to_a_real_receiver() {
    needs(Path::new("/usr/bin/rz"));
    let lab = TestLab::new();
    let (_serial, device) = board(&lab, "rz");
    let log = complete(&lab, &job(&lab), &device);
    let results = std::fs::read_to_string(lab.path("out/results.yaml")).unwrap();
    assert!(results.contains("case: linux\n  result: pass"), "{results}");
    assert!(log.contains("sent by ZMODEM"), "{log}");
    // It came whole: what is unpacked is what was packed.
    assert!(lab.path("board/overlay-7.tar.gz").exists());
    let script = std::fs::read_to_string(lab.path("board/lava-7/0/tests/0_smoke/run.sh")).unwrap();
    assert!(script.contains("lava-test-case linux"), "{script}");
    // What the two programs told each other from then on is in no line of the job's log: the receiver's second
    // header says where it wants to begin.
    assert!(!log.contains("B0900000000"), "{log}");
}

#[test]
fn a_board_without_a_receiver_is_told() {
    let lab = TestLab::new();
    let (_serial, device) = board(&lab, "echo sh: rz: not found");
    let said = String::from_utf8(dispatch(&lab, &job(&lab), &device).stderr).unwrap();
    assert!(said.contains("the board has no rz (Debian: lrzsz): it said"), "{said}");
}

#[test]
fn what_cannot_be_is_told_before_the_job() {
    let lab = TestLab::new();
    let (_serial, device) = board(&lab, "rz");
    for (from, to, told) in [
        ("zmodem", "nfs", "\"transfer_method: nfs\"; use http or zmodem"),
        ("zmodem", "ymodem", "\"ymodem\" is none of http, nfs, zmodem; did you mean \"zmodem\"?"),
        (", unpack_command: ", ", download_command: ", "\"unpack_command\""),
    ] {
        let said = dispatch(&lab, &job(&lab).replace(from, to), &device).stderr;
        let said = String::from_utf8(said).unwrap();
        assert!(said.contains(told), "{told}: {said}");
    }
}

/// An archive with `rz` and what it needs of this host, which is of the same kind as the board.
fn receiver(lab: &TestLab) -> String {
    let archive = lab.path("rz.tar").display().to_string();
    let files = ["usr/bin/rz", "lib/x86_64-linux-gnu/libc.so.6", "lib64/ld-linux-x86-64.so.2"];
    let mut tar = Command::new("tar");
    // The board looks for programs nowhere else.
    tar.args([
        "-C",
        "/",
        "--dereference",
        "--transform=s,^usr/bin/,bin/,",
        "--owner=0",
        "--group=0",
    ]);
    tar.args(["-cf", &archive]).args(files);
    let done = run(&mut tar, "", LIMIT);
    assert!(done.status.success(), "{done:?}");
    archive
}

#[test]
fn a_real_kernels_serial_line_takes_the_overlay_too() {
    needs(Path::new("/usr/bin/rz"));
    let lab = TestLab::new();
    let images = amd64("quiet")
        + &format!(
            "        format: cpio.newc\n        overlays:\n          rz: {{url: 'file://{}', format: tar, path: /}}\n",
            receiver(&lab)
        );
    let deploy = format!("- deploy:\n    to: tmpfs\n    os: oe\n    images:\n{images}");
    let boot = format!(
        "- boot:\n    method: qemu\n    media: tmpfs\n{LOGIN}    \
         transfer_overlay: {{transfer_method: zmodem, unpack_command: tar -C / -xzf}}\n"
    );
    let job =
        job_file(&[&deploy, &boot, &test(&smoke(&["lava-test-case linux --shell uname -a"]))]);
    let mut command = lab.program("lava-dispatcher");
    command.args(["run", &lab.write("job.yaml", &job), "--device", &shipped("qemu-amd64.yaml")]);
    command.arg("--output").arg(lab.path("out")).args(["--job-id", "7"]);
    let done = Done::run(&mut command, lab.path("out"));
    done.assert_passed(&["linux"]);
    assert!(
        done.log()
            .iter()
            .any(|line| line["msg"].as_str().is_some_and(|m| m.contains("sent by ZMODEM")))
    );
}
