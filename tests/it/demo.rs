//! `lava demo`: a lab for those who have none, and nothing left of it when it ends.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Output;

use crate::common::{Client, Daemon, LIMIT, TestLab, boot_file, http, run, wait_until};

/// Starts `lava demo` with these arguments; its temporary files are the lab's.
#[track_caller]
fn start(lab: &TestLab, args: &[&str]) -> Daemon {
    Daemon::start("lava demo", lab.program("lava").arg("demo").args(args).env("TMPDIR", lab.dir()))
}

#[track_caller]
fn run_demo(lab: &TestLab, args: &[&str]) -> Output {
    run(lab.program("lava").arg("demo").args(args).env("TMPDIR", lab.dir()), "", LIMIT)
}

/// Every file, folder and socket below a folder.
fn everything(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(everything(&path));
        }
        found.push(path);
    }
    found.sort();
    found
}

/// The processes with a word in their command lines.
fn processes(word: &str) -> usize {
    let entries = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let lines = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.filter(|line| String::from_utf8_lossy(line).contains(word)).count()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_demo_is_a_whole_lab_and_leaves_nothing_behind() {
    let lab = TestLab::new();
    let before = everything(lab.dir());
    let mut demo = start(&lab, &[]);
    let sockets = everything(&lab.path("run"));
    assert_eq!(sockets.len(), 2, "clients of this host find both daemons: {sockets:?}");

    let mut alice = Client::raw(demo.address("panda01.raw"));
    alice.expect("panda01 login: ");
    alice.type_text("root\r");
    alice.expect("root@panda01:~# ");
    alice.type_text("uname -a\r");
    alice.expect("Linux panda01 6.1.0-lavamux #1 SMP Lavamux virtual board (simulated)");
    alice.expect("# ");

    let power = demo.address("power");
    let report = http(power, "POST", "/outlets/panda01/off", r#"{"user":"alice"}"#).json();
    assert_eq!((&report["state"], &report["verified"]), (&"off".into(), &"verified".into()));
    alice.type_text("is anybody there?\r");
    let head = |name: &str| {
        http(demo.address("http"), "GET", &format!("/consoles/{name}"), "").json()["head"].clone()
    };
    let silent = head("panda01");
    // The other board goes on meanwhile.
    let mut bob = Client::telnet(demo.address("panda02.telnet"));
    bob.expect("Escape character");
    bob.type_text("\r");
    bob.expect("panda02 login: ");
    assert_eq!(head("panda01"), silent, "a board that is off says nothing");

    let report = http(power, "POST", "/outlets/panda01/cycle", r#"{"user":"alice"}"#).json();
    assert_eq!(report["state"], "on");
    alice.expect("Hit any key to stop autoboot:");
    alice.type_text(" ");
    alice.expect("=> ");
    alice.type_text("printenv bootdelay\r");
    alice.expect("bootdelay=2");

    assert!(demo.interrupt().success(), "Ctrl-C is how a demo ends");
    assert_eq!(everything(lab.dir()), before);
}

#[test]
fn a_given_folder_has_the_inventory_and_is_left_as_it_was_found() {
    let lab = TestLab::new();
    let mine = lab.write("here/mine", "x");
    let here = lab.path("here").display().to_string();
    let mut demo = start(&lab, &["--dir", &here]);
    let inventory = std::fs::read_to_string(lab.path("here/lab.toml")).unwrap();
    for expected in [
        "name = \"panda01\"".to_owned(),
        format!("console = \"http://{}/consoles/panda02\"", demo.address("http")),
        format!("outlet = \"http://{}/outlets/panda02\"", demo.address("power")),
    ] {
        assert!(inventory.contains(&expected), "no {expected} in {inventory}");
    }

    // Another one finds ports of its own, but must not have the same folder; and since its boards
    // have the same names, it tells how to get at them.
    demo.wait_for_output("console panda01    ");
    let other = start(&lab, &[]);
    assert_ne!(other.address("http"), demo.address("http"));
    other.wait_for_output("console panda01 --lab ");
    let same = run_demo(&lab, &["--dir", &here]);
    assert_eq!(same.status.code(), Some(2), "{}", stderr(&same));
    assert!(stderr(&same).contains("another demo is using this folder"), "{}", stderr(&same));

    // One that was killed has left its files; the next one sweeps them.
    demo.kill();
    assert!(lab.path("here/lab.toml").exists());
    let mut next = start(&lab, &["--dir", &here]);
    assert!(next.terminate().success());
    assert_eq!(everything(&lab.path("here")), [PathBuf::from(mine)]);
}

#[test]
fn a_port_in_use_is_one_clear_line_and_nothing_is_started() {
    let lab = TestLab::new();
    let before = everything(lab.dir());
    // Where no connection has its port: those beside it have to be free.
    let first = 8192 + (std::process::id() % 4096) as u16;
    let taken = (first..).find_map(|port| TcpListener::bind(("127.0.0.1", port)).ok()).unwrap();
    let port = taken.local_addr().unwrap().port();
    // The telnet port of the second board.
    let base = (port - 11).to_string();
    let in_use = run_demo(&lab, &["--port-base", &base]);
    assert_eq!(in_use.status.code(), Some(3));
    assert!(in_use.stdout.is_empty());
    let said = stderr(&in_use);
    assert!(
        said.starts_with(&format!("telnet of panda02: cannot listen on 127.0.0.1:{port}: ")),
        "{said}"
    );
    assert_eq!(everything(lab.dir()), before);
}

#[test]
fn the_sample_job_passes_on_the_demo_s_own_console() {
    let lab = TestLab::new();
    let before = everything(lab.dir());
    let out = lab.path("out").display().to_string();
    let done = run_demo(&lab, &["--job", "--output", &out]);
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{said}{}", stderr(&done));
    for expected in
        ["done  2          uboot-action", "0_demo/linux: pass", "4 test cases, 0 failed"]
    {
        assert!(said.contains(expected), "no {expected:?} in {said}");
    }
    // Each line of the board has its place in the console's own stream.
    let log = std::fs::read_to_string(lab.path("out/output.jsonl")).unwrap();
    let signal = log.lines().find(|line| line.contains("TEST_CASE_ID=linux RESULT=pass")).unwrap();
    assert!(signal.contains("\"offset\":"), "{signal}");
    let results = std::fs::read_to_string(lab.path("out/results.yaml")).unwrap();
    assert!(results.contains("case: boards") && results.contains("measurement: 2"), "{results}");
    std::fs::remove_dir_all(lab.path("out")).unwrap();
    assert_eq!(everything(lab.dir()), before);
}

#[test]
fn results_that_go_with_the_demo_are_not_said_to_be_anywhere() {
    let lab = TestLab::new();
    let done = run_demo(&lab, &["--job"]);
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{said}{}", stderr(&done));
    let (_, told) = said.split_once("The job is complete").unwrap();
    assert!(told.contains("--output DIR keeps"), "{told}");
    assert!(!told.contains("results.yaml in"), "{told}");
}

#[test]
fn a_job_of_one_s_own_runs_as_the_demo_says() {
    let lab = TestLab::new();
    let demo = start(&lab, &[]);
    demo.wait_for_output("Ctrl-C ends it");
    let said = demo.output().text();
    let command = said.lines().find(|line| line.contains("lava-dispatcher run ")).unwrap();
    for option in ["--device ", "--lab ", "--tftp-dir ", "--output "] {
        assert!(command.contains(option), "no {option} in {command}");
    }
    let done = run(lab.tool("sh").args(["-c", command]), "", LIMIT);
    let told = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{command}\n{told}{}", stderr(&done));
    assert!(told.contains("0_demo/linux: pass"), "{told}");
}

#[test]
fn a_job_in_a_terminal_is_a_live_tree_and_ctrl_c_ends_it() {
    let lab = TestLab::new();
    let before = everything(lab.dir());
    let mut demo = lab.program("lava");
    let mut person = Client::in_terminal(demo.args(["demo", "--job"]).env("TMPDIR", lab.dir()));
    person.expect("A job now has panda01");
    person.expect("✓ 1 tftp-deploy");
    // The board's own words are below the tree.
    person.expect("| Hit any key to stop autoboot");
    person.expect("2.4.4.1 login-action");
    person.type_text("\x03");
    let ended = person.process().wait(LIMIT);
    assert_eq!(ended.code(), Some(130), "{}", person.heard().text());
    assert_eq!(everything(lab.dir()), before);
}

#[test]
fn the_boards_in_qemu_run_u_boot_and_die_with_the_demo() {
    let lab = TestLab::new();
    let mut demo = start(&lab, &["--qemu", "--dir", lab.path("q").to_str().unwrap()]);
    let tftp = lab.path("q/tftp").display().to_string();
    assert_eq!(processes(&tftp), 0, "boards are off at first");
    let power = demo.address("power");
    let mut alice = Client::raw(demo.address("panda01.raw"));
    for _ in 0..2 {
        let report = http(power, "POST", "/outlets/panda01/cycle", "{}").json();
        assert_eq!(report["state"], "on", "{report}");
        alice.expect("U-Boot 20");
        alice.expect("Hit any key to stop autoboot");
        alice.type_text(" ");
        alice.expect("=> ");
        alice.type_text("printenv arch\r");
        alice.expect("arch=arm");
        assert_eq!(processes(&tftp), 1);
    }
    http(power, "POST", "/outlets/panda01/off", "{}");
    wait_until(LIMIT, "QEMU goes with its power", || processes(&tftp) == 0);
    let mut bob = Client::raw(demo.address("panda02.raw"));
    http(power, "POST", "/outlets/panda02/on", "{}");
    bob.expect("U-Boot 20");
    wait_until(LIMIT, "QEMU comes with its power", || processes(&tftp) == 1);
    demo.kill();
    wait_until(LIMIT, "QEMU dies with the demo, whatever that dies of", || processes(&tftp) == 0);
}

#[test]
fn a_real_kernel_is_booted_in_qemu_and_tested() {
    let lab = TestLab::new();
    let without = run_demo(&lab, &["--qemu", "--job"]);
    assert_eq!(without.status.code(), Some(2));
    assert!(stderr(&without).contains("--kernel FILE --ramdisk FILE"), "{}", stderr(&without));

    let (kernel, ramdisk) = (boot_file("Image"), boot_file("ramdisk.cpio.gz"));
    let images = ["--kernel", kernel.to_str().unwrap(), "--ramdisk", ramdisk.to_str().unwrap()];
    let mut demo = lab.program("lava");
    demo.args(["demo", "--qemu", "--job"]).args(images).env("TMPDIR", lab.dir());
    let done = run(&mut demo, "", 4 * LIMIT);
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{said}{}", stderr(&done));
    assert!(said.contains("2 test cases, 0 failed"), "{said}");
    assert_eq!(processes(&lab.dir().display().to_string()), 0);
}
