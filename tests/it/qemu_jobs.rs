//! Jobs whose board is a QEMU of their own: deployed to tmpfs, booted by the job, watched and recorded
//! on a console of lava-serial's.

use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;

use crate::common::job::{ARITHMETIC, Done, JOB, LOGIN, job_file, shipped, smoke, test};
use crate::common::{Client, LIMIT, Process, Spy, TestLab, boot_file, signal, wait_until};

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

/// What comes of a job on a shipped device. While its board is held, a spy sees all that the record of its console
/// has; so has its log, where that says.
#[track_caller]
pub(crate) fn spied(lab: &TestLab, device: &str, dispatcher: &mut Command) -> Done {
    let dictionary = std::fs::read_to_string(shipped(device)).unwrap();
    let name = dictionary.lines().find_map(|line| line.strip_prefix("hostname: ")).unwrap();
    // Of a job before.
    let _ = std::fs::remove_dir_all(lab.path("out"));
    let spy = Spy::on(lab, name);
    let mut said = 0;
    let done = Done::hold(dispatcher, lab.path("out"), |job| {
        said = record(lab).len();
        // A job that did not come so far has no board, and nobody holds it.
        wait_until(LIMIT, "the spy has it all", || {
            spy.has_seen() >= said || job.exited().is_some()
        });
    });
    let (seen, record) = (spy.seen(), record(lab));
    done.assert_logged(0, &record, said);
    assert!(record.starts_with(&seen), "the spy has seen something else");
    assert!(seen.len() >= said, "the spy has seen {} of {said} bytes", seen.len());
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
    let record = record(&lab);
    done.assert_logged(0, &record, record.len());
    assert_eq!(processes(&lab, "qemu-system").len() + processes(&lab, "lava-serial").len(), 0);
    assert_eq!(std::fs::read_dir(lab.path("run")).unwrap().count(), 0, "a socket was left behind");
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
fn images_that_are_left_alone_get_the_tests_on_a_drive() {
    let lab = TestLab::new();
    let steps = ["lava-test-case there --shell test -x /lava-7/bin/lava-test-case"];
    // A quiet kernel boots as well.
    let drive = done(&lab, "qemu-amd64.yaml", &job(&amd64("quiet"), &steps));
    drive.assert_passed(&["there"]);
}

#[test]
fn a_program_without_a_system_is_watched_for_its_results() {
    let lab = TestLab::new();
    let program = boot_file("bare/monitor.elf");
    let images = format!(
        "- deploy:
    to: tmpfs
    images: {{program: {{image_arg: '-kernel {{program}}', url: 'file://{}'}}}}
- boot: {{method: qemu, media: tmpfs}}
",
        program.display()
    );
    done(&lab, "qemu-mps2.yaml", &job_file(&[&images, ARITHMETIC])).assert_arithmetic();
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
