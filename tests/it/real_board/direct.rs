//! Boards whose flash a program of the lab's writes: they are switched on, and what is in it begins, without a boot
//! loader or from the shell of a UEFI firmware.

use std::path::Path;

use super::Bench;
use crate::common::job::{ARITHMETIC, LOGIN, boot, job_file, smoke, test};
use crate::common::{boot_file, needs};

/// What a ramdisk or a file system gets beside what is in it: the tests.
const TESTS: &str = "overlays: {lava: true}";

/// An image of a job: what it is called, where it is, and the rest of its entry.
fn image(name: &str, file: &Path, more: &str) -> String {
    format!("      {name}: {{url: 'file://{}', {more}}}\n", file.display())
}

impl Bench {
    /// The dictionary of a board that has these images in its flash, with more commands of the lab's.
    fn flashed(&self, images: &[&str], commands: &str) -> String {
        let write = |image: &&str| {
            let (word, flash) = (image.to_uppercase(), self.board.flash());
            format!("        - mv -f {{{word}}} {}/{image}\n", flash.display())
        };
        let writes: String = images.iter().map(write).collect();
        let dictionary = format!(
            "hostname: panda01
devicetype: direct
commands: {{connect: lava-console panda01, power_off: lava power off panda01, {commands}}}
actions:
  deploy:
    methods:
      flasher:
        commands:
{writes}  boot: {{methods: {{minimal: }}}}
"
        );
        self.lab.write("device.yaml", &dictionary)
    }

    /// That of one with kernel, ramdisk, the kernel's command line, and these.
    fn with_kernel(&self, more: &[&str], commands: &str) -> String {
        self.flashed(&[&["kernel", "ramdisk", "cmdline"], more].concat(), commands)
    }

    /// That of one whose root file system is deployed as an archive, of which the lab's program makes its disk, of so
    /// many MiB.
    fn with_archive(&self, size: u32) -> String {
        let folder = self.lab.path("root").display().to_string();
        let make = format!(
            "sh -c 'rm -rf {folder} && mkdir {folder} && tar -C {folder} -xf $0 && \
             /sbin/mke2fs -q -F -t ext4 -d {folder} $1 {size}M' {{ROOTFS}}"
        );
        let device = self.with_kernel(&["rootfs"], RESET);
        let dictionary = std::fs::read_to_string(device).unwrap();
        self.lab.write("device.yaml", &dictionary.replace("mv -f {ROOTFS}", &make))
    }

    /// Those images, of the boards whose files are in this folder.
    fn kernel(&self, folder: &str, cmdline: &str, ramdisk: &str) -> String {
        let cmdline = self.lab.write("cmdline", cmdline);
        [
            image("kernel", &boot_file(&format!("{folder}Image")), ""),
            image("ramdisk", &boot_file(&format!("{folder}ramdisk.cpio.gz")), ramdisk),
            image("cmdline", Path::new(&cmdline), ""),
        ]
        .concat()
    }
}

/// Resets a board through its outlet.
const RESET: &str = "hard_reset: lava power cycle panda01";

/// A block that writes these images into the flash.
fn flash(images: &str) -> String {
    format!("- deploy:\n    to: flasher\n    os: oe\n    images:\n{images}")
}

/// Boots what is there, and logs in.
fn begin(more: &str) -> String {
    format!("- boot:\n    method: minimal\n{more}{LOGIN}")
}

#[test]
fn a_board_boots_what_was_flashed_and_again_when_a_reboot_is_typed() {
    let bench = Bench::of("direct-arm64").with_power();
    // There is nothing that resets it: it is switched on, and reboots by itself.
    let device = bench.with_kernel(&[], "pre_power_command: lava power on panda01");
    let images = bench.kernel("", "console=ttyAMA0", &format!("format: cpio.newc, {TESTS}"));
    let on = begin("    pre_power_command: true\n    reset: false\n");
    let again = begin("    soft_reboot: [reboot -f]\n");
    let steps = ["lava-test-case up --shell test ! -e /been", "touch /been"];
    let steps = test(&smoke(&steps));
    let done = bench.run(&device, &job_file(&[&flash(&images), &on, &steps, &again, &steps]));
    done.assert_passed(&["up"]);
    assert_eq!(done.results().matches("  case: up\n  result: pass\n").count(), 2, "{done:?}");
}

#[test]
fn the_running_system_begins_the_next_kernel_by_kexec() {
    let bench = Bench::of("direct-amd64").with_power();
    // What it begins is on its disk, as kexec itself is.
    let own = [
        ("kexec", "amd64/kexec.tar.gz", "compression: gz, format: tar, path: /"),
        ("next", "amd64/Image", "format: file, path: /boot/next"),
        ("initrd", "amd64/ramdisk.cpio.gz", "format: file, path: /boot/initrd"),
    ];
    let own = own.map(|(name, file, more)| {
        format!(", {name}: {{url: 'file://{}', {more}}}", boot_file(file).display())
    });
    let more = format!("compression: gz, format: tar, overlays: {{lava: true{}}}", own.concat());
    let images = bench.kernel("amd64/", "console=ttyS0 root=/dev/vda rw", "")
        + &image("rootfs", &boot_file("amd64/root.tar.gz"), &more);
    let device = bench.with_archive(64);
    let job = |kernel: &str, test: &str| {
        let kexec = format!(
            "- boot:
    method: kexec
    kernel: {kernel}
    initrd: /boot/initrd
    options: [\"--append='console=ttyS0 root=/dev/vda rw begun=next'\"]
{LOGIN}"
        );
        job_file(&[&flash(&images), &begin(""), &kexec, test])
    };
    let steps = ["lava-test-case next --shell grep -w begun=next /proc/cmdline"];
    bench.run(&device, &job("/boot/next", &test(&smoke(&steps)))).assert_passed(&["next"]);
    assert_eq!(bench.board.power("status"), "off");

    let missing = bench.run(&device, &job("/boot/nothing", ""));
    let words = ["the board says \"Nothing has been loaded\"", "Cannot open `/boot/nothing'"];
    missing.assert_failed(1, "Job", &words);
}

#[test]
fn a_real_panic_ends_the_job_and_is_told_with_what_was_seen_and_expected() {
    let bench = Bench::of("direct-amd64").with_power();
    // Its init ends at once, and it would reboot for ever.
    let images = bench.kernel("amd64/", "console=ttyS0 rdinit=/bin/busybox panic=-1", "");
    let device = bench.with_kernel(&[], RESET);
    let done = bench.run(&device, &job_file(&[&flash(&images), &begin("")]));
    let words = [
        "the kernel panicked at offset ",
        "Kernel panic - not syncing: Attempted to kill init!",
        "login-action waited for \"board login:\"; the last lines: ",
    ];
    done.assert_failed(1, "Job", &words);
    let panics = done.log().into_iter().filter(|line| {
        line["lvl"] == "target" && line["msg"].as_str().unwrap().contains("] Kernel panic")
    });
    assert_eq!(panics.count(), 1, "it was left to reboot: {done:?}");
}

#[test]
fn a_quiet_system_that_reboots_for_ever_or_has_no_shell_is_not_waited_for() {
    let bench = Bench::of("direct-arm64").with_power();
    let device = bench.with_kernel(&[], RESET);
    let run = |cmdline: &str, ramdisk: &str| {
        let images = bench.kernel("", cmdline, ramdisk);
        bench.run(&device, &job_file(&[&flash(&images), &begin("")]))
    };
    let looping = run("console=ttyAMA0 quiet rdinit=/bin/busybox -- reboot -f", "");
    let words = [
        "the board begins to boot again and again at offset ",
        "reboot: Restarting system",
        "while login-action waited for \"board login:\"; the last lines: ",
    ];
    looping.assert_failed(1, "Job", &words);

    let own = bench.lab.write("passwd", "root::0:0:root:/root:/bin/nothing\n");
    let own = format!(
        "format: cpio.newc, overlays: {{own: {{url: 'file://{own}', format: file, path: /etc/passwd}}}}"
    );
    let refused = run("console=ttyAMA0 quiet", &own);
    let words = [
        "the board does not let us in and asks again: \"board login:\"",
        "while login-action waited for \"board# \"; the last lines: ",
        "can't execute '/bin/nothing'",
    ];
    refused.assert_failed(1, "Job", &words);
}

#[test]
fn results_are_told_also_by_a_board_whose_disk_is_full() {
    let bench = Bench::of("direct-amd64").with_power();
    let hello = bench.lab.write("hello", "hello\n");
    let more = format!(
        "compression: gz, format: tar, overlays: {{lava: true, hello: {{url: 'file://{hello}', format: file, \
         path: /etc/hello}}}}"
    );
    let images = bench.kernel("amd64/", "console=ttyS0 root=/dev/vda rw", "")
        + &image("rootfs", &boot_file("amd64/root.tar.gz"), &more);
    let device = bench.with_archive(8);
    let steps = [
        "lava-test-case there --shell grep hello /etc/hello",
        "lava-test-case fill --shell dd if=/dev/zero of=/full bs=1k",
        "lava-test-case full --result pass",
    ];
    let job = job_file(&[&flash(&images), &begin(""), &test(&smoke(&steps))]);
    let full = bench.run(&device, &job);
    full.assert_cases_failed(1);
    for (case, result) in [("there", "pass"), ("fill", "fail"), ("full", "pass")] {
        assert_eq!(full.result("0_smoke", case), result, "{case}: {full:?}");
    }
}

#[test]
fn a_debian_with_systemd_boots_from_ext4_and_has_the_tests_in_it() {
    let bench = Bench::of("direct-amd64").with_power();
    let debian = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/rig/debian/root.ext4");
    let images = bench.kernel("amd64/", "console=ttyS0 root=/dev/vda init=/sbin/init", "")
        + &image("rootfs", needs(&debian), &format!("format: ext4, {TESTS}"));
    let steps = [
        "lava-test-case systemd --shell grep systemd /proc/1/comm",
        "lava-test-case debian --shell grep ID=debian /etc/os-release",
    ];
    let job = job_file(&[&flash(&images), &begin(""), &test(&smoke(&steps))]);
    let job = job.replace("'board# '", "'root@board:~# '");
    bench.run(&bench.with_kernel(&["rootfs"], RESET), &job).assert_passed(&["systemd", "debian"]);
}

#[test]
fn a_program_without_a_system_is_watched_for_its_results() {
    let bench = Bench::of("mps2").with_power();
    let images = image("kernel", &boot_file("bare/monitor.elf"), "");
    let job = job_file(&[&flash(&images), "- boot: {method: minimal}\n", ARITHMETIC]);
    bench.run(&bench.flashed(&["kernel"], RESET), &job).assert_arithmetic();
}

#[test]
fn a_firmwares_own_shell_begins_a_kernel_from_its_drive() {
    let bench = Bench::of("shell").with_power();
    let ramdisk = format!("format: cpio.newc, {TESTS}");
    let images = image("kernel.efi", &boot_file("amd64/Image"), "")
        + &image("initrd.img", &boot_file("amd64/ramdisk.cpio.gz"), &ramdisk);
    let device = bench.flashed(&["kernel.efi", "initrd.img"], RESET);
    let dictionary = std::fs::read_to_string(device).unwrap();
    let device =
        bench.lab.write("device.yaml", &dictionary.replace("{methods: {minimal: }}", UEFI));
    let begin = boot("uefi", "drive", &format!("    shell_menu: ''\n{LOGIN}"));
    let steps = ["lava-test-case drive --shell grep -q initrd.img /proc/cmdline"];
    let job = job_file(&[&flash(&images), &begin, &test(&smoke(&steps))]);
    bench.run(&device, &job).assert_passed(&["drive"]);
}

/// The shell of OVMF: it waits a few seconds for a key, and names the drive that it is at.
const UEFI: &str = r"
    methods:
      uefi:
        parameters:
          bootloader_prompt: '(Shell|FS0:.)>'
          shell_interrupt_prompt: any other key to continue
          shell_interrupt_string: ' '
          menu_prompt: 'Start:'
        drive: {commands: ['FS0:', 'kernel.efi console=ttyS0 initrd=\initrd.img']}";
