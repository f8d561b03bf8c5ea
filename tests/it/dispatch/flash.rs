//! Jobs for boards that show their flash as a USB disk, and for controllers with one: the disks are FAT images in
//! files, written by the real mtools. The boards and their debug probes are played; their USB devices are a folder
//! in place of sysfs.

use std::fs;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::dialogue::Line::{Hear, Reset, Say};
use super::dialogue::{Dialogue, HEAD, Line, complete, dispatch, noted, stand_in};
use crate::common::{LIMIT, TestLab, run};

/// Runs a tool of the host in the lab's folder, and gives what it said; `None` when it failed.
fn tool(lab: &TestLab, words: &[&str]) -> Option<String> {
    let mut command = lab.tool(words[0]);
    command.args(&words[1..]).current_dir(lab.dir());
    command.env("MTOOLSRC", "/dev/null").env("MTOOLS_SKIP_CHECK", "1");
    let done = run(&mut command, "", LIMIT);
    done.status.success().then(|| String::from_utf8(done.stdout).unwrap())
}

/// A FAT file system in a file of the lab's.
fn disk(lab: &TestLab, name: &str, label: &str) -> String {
    let words = ["mformat", "-C", "-v", label, "-T", "4096", "-i", name, "::"];
    tool(lab, &words).expect("mtools is there");
    lab.path(name).display().to_string()
}

/// What is on it.
fn on(lab: &TestLab, disk: &str) -> Vec<String> {
    let listed = tool(lab, &["mdir", "-/", "-b", "-i", disk, "::"]).unwrap();
    let mut names: Vec<String> = listed.lines().map(|line| line.replacen("::/", "", 1)).collect();
    names.sort();
    names
}

fn text(lab: &TestLab, disk: &str, file: &str) -> String {
    tool(lab, &["mtype", "-i", disk, &format!("::{file}")]).unwrap()
}

/// A USB device of the lab's own sysfs.
pub(super) fn usb_device(lab: &TestLab, vendor: &str, product: &str, serial: &str, driver: &str) {
    let devices = lab.path("sys/bus/usb/devices");
    let (device, interface) = (devices.join("1-2"), devices.join("1-2:1.1"));
    fs::create_dir_all(&device).unwrap();
    fs::create_dir_all(&interface).unwrap();
    for (name, value) in [("idVendor", vendor), ("idProduct", product), ("serial", serial)] {
        fs::write(device.join(name), format!("{value}\n")).unwrap();
    }
    std::os::unix::fs::symlink(format!("../../drivers/{driver}"), interface.join("driver"))
        .unwrap();
}

/// The commands of the host in a job's log, in their order, without the folder of the job.
fn commands(lab: &TestLab, log: &str) -> Vec<String> {
    let scratch = lab.path("out/scratch").display().to_string();
    let lines = log.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let said = lines.filter_map(|line| Some(line["msg"].as_str()?.to_owned()));
    let commands = said.filter_map(|said| Some(said.strip_prefix("host: ")?.to_owned()));
    commands.map(|said| said.replace(&scratch, "SCRATCH")).collect()
}

const TESTS: &[Line] = &[
    Say("Running test suite common_test\r\nPASS - one.\r\nFAIL - two.\r\n"),
    Say("PROJECT EXECUTION SUCCESSFUL\r\n"),
];

const MONITORS: &str = "- test:
    monitors:
    - name: tests
      start: Running test suite common_test
      end: PROJECT EXECUTION SUCCESSFUL
      pattern: (?P<result>(PASS|FAIL)) - (?P<test_case_id>.*)\\.
      fixupdict: {PASS: pass, FAIL: fail}
";

#[test]
fn an_mps_board_gets_its_card_anew_and_is_told_to_reboot() {
    let lab = TestLab::new();
    let disk = disk(&lab, "card.img", "V2M-MPS");
    lab.write("OLD.TXT", "old");
    lab.write("MB/HBI0263C/board.txt", "a board");
    lab.write("config.txt", "AUTORUN: TRUE");
    tool(&lab, &["mcopy", "-i", &disk, "OLD.TXT", "::"]).unwrap();
    tool(&lab, &["tar", "-czf", "recovery.tar.gz", "MB", "config.txt"]).unwrap();
    let place = lab.dir().display().to_string();
    let (one, two) = (lab.write("one.elf", "1"), lab.write("two.bin", "22"));
    stand_in(&lab, "relay", &format!("echo \"relay $*\" >> {place}/notes"));
    let board = Dialogue::start(TESTS);
    let device = format!(
        "hostname: mps2
usb_filesystem_label: {disk}
commands: {{connect: telnet 127.0.0.1 {}, hard_reset: relay reset, power_off: relay off}}
actions:
  deploy: {{methods: {{mps: {{parameters: {{hard-reboot: false, reboot-string: hsyxhj}}}}}}}}
  boot: {{methods: {{minimal: }}}}
",
        board.port
    );
    let job = format!(
        "{HEAD}- deploy:
    to: mps
    images:
      test_binary_2: {{url: 'file://{two}'}}
      recovery_image: {{url: 'file://{place}/recovery.tar.gz', compression: gz}}
      test_binary_1: {{url: 'file://{one}', rename: mbed.elf}}
- boot: {{method: minimal}}
{MONITORS}"
    );
    let done = dispatch(&lab, &job, &device);
    let log = fs::read_to_string(lab.path("out/output.jsonl")).unwrap();
    // One of the board's own tests has failed.
    assert_eq!(done.status.code(), Some(1), "{log}");
    assert_eq!(board.end(), Ok(()));
    assert_eq!(noted(&lab, "notes"), "relay reset\nrelay reset\nrelay off\n");
    let files = ["MB/", "MB/HBI0263C/", "MB/HBI0263C/board.txt", "config.txt"];
    let expected = [&files[..], &["mbed.elf", "reboot.txt", "two.bin"]].concat();
    assert_eq!(on(&lab, &disk), expected, "{log}");
    assert_eq!(text(&lab, &disk, "reboot.txt"), "hsyxhj");
    assert_eq!(text(&lab, &disk, "MB/HBI0263C/board.txt"), "a board");
    let folder = "SCRATCH/common-recovery_image-files";
    assert_eq!(
        commands(&lab, &log),
        [
            format!("mdir -b -i {disk} ::"),
            format!("mdir -b -i {disk} ::"),
            format!("mdeltree -i {disk} ::/OLD.TXT"),
            format!("mcopy -s -o -Q -i {disk} {folder}/MB {folder}/config.txt ::"),
            format!("mcopy -s -o -Q -i {disk} SCRATCH/common-test_binary_1/one.elf ::mbed.elf"),
            format!("mcopy -s -o -Q -i {disk} SCRATCH/common-test_binary_2/two.bin ::"),
            format!("mcopy -s -o -Q -i {disk} SCRATCH/reboot.txt ::reboot.txt"),
        ]
    );
}

/// A debug probe, played for one image: it takes the image from its disk.
fn probe(lab: &TestLab, image: &'static str) -> JoinHandle<String> {
    let place = lab.dir().to_owned();
    let mtools = move |words: &[&str]| {
        let mut command = std::process::Command::new(words[0]);
        command.args(&words[1..]).current_dir(&place).stdin(std::process::Stdio::null());
        command.env("MTOOLSRC", "/dev/null").output().unwrap()
    };
    std::thread::spawn(move || {
        let begin = Instant::now();
        let file = format!("::{image}");
        let said = loop {
            let said = mtools(&["mtype", "-i", "probe.img", &file]);
            if said.status.success() && !said.stdout.is_empty() {
                break said;
            }
            assert!(begin.elapsed() < LIMIT, "nobody copies {image}");
            std::thread::sleep(Duration::from_millis(20));
        };
        while !mtools(&["mdel", "-i", "probe.img", &file]).status.success() {
            assert!(begin.elapsed() < LIMIT, "{image} cannot be taken");
        }
        String::from_utf8(said.stdout).unwrap()
    })
}

const MUSCA: &str = "hostname: musca
board_id: '10000001'
usb_vendor_id: 0d28
usb_product_id: '0204'
";

#[test]
fn a_musca_flashes_what_is_copied_to_its_disk_and_runs_it() {
    let lab = TestLab::new();
    let disk = disk(&lab, "probe.img", "MUSCA");
    usb_device(&lab, "0d28", "0204", "10000001", "cdc_acm");
    let image = lab.write("blinky.hex", ":00000001FF\n");
    let place = lab.dir().display().to_string();
    stand_in(&lab, "relay", &format!("echo \"relay $*\" >> {place}/notes"));
    let (board, taken) = (Dialogue::start(TESTS), probe(&lab, "blinky.hex"));
    let device = format!(
        "{MUSCA}commands: {{connect: telnet 127.0.0.1 {}, hard_reset: relay reset, power_off: relay off}}
actions:
  deploy: {{methods: {{musca: {{id_serial: {disk}}}}}}}
  boot: {{methods: {{musca: }}}}
",
        board.port
    );
    let job = format!(
        "{HEAD}- deploy: {{to: musca, images: {{test_binary: {{url: 'file://{image}'}}}}}}
- boot: {{method: musca}}
{MONITORS}"
    );
    let done = dispatch(&lab, &job, &device);
    let log = fs::read_to_string(lab.path("out/output.jsonl")).unwrap();
    assert_eq!(done.status.code(), Some(1), "{log}");
    assert_eq!((taken.join().unwrap().as_str(), board.end()), (":00000001FF\n", Ok(())));
    assert_eq!(noted(&lab, "notes"), "relay reset\nrelay reset\nrelay off\n");
    assert_eq!(
        commands(&lab, &log),
        [
            format!("mdir -b -i {disk} ::"),
            format!("mcopy -s -o -Q -i {disk} SCRATCH/common-test_binary/blinky.hex ::"),
            format!("mdir -b -i {disk} ::"),
            format!("mdir -b -i {disk} ::"),
        ]
    );
    assert!(log.contains("waiting for the serial port (cdc_acm) of the USB device 0d28:0204"));
}

const K64F: &str = "hostname: k64f
board_id: '0240000031'
usb_vendor_id: 0d28
usb_product_id: '0204'
";

/// A job for a debug probe that is a disk, and its device.
fn cmsis(lab: &TestLab, disk: &str, port: u16) -> (String, String) {
    let image = lab.write("zephyr.bin", "an image");
    let device = format!(
        "{K64F}commands: {{connect: telnet 127.0.0.1 {port}, hard_reset: 'true', power_off: 'true'}}
actions:
  deploy: {{methods: {{image: }}}}
  boot:
    methods:
      cmsis-dap: {{parameters: {{usb_mass_device: {disk}, post_unmount_delay: 0}}}}
"
    );
    let job = format!(
        "{HEAD}- deploy: {{to: tmpfs, images: {{zephyr: {{url: 'file://{image}'}}}}}}
- boot: {{method: cmsis-dap}}
{MONITORS}"
    );
    (job, device)
}

#[test]
fn a_debug_probe_with_a_disk_flashes_an_image_and_the_board_runs_its_tests() {
    let lab = TestLab::new();
    let disk = disk(&lab, "probe.img", "DAPLINK");
    lab.write("DETAILS.TXT", "Interface Version: 0253\r\n");
    tool(&lab, &["mcopy", "-i", &disk, "DETAILS.TXT", "::"]).unwrap();
    usb_device(&lab, "0d28", "0204", "0240000031", "cdc_acm");
    let (board, taken) = (Dialogue::start(TESTS), probe(&lab, "zephyr.bin"));
    let (job, device) = cmsis(&lab, &disk, board.port);
    let done = dispatch(&lab, &job, &device);
    let log = fs::read_to_string(lab.path("out/output.jsonl")).unwrap();
    assert_eq!(done.status.code(), Some(1), "{log}");
    assert_eq!((taken.join().unwrap().as_str(), board.end()), ("an image", Ok(())));
    assert!(log.contains("DETAILS.TXT: Interface Version: 0253"), "{log}");
    assert!(noted(&lab, "out/results.yaml").contains("case: one"), "{log}");
}

#[test]
fn what_a_debug_probe_says_of_its_failure_is_what_the_job_says() {
    let lab = TestLab::new();
    let disk = disk(&lab, "probe.img", "DAPLINK");
    lab.write("FAIL.TXT", "error: The transfer timed out.\r\ntype: transient\r\n");
    tool(&lab, &["mcopy", "-i", &disk, "FAIL.TXT", "::"]).unwrap();
    usb_device(&lab, "0d28", "0204", "0240000031", "cdc_acm");
    let taken = probe(&lab, "zephyr.bin");
    let (job, device) = cmsis(&lab, &disk, 1);
    let done = dispatch(&lab, &job, &device);
    taken.join().unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(3), "{said}");
    let why = "the board could not flash the image: FAIL.TXT on its disk says \"error: The transfer timed out.";
    assert!(said.contains(why), "{said}");
}

const CONTROLLER: &[Line] = &[
    Reset,
    Say("ARM V2M-Juno Boot loader v1.0.0 (scripted)\r\nPress Enter to stop auto boot...\r\n"),
    Hear(" \n"),
    Say("\r\nCmd> "),
    Hear("usb_on\n"),
    Say("usb_on\r\nEnabling debug USB...\r\nCmd> "),
    Hear("flash\n"),
    Say("flash\r\nFlash> "),
    Hear("eraseall\n"),
    Say("eraseall\r\nErasing Flash\r\n....\r\nFlash> "),
    Hear("exit\n"),
    Say("exit\r\nCmd> "),
];

#[test]
fn a_juno_shows_its_card_at_its_controllers_prompt_and_boots_from_what_comes_there() {
    let lab = TestLab::new();
    let disk = disk(&lab, "card.img", "JUNO");
    lab.write("SOFTWARE/bl1.bin", "firmware");
    lab.write("images.txt", "TOTALIMAGES: 1");
    tool(&lab, &["tar", "-cf", "recovery.tar", "SOFTWARE", "images.txt"]).unwrap();
    let place = lab.dir().display().to_string();
    let board = Dialogue::powered(&lab, CONTROLLER);
    let device = format!(
        "hostname: juno
usb_filesystem_label: {disk}
commands: {{connect: telnet 127.0.0.1 {}, hard_reset: '{}', power_off: 'true'}}
actions:
  deploy:
    methods:
      vemsd:
        parameters: {{mcc_prompt: Cmd>, msd_mount_cmd: usb_on, flash_prompt: Flash>, flash_enter_cmd: flash,
          flash_erase_cmd: eraseall, flash_erase_msg: Erasing Flash, flash_exit_cmd: exit,
          autorun_prompt: Press Enter to stop auto boot..., mcc_reset_msg: Programming NOR Flash}}
  boot: {{methods: {{minimal: }}}}
",
        board.port, board.reset
    );
    let job = format!(
        "{HEAD}- deploy: {{to: vemsd, recovery_image: {{url: 'file://{place}/recovery.tar'}}}}\n"
    );
    complete(&lab, &job, &device);
    assert_eq!(board.end(), Ok(()));
    assert_eq!(on(&lab, &disk), ["SOFTWARE/", "SOFTWARE/bl1.bin", "images.txt"]);
}

#[test]
fn what_a_dictionary_lacks_for_a_disk_is_told_before_anything_is_run() {
    let lab = TestLab::new();
    let image = lab.write("a.bin", "a");
    let device = "hostname: juno
commands: {connect: telnet 127.0.0.1 1, hard_reset: 'true'}
actions:
  deploy: {methods: {vemsd: {parameters: {mcc_prompt: Cmd>}}, mps: , musca: }}
  boot: {methods: {minimal: }}
";
    let job = format!(
        "{HEAD}- deploy: {{to: vemsd, recovery_image: {{url: 'file://{image}'}}}}
- deploy: {{to: mps, images: {{test_binary: {{url: 'file://{image}'}}}}}}
- deploy: {{to: musca, images: {{test_binary: {{url: 'file://{image}'}}}}}}
"
    );
    let said = dispatch(&lab, &job, device);
    assert_eq!(said.status.code(), Some(2), "{said:?}");
    let said = String::from_utf8(said.stderr).unwrap();
    for key in [
        "vemsd: parameters: autorun_prompt\"",
        "vemsd: parameters: msd_mount_cmd\"",
        "vemsd: parameters: flash_erase_msg\"",
        "has no \"usb_filesystem_label\"",
        "mps: parameters: reboot-string\"",
        "musca: id_serial\"",
    ] {
        assert!(said.contains(key), "no {key} in\n{said}");
    }
}
