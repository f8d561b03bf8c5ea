//! From the file of a job to its results.

use serde_json::{Value, json};

use super::{Farm, demo_job, folders};
use crate::common::job::{LOGIN, job_file, smoke, test};
use crate::common::{LIMIT, TestLab, boot_file, http_with, wait_until};
use crate::server::lava;

#[test]
fn a_job_is_handed_in_runs_on_a_worker_and_leaves_its_log_and_results() {
    let lab = TestLab::new();
    let farm = Farm::start(&lab, "");
    let (good, server) = (demo_job(&lab), &farm.server);
    let wrong = good
        .replace("method: u-boot", "method: u-boat")
        .replace("priority: medium", "priority: 101");
    let wrong = lab.write("wrong.yaml", &wrong);
    let (code, _, err) = lava(&lab, server, "alice", &["submit", &wrong]);
    assert_eq!(code, 2, "{err}");
    let places = [format!("{wrong}:8:11: priority: "), format!("{wrong}:26:13: actions[1]")];
    assert!(places.iter().all(|place| err.contains(place)), "{err}");
    let other = lab.write("other.yaml", &good.replace("lavamux-virtual", "juno"));
    let (code, _, err) = lava(&lab, server, "alice", &["submit", &other]);
    assert!(code == 2 && err.contains("no board of the lab is like this: juno"), "{err}");
    assert_eq!(server.get("/jobs"), json!([]));

    let secret = "secrets: {key: hunter2}\nactions:\n";
    let job = lab.write("good.yaml", &good.replace("actions:\n", secret));
    let (code, out, err) = lava(&lab, server, "alice", &["submit", "--follow", &job]);
    assert_eq!(code, 0, "{out}{err}");
    for said in ["start: 1 tftp-deploy", "Hit any key to stop autoboot", "demo/linux: pass"] {
        assert!(out.contains(said), "no {said:?} in {out}");
    }
    assert!(out.ends_with("job 1: complete, 4 passed, 0 failed, 0 others\n"), "{out}");
    let ended = farm.ended(1);
    assert_eq!((&ended["worker"], &ended["user"]), (&"farm1".into(), &"alice".into()));
    assert!(ended["boards"][0]["name"] == "panda01" && ended["started_us"].is_u64(), "{ended}");
    assert_eq!(server.get("/leases"), json!([]));
    wait_until(LIMIT, "the worker has forgotten it", || folders(&lab).is_empty());

    let definition = lava(&lab, server, "alice", &["job", "definition", "1"]).1;
    assert!(
        definition.contains("key: [MASKED]") && !definition.contains("hunter2"),
        "{definition}"
    );
    let results = server.get("/jobs/1/results");
    assert_eq!(
        (&results["job"], &results["suites"][0]["name"]),
        (&"complete".into(), &"0_demo".into())
    );
    let junit = server.ask("GET", "/jobs/1/results?format=junit", &Value::Null).text();
    assert!(junit.contains("<testsuite name=\"0_demo\" tests=\"4\" failures=\"0\""), "{junit}");
    let (_, tap, _) = lava(&lab, server, "alice", &["job", "results", "1"]);
    assert!(tap.starts_with("TAP version 13\n"), "{tap}");
    let log = server.ask("GET", "/jobs/1/log", &Value::Null).text();
    let part = http_with(server.address, "GET", "/jobs/1/log", "range: bytes=10-19\r\n", "");
    assert_eq!((part.status, part.text().as_str()), (206, &log[10..20]));
    let (_, jobs, _) = lava(&lab, server, "alice", &["jobs"]);
    assert!(jobs.contains("panda01             Lavamux demo: complete, 4 passed"), "{jobs}");
}

#[test]
fn a_real_system_boots_in_a_job_of_a_worker() {
    let lab = TestLab::new();
    let farm = Farm::start(&lab, "");
    farm.add_qemu(&lab, "qemu01");
    let job = qemu_job(&["lava-test-case linux --shell uname -a"]);
    let job = lab.write("qemu.yaml", &job);
    let (code, out, err) = lava(&lab, &farm.server, "alice", &["submit", "--wait", &job]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.ends_with("job 1: complete, 1 passed, 0 failed, 0 others\n"), "{out}");
}

/// A job that boots the rig's Linux in a QEMU, and does these steps there.
pub(super) fn qemu_job(steps: &[&str]) -> String {
    let images = format!(
        r#"      kernel:
        image_arg: -kernel {{kernel}} -append "console=ttyAMA0"
        url: file://{}
      ramdisk:
        image_arg: -initrd {{ramdisk}}
        url: file://{}
        format: cpio.newc
        overlays: {{lava: true}}
"#,
        boot_file("Image").display(),
        boot_file("ramdisk.cpio.gz").display()
    );
    let deploy = format!("- deploy:\n    to: tmpfs\n    os: oe\n    images:\n{images}");
    let boot = format!("- boot:\n    method: qemu\n    media: tmpfs\n{LOGIN}");
    let job = job_file(&[&deploy, &boot, &test(&smoke(steps))]);
    format!("device_type: qemu\n{job}")
}
