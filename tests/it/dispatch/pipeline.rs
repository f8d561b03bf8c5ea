//! `lava-dispatcher pipeline`, and what is told about files that are wrong.

use crate::common::TestLab;

const JOB: &str = include_str!("../../../conf/jobs/uboot-smoke.yaml");
const DEVICE: &str = include_str!("../../../conf/devices/qemu-uboot.yaml");

fn pipeline(lab: &TestLab, format: &str) -> String {
    let (job, device) = (lab.write("job.yaml", JOB), lab.write("device.yaml", DEVICE));
    let args = ["pipeline", &job, "--device", &device, "--format", format];
    let shown = lab.run("lava-dispatcher", args, "");
    assert_eq!(shown.status.code(), Some(0), "{}", String::from_utf8_lossy(&shown.stderr));
    String::from_utf8(shown.stdout).unwrap()
}

#[test]
fn the_pipeline_is_the_same_in_every_format() {
    let lab = TestLab::new();
    let tree = pipeline(&lab, "tree");
    let of = |name: &str| tree.lines().find(|line| line.contains(name)).unwrap().to_owned();
    assert!(of("tftp-deploy").ends_with("  120 s"), "{tree}");
    assert!(of("auto-login-action").starts_with("    2.4.4 auto-login-action "), "{tree}");
    assert!(of("power-off").ends_with("   10 s"), "{tree}");

    let json: serde_json::Value = serde_json::from_str(&pipeline(&lab, "json")).unwrap();
    let yaml = super::corpus::value(&pipeline(&lab, "yaml"), "pipeline.yaml").unwrap();
    assert_eq!(json, yaml);
    assert_eq!(json[0]["pipeline"][1]["pipeline"][0]["url"], "file:///srv/lava/initrd.cpio.gz");
    assert_eq!(tree.lines().count(), count(&json));
}

fn count(steps: &serde_json::Value) -> usize {
    let steps = steps.as_array().map(Vec::as_slice).unwrap_or_default();
    steps.iter().map(|step| 1 + count(&step["pipeline"])).sum()
}

#[test]
fn everything_that_is_wrong_in_both_files_is_told_at_once() {
    let lab = TestLab::new();
    let job = JOB.replace("    os: oe", "    oss: oe").replace("{minutes: 10}", "10");
    let device = DEVICE.replace("power_off: lava power off panda01", "power_off: {now: true}");
    let (job, device) = (lab.write("job.yaml", &job), lab.write("device.yaml", &device));
    let output = lab.path("out");
    let refused = lab.run(
        "lava-dispatcher",
        ["run", &job, "--device", &device, "--output", output.to_str().unwrap()],
        "",
    );
    let told = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{told}");
    for problem in [
        "job.yaml:11:8: timeouts.job: expected a time limit such as {minutes: 5}",
        "job.yaml:18:5: actions[0].deploy: unknown key \"oss\"; did you mean \"os\"?",
        "device.yaml:11:14: commands.power_off: expected a text or a list of texts",
    ] {
        assert!(told.contains(problem), "no {problem:?} in:\n{told}");
    }
    assert_eq!(told.lines().count(), 3, "{told}");
    assert!(!output.exists(), "something was started");
}

#[test]
fn a_block_without_a_strategy_tells_each_ones_reason() {
    let lab = TestLab::new();
    let device = DEVICE.replace("        ramdisk:\n", "        nfs:\n").replace("tftp:", "nbd:");
    let (job, device) = (lab.write("job.yaml", JOB), lab.write("device.yaml", &device));
    let refused = lab.run("lava-dispatcher", ["pipeline", &job, "--device", &device], "");
    let told = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{told}");
    assert!(told.contains("no deploy strategy fits:\n    tftp: the device offers nbd"), "{told}");
    let boot = "u-boot: the device has no commands \"ramdisk\"; it has nfs";
    assert!(told.contains(boot), "{told}");
}
