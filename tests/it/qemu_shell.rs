//! What the test shell does on real systems: results by the kernel's log, packages, patterns, retries of a test.

use std::path::Path;

use crate::common::job::{LOGIN, job_file, test};
use crate::common::{LIMIT, TestLab, needs, run};
use crate::qemu_jobs::{amd64, arm64, done, job};

/// A definition whose signals go through the kernel's log, with these lines of its own.
fn by_kernel_log(name: &str, steps: &[&str]) -> String {
    let steps: String = steps.iter().map(|step| format!("          - {step}\n")).collect();
    format!(
        "    - name: {name}\n      from: inline\n      path: inline/{name}.yaml\n      lava-signal: kmsg\n      \
         repository:\n        metadata: {{format: Lava-Test Test Definition 1.0, name: {name}}}\n        run:\n          \
         steps:\n{steps}"
    )
}

#[test]
fn results_come_by_the_kernels_log_however_quiet_it_is() {
    // A line of the kernel's log has room for about a thousand characters.
    let long = format!("long-{}", "x".repeat(700));
    let many = "for n in $(seq 1 50); do lava-test-case case-$n --result pass; done";
    let measured = "lava-test-case measured --result pass --measurement 48.5 --units MHz";
    let last = format!("lava-test-case {long} --result fail");
    let definitions = by_kernel_log("kernel", &[many, measured, &last]);
    let deploy =
        |images: String| format!("- deploy:\n    to: tmpfs\n    os: oe\n    images:\n{images}");
    let boot = format!("- boot:\n    method: qemu\n    media: tmpfs\n{LOGIN}");
    for (device, images) in
        [("qemu-arm64.yaml", arm64("quiet")), ("qemu-amd64.yaml", amd64("printk.time=1"))]
    {
        let lab = TestLab::new();
        let done = done(&lab, device, &job_file(&[&deploy(images), &boot, &test(&definitions)]));
        done.assert_cases_failed(1);
        for case in 1..=50 {
            assert_eq!(
                done.result("0_kernel", &format!("case-{case}")),
                "pass",
                "{case}: {done:?}"
            );
        }
        let measured = "  case: measured\n  result: pass\n  measurement: 48.5\n  units: MHz\n";
        assert!(done.results().contains(measured), "{done:?}");
        assert!(done.results().contains(&format!("    {long}\n  result: fail\n")), "{done:?}");
        // Each line of them had the kernel's time in front of it, and none was asked for again.
        let log = done.log();
        let said = |what: &str| {
            log.iter()
                .filter_map(|line| line["msg"].as_str())
                .filter(|said| said.contains(what))
                .count()
        };
        assert!(said("] <LAVA_SIGNAL_TESTCASE TEST_CASE_ID=case-50 ") == 1, "{done:?}");
    }
}

/// A repository of Debian packages with one small package in it, as the folder `apt` of an archive.
fn apt_repository(lab: &TestLab) -> String {
    let package = "Package: hello-lab\nVersion: 1.0\nArchitecture: all\nMaintainer: nobody <n@example.org>\n\
                   Description: says hello\n";
    lab.write("package/DEBIAN/control", package);
    lab.write("package/usr/share/hello-lab/hello", "hello from a package\n");
    let root = lab.path("overlay/srv/apt");
    std::fs::create_dir_all(&root).unwrap();
    let tool = |name: &str, args: &[&str], folder: &Path| {
        let done = run(lab.tool(name).args(args).current_dir(folder), "", LIMIT);
        assert!(done.status.success(), "{name}: {done:?}");
        done.stdout
    };
    let deb = root.join("hello-lab.deb").display().to_string();
    let package = lab.path("package").display().to_string();
    tool("dpkg-deb", &["--root-owner-group", "-b", &package, &deb], lab.dir());
    let index = tool("dpkg-scanpackages", &["."], &root);
    std::fs::write(root.join("Packages"), index).unwrap();
    lab.write("overlay/etc/apt/sources.list", "deb [trusted=yes] file:/srv/apt ./\n");
    let archive = lab.path("overlay.tar").display().to_string();
    tool("tar", &["-C", "overlay", "--owner=0", "--group=0", "-cf", &archive, "."], lab.dir());
    archive
}

#[test]
fn a_debian_installs_what_a_definition_needs_and_its_words_become_results() {
    let lab = TestLab::new();
    let archive = apt_repository(&lab);
    let debian = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/rig/debian/root.ext4");
    let images = format!(
        "{}      rootfs:\n        image_arg: -drive file={{rootfs}},format=raw,if=virtio\n        \
         url: file://{}\n        format: ext4\n        overlays:\n          lava: true\n          \
         apt: {{url: 'file://{archive}', format: tar, path: /}}\n",
        amd64("root=/dev/vda rw init=/sbin/init"),
        needs(&debian).display(),
    );
    let job = job(&images, &["true"]).replace("'board# '", "'root@board:~# '");
    let at = job.find("        run:\n          steps:\n").unwrap();
    let definition = "        install: {deps: [hello-lab]}
        parse:
          pattern: '^(?P<test_case_id>\\w+): (?P<result>(good|bad)) (?P<measurement>\\d+) (?P<units>\\w+)'
          fixupdict: {good: pass, bad: fail}
        run:
          steps:
          - lava-test-case installed --shell grep package /usr/share/hello-lab/hello
          - 'echo \"speed: good 12 MB\"; echo \"room: bad 3 GB\"'
      expected: [installed, speed, room, never]
";
    let done = done(&lab, "qemu-amd64.yaml", &format!("{}{definition}", &job[..at]));
    done.assert_cases_failed(2);
    for (case, result) in
        [("installed", "pass"), ("speed", "pass"), ("room", "fail"), ("never", "fail")]
    {
        assert_eq!(done.result("0_smoke", case), result, "{case}: {done:?}");
    }
    assert!(done.results().contains("  measurement: 12"), "{done:?}");
}

/// A block of tests with one inline definition of these steps; `more` says how it is tried.
fn block(name: &str, more: &str, steps: &[&str]) -> String {
    let steps: String = steps.iter().map(|step| format!("          - {step}\n")).collect();
    format!(
        "- test:\n{more}    definitions:\n    - name: {name}\n      from: inline\n      path: inline/{name}.yaml\n      \
         repository:\n        metadata: {{format: Lava-Test Test Definition 1.0, name: {name}}}\n        run:\n          \
         steps:\n{steps}"
    )
}

#[test]
fn tests_that_are_given_up_leave_the_shell_to_the_next_ones() {
    let lab = TestLab::new();
    let again = "if [ $(wc -l < /tmp/tries) = 1 ]; then lava-test-raise once; fi";
    let late = ["sleep 1", "lava-test-case late --result pass"];
    let raises = [&["echo x >> /tmp/tries", again][..], &late].concat();
    let hangs =
        ["trap '' INT; lava-test-case hung --shell sleep 200", "lava-test-case no --result pass"];
    let interactive = "- test:\n    interactive:\n    - name: talk\n      prompts: ['board# ']\n      script:\n      \
                       - {name: one, command: echo on''e, successes: [{message: one}]}\n      \
                       - {name: two, command: echo tw''o, successes: [{message: two}]}\n";
    let deploy = format!("- deploy:\n    to: tmpfs\n    os: oe\n    images:\n{}", amd64(""));
    let boot = format!("- boot:\n    method: qemu\n    media: tmpfs\n{LOGIN}");
    let blocks = [
        deploy,
        boot,
        block("raises", "    failure_retry: 2\n", &raises),
        block("twice", "    repeat: 2\n", &["lava-test-case run --result pass"]),
        block("hangs", "    timeout: {seconds: 15, skip: true}\n", &hangs),
        block("after", "", &["lava-test-case there --result pass"]),
        interactive.to_owned(),
    ];
    let blocks: Vec<&str> = blocks.iter().map(String::as_str).collect();
    let done = done(&lab, "qemu-amd64.yaml", &job_file(&blocks));
    // What raised at first, and what hung.
    done.assert_cases_failed(2);
    assert_eq!(done.results().matches("  case: late\n").count(), 1, "{done:?}");
    assert_eq!(done.results().matches("  case: run\n").count(), 2, "{done:?}");
    for (suite, case) in
        [("0_raises", "late"), ("3_after", "there"), ("4_talk", "one"), ("4_talk", "two")]
    {
        assert_eq!(done.result(suite, case), "pass", "{suite} {case}: {done:?}");
    }
    assert!(!done.results().contains("unknown"), "{done:?}");
}
