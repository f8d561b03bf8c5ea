//! A job on the shared console of the real board: U-Boot, TFTP, Linux, login, tests.

use std::process::Command;

use serde_json::Value;

use super::Bench;
use crate::common::job::{Done, JOB, LOGIN, boot, deploy, job_file, shipped, smoke, test};
use crate::common::{LIMIT, TestLab, WebSocket, boot_file, http, run, wait_until};
use crate::dispatch::definitions::in_linaros_style;

/// Where the board's network, which is QEMU's own, has the TFTP server.
const SERVER: &str = "10.0.2.2";

impl Bench {
    /// Runs a job on a device. A spy watches it whose bytes are those of the record and of the job's log.
    #[track_caller]
    pub(super) fn run(&self, device: &str, job: &str) -> Done {
        self.spied(&mut self.dispatcher(device, SERVER, job))
    }

    /// The same with a dispatcher that is not started yet.
    #[track_caller]
    pub(super) fn spied(&self, dispatcher: &mut Command) -> Done {
        let from = self.capture().len();
        let spy = self.attach("mode=spy&from=0&user=spy");
        let done = Done::run(dispatcher, self.lab.path("output"));
        self.assert_seen(&spy, &done, from);
        done
    }

    /// The dispatcher with a job on a device, not started yet; with a server at an address that is there,
    /// or not.
    pub(super) fn dispatcher(&self, device: &str, server: &str, job: &str) -> Command {
        let mut command = self.lab.program("lava-dispatcher");
        command.args(["run", &self.lab.write("job.yaml", job), "--device", device]);
        command.arg("--output").arg(self.lab.path("output"));
        command.arg("--lab").arg(self.lab.path("lab.toml"));
        command.arg("--tftp-dir").arg(self.board.tftp()).args(["--dispatcher-ip", server]);
        command
    }

    /// A shipped dictionary whose board boots with other arguments for its kernel.
    pub(super) fn with_arguments(&self, device: &str, arguments: &str) -> String {
        let dictionary = std::fs::read_to_string(shipped(device)).unwrap();
        let booted = dictionary.replace("'console=ttyAMA0'", &format!("'{arguments}'"));
        assert_ne!(booted, dictionary);
        self.lab.write("device.yaml", &booted)
    }

    /// Whether the job's log and what a spy has seen are what the record has from this offset on.
    #[track_caller]
    fn assert_seen(&self, spy: &WebSocket, done: &Done, from: usize) {
        wait_until(LIMIT, "the job has switched the board off", || {
            self.board.power("status") == "off"
        });
        let capture = self.capture();
        wait_until(LIMIT, "the spy has it all", || spy.heard().len() >= capture.len());
        assert!(spy.heard().bytes().starts_with(&capture), "the spy has not what the record has");
        let least = self.switched_off(from).unwrap_or(capture.len());
        done.assert_logged(from, &capture[from..], least - from);
    }

    /// Where the record was when a job that began at this offset had the board switched off, if it did.
    fn switched_off(&self, from: usize) -> Option<usize> {
        let events = http(self.http, "GET", "/consoles/panda01/events?from=0", "").json();
        let is_off = |event: &&Value| event["verb"] == "off" && event["phase"] == "begin";
        let off = events.as_array().unwrap().iter().rev().find(is_off)?;
        let offset = usize::try_from(off["offset"].as_u64().unwrap()).unwrap();
        (offset >= from).then_some(offset)
    }
}

/// What a board of this kind boots over the network.
pub(super) fn files() -> String {
    let ramdisk = ("ramdisk", "ramdisk.cpio.gz", ", compression: gz");
    deploy("tftp", &[("kernel", "Image", ", type: image"), ramdisk])
}

#[test]
fn a_job_runs_on_the_shared_console_to_its_results() {
    let bench = Bench::start().with_power();
    let spy = bench.attach("mode=spy&user=alice");
    // The tests bring more than a board should have to fetch as it is.
    bench.lab.write("repository/automated/linux/smoke/big", &"all the same\n".repeat(300_000));
    let repository = git_repository(&bench.lab);
    let from_git = format!(
        "    - {{name: from-git, from: git, repository: 'file://{repository}',\n       \
         path: automated/linux/smoke/smoke.yaml, parameters: {{SKIP_INSTALL: 'True'}}}}\n"
    );
    let big = "lava-test-case big --shell 'find /lava-* -name big -size +3000k | grep -q big'";
    let steps = [STEPS[0], STEPS[1], big];
    // A big overlay is packed as the ramdisk is.
    let packed = zstd(&bench.lab, "ramdisk.cpio.gz");
    let files = files().replace(&boot_file("ramdisk.cpio.gz").display().to_string(), &packed);
    let files = files.replace("compression: gz", "compression: zstd");
    let job = job_file(&[&files, &ramdisk_boot(), &test(&(smoke(&steps) + &from_git))]);
    let done = bench.run(&shipped("qemu-uboot.yaml"), &job);
    assert_eq!(done.result("0_smoke", "linux"), "pass", "{done:?}");
    assert_eq!(done.result("0_smoke", "chosen"), "pass", "{done:?}");
    assert_eq!(done.result("0_smoke", "big"), "pass", "{done:?}");
    let log = done.log();
    let adds = log.iter().find_map(|line| line["msg"].as_str()?.strip_prefix("the overlay adds "));
    let adds: u64 = adds.unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!(adds < 500_000, "{adds} bytes of the overlay have to be fetched");
    assert_eq!(done.result("1_from-git", "pwd"), "pass", "{done:?}");
    let measured = "  case: bogomips\n  result: pass\n  measurement: 48.5\n  units: BogoMIPS\n";
    assert!(done.results().contains(measured), "{done:?}");
    assert_eq!(done.result("lava", "job"), "pass", "{done:?}");
    // A program that is not on the board.
    assert_eq!(done.result("1_from-git", "absent"), "fail", "{done:?}");
    done.assert_cases_failed(1);

    // Who watched has seen the same console, from power-on to the tests and the end.
    let seen = spy.heard().text();
    for text in ["U-Boot 20", "Starting kernel", "board login:", "aarch64"] {
        assert!(seen.contains(text), "missing: {text}\nin: {seen}");
    }
}

#[test]
fn a_quiet_kernel_boots_as_well_and_a_failing_case_says_so_and_exits_with_1() {
    let bench = Bench::start().with_power();
    let device = bench.with_arguments("qemu-uboot.yaml", "console=ttyAMA0 quiet");
    let steps = [
        STEPS[0],
        "lava-test-case chosen --result fail",
        "lava-test-case tree --shell grep -q linux,dummy-ours /proc/device-tree/model",
    ];
    let files = format!("{}    dtb: {{url: 'file://{}'}}\n", files(), own_tree(&bench.lab));
    let done = bench.run(&device, &job_file(&[&files, &ramdisk_boot(), &test(&smoke(&steps))]));
    assert_eq!(done.exit_code(), 1, "{done:?}");
    let said = |text: &str| {
        done.log().iter().any(|line| line["msg"].as_str().is_some_and(|said| said.contains(text)))
    };
    assert!(said("Starting kernel") && !said("Linux version"), "{done:?}");
    assert_eq!(done.result("0_smoke", "linux"), "pass", "{done:?}");
    assert_eq!(done.result("0_smoke", "chosen"), "fail", "{done:?}");
    assert_eq!(done.result("0_smoke", "tree"), "pass", "{done:?}");
    // The job itself has run to its end.
    assert_eq!(done.result("lava", "job"), "pass", "{done:?}");
    assert_eq!(bench.board.power("status"), "off");
}

#[test]
fn a_person_watches_a_job_takes_over_and_gives_back() {
    let bench = Bench::start().with_power();
    let done = std::thread::scope(|scope| {
        let job = scope.spawn(|| {
            let job = job_file(&[&files(), &ramdisk_boot(), &test(&smoke(&STEPS))]);
            bench.run(&shipped("qemu-uboot.yaml"), &job)
        });
        let serial = || http(bench.http, "GET", "/consoles/panda01", "").json();
        wait_until(LIMIT, "the job has the console", || serial()["holder"].is_object());
        let mut alice = bench.person();
        alice.expect("[read-only: ");
        alice.expect_within(JOB, "Starting kernel");
        alice.type_text("~$force\r");
        alice.expect("[you have the console");
        // The job waits, since what it would type could not reach the board.
        alice.expect_within(JOB, "board login:");
        alice.type_text("root\r");
        alice.expect_within(JOB, "board# ");
        alice.type_text("exit\r");
        alice.expect_within(JOB, "board login:");
        alice.type_text("~$release\r");
        job.join().unwrap()
    });
    assert_eq!(done.exit_code(), 0, "{done:?}");
    assert_eq!(done.result("0_smoke", "linux"), "pass", "{done:?}");
}

const STEPS: [&str; 2] =
    ["lava-test-case linux --shell uname -a", "lava-test-case chosen --result pass"];

/// Boots a ramdisk from U-Boot, and logs in.
pub(super) fn ramdisk_boot() -> String {
    boot("u-boot", "ramdisk", LOGIN)
}

/// The board's device tree with another name in it (its model), which QEMU does not give it.
fn own_tree(lab: &TestLab) -> String {
    let file = lab.path("own.dtb");
    let mut qemu = lab.tool("qemu-system-aarch64");
    qemu.args(["-machine", &format!("virt,dumpdtb={}", file.display())]);
    // With firmware it has other devices than without.
    qemu.args(["-cpu", "cortex-a53", "-bios", "/usr/lib/u-boot/qemu_arm64/u-boot.bin"]);
    qemu.args(["-m", "512"]);
    let said = run(&mut qemu, "", LIMIT);
    let mut tree = std::fs::read(&file).unwrap_or_else(|error| panic!("{error}: {said:?}"));
    let name = b"linux,dummy-virt";
    let at = tree.windows(name.len()).position(|bytes| bytes == name).unwrap();
    tree[at..at + name.len()].copy_from_slice(b"linux,dummy-ours");
    std::fs::write(&file, tree).unwrap();
    file.display().to_string()
}

/// A packed file of the rig, packed by zstd.
fn zstd(lab: &TestLab, file: &str) -> String {
    let packed = lab.path("packed.zst").display().to_string();
    let mut pack = lab.tool("sh");
    pack.args(["-c", "gzip -dc \"$0\" | zstd -q -o \"$1\""]).arg(boot_file(file)).arg(&packed);
    let said = run(&mut pack, "", LIMIT);
    assert!(said.status.success(), "{said:?}");
    packed
}

/// A repository in the style of Linaro's.
fn git_repository(lab: &TestLab) -> String {
    in_linaros_style(lab, "repository/automated");
    for arguments in [
        &["init", "-q", "-b", "main"][..],
        &["add", "-A"],
        &["-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-qm", "definitions"],
    ] {
        let mut git = lab.tool("git");
        let said = run(git.args(arguments).current_dir(lab.path("repository")), "", LIMIT);
        assert!(said.status.success(), "{said:?}");
    }
    lab.path("repository").display().to_string()
}
