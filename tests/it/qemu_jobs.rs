//! Jobs whose board is a QEMU of their own: deployed to tmpfs, booted by the job, watched and recorded
//! on a console of lava-serial's.

use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;

use crate::common::job::{Done, JOB, LOGIN, job_file, shipped, smoke, test};
use crate::common::{Client, LIMIT, Process, Spy, TestLab, boot_file, needs, signal, wait_until};

/// The images of an arm64 board whose ramdisk takes the overlay, with more words for its kernel.
pub(crate) fn arm64(append: &str) -> String {
    format!(
        r#"      kernel:
        image_arg: -kernel {{kernel}} -append "console=ttyAMA0 {append}"
        url: file://{}
      ramdisk:
        image_arg: -initrd {{ramdisk}}
        url: file://{}
        format: cpio.newc
        overlays: {{lava: true}}
"#,
        boot_file("Image").display(),
        boot_file("ramdisk.cpio.gz").display()
    )
}

/// The images of an amd64 board, with more words for its kernel.
pub(crate) fn amd64(append: &str) -> String {
    format!(
        r#"      kernel:
        image_arg: -kernel {{kernel}} -append "console=ttyS0 {append}"
        url: file://{}
      ramdisk:
        image_arg: -initrd {{ramdisk}}
        url: file://{}
"#,
        boot_file("amd64/Image").display(),
        boot_file("amd64/ramdisk.cpio.gz").display()
    )
}

/// A job with these images and steps of its one test definition.
pub(crate) fn job(images: &str, steps: &[&str]) -> String {
    let deploy = format!("- deploy:\n    to: tmpfs\n    os: oe\n    images:\n{images}");
    let boot = format!("- boot:\n    method: qemu\n    media: tmpfs\n{LOGIN}");
    job_file(&[&deploy, &boot, &test(&smoke(steps))])
}

/// The dispatcher with a job for one of the shipped devices, not started yet.
fn dispatcher(lab: &TestLab, device: &str, job: &str) -> Command {
    let mut command = lab.program("lava-dispatcher");
    command.args(["run", &lab.write("job.yaml", job), "--device", &shipped(device)]);
    command.arg("--output").arg(lab.path("out")).args(["--job-id", "7"]);
    command
}

/// What comes of a job.
#[track_caller]
pub(crate) fn done(lab: &TestLab, device: &str, job: &str) -> Done {
    spied(lab, device, &mut dispatcher(lab, device, job))
}

/// What comes of a job on a shipped device. The record of its console has what its log has, where that says,
/// and what a spy has seen.
#[track_caller]
pub(crate) fn spied(lab: &TestLab, device: &str, dispatcher: &mut Command) -> Done {
    let dictionary = std::fs::read_to_string(shipped(device)).unwrap();
    let name = dictionary.lines().find_map(|line| line.strip_prefix("hostname: ")).unwrap();
    // Of a job before.
    let _ = std::fs::remove_dir_all(lab.path("out"));
    let spy = Spy::on(lab, name);
    let done = Done::run(dispatcher, lab.path("out"));
    let (seen, record) = (spy.seen(), record(lab));
    done.assert_logged(0, &record);
    // The console goes with the job, whoever looks at it.
    assert!(record.starts_with(&seen), "the spy has seen something else");
    assert!(
        record.len() < 4096 || seen.len() * 2 > record.len(),
        "the spy has seen {} bytes",
        seen.len()
    );
    done
}

/// The processes of a job, as their command lines tell: QEMU and lava-serial have the lab's folder in
/// theirs.
fn processes(lab: &TestLab, program: &str) -> Vec<u32> {
    let folder = lab.dir().display().to_string();
    let ours = |entry: std::fs::DirEntry| {
        let id = entry.file_name().to_str()?.parse().ok()?;
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).into_owned();
        let name = line.split('\0').next()?.rsplit('/').next()?;
        (name.starts_with(program) && line.contains(&folder)).then_some(id)
    };
    std::fs::read_dir("/proc").unwrap().flatten().filter_map(ours).collect()
}

/// What the console's record has.
fn record(lab: &TestLab) -> Vec<u8> {
    let within = |folder: &Path| {
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path())
    };
    let console = within(&lab.path("out/console")).find(|path| path.is_dir());
    let mut files: Vec<PathBuf> = console.iter().flat_map(|folder| within(folder)).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "raw"));
    files.sort();
    files.iter().flat_map(|file| std::fs::read(file).unwrap()).collect()
}

#[test]
fn a_job_boots_its_own_qemu_while_people_watch_and_step_in() {
    let lab = TestLab::new();
    let steps = ["lava-test-case linux --shell uname -a", "lava-test-case wished --result pass"];
    let mut job =
        Client::in_pipes(&mut dispatcher(&lab, "qemu-arm64.yaml", &job(&arm64(""), &steps)));
    job.expect_within(JOB, "done  2.1.1      execute-qemu");
    let mut alice = Client::in_terminal(lab.program("lava-console").arg("qemu01"));
    alice.expect("[read-only: ");
    alice.type_text("~$force\r");
    alice.expect("[you have the console");
    alice.expect_within(JOB, "board login:");
    alice.type_text("root\r");
    alice.expect_within(JOB, "board# ");
    alice.type_text("exit\r");
    alice.expect_within(JOB, "board login:");
    alice.type_text("~$release\r");
    job.expect_within(JOB, "case  0_smoke/linux: pass");
    job.expect_within(JOB, "case  0_smoke/wished: pass");
    let status = job.process().wait(JOB);
    assert_eq!(status.code(), Some(0));
    alice.expect("0_smoke 7_");

    // The record has what the log has, where the log says.
    let done = Done::of(status, lab.path("out"));
    done.assert_logged(0, &record(&lab));
    assert_eq!(processes(&lab, "qemu-system").len() + processes(&lab, "lava-serial").len(), 0);
    assert_eq!(std::fs::read_dir(lab.path("run")).unwrap().count(), 0, "a socket was left behind");
}

#[test]
fn a_real_panic_ends_the_job_and_is_told_with_what_was_seen_and_expected() {
    let lab = TestLab::new();
    // Its init ends at once, and it would reboot for ever.
    let job = job(&amd64("rdinit=/bin/busybox panic=-1"), &["true"]);
    let done = done(&lab, "qemu-amd64.yaml", &job);
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
    let lab = TestLab::new();
    let looping = job(&arm64("quiet rdinit=/bin/busybox -- reboot -f"), &["true"]);
    let looping = done(&lab, "qemu-arm64.yaml", &looping);
    let words = [
        "the board begins to boot again and again at offset ",
        "reboot: Restarting system",
        "while login-action waited for \"board login:\"; the last lines: ",
    ];
    looping.assert_failed(1, "Job", &words);

    let own = lab.write("passwd", "root::0:0:root:/root:/bin/nothing\n");
    let no_shell = arm64("quiet").replace(
        "overlays: {lava: true}",
        &format!(
            "overlays: {{lava: true, own: {{url: 'file://{own}', format: file, path: /etc/passwd}}}}"
        ),
    );
    let refused = done(&lab, "qemu-arm64.yaml", &job(&no_shell, &["true"]));
    let words = [
        "the board does not let us in and asks again: \"board login:\"",
        "while login-action waited for \"board# \"; the last lines: ",
        "can't execute '/bin/nothing'",
    ];
    refused.assert_failed(1, "Job", &words);
}

#[test]
fn a_killed_dispatcher_leaves_no_qemu_and_no_console_behind() {
    let lab = TestLab::new();
    let job = job(&arm64(""), &["sleep 1000"]);
    let mut job = Process::spawn(&mut dispatcher(&lab, "qemu-arm64.yaml", &job));
    let running = |program: &str| processes(&lab, program).len();
    wait_until(LIMIT, "QEMU runs", || running("qemu-system") == 1 && running("lava-serial") == 1);
    signal(job.pid(), Signal::KILL);
    job.wait(LIMIT);
    wait_until(LIMIT, "both are gone", || running("qemu-system") + running("lava-serial") == 0);
}

#[test]
fn an_interrupted_job_kills_its_qemu_and_tells_so() {
    let lab = TestLab::new();
    let job = job(&arm64(""), &["sleep 1000"]);
    let mut job = Client::in_pipes(&mut dispatcher(&lab, "qemu-arm64.yaml", &job));
    job.expect_within(JOB, "begin 2.2.1      login-action");
    signal(job.pid(), Signal::TERM);
    assert_eq!(job.process().wait(LIMIT).code(), Some(130));
    assert_eq!(processes(&lab, "qemu-system").len() + processes(&lab, "lava-serial").len(), 0);
}

#[test]
fn images_that_are_left_alone_get_the_tests_on_a_drive_and_a_file_system_takes_them_in() {
    let lab = TestLab::new();
    let steps = ["lava-test-case there --shell test -x /lava-7/bin/lava-test-case"];
    // A quiet kernel boots as well.
    let drive = done(&lab, "qemu-amd64.yaml", &job(&amd64("quiet"), &steps));
    drive.assert_passed(&["there"]);

    let file_system = format!(
        "{}      rootfs:\n        image_arg: -drive file={{rootfs}},format=raw,if=virtio\n        \
         url: file://{}\n        format: ext4\n        overlays:\n          lava: true\n          \
         hello: {{url: 'file://{}', format: file, path: /etc/hello}}\n",
        amd64("root=/dev/vda rw"),
        boot_file("amd64/root.ext4").display(),
        lab.write("hello", "hello\n"),
    );
    // Results are told also by a board whose disk is full.
    let steps = [
        "lava-test-case there --shell grep hello /etc/hello",
        "lava-test-case fill --shell dd if=/dev/zero of=/full bs=1k",
        "lava-test-case full --result pass",
    ];
    let full = done(&lab, "qemu-amd64.yaml", &job(&file_system, &steps));
    full.assert_cases_failed(1);
    for (case, result) in [("there", "pass"), ("fill", "fail"), ("full", "pass")] {
        assert_eq!(full.result("0_smoke", case), result, "{case}: {full:?}");
    }
}

#[test]
fn a_program_without_a_system_is_watched_for_its_results() {
    let lab = TestLab::new();
    let program = boot_file("bare/monitor.elf");
    let job = job_file(&[&format!(
        r"- deploy:
    to: tmpfs
    images: {{program: {{image_arg: '-kernel {{program}}', url: 'file://{}'}}}}
- boot: {{method: qemu, media: tmpfs}}
- test:
    monitors:
    - name: arithmetic
      start: Booting without a system
      end: PROJECT EXECUTION ENDED
      pattern: '(?P<result>(PASS|FAIL)) - (?P<test_case_id>\w+) in'
      fixupdict: {{PASS: pass, FAIL: fail}}
",
        program.display()
    )]);
    let done = done(&lab, "qemu-mps2.yaml", &job);
    assert_eq!(done.exit_code(), 1, "{done:?}");
    for (case, result) in [("addition", "pass"), ("division", "pass"), ("overflow", "fail")] {
        assert_eq!(done.result("arithmetic", case), result, "{case}: {done:?}");
    }
}

#[test]
fn a_debian_with_systemd_boots_from_ext4_and_has_the_tests_in_it() {
    let lab = TestLab::new();
    let debian = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/rig/debian/root.ext4");
    let images = format!(
        "{}      rootfs:\n        image_arg: -drive file={{rootfs}},format=raw,if=virtio\n        \
         url: file://{}\n        format: ext4\n        overlays: {{lava: true}}\n",
        amd64("root=/dev/vda init=/sbin/init"),
        needs(&debian).display(),
    );
    let steps = [
        "lava-test-case systemd --shell grep systemd /proc/1/comm",
        "lava-test-case debian --shell grep ID=debian /etc/os-release",
    ];
    let job = job(&images, &steps).replace("'board# '", "'root@board:~# '");
    done(&lab, "qemu-amd64.yaml", &job).assert_passed(&["systemd", "debian"]);
}

#[test]
fn what_qemu_has_to_say_is_the_jobs_message_and_nobody_waits_for_a_board_that_is_gone() {
    let lab = TestLab::new();
    let wrong = arm64("").replace("-append", "-device nonsense -append");
    let wrong = done(&lab, "qemu-arm64.yaml", &job(&wrong, &["true"]));
    let words =
        ["QEMU has failed (exit status: 1): ", "'nonsense' is not a valid device model name"];
    wrong.assert_failed(3, "Infrastructure", &words);

    let unknown = arm64("").replace("{ramdisk}", "{ramdiks}");
    let unknown = done(&lab, "qemu-arm64.yaml", &job(&unknown, &["true"]));
    assert_eq!(unknown.exit_code(), 2, "{unknown:?}");
    let told = unknown.told();
    assert!(told.contains("{ramdiks} is none of the images (kernel, ramdisk)"), "{told}");

    let steps = ["lava-test-case before --result pass", "poweroff -f"];
    let off = done(&lab, "qemu-arm64.yaml", &job(&arm64(""), &steps));
    off.assert_failed(1, "Job", &["QEMU has ended: the system on it has switched itself off"]);
    assert_eq!(off.result("0_smoke", "before"), "pass", "{off:?}");
}
