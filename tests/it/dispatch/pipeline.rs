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
fn a_mistake_in_one_block_or_file_hides_none_in_the_others() {
    let lab = TestLab::new();
    let mistakes = [
        ("visibility: public", "visibility: pblic", "8:13: visibility: expected public"),
        ("to: tftp", "to: tfpt", "17:9: actions[0].deploy.to: \"tfpt\" is none of "),
        (
            "url: file:///srv/lava/I",
            "ulr: file:///srv/lava/I",
            "21:7: actions[0].deploy.kernel: unknown key \"ulr\"",
        ),
        ("type: image", "type: imag", "22:13: actions[0].deploy.kernel.type: \"imag\" is none of"),
        ("method: u-boot", "method: uboot", "28:13: actions[1].boot.method: \"uboot\" is none of "),
        ("commands: ramdisk", "commands: ramdsk", "29:15: actions[1].boot.commands: the device ("),
        (
            "login_prompt",
            "login_promt",
            "33:7: actions[1].boot.auto_login: unknown key \"login_promt\"",
        ),
        (
            "from: inline",
            "from: inlin",
            "42:13: actions[2].test.definitions[0].from: \"inlin\" is none of",
        ),
    ];
    let job = mistakes.iter().fold(JOB.to_owned(), |job, (right, wrong, _)| {
        assert!(job.contains(right), "{right}");
        job.replacen(right, wrong, 1)
    });
    let device = DEVICE.replace("hostname:", "hostnme:").replace("arm64", "z80").replacen(
        "'0x40400000'",
        "zzz",
        1,
    );
    let (job, device) = (lab.write("job.yaml", &job), lab.write("device.yaml", &device));
    let refused = lab.run("lava-dispatcher", ["pipeline", &job, "--device", &device], "");
    let told = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{told}");
    let mut after = 0;
    for (_, _, problem) in mistakes {
        let at = told.find(&format!("job.yaml:{problem}"));
        let at = at.unwrap_or_else(|| panic!("no {problem:?} in:\n{told}"));
        assert!(after <= at, "{problem:?} is not in its place in:\n{told}");
        after = at;
    }
    for near in ["\"tftp\"?", "\"u-boot\"?", "\"ramdisk\"?", "\"inline\"?", "\"public\"?"] {
        assert!(told.contains(&format!("did you mean {near}")), "no {near} in:\n{told}");
    }
    for problem in ["unknown key \"hostnme\"", "\"z80\" is none of arc,", "\"zzz\": a load address"]
    {
        assert!(told[after..].contains(problem), "no {problem:?} in:\n{told}");
    }
}

#[test]
fn a_file_without_an_end_is_not_read() {
    let lab = TestLab::new();
    let device = lab.write("device.yaml", DEVICE);
    let refused = lab.run("lava-dispatcher", ["pipeline", "/dev/zero", "--device", &device], "");
    let told = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{told}");
    assert!(told.starts_with("/dev/zero: has more than 16 MiB"), "{told}");
}

#[test]
fn a_block_without_a_strategy_tells_each_ones_reason() {
    let lab = TestLab::new();
    let device = DEVICE.replace("        ramdisk:\n", "        nfs:\n").replace("tftp:", "nbd:");
    let (job, device) = (lab.write("job.yaml", JOB), lab.write("device.yaml", &device));
    let refused = lab.run("lava-dispatcher", ["pipeline", &job, "--device", &device], "");
    let told = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{told}");
    assert!(
        told.contains("actions[0].deploy.to: no deploy strategy fits:\n    tftp: the device ("),
        "{told}"
    );
    assert!(told.contains("device.yaml) does not offer it; it offers nbd"), "{told}");
    let boot = "device.yaml) has no u-boot commands \"ramdisk\"; it has nfs";
    assert!(told.contains(boot), "{told}");
}

const HEAD: &str = "job_name: x
visibility: public
timeouts: {job: {minutes: 5}}
actions:
";

/// What is told of blocks for a device with these methods.
#[track_caller]
fn refused(lab: &TestLab, blocks: &str, deploy: &str, boot: &str) -> String {
    let job = lab.write("job.yaml", &format!("{HEAD}{blocks}"));
    let device = format!(
        "hostname: x
actions: {{deploy: {{methods: {{{deploy}}}}}, boot: {{methods: {{{boot}}}}}}}
commands: {{connect: telnet 127.0.0.1 1}}
"
    );
    let device = lab.write("device.yaml", &device);
    let refused = lab.run("lava-dispatcher", ["pipeline", &job, "--device", &device], "");
    let told = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{told}");
    told
}

#[test]
fn every_strategys_own_reason_is_told_in_every_namespace() {
    let lab = TestLab::new();
    let blocks = "- deploy: {namespace: a, to: nbd, nbdroot: {url: 'http://h/r'}}
- boot: {namespace: a, method: ipxe, commands: [boot]}
- deploy: {namespace: b, to: zzz, images: {k: {url: 'http://h/k'}}}
- boot: {namespace: b, method: bootloader, bootloader: barebox, commands: [boot]}
- boot: {namespace: b, method: lxc}
- boot: {namespace: b, method: monitor}
";
    let told = refused(&lab, blocks, "tftp: , overlay: ", "u-boot: , minimal: ");
    let of = |path: &str| -> Vec<&str> {
        let head = format!("{path}: no ");
        let mut lines = told.lines().skip_while(|line| !line.contains(&head));
        let head = lines.next().unwrap_or_else(|| panic!("no {head:?} in:\n{told}"));
        let reasons = lines.take_while(|line| line.starts_with("    "));
        [head].into_iter().chain(reasons).collect()
    };
    let deploy = of("actions[0].deploy.to");
    assert!(deploy[0].ends_with("job.yaml:5:30: actions[0].deploy.to: no deploy strategy fits:"));
    assert!(deploy[1].starts_with("    nbd: the device ("), "{deploy:#?}");
    assert!(deploy[1].ends_with("device.yaml) does not offer it; it offers tftp, overlay"));
    assert_eq!(
        deploy[2],
        "    download, downloads, overlay, tftp: \"to\" is \"nbd\", none of these, which the device offers"
    );
    assert!(deploy[3].starts_with("    avh, docker, fastboot, flasher, fvp, "), "{deploy:#?}");
    let absent = ": \"to\" is \"nbd\", none of these, which the device does not offer, either";
    assert!(deploy[3].ends_with(absent), "{deploy:#?}");
    // Every strategy is there, once, but those that LAVA has no more.
    let names = deploy[1..].iter().map(|line| line.trim().split(": ").next().unwrap());
    assert_eq!(names.flat_map(|names| names.split(", ")).count(), 25, "{deploy:#?}");

    let boot = of("actions[1].boot.method");
    assert!(boot[1].starts_with("    ipxe: the device ("), "{boot:#?}");
    assert!(boot[2].starts_with(
        "    bootloader, kexec, minimal, new_connection, u-boot: \"method\" is \"ipxe\""
    ));
    let unknown = of("actions[2].deploy.to");
    assert_eq!(unknown[1], "    zzz: there is no such deploy strategy");
    let loader = of("actions[3].boot.method");
    assert!(loader[1].contains("does not offer \"barebox\"; it offers u-boot, minimal"), "{told}");
    let dropped = of("actions[4].boot.method");
    assert!(dropped[1].starts_with("    lxc: LAVA has dropped it in 2026"), "{told}");
    let monitor = of("actions[5].boot.method");
    assert!(monitor[1].starts_with("    monitor: the device ("), "{told}");
    assert!(
        monitor[1].contains("a board that is no QEMU is connected to and reset by \"minimal\"")
    );
}

#[test]
fn a_test_block_of_no_kind_and_one_of_several_are_told() {
    let lab = TestLab::new();
    let told = refused(&lab, "- test: {name: x}\n", "", "minimal: ");
    let what = "a test block has one of definitions, interactive, monitors and services";
    assert!(told.contains(&format!("job.yaml:5:9: actions[0].test.definitions: {what}")), "{told}");
    let both = "- test:
    monitors: [{name: m, start: a, end: b, pattern: c}]
    definitions: []
";
    let told = refused(&lab, both, "", "minimal: ");
    assert!(told.contains("actions[0].test: unknown key \"definitions\""), "{told}");
}

#[test]
fn where_files_have_no_place_to_go_to_is_told_before_the_job() {
    let lab = TestLab::new();
    let root = lab.write("root.tar", "");
    let ramdisk =
        "    ramdisk:\n      url: file:///srv/lava/initrd.cpio.gz\n      compression: gz\n";
    let validate = |job: &str| {
        let (job, device) = (lab.write("job.yaml", job), lab.write("device.yaml", DEVICE));
        let output = lab.path("out");
        let output = output.to_str().unwrap();
        let args = ["run", &job, "--device", &device, "--output", output, "--validate"];
        String::from_utf8(lab.run("lava-dispatcher", args, "").stderr).unwrap()
    };
    let nfs = JOB.replace(ramdisk, &format!("    nfsrootfs: {{url: 'file://{root}'}}\n"));
    let told = validate(&nfs);
    assert!(
        told.contains("1.4.1 extract-nfsrootfs: the folder that this host's NFS server"),
        "{told}"
    );
    assert!(told.contains("--nfs-dir DIR"), "{told}");

    // A board that fetches the tests needs no place for them.
    let no_place = JOB.replace("compression: gz", "compression: gz\n      install_overlay: false");
    assert!(validate(&no_place).contains("leaves no place for the tests"));
    let fetched = no_place.replace(
        "    prompts:\n",
        "    transfer_overlay: {download_command: wget, unpack_command: tar -xf}\n    prompts:\n",
    );
    assert!(!validate(&fetched).contains("no place"));
}
