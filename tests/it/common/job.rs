//! Jobs on real boards: their files, and what they leave behind.

use std::path::PathBuf;
use std::process::{Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use super::board::boot_file;
use super::heard::Heard;
use super::lab::run;
use super::process::{Process, signal};
use super::wait::{LIMIT, wait_until};

/// How long a job may take that takes ten seconds on a quiet machine.
pub(crate) const JOB: Duration = Duration::from_secs(400);

/// The login of the boards whose files `tests/rig/prepare` makes, as a boot block has it.
pub(crate) const LOGIN: &str = "    auto_login: {login_prompt: 'board login:', username: root}
    prompts: ['board# ']
";

/// What a job's log says when its board is held.
const HELD: [&str; 2] = ["and is kept so until the job is cancelled", "paused for 3600 s"];

/// A job of these blocks, for devices of any type.
pub(crate) fn job_file(blocks: &[&str]) -> String {
    format!(
        "job_name: a real board
visibility: public
timeouts: {{job: {{minutes: 6}}, action: {{minutes: 5}}, connection: {{minutes: 4}}}}
actions:
{}",
        blocks.concat()
    )
}

/// The path of a device dictionary that is shipped.
pub(crate) fn shipped(device: &str) -> String {
    format!("{}/conf/devices/{device}", env!("CARGO_MANIFEST_DIR"))
}

/// A block that deploys: of each file its key, its name in the rig, and the rest of its entry.
pub(crate) fn deploy(to: &str, files: &[(&str, &str, &str)]) -> String {
    let files = files.iter().map(|(key, file, more)| {
        format!("    {key}: {{url: 'file://{}'{more}}}\n", boot_file(file).display())
    });
    format!("- deploy:\n    to: {to}\n    os: oe\n{}", files.collect::<String>())
}

/// A block that boots by a method with a list of commands, and what more is to be done.
pub(crate) fn boot(method: &str, commands: &str, more: &str) -> String {
    format!("- boot:\n    method: {method}\n    commands: {commands}\n{more}")
}

/// A block with these definitions.
pub(crate) fn test(definitions: &str) -> String {
    format!("- test:\n    timeout: {{minutes: 4}}\n    definitions:\n{definitions}")
}

/// The definition `smoke` with these steps.
pub(crate) fn smoke(steps: &[&str]) -> String {
    let steps: String = steps.iter().map(|step| format!("          - {step}\n")).collect();
    format!(
        "    - name: smoke
      from: inline
      path: inline/smoke.yaml
      repository:
        metadata: {{format: Lava-Test Test Definition 1.0, name: smoke}}
        run:
          steps:
{steps}"
    )
}

/// Watches what `bare/monitor.elf` says.
pub(crate) const ARITHMETIC: &str = r"- test:
    monitors:
    - name: arithmetic
      start: Booting without a system
      end: PROJECT EXECUTION ENDED
      pattern: '(?P<result>(PASS|FAIL)) - (?P<test_case_id>\w+) in'
      fixupdict: {PASS: pass, FAIL: fail}
";

/// What a job left behind.
pub(crate) struct Done {
    said: Output,
    folder: PathBuf,
}

impl Done {
    /// Runs the dispatcher, which was told to leave everything in this folder.
    #[track_caller]
    pub(crate) fn run(dispatcher: &mut Command, folder: PathBuf) -> Self {
        Self { said: run(dispatcher, "", JOB), folder }
    }

    /// The same with a job whose board is its own QEMU, which is held when the job is done or has failed: then
    /// `held` is called, and after that the job may end.
    #[track_caller]
    pub(crate) fn hold(
        dispatcher: &mut Command,
        folder: PathBuf,
        held: impl FnOnce(&mut Process),
    ) -> Self {
        dispatcher.args(["--leave-on", "--pause-on-failure", "1h"]);
        dispatcher.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = Process::spawn(dispatcher);
        let stdout = Heard::from(process.child().stdout.take().unwrap());
        let stderr = Heard::from(process.child().stderr.take().unwrap());
        let begin = Instant::now();
        let is_held = || {
            let log = std::fs::read_to_string(folder.join("output.jsonl")).unwrap_or_default();
            HELD.iter().any(|words| log.contains(words))
        };
        while process.exited().is_none() && !is_held() {
            let said = || stdout.text() + &stderr.text();
            assert!(begin.elapsed() < JOB, "the job has neither ended nor failed: {}", said());
            std::thread::sleep(Duration::from_millis(50));
        }
        held(&mut process);
        signal(process.pid(), Signal::TERM);
        let status = process.wait(LIMIT);
        wait_until(LIMIT, "it has said all", || stdout.ended() && stderr.ended());
        let said = Output { status, stdout: stdout.bytes(), stderr: stderr.bytes() };
        Self { said, folder }
    }

    /// What a dispatcher left that was watched meanwhile, and has ended so.
    pub(crate) fn of(status: ExitStatus, folder: PathBuf) -> Self {
        Self { said: Output { status, stdout: Vec::new(), stderr: Vec::new() }, folder }
    }

    #[track_caller]
    pub(crate) fn exit_code(&self) -> i32 {
        self.said.status.code().unwrap_or_else(|| panic!("killed: {self:?}"))
    }

    /// What the program printed on both of its outputs.
    pub(crate) fn said(&self) -> String {
        [&self.said.stdout, &self.said.stderr].map(|bytes| String::from_utf8_lossy(bytes)).concat()
    }

    /// Its last word, on standard error.
    pub(crate) fn told(&self) -> String {
        String::from_utf8_lossy(&self.said.stderr).into_owned()
    }

    pub(crate) fn results(&self) -> String {
        std::fs::read_to_string(self.folder.join("results.yaml")).unwrap_or_default()
    }

    /// The result of one test case with all that is said of it.
    fn case(&self, suite: &str, case: &str) -> Option<String> {
        let results = self.results();
        let mut cases = results.split("- definition: ").filter(|text| {
            text.starts_with(&format!("{suite}\n")) && text.contains(&format!("\n  case: {case}\n"))
        });
        cases.next().map(ToOwned::to_owned)
    }

    /// The result of one test case; `none` when it has none.
    pub(crate) fn result(&self, suite: &str, case: &str) -> String {
        let case = self.case(suite, case).unwrap_or_default();
        let result = case.lines().find_map(|line| line.strip_prefix("  result: "));
        result.unwrap_or("none").to_owned()
    }

    /// Whether these cases of `smoke` passed, and the job was done.
    #[track_caller]
    pub(crate) fn assert_passed(&self, cases: &[&str]) {
        assert_eq!(self.exit_code(), 0, "{self:?}");
        for case in cases {
            assert_eq!(self.result("0_smoke", case), "pass", "{case}\n{self:?}");
        }
    }

    /// Whether [`ARITHMETIC`] has given its results.
    #[track_caller]
    pub(crate) fn assert_arithmetic(&self) {
        assert_eq!(self.exit_code(), 1, "{self:?}");
        for (case, result) in [("addition", "pass"), ("division", "pass"), ("overflow", "fail")] {
            assert_eq!(self.result("arithmetic", case), result, "{case}: {self:?}");
        }
    }

    /// Whether the job was done, and so many of its cases failed.
    #[track_caller]
    pub(crate) fn assert_cases_failed(&self, cases: u32) {
        assert_eq!(self.exit_code(), 1, "{self:?}");
        let s = if cases == 1 { "" } else { "s" };
        assert!(self.told().ends_with(&format!("{cases} test case{s} failed\n")), "{self:?}");
    }

    /// Whether the job failed with this exit code and in this class of LAVA's, saying all of these, and
    /// not because its time was up.
    #[track_caller]
    pub(crate) fn assert_failed(&self, exit_code: i32, class: &str, words: &[&str]) {
        assert_eq!(self.exit_code(), exit_code, "{self:?}");
        let told = self.told();
        for words in words {
            assert!(told.contains(words), "no {words:?} in {told}\n{self:?}");
        }
        assert!(!told.contains("timed out"), "it was waited for to the end: {told}");
        let results = self.results();
        assert!(results.contains(&format!("  error_type: {class}\n")), "no {class} in {results}");
    }

    /// The lines of the log.
    pub(crate) fn log(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.folder.join("output.jsonl")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Whether the log has of these bytes of the console, which begin at this offset, each line where it says,
    /// nothing else, and all of the first `least`: what the board had said when it was switched off.
    #[track_caller]
    pub(crate) fn assert_logged(&self, from: usize, printed: &[u8], least: usize) {
        let log = self.log();
        let lines: Vec<&Value> = log.iter().filter(|line| line["lvl"] == "target").collect();
        let offset =
            |line: &Value| usize::try_from(line["offset"].as_u64().unwrap()).unwrap() - from;
        // Firmware draws boxes with bytes that are no UTF-8.
        let text =
            |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end_matches(['\r', '\n']).to_owned();
        let first = lines.first().map_or(least, |line| offset(line));
        assert_eq!(text(&printed[..first]).trim_start(), "", "not logged");
        for (i, line) in lines.iter().enumerate() {
            let (begin, logged) = (offset(line), line["msg"].as_str().unwrap());
            match lines.get(i + 1).map(|next| offset(next)) {
                Some(next) => assert_eq!(text(&printed[begin..next]), logged, "{line}"),
                // A board may still say something while it is being switched off.
                None => {
                    assert!(text(&printed[begin..]).starts_with(logged), "{line}");
                    let said = text(&printed[begin..least.max(begin)]);
                    assert!(logged.starts_with(&said), "the log ends before {said:?} does: {line}");
                }
            }
            assert!(line["time"].is_string(), "{line}");
        }
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
