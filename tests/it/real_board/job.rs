//! A job on the shared console of the real board: U-Boot, TFTP, Linux, login, tests.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use serde_json::Value;

use super::Bench;
use crate::common::{LIMIT, TestLab, boot_file, http, run, wait_until};

/// How long a job may take that takes ten seconds on a quiet machine.
const JOB: Duration = Duration::from_secs(400);

/// What a job left behind.
pub(super) struct Done {
    said: Output,
    output: PathBuf,
}

impl Done {
    pub(super) fn exit_code(&self) -> i32 {
        self.said.status.code().unwrap_or_else(|| panic!("killed: {self:?}"))
    }

    /// What the program printed on both of its outputs.
    pub(super) fn said(&self) -> String {
        [&self.said.stdout, &self.said.stderr].map(|bytes| String::from_utf8_lossy(bytes)).concat()
    }

    fn results(&self) -> String {
        std::fs::read_to_string(self.output.join("results.yaml")).unwrap()
    }

    /// The result of one test case; `none` when it has none.
    pub(super) fn result(&self, suite: &str, case: &str) -> String {
        let results = self.results();
        let cases = results.split("- definition: ").filter(|text| {
            text.starts_with(&format!("{suite}\n")) && text.contains(&format!("\n  case: {case}\n"))
        });
        let result = cases.flat_map(str::lines).find_map(|line| line.strip_prefix("  result: "));
        result.unwrap_or("none").to_owned()
    }

    /// The lines of the log.
    pub(super) fn log(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.output.join("output.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl std::fmt::Debug for Done {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{:?}", self.said.status)?;
        writeln!(f, "{}", self.said())?;
        for line in self.log().iter().rev().take(60).rev() {
            writeln!(f, "{line}")?;
        }
        writeln!(f, "{}", self.results())
    }
}

impl Bench {
    fn job(&self, definitions: &str) -> Done {
        self.run("qemu-uboot.yaml", &job(definitions))
    }

    /// Runs a job on one of the shipped devices. The board's network is QEMU's own, where the TFTP server has
    /// this address.
    pub(super) fn run(&self, device: &str, job: &str) -> Done {
        self.run_from("10.0.2.2", device, job)
    }

    /// The same with a server at an address that is there, or not.
    pub(super) fn run_from(&self, server: &str, device: &str, job: &str) -> Done {
        let job = self.lab.write("job.yaml", job);
        let device = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/devices").join(device);
        let output = self.lab.path("output");
        let mut command = self.lab.program("lava-dispatcher");
        command.args(["run", &job]).arg("--device").arg(device).arg("--output").arg(&output);
        command.arg("--lab").arg(self.lab.path("lab.toml"));
        command.arg("--tftp-dir").arg(self.board.tftp());
        command.args(["--dispatcher-ip", server]);
        Done { said: run(&mut command, "", JOB), output }
    }
}

#[test]
fn a_job_runs_on_the_shared_console_to_its_result_pass() {
    let bench = Bench::start().with_power();
    let spy = bench.attach("mode=spy&from=0&user=alice");
    let repository = git_repository(&bench.lab);
    let done = bench.job(&format!(
        "{INLINE}    - name: from-git\n      from: git\n      path: defs/uptime.yaml\n      \
         repository: file://{}\n",
        repository.display()
    ));
    assert_eq!(done.exit_code(), 0, "{done:?}");
    assert_eq!(done.result("0_smoke", "linux"), "pass", "{done:?}");
    assert_eq!(done.result("0_smoke", "chosen"), "pass", "{done:?}");
    assert_eq!(done.result("1_from-git", "uptime"), "pass", "{done:?}");
    assert_eq!(done.result("lava", "job"), "pass", "{done:?}");

    // Who watched has seen the same console, from power-on to the tests and the end.
    let seen = spy.heard().text();
    for text in ["U-Boot 20", "Starting kernel", "board login:", "aarch64"] {
        assert!(seen.contains(text), "missing: {text}\nin: {seen}");
    }
    wait_until(LIMIT, "the job has switched the board off", || {
        bench.board.power("status") == "off"
    });

    // Each line of the log that the board printed tells where in the record it is.
    let capture = bench.capture();
    let lines: Vec<Value> = done.log().into_iter().filter(|l| l["lvl"] == "target").collect();
    assert!(lines.len() > 100, "{} lines", lines.len());
    for line in lines {
        let offset = usize::try_from(line["offset"].as_u64().unwrap()).unwrap();
        let text = line["msg"].as_str().unwrap().as_bytes();
        let first = text.iter().take_while(|byte| byte.is_ascii_graphic()).count();
        assert!(capture[offset..].starts_with(&text[..first]), "not there: {line}");
        assert!(line["time"].is_string(), "{line}");
    }
}

#[test]
fn a_job_with_a_failing_case_says_so_and_exits_with_1() {
    let bench = Bench::start().with_power();
    let done = bench.job(&INLINE.replace("--result pass", "--result fail"));
    assert_eq!(done.exit_code(), 1, "{done:?}");
    assert_eq!(done.result("0_smoke", "linux"), "pass", "{done:?}");
    assert_eq!(done.result("0_smoke", "chosen"), "fail", "{done:?}");
    // The job itself has run to its end.
    assert_eq!(done.result("lava", "job"), "pass", "{done:?}");
    assert_eq!(bench.board.power("status"), "off");
}

#[test]
fn a_person_watches_a_job_takes_over_and_gives_back() {
    let bench = Bench::start().with_power();
    let done = std::thread::scope(|scope| {
        let job = scope.spawn(|| bench.job(INLINE));
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

const INLINE: &str = r"    - name: smoke
      from: inline
      path: inline/smoke.yaml
      repository:
        metadata:
          format: Lava-Test Test Definition 1.0
          name: smoke
          description: The board runs Linux
        run:
          steps:
          - lava-test-case linux --shell uname -a
          - lava-test-case chosen --result pass
";

/// The job, with the definitions of its test action.
fn job(definitions: &str) -> String {
    format!(
        r"job_name: a real board
device_type: qemu-uboot
visibility: public
priority: medium
timeouts:
  job: {{minutes: 6}}
  action: {{minutes: 5}}
  connection: {{minutes: 3}}
actions:
- deploy:
    to: tftp
    os: oe
    timeout: {{minutes: 2}}
    kernel:
      url: file://{kernel}
      type: image
    ramdisk:
      url: file://{ramdisk}
      compression: gz
- boot:
    method: u-boot
    commands: ramdisk
    timeout: {{minutes: 4}}
    auto_login:
      login_prompt: 'board login:'
      username: root
    prompts:
    - 'board# '
- test:
    timeout: {{minutes: 3}}
    definitions:
{definitions}",
        kernel = boot_file("Image").display(),
        ramdisk = boot_file("ramdisk.cpio.gz").display(),
    )
}

/// A repository with one test definition.
fn git_repository(lab: &TestLab) -> PathBuf {
    let folder = lab.path("repository");
    lab.write(
        "repository/defs/uptime.yaml",
        "metadata:\n  format: Lava-Test Test Definition 1.0\n  name: uptime\n  description: Time passes\n\
         run:\n  steps:\n  - lava-test-case uptime --shell cat /proc/uptime\n",
    );
    for arguments in [
        &["init", "-q", "-b", "main"][..],
        &["add", "-A"],
        &["-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-qm", "definitions"],
    ] {
        let mut git = lab.tool("git");
        let said = run(git.args(arguments).current_dir(&folder), "", LIMIT);
        assert!(said.status.success(), "{said:?}");
    }
    folder
}
