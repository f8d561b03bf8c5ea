//! Jobs, overlays and repositories that would do harm to this host, and what a job leaves behind on it.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use super::dialogue::{HEAD, SMOKE, complete, dispatch, noted, stand_in};
use crate::common::{LIMIT, Process, TestLab, run, signal, wait_until};

/// A lab's flasher, and an outlet that a program switches.
pub(super) const FLASHER: &str = "hostname: x15
actions:
  deploy: {methods: {flasher: {commands: ['flash {KERNEL}']}, tftp: }}
commands: {power_off: [relay 1 off, relay 2 off]}
";

pub(super) fn flash(lab: &TestLab) -> String {
    let image = lab.write("uImage", "i");
    format!("{HEAD}- deploy: {{to: flasher, images: {{kernel: {{url: 'file://{image}'}}}}}}\n")
}

pub(super) fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// Waits until a process has ended; one that nobody waits for counts as such.
pub(super) fn gone(pid: &str) {
    let running = Path::new("/proc").join(pid.trim());
    wait_until(LIMIT, "what the flasher had started is gone", || {
        text(&running.join("stat"))
            .rsplit(')')
            .next()
            .is_none_or(|state| state.trim().is_empty() || state.starts_with(" Z"))
    });
}

#[test]
fn a_folder_that_the_job_has_not_made_is_left_alone() {
    let lab = TestLab::new();
    for program in ["flash", "relay"] {
        stand_in(&lab, program, "true");
    }
    let (mine, boot) = (lab.write("out/scratch/mine", "x"), lab.write("tftp/7/boot", "x"));
    let done = dispatch(&lab, &flash(&lab), FLASHER);
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(!done.status.success() && said.contains("out/scratch is there already"), "{said}");
    std::fs::remove_dir_all(lab.path("out/scratch")).unwrap();
    // This job has nothing to do with TFTP, and the folder of its name there is the lab's.
    complete(&lab, &flash(&lab), FLASHER);
    assert!(Path::new(&boot).is_file() && !Path::new(&mine).exists());
    let image = lab.write("Image", "i");
    let tftp = format!("{HEAD}- deploy: {{to: tftp, kernel: {{url: 'file://{image}'}}}}\n");
    let done = dispatch(&lab, &tftp, FLASHER);
    let log = text(&lab.path("out/output.jsonl"));
    assert!(!done.status.success() && log.contains("tftp/7 is there already"), "{log}");
    assert!(Path::new(&boot).is_file(), "the lab's folder was removed");
    assert!(!lab.path("out/scratch").exists(), "the job's own was not");
}

#[test]
fn an_overlay_is_not_unpacked_through_the_links_of_another() {
    let lab = TestLab::new();
    let host = lab.path("host");
    std::fs::create_dir(&host).unwrap();
    let (first, second) = (lab.path("a"), lab.path("b"));
    std::fs::create_dir_all(second.join("tar")).unwrap();
    std::fs::create_dir(&first).unwrap();
    for link in ["etc", "tar"] {
        std::os::unix::fs::symlink(&host, first.join(link)).unwrap();
    }
    let key = lab.write("key", "evil");
    std::fs::copy(&key, second.join("tar/x")).unwrap();
    for (folder, archive, what) in [(&first, "a.tar", "."), (&second, "b.tar", "tar/x")] {
        let mut tar = Command::new("tar");
        tar.arg("-C").arg(folder).arg("-cf").arg(lab.path(archive)).arg(what);
        assert!(tar.status().unwrap().success());
    }
    let image = lab.write("image", "");
    let archives = ["a.tar", "b.tar"].map(|name| lab.path(name).display().to_string());
    let [first, second] = archives;
    let job = format!(
        "{HEAD}- deploy:
    to: tmpfs
    images:
      rootfs:
        url: 'file://{image}'
        format: cpio.newc
        image_arg: -initrd {{rootfs}}
        overlays:
          first: {{url: 'file://{first}', format: tar, path: /}}
          second: {{url: 'file://{second}', format: tar, path: /}}
          third: {{url: 'file://{key}', format: file, path: /etc/authorized_keys}}
"
    );
    let device = "hostname: q\nactions: {deploy: {methods: {image: }}}\n";
    let log = complete(&lab, &job, device);
    assert_eq!(std::fs::read_dir(&host).unwrap().count(), 0, "a file got onto the host");
    assert!(log.contains("overlay entries put into it"), "{log}");
}

#[test]
fn a_job_cannot_tell_qemu_to_reach_this_host() {
    let lab = TestLab::new();
    stand_in(&lab, "qemu", "exit 1");
    let image = lab.write("kernel", "i");
    let job = |argument: &str| {
        format!(
            "{HEAD}- deploy: {{to: tmpfs, images: {{kernel: {{url: 'file://{image}', image_arg: \"{argument}\"}}}}}}
- boot: {{method: qemu, media: tmpfs, prompts: ['# ']}}
"
        )
    };
    let device = |trust: &str| {
        format!(
            "hostname: q
actions:
  deploy: {{methods: {{image: }}}}
  boot: {{methods: {{qemu: {{parameters: {{command: qemu, options: [-nographic]{trust}}}}}}}}}
"
        )
    };
    let argument = "-kernel {kernel} -virtfs local,path=/home,mount_tag=h,security_model=none";
    let said = |trust: &str| {
        let done = dispatch(&lab, &job(argument), &device(trust));
        (done.status.code(), String::from_utf8_lossy(&done.stderr).into_owned())
    };
    let (code, refused) = said("");
    assert_eq!(code, Some(2), "{refused}");
    assert!(
        refused.contains("a job may not say this option") && refused.contains("trust_jobs"),
        "{refused}"
    );
    let (_, trusted) = said(", trust_jobs: true");
    assert!(trusted.contains("QEMU has failed"), "{trusted}");
}

#[test]
fn a_job_says_neither_what_a_virtual_machine_is_given_nor_where_this_host_listens_for_it() {
    let lab = TestLab::new();
    stand_in(&lab, "qemu", "exit 1");
    let image = lab.write("disk.qcow2", "d");
    let job = |context: &str, ssh: &str| {
        format!(
            "{}- deploy: {{to: tmpfs, images: {{disk: {{url: 'file://{image}'}}}}}}
- boot: {{method: vm{ssh}}}
",
            HEAD.replace("actions:\n", &format!("context: {{{context}}}\nactions:\n"))
        )
    };
    let device = |more: &str| {
        format!(
            "hostname: vm01
actions:
  deploy: {{methods: {{image: }}}}
  boot: {{methods: {{vm: {{parameters: {{command: qemu{more}}}}}}}}}
"
        )
    };
    let said = |job: &str, device: &str| {
        let done = dispatch(&lab, job, device);
        assert!(!done.status.success());
        String::from_utf8_lossy(&done.stderr).into_owned()
    };
    let everywhere = ", wait_ssh: {host: 0.0.0.0, port: 2222}";
    for (context, ssh, more, why) in [
        ("", everywhere, "", "has no \"actions: boot: methods: vm: parameters: ssh\""),
        ("", everywhere, ", ssh: '127.0.0.1:2201'", "this machine is at 127.0.0.1:2201"),
        ("cpu: max -virtfs local", "", "", "-virtfs: a job may not say this option"),
        (
            "cpu: max -nic user,hostfwd=tcp::2222-:22",
            "",
            "",
            "a job may give a virtual machine no options",
        ),
        ("line: /run/x", "", "", "context: line: a job may not say this of a virtual machine"),
    ] {
        let refused = said(&job(context, ssh), &device(more));
        assert!(refused.contains(why), "no {why:?} in\n{refused}");
    }
    // The same machine may be told, and be waited for where the device says that it is; what is deployed is no disk.
    let own = ", wait_ssh: {host: 127.0.0.1, port: 2201}";
    let trusting = device(", trust_jobs: true, ssh: '127.0.0.1:2201'");
    let told = said(&job("cpu: max -virtfs local, line: /run/x", own), &trusting);
    assert!(told.contains("the disk: it is no qcow2 disk"), "{told}");
}

#[test]
fn what_a_flasher_leaves_in_the_background_ends_with_the_job_and_nobody_waits_for_it() {
    let lab = TestLab::new();
    let (pid, mode) = (lab.path("pid"), lab.path("mode"));
    // It holds the flasher's output open.
    let script = format!(
        "sleep 1000 & echo $! > {}; stat -c %a $(dirname $(dirname \"$1\")) > {}",
        pid.display(),
        mode.display()
    );
    stand_in(&lab, "flash", &script);
    stand_in(&lab, "relay", "true");
    complete(&lab, &flash(&lab), FLASHER);
    gone(&text(&pid));
    assert_eq!(text(&mode), "700\n", "others can read the job's secrets");
}

#[test]
fn the_board_is_switched_off_first_with_all_commands_and_another_try() {
    let lab = TestLab::new();
    let notes = lab.path("notes").display().to_string();
    stand_in(
        &lab,
        "docker",
        &format!("echo \"docker $1 $2 $3\" >> {notes}\ncase $1 in run) exit 1;; esac"),
    );
    // The first outlet does not answer at first.
    let relay = format!("echo \"relay $*\" >> {notes}\ngrep -c 'relay 1' {notes} | grep -qv '^1$'");
    stand_in(&lab, "relay", &relay);
    let device = "hostname: db845c
actions:
  deploy: {methods: {fastboot: }}
  boot: {methods: {fastboot: [reboot]}}
commands: {power_off: [relay 1 off, relay 2 off]}
";
    let image = lab.write("boot.img", "b");
    let job = format!(
        "{HEAD}- deploy: {{to: fastboot, docker: {{image: tools}}, images: {{boot: {{url: 'file://{image}'}}}}}}
- boot: {{method: fastboot, docker: {{image: tools}}}}
"
    );
    let done = dispatch(&lab, &job, device);
    assert!(!done.status.success());
    let noted = noted(&lab, "notes");
    let order: Vec<&str> = noted.lines().collect();
    assert_eq!(
        order,
        ["docker run --rm --init", "relay 1 off", "relay 1 off", "relay 2 off", order[4]],
        "{noted}"
    );
    assert!(order[4].starts_with("docker rm --force"), "{noted}");
}

#[test]
fn a_guard_switches_the_board_off_though_the_jobs_folder_is_gone() {
    let lab = TestLab::new();
    let notes = lab.path("notes");
    stand_in(&lab, "flash", &format!("echo flashing > {}; sleep 1000", notes.display()));
    stand_in(&lab, "relay", &format!("echo \"relay $*\" >> {}", notes.display()));
    let (job, device) = (lab.write("job.yaml", &flash(&lab)), lab.write("device.yaml", FLASHER));
    let mut command = lab.program("lava-dispatcher");
    let path = format!("{}:{}", lab.path("bin").display(), std::env::var("PATH").unwrap());
    command.env("PATH", path).args(["run", &job, "--device", &device, "--output", "out"]);
    command.stdout(std::process::Stdio::null());
    let mut dispatcher = Process::spawn(&mut command);
    wait_until(LIMIT, "it is flashed", || text(&notes) == "flashing\n");
    std::fs::remove_dir_all(lab.path("out")).unwrap();
    signal(dispatcher.pid(), Signal::KILL);
    dispatcher.wait(LIMIT);
    wait_until(LIMIT, "the board is off", || text(&notes).ends_with("relay 1 off\nrelay 2 off\n"));
}

#[test]
fn what_a_guard_logs_has_no_secret_of_the_job_in_it() {
    let lab = TestLab::new();
    let notes = lab.path("notes");
    stand_in(&lab, "flash", &format!("echo flashing > {}; sleep 1000", notes.display()));
    stand_in(&lab, "relay", "echo 'hunter2 is not let in' >&2; exit 1");
    let job = flash(&lab).replace("actions:\n", "secrets: {token: hunter2}\nactions:\n");
    let (job, device) = (lab.write("job.yaml", &job), lab.write("device.yaml", FLASHER));
    let mut command = lab.program("lava-dispatcher");
    let path = format!("{}:{}", lab.path("bin").display(), std::env::var("PATH").unwrap());
    command.env("PATH", path).args(["run", &job, "--device", &device, "--output", "out"]);
    command.stdout(std::process::Stdio::null());
    let mut dispatcher = Process::spawn(&mut command);
    wait_until(LIMIT, "it is flashed", || text(&notes) == "flashing\n");
    signal(dispatcher.pid(), Signal::KILL);
    dispatcher.wait(LIMIT);
    let log = || text(&lab.path("out/output.jsonl"));
    wait_until(LIMIT, "the guard is done", || log().contains("cleaned up after the dispatcher"));
    assert!(log().contains("[MASKED] is not let in") && !log().contains("hunter2"), "{}", log());
}

#[test]
fn a_container_that_docker_hangs_with_keeps_no_other_of_a_killed_job() {
    let lab = TestLab::new();
    let notes = lab.path("notes");
    // The model's container cannot be removed as long as the flasher's is there.
    let docker = format!(
        "echo \"$*\" >> {notes}
case $1 in
--version | inspect) ;;
run) exec sleep 1000;;
rm) case $3 in lava-help-*) echo gone >> {notes}; exit;; esac
    while ! grep -q gone {notes}; do sleep 0.05; done; echo went >> {notes};;
esac",
        notes = notes.display()
    );
    stand_in(&lab, "docker", &docker);
    let image = lab.write("boot.img", "b");
    let device = "hostname: d
actions: {deploy: {methods: {docker: , fastboot: }}, boot: {methods: {docker: }}}
";
    let job = format!(
        "{HEAD}- deploy: {{to: docker, image: archlinux, os: archlinux}}
- boot: {{method: docker, command: bash}}
- deploy: {{to: fastboot, docker: {{image: tools}}, images: {{boot: {{url: 'file://{image}'}}}}}}
"
    );
    let (job, device) = (lab.write("job.yaml", &job), lab.write("device.yaml", device));
    let mut command = lab.program("lava-dispatcher");
    let path = format!("{}:{}", lab.path("bin").display(), std::env::var("PATH").unwrap());
    command.env("PATH", path).args(["run", &job, "--device", &device, "--output", "out"]);
    command.stdout(std::process::Stdio::null());
    let mut dispatcher = Process::spawn(&mut command);
    wait_until(LIMIT, "both have begun", || text(&notes).matches("run ").count() == 2);
    signal(dispatcher.pid(), Signal::KILL);
    dispatcher.wait(LIMIT);
    wait_until(LIMIT, "both are gone", || text(&notes).contains("went\n"));
}

#[test]
fn a_container_has_the_jobs_folder_by_its_whole_path_and_is_removed_when_it_is_cut_short() {
    let lab = TestLab::new();
    let notes = lab.path("notes").display().to_string();
    stand_in(
        &lab,
        "docker",
        &format!("echo \"$*\" >> {notes}\ncase $1 in run) exec sleep 1000;; esac"),
    );
    let image = lab.write("boot.img", "b");
    let device = "hostname: db845c\nactions: {deploy: {methods: {fastboot: }}}\n";
    let job = format!(
        "{HEAD}- deploy: {{to: fastboot, timeout: {{seconds: 2}}, docker: {{image: tools}}, images: {{boot: {{url: 'file://{image}'}}}}}}\n"
    );
    let (job, device) = (lab.write("job.yaml", &job), lab.write("device.yaml", device));
    let path = format!("{}:{}", lab.path("bin").display(), std::env::var("PATH").unwrap());
    let mut command = lab.program("lava-dispatcher");
    command.env("PATH", path).args(["run", &job, "--device", &device, "--output", "out"]);
    assert!(!run(&mut command, "", LIMIT).status.success());
    let noted = noted(&lab, "notes");
    let mut lines = noted.lines();
    let started = lines.next().unwrap_or_default();
    let scratch = lab.dir().canonicalize().unwrap().join("out/scratch");
    let volume = format!("--volume={0}:{0}", scratch.display());
    assert!(started.contains(&volume), "{noted}");
    let name = started.split_whitespace().find_map(|word| word.strip_prefix("--name=")).unwrap();
    assert_eq!(lines.next(), Some(format!("rm --force {name}").as_str()), "{noted}");
}

#[test]
fn a_git_server_that_says_nothing_does_not_hold_a_job_for_longer_than_its_time() {
    let lab = TestLab::new();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let head = HEAD.replace(
        "job: {minutes: 2}, action: {minutes: 1}, connection: {minutes: 1}",
        "job: {seconds: 2}",
    );
    let job = format!(
        "{head}- deploy: {{to: docker, image: archlinux}}
- boot: {{method: docker, prompts: ['# ']}}
- test:
    definitions:
    - {{name: smoke, from: git, path: smoke.yaml, repository: 'git://127.0.0.1:{port}/tests.git'}}
"
    );
    stand_in(&lab, "docker", "true");
    let device =
        "hostname: d\nactions: {deploy: {methods: {docker: }}, boot: {methods: {docker: }}}\n";
    let done = dispatch(&lab, &job, device);
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(said.contains("could not be checked in all of its time, 2 s"), "{said}");
    drop(silent);
}

#[test]
fn the_jobs_secrets_are_masked_in_its_results_and_in_what_is_printed() {
    let lab = TestLab::new();
    stand_in(&lab, "flash", "echo 'cannot log in with hunter2' >&2; exit 1");
    stand_in(&lab, "relay", "true");
    let job = flash(&lab).replace("actions:\n", "secrets: {token: hunter2}\nactions:\n");
    let done = dispatch(&lab, &job, FLASHER);
    assert!(!done.status.success());
    let files = ["output.jsonl", "results.yaml"].map(|file| text(&lab.path("out").join(file)));
    let printed = [done.stdout, done.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    for told in files.iter().chain(&printed) {
        assert!(
            told.contains("cannot log in with [MASKED]") && !told.contains("hunter2"),
            "{told}"
        );
    }
}

#[test]
fn a_test_container_is_removed_where_the_devices_options_say_that_it_runs() {
    let lab = TestLab::new();
    let notes = lab.path("notes").display().to_string();
    let docker =
        format!("echo \"$*\" >> {notes}\ncase $2 in run) exec sleep 1000;; rm) exit 1;; esac");
    stand_in(&lab, "docker", &docker);
    let device = "hostname: phone
actions: {test: {methods: {docker: {global_options: [--context=lab]}}}}
";
    let tests = SMOKE.replace("- test:\n", "- test:\n    docker: {image: adb, local: true}\n");
    let tests = tests.replace("    definitions:", "    timeout: {seconds: 3}\n    definitions:");
    let done = dispatch(&lab, &format!("{HEAD}{tests}"), device);
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(said.contains("lava-docker-test-shell timed out"), "{said}");
    let noted = noted(&lab, "notes");
    let lines: Vec<&str> = noted.lines().collect();
    let name = lines[0].split_whitespace().find_map(|word| word.strip_prefix("--name=")).unwrap();
    // The container does not end with its client; only the same daemon can remove it. Where it says no, the job
    // may come to its end before it is tried again, or after.
    let removed = format!("--context=lab rm --force {name}");
    assert!(lines.len() > 1 && lines[1..].iter().all(|line| *line == removed), "{noted}");
}
