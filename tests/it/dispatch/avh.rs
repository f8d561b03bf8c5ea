//! Jobs for models at Arm's service, which is played, with a scripted board at their console. None of it is Arm's.

use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::json;

use super::dialogue::Line::{Hear, Say};
use super::dialogue::{Dialogue, HEAD, Line, SMOKE};
use super::played_avh::{Avh, KEY, Mood, SESSION, TOKEN};
use crate::common::{LIMIT, Process, TestLab, run, signal, wait_until};

const LINUX: &[Line] = &[
    Say("Linux version 6.1.0 (scripted)\r\n\r\nimx93 login: "),
    Hear("root\n"),
    Say("root\r\nroot@imx93:~# "),
    Hear("\n"),
    Say("\r\nroot@imx93:~# "),
    Hear("export SHELL=/bin/sh\n"),
    Say("\r\nroot@imx93:~# "),
    Hear(". /lava-7/environment\n"),
    Say("\r\nroot@imx93:~# "),
    Hear("/lava-7/bin/lava-test-runner /lava-7/0\n"),
    Say("\r\n<LAVA_SIGNAL_STARTRUN 0_smoke 7_1>\r\n"),
    Say("<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=linux RESULT=pass>\r\n"),
    Say("<LAVA_SIGNAL_ENDRUN 0_smoke 7_1>\r\n<LAVA_TEST_RUNNER EXIT>\r\nroot@imx93:~# "),
];

/// A kernel that has only begun.
const MUTE: &[Line] = &[Say("Linux version 6.1.0 (scripted)\r\n"), Hear("never\n")];

const BOOT: &str = "- boot:
    method: avh
    bootargs: {normal: console=ttyLP0 root=/dev/mmcblk0p2}
    docker: {image: 'ghcr.io/vi/websocat:1.12.0', local: true}
    auto_login: {login_prompt: 'login:', username: root}
    prompts: ['root@imx93:~# ']
";

#[track_caller]
fn tool(lab: &TestLab, words: &str) -> String {
    let mut words = words.split(' ').map(|word| word.replace("${IFS}", " "));
    let mut command = lab.tool(words.next().unwrap());
    command.args(words).current_dir(lab.dir()).env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin");
    let done = run(&mut command, "", LIMIT);
    assert!(done.status.success(), "{done:?}");
    String::from_utf8(done.stdout).unwrap()
}

/// A disk with two partitions, the second one a file system.
fn disk(lab: &TestLab) -> String {
    tool(lab, "mke2fs -q -F -t ext4 root.ext4 8M");
    let mut disk = vec![0; 1 << 20];
    for (entry, begin) in [(0, 64_u32), (1, 2048)] {
        disk[446 + 16 * entry + 8..][..4].copy_from_slice(&begin.to_le_bytes());
    }
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    disk.extend(std::fs::read(lab.path("root.ext4")).unwrap());
    std::fs::write(lab.path("nand"), disk).unwrap();
    lab.path("nand").display().to_string()
}

/// Whether the tests are in the second partition of a disk.
#[track_caller]
fn assert_tests_in(lab: &TestLab, disk: &str) {
    let disk = std::fs::read(lab.path(disk)).unwrap();
    std::fs::write(lab.path("partition"), &disk[1 << 20..]).unwrap();
    let listed = tool(lab, "debugfs -R ls${IFS}/lava-7/bin partition");
    assert!(listed.contains("lava-test-runner"), "{listed}");
}

fn device(avh: &Avh) -> String {
    format!(
        "hostname: avh-01
device_type: avh
actions:
  deploy: {{methods: {{avh: {{options: {{api_endpoint: 'https://localhost:{}/api', model: rpi4b}}}}}}}}
  boot: {{connections: {{serial: }}, methods: {{avh: }}}}
",
        avh.address.port()
    )
}

/// A job that deploys these, with this token.
fn job(token: &str, deploy: &str) -> String {
    format!("device_type: avh\nsecrets: {{avh_api_token: {token}}}\n{HEAD}{deploy}{BOOT}{SMOKE}")
}

fn images(lab: &TestLab) -> String {
    let (kernel, dtb) = (lab.write("Image", "a kernel"), lab.write("imx93.dtb", "a tree"));
    format!(
        "- deploy:
    to: avh
    options: {{model: imx93, project: Default Project}}
    images:
      kernel: {{url: 'file://{kernel}'}}
      dtb: {{url: 'file://{dtb}'}}
      rootfs: {{url: 'file://{}', format: ext4, root_partition: 1}}
",
        disk(lab)
    )
}

/// The dispatcher with job number 7, who knows the service's CA.
fn dispatcher(lab: &TestLab, verb: &str, job: &str, device: &str) -> Command {
    let (job, device) = (lab.write("job.yaml", job), lab.write("device.yaml", device));
    let mut command = lab.program("lava-dispatcher");
    command.env("LAVA_CA", lab.path("ca.pem")).args([verb, &job, "--device", &device]);
    if verb == "run" {
        command.args(["--job-id", "7", "--output"]).arg(lab.path("out"));
    }
    command
}

fn log(lab: &TestLab) -> String {
    std::fs::read_to_string(lab.path("out/output.jsonl")).unwrap_or_default()
}

/// No secret is in anything that the job has left, nor in what it said.
#[track_caller]
fn assert_secret(lab: &TestLab, said: &[u8]) {
    for entry in std::fs::read_dir(lab.path("out")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read(&path).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        for secret in [TOKEN, SESSION, KEY] {
            assert!(!text.contains(secret), "{secret} is in {}", path.display());
        }
    }
    let said = String::from_utf8_lossy(said);
    assert!([TOKEN, SESSION, KEY].iter().all(|secret| !said.contains(secret)), "{said}");
}

#[test]
fn a_job_runs_on_a_model_of_a_played_service_and_leaves_nothing_there() {
    let lab = TestLab::new();
    let board = Dialogue::start(LINUX);
    let avh = Avh::start(&lab, Mood::Good, board.port);
    let job = job(TOKEN, &images(&lab));
    let done = run(&mut dispatcher(&lab, "run", &job, &device(&avh)), "", LIMIT);
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(0), "{said}\n{}", log(&lab));
    assert_eq!(board.end(), Ok(()));
    let results = std::fs::read_to_string(lab.path("out/results.yaml")).unwrap();
    assert!(results.contains("case: linux\n  result: pass"), "{results}");
    assert_secret(&lab, &[done.stdout, done.stderr].concat());
    let created = avh.created();
    let name = created["name"].as_str().unwrap();
    let asked: Vec<String> = avh.asked().iter().map(|one| one.replace(name, "NAME")).collect();
    assert_eq!(
        asked,
        [
            "POST /v1/auth/login",
            "GET /v1/models",
            "GET /v1/projects",
            "POST /v1/auth/login",
            "POST /v1/images",
            "POST /v1/instances",
            "GET /v1/instances/instance-1/state",
            "GET /v1/instances/instance-1/state",
            "GET /v1/instances/instance-1/state",
            "GET /v1/instances/instance-1/console",
            "console KEY",
            "POST /v1/auth/login",
            "DELETE /v1/instances/instance-1",
            "GET /v1/projects/p-1/instances?name=NAME",
            "DELETE /v2/images/image-1",
            "GET /v1/images?project=p-1",
        ]
    );
    assert_eq!(avh.rented(), (0, 0));
    // What was uploaded is the package, and the instance is made of it.
    let (fields, package) = avh.uploaded();
    assert!(name.starts_with("lava-avh-imx93-1.1-7-"), "{name}");
    for (field, value) in
        [("type", "fwpackage"), ("encoding", "plain"), ("name", name), ("project", "p-1")]
    {
        let part = format!("form-data; name=\"{field}\"\r\n\r\n{value}\r\n");
        assert!(fields.contains(&part), "{fields}");
    }
    let expected = json!({"name": name, "project": "p-1", "flavor": "imx93", "fwpackage": "image-1", "os": "1.1",
        "osbuild": "7", "bootOptions": {"bootArgs": "console=ttyLP0 root=/dev/mmcblk0p2"}});
    assert_eq!(created, expected);
    std::fs::write(lab.path("package.zip"), package).unwrap();
    std::fs::create_dir(lab.path("unpacked")).unwrap();
    tool(&lab, "unzip -q package.zip -d unpacked");
    let read = |name: &str| std::fs::read_to_string(lab.path("unpacked").join(name)).unwrap();
    assert_eq!((read("kernel").as_str(), read("devicetree").as_str()), ("a kernel", "a tree"));
    assert_tests_in(&lab, "unpacked/nand");
    // As Python's library reads property lists.
    let script = lab.write("plist.py", "import json, plistlib\nprint(json.dumps(plistlib.load(open('unpacked/Info.plist', 'rb'))))");
    let info: serde_json::Value =
        serde_json::from_str(&tool(&lab, &format!("python3 {script}"))).unwrap();
    let unique = info["UniqueIdentifier"].as_str().unwrap();
    assert!(unique.starts_with("lava-avh-imx93-1.1-7-"), "{unique}");
    let expected = json!({"Type": "iot", "UniqueIdentifier": unique, "DeviceIdentifier": "imx93",
        "Version": "1.1", "Build": "7"});
    assert_eq!(info, expected);
    let given = std::fs::read(lab.path("root.ext4")).unwrap();
    assert!(
        std::fs::read(lab.path("nand")).unwrap()[1 << 20..] == given[..],
        "the image it was given is changed"
    );
}

#[test]
fn a_package_that_is_one_already_gets_the_tests_and_the_model_tells_which_console_is_linuxs() {
    let lab = TestLab::new();
    let board = Dialogue::start(LINUX);
    let avh = Avh::start(&lab, Mood::Good, board.port);
    std::fs::rename(disk(&lab), lab.path("virtio_0")).unwrap();
    lab.write("other", "another file");
    tool(&lab, "zip -q fw-package-1.0.zip virtio_0 other");
    let deploy = format!(
        "- deploy:
    to: avh
    options: {{model: kronos}}
    fw_package: {{url: 'file://{}', storage_file: virtio_0, root_partition: 1}}
",
        lab.path("fw-package-1.0.zip").display()
    );
    let job = job(TOKEN, &deploy);
    let done = run(&mut dispatcher(&lab, "run", &job, &device(&avh)), "", LIMIT);
    assert_eq!(done.status.code(), Some(0), "{done:?}\n{}", log(&lab));
    assert_eq!(board.end(), Ok(()));
    assert!(avh.asked().contains(&"console KEY".to_owned()), "{:?}", avh.asked());
    // Another job's may have the same package, and what is called like this job's is deleted.
    let created = avh.created();
    let name = created["name"].as_str().unwrap();
    let random = name.strip_prefix("lava-avh-kronos-1.1-7-").unwrap_or_default();
    assert!(random.len() == 16 && random.chars().all(|c| c.is_ascii_hexdigit()), "{name}");
    std::fs::write(lab.path("package.zip"), avh.uploaded().1).unwrap();
    std::fs::create_dir(lab.path("unpacked")).unwrap();
    tool(&lab, "unzip -q package.zip -d unpacked");
    assert_tests_in(&lab, "unpacked/virtio_0");
    assert!(lab.path("unpacked/other").exists());
    assert_secret(&lab, &done.stderr);
}

#[test]
fn a_killed_dispatcher_leaves_no_model_behind_even_one_that_it_was_not_told_of() {
    for (mood, script, asked) in
        [(Mood::Good, MUTE, "console KEY"), (Mood::Silent, MUTE, "POST /v1/instances")]
    {
        let lab = TestLab::new();
        let board = Dialogue::start(script);
        let avh = Avh::start(&lab, mood, board.port);
        let job = job(TOKEN, &images(&lab));
        let mut command = dispatcher(&lab, "run", &job, &device(&avh));
        let mut process = Process::spawn(command.stdout(Stdio::null()));
        wait_until(LIMIT, asked, || avh.asked().iter().any(|done| done == asked));
        signal(process.pid(), Signal::KILL);
        process.wait(LIMIT);
        wait_until(LIMIT, "the guard has cleaned up", || {
            log(&lab).contains("cleaned up after the dispatcher")
        });
        assert_eq!(avh.rented(), (0, 0), "{mood:?}: {:?}\n{}", avh.asked(), log(&lab));
        assert!(!avh.asked().iter().any(|asked| asked.contains("another")), "{:?}", avh.asked());
        assert_secret(&lab, b"");
    }
}

#[test]
fn what_the_service_does_not_want_is_told_and_what_there_is_of_the_job_is_deleted() {
    for (mood, token, model, told) in [
        (Mood::Good, "wrong", "imx93", "is the job's secret \"avh_api_token\" right?"),
        (Mood::Good, TOKEN, "rpi5", "\"rpi5\" is no model of"),
        (Mood::Broken, TOKEN, "imx93", "the instance has failed: the model has crashed"),
        (Mood::Crooked, TOKEN, "imx93", "it is to be wss://"),
    ] {
        let lab = TestLab::new();
        let board = Dialogue::start(MUTE);
        let avh = Avh::start(&lab, mood, board.port);
        let job = job(token, &images(&lab)).replace("model: imx93", &format!("model: {model}"));
        let done = run(&mut dispatcher(&lab, "run", &job, &device(&avh)), "", LIMIT);
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(1), "{said}\n{}", log(&lab));
        assert!(said.contains(told), "{said}");
        assert_eq!(avh.rented(), (0, 0), "{:?}", avh.asked());
        assert_secret(&lab, &done.stderr);
    }
}

#[test]
fn what_was_not_deleted_between_two_tries_is_deleted_at_the_jobs_end() {
    let lab = TestLab::new();
    let board = Dialogue::start(MUTE);
    let avh = Avh::start(&lab, Mood::Sticky, board.port);
    let twice = "    method: avh\n    failure_retry: 2\n";
    let job = job(TOKEN, &images(&lab)).replace("    method: avh\n", twice);
    let done = run(&mut dispatcher(&lab, "run", &job, &device(&avh)), "", LIMIT);
    assert_eq!(done.status.code(), Some(1), "{done:?}");
    let asked = avh.asked();
    let created = asked.iter().filter(|asked| *asked == "POST /v1/instances").count();
    assert_eq!((created, avh.rented()), (2, (0, 0)), "{asked:?}\n{}", log(&lab));
    assert!(log(&lab).contains("tried again at the job's end"), "{}", log(&lab));
    assert!(!log(&lab).contains("\"lvl\":\"error\",\"msg\":\"lava-avh-"), "{}", log(&lab));
    assert_secret(&lab, &done.stderr);
}

#[test]
fn what_a_job_for_the_service_lacks_is_told_before_it_and_its_pipeline_is_lavas() {
    let lab = TestLab::new();
    let device = "hostname: avh-01
actions: {deploy: {methods: {avh: }}, boot: {methods: {avh: }}}
";
    let pipeline = |job: &str| {
        let done =
            run(dispatcher(&lab, "pipeline", job, device).args(["--format", "tree"]), "", LIMIT);
        String::from_utf8([done.stdout, done.stderr].concat()).unwrap()
    };
    let whole = job(TOKEN, &images(&lab));
    let two = |line: &str| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    let tree: Vec<String> = pipeline(&whole).lines().map(two).collect();
    let steps =
        |from: &str| tree.iter().filter(|line| line.starts_with(from)).cloned().collect::<Vec<_>>();
    let top: Vec<String> =
        steps("1").into_iter().filter(|l| l.split(' ').next().unwrap().len() <= 5).collect();
    assert_eq!(
        top,
        [
            "1 deploy-avh-retry",
            "1.1 deploy-avh",
            "1.1.1 lava-overlay",
            "1.1.2 download-retry",
            "1.1.3 download-retry",
            "1.1.4 download-retry",
            "1.1.5 apply-overlay-image",
        ]
    );
    assert_eq!(
        steps("2"),
        [
            "2 boot-avh",
            "2.1 call-avh",
            "2.2 auto-login-action",
            "2.2.1 login-action",
            "2.3 expect-shell-connection",
            "2.4 export-device-env",
        ]
    );
    let validated = |job: &str| {
        let mut command = dispatcher(&lab, "run", job, device);
        String::from_utf8(run(command.arg("--validate"), "", LIMIT).stderr).unwrap()
    };
    for (from, to, told) in [
        ("avh_api_token: ", "other: ", "the job has no secret \"avh_api_token\""),
        ("model: imx93, ", "", "names the model"),
        ("      dtb:", "      tree:", "\"images\" has no \"dtb\""),
        (", root_partition: 1", "", "\"root_partition\" does not say"),
        (
            "project: Default Project",
            "api_endpoint: 'http://avh.example/api'",
            "avh.example is on another host: expected https://",
        ),
        (
            "project: Default Project",
            "api_endpoint: 'http://localhost:1/api'",
            "the device's dictionary has to name it",
        ),
    ] {
        let said = validated(&whole.replace(from, to));
        assert!(said.contains(told), "{told}: {said}");
    }
}
