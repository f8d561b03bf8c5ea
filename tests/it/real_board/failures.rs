//! Boards that do not come to where the job wants them: nobody waits for them to the end of its time.

use std::fs;
use std::path::{Path, PathBuf};

use super::Bench;
use super::job::{files, ramdisk_boot};
use crate::common::job::{JOB, boot, job_file, shipped, smoke, test};
use crate::common::wait_until;

#[test]
fn a_board_that_reboots_or_stands_at_another_prompt_is_told_with_what_was_seen_and_expected() {
    let bench = Bench::start().with_power();
    // A quiet one: all that is heard is the boot loader that begins again.
    let arguments = "console=ttyAMA0 quiet rdinit=/bin/busybox -- reboot -f";
    let device = bench.with_arguments("qemu-uboot.yaml", arguments);
    let good = job_file(&[&files(), &ramdisk_boot(), &test(&smoke(&["true"]))]);
    let reboots = bench.run(&device, &good);
    let words = [
        "the board rebooted by itself at offset ",
        "\"U-Boot 20",
        "while login-action waited for \"board login:\"; the last lines: ",
        "Restarting system",
    ];
    reboots.assert_failed(1, "Job", &words);

    let other = good.replace("prompts: ['board# ']", "prompts: ['root@board:~# ']");
    let stands = bench.run(&shipped("qemu-uboot.yaml"), &other);
    let words = [
        "the board stands at \"board#\" and says nothing more for 10 s",
        "while login-action waited for \"root@board:~# \"; the last lines: ",
        "\"board login: root\"",
    ];
    stands.assert_failed(1, "Job", &words);
}

#[test]
fn a_board_that_does_not_boot_once_is_booted_again_and_its_tests_run_as_often_as_they_are_to() {
    let bench = Bench::start().with_power();
    let again = ramdisk_boot().replacen("method:", "failure_retry: 2\n    method:", 1);
    let tests = test(&smoke(&["lava-test-case up --result pass"]));
    let tests = tests.replacen("timeout:", "repeat: 2\n    timeout:", 1);
    let watcher = bench.attach("mode=spy&user=watcher");
    let done = std::thread::scope(|scope| {
        let job = scope.spawn(|| {
            bench.run(&shipped("qemu-uboot.yaml"), &job_file(&[&files(), &again, &tests]))
        });
        // What is deployed is whole when the board begins, and fetched after its boot loader has the network.
        let begins = || watcher.heard().text().matches("U-Boot 20").count();
        wait_until(JOB, "the board begins", || begins() == 1);
        let ramdisk = ramdisk_in(&bench.board.tftp()).unwrap();
        let aside = ramdisk.with_extension("whole");
        fs::rename(&ramdisk, &aside).unwrap();
        fs::write(&ramdisk, "no ramdisk at all\n".repeat(100)).unwrap();
        wait_until(JOB, "it begins again", || begins() == 2 || job.is_finished());
        fs::rename(&aside, &ramdisk).unwrap();
        job.join().unwrap()
    });
    done.assert_passed(&["up"]);
    assert_eq!(watcher.heard().text().matches("U-Boot 20").count(), 2, "{done:?}");
    let ups = done.results().matches("  case: up\n").count();
    assert_eq!(ups, 2, "{done:?}");
    let failed =
        |line: &serde_json::Value| line["msg"].to_string().contains("Wrong Ramdisk Image Format");
    assert!(done.log().iter().any(failed), "{done:?}");
}

/// The ramdisk that a job has deployed somewhere below a folder.
fn ramdisk_in(folder: &Path) -> Option<PathBuf> {
    let entries: Vec<_> = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).collect();
    let own = entries.iter().find(|path| {
        path.is_file()
            && path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ramdisk"))
    });
    own.cloned()
        .or_else(|| entries.iter().filter(|path| path.is_dir()).find_map(|dir| ramdisk_in(dir)))
}

#[test]
fn a_dialogue_with_the_boot_loader_gives_a_result_for_each_of_its_commands() {
    let bench = Bench::start().with_power();
    let reached = boot("bootloader", "[]", "    bootloader: u-boot\n    prompts: ['=> ']\n");
    let done = bench.run(&shipped("qemu-uboot.yaml"), &job_file(&[&reached, DIALOGUE]));
    done.assert_cases_failed(1);
    for (case, result) in [
        ("version", "pass"),
        ("board", "pass"),
        ("address", "pass"),
        ("file", "fail"),
        ("again", "pass"),
    ] {
        assert_eq!(done.result("0_u-boot", case), result, "{case}: {done:?}");
    }
}

const DIALOGUE: &str = "- test:
    interactive:
    - name: u-boot
      prompts: ['=> ']
      script:
      - {command: version, name: version, successes: [{message: 'U-Boot 20\\d\\d'}]}
      - {command: 'echo board is $board_name', name: board, successes: [{message: 'board is qemu-arm'}]}
      - {command: 'setenv autoload no; dhcp', name: address, successes: [{message: bound to address}]}
      - command: tftpboot 0x40400000 10.0.2.2:nothing
        name: file
        successes: [{message: Bytes transferred}]
        failures: [{message: not found, error: the server does not have it}]
      - {command: reset, name: again, successes: [{message: Hit any key}]}
";
