//! What keeps a job to itself on this host: cgroup, and what its programs may get at.

use std::path::Path;
use std::process::Stdio;

use rustix::process::Signal;

use super::dialogue::{HEAD, dispatch, noted, stand_in};
use super::host_board::{blocks, device, host_board};
use super::hostile::{FLASHER, flash, gone, text};
use crate::common::{LIMIT, Process, TestLab, program, signal, wait_until};

#[test]
fn programs_that_look_at_definitions_know_nothing_of_this_host_and_change_nothing_there() {
    let lab = TestLab::new();
    host_board(&lab);
    let archive = lab.write("defs.tar", "none");
    for (program, from, place) in [
        ("tar", "url", format!("file://{archive}")),
        ("brz", "bzr", lab.path("branch").display().to_string()),
        ("git", "git", lab.path("clone").display().to_string()),
    ] {
        let notes = lab.path("notes").display().to_string();
        let script = format!(
            "case \"$*\" in *ls-remote*) exit;; esac
(echo {program} >> {notes}) 2>/dev/null
echo \"{program} knows ${{LAB_SECRET-no}} secret\" >&2
exit 1"
        );
        stand_in(&lab, program, &script);
        let job = format!(
            "device_type: docker\n{HEAD}{}- test:
    definitions:
    - {{name: a, from: {from}, repository: '{place}', path: defs/rest.yaml}}
",
            blocks(""),
        );
        let said = dispatch(&lab, &job, &device("docker01")).stderr;
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(said.contains(&format!("{program} knows no secret")), "{said}");
        assert_eq!(noted(&lab, "notes"), "", "{program} wrote to the lab's folder");
    }
}

/// Leaves a process behind that nobody knows by its parent, session or environment.
const STRAY: &str = "setsid env -i sleep 1000 </dev/null >/dev/null 2>&1 &
while grep -q LAVA_JOB_MARK /proc/$!/environ; do sleep 0.05; done
echo $! >PID.new; mv PID.new PID";

/// A dispatcher in a cgroup of its own making, as in a unit with Delegate=yes.
fn delegated(lab: &TestLab, job: &str) -> Process {
    let (job, device) = (lab.write("job.yaml", job), lab.write("device.yaml", FLASHER));
    let dispatcher = program("lava-dispatcher").display().to_string();
    let inner = format!(
        "mount -t cgroup2 none {lab}/inner && exec {dispatcher} run {job} --device {device} \
         --output {lab}/out --job-id 7",
        lab = lab.dir().display()
    );
    let script = format!(
        "mount -t cgroup2 none {lab}/cgroup && own={lab}/cgroup/lavamux-test-$$ && mkdir $own && \
         echo $own >{lab}/own && echo $$ >$own/cgroup.procs && \
         exec unshare --cgroup --mount sh -c '{inner}'",
        lab = lab.dir().display()
    );
    for folder in ["cgroup", "inner"] {
        std::fs::create_dir(lab.path(folder)).unwrap();
    }
    let mut command = lab.tool("unshare");
    let path = format!("{}:{}", lab.path("bin").display(), std::env::var("PATH").unwrap());
    command.env("PATH", path).args(["--mount", "sh", "-c", &script]);
    Process::spawn(command.stdout(Stdio::null()))
}

#[test]
fn in_a_cgroup_that_is_delegated_even_what_hides_itself_ends_with_the_job() {
    for is_killed in [false, true] {
        let lab = TestLab::new();
        let pid = lab.path("pid");
        let stray = STRAY.replace("PID", &pid.display().to_string());
        let more = if is_killed { "exec sleep 1000" } else { "true" };
        let group = lab.path("group").display().to_string();
        stand_in(&lab, "flash", &format!("grep ^0: /proc/self/cgroup >{group}\n{stray}\n{more}"));
        let notes = lab.path("notes").display().to_string();
        stand_in(&lab, "relay", &format!("echo relay >>{notes}"));
        let mut dispatcher = delegated(&lab, &flash(&lab));
        wait_until(LIMIT, "it is flashed", || !text(&pid).is_empty());
        if is_killed {
            signal(dispatcher.pid(), Signal::KILL);
        }
        dispatcher.wait(LIMIT);
        let log = text(&lab.path("out/output.jsonl"));
        assert!(text(Path::new(&group)).starts_with("0::/lava-job-"), "{log}");
        gone(&text(&pid));
        wait_until(LIMIT, "the board is off", || noted(&lab, "notes") == "relay\nrelay\n");
        // Nothing is left in it, so that it can be removed.
        let remove = format!(
            "mount -t cgroup2 none {0}/cgroup && rmdir $(cat {0}/own)",
            lab.dir().display()
        );
        wait_until(LIMIT, "the cgroup around the job is empty", || {
            let mut unshare = lab.tool("unshare");
            unshare.args(["--mount", "sh", "-c", &remove]).stderr(Stdio::null());
            unshare.status().unwrap().success()
        });
    }
}
