//! LAVA's helpers, simulated: they give the signals that the real ones of an overlay give.

use super::{Flow, Run};

/// The helpers that are known. They must be in the board's files to be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Helper {
    Runner,
    Case,
    Set,
    Raise,
    Reference,
}

impl Helper {
    /// The helper at a path such as `/lava-7/bin/lava-test-case`.
    pub(super) fn of(path: &str) -> Option<Self> {
        Some(match path.rsplit('/').next()? {
            "lava-test-runner" => Self::Runner,
            "lava-test-case" => Self::Case,
            "lava-test-set" => Self::Set,
            "lava-test-raise" => Self::Raise,
            "lava-test-reference" => Self::Reference,
            _ => return None,
        })
    }
}

impl Run<'_> {
    pub(super) fn helper(&mut self, helper: Helper, arguments: &[&str]) -> Flow {
        self.shell.status = 0;
        match (helper, arguments) {
            (Helper::Runner, [stage, ..]) => return self.runner(stage),
            (Helper::Case, [id, "--shell", command @ ..]) => return self.case(id, command),
            (Helper::Case, [id, options @ ..]) => {
                let value = |wanted| {
                    options
                        .iter()
                        .position(|option| *option == wanted)
                        .and_then(|at| options.get(at + 1))
                };
                match value("--result") {
                    Some(result) => {
                        let mut signal = format!("TESTCASE TEST_CASE_ID={id} RESULT={result}");
                        for (option, key) in
                            [("--units", "UNITS"), ("--measurement", "MEASUREMENT")]
                        {
                            if let Some(value) = value(option) {
                                signal.push_str(&format!(" {key}={value}"));
                            }
                        }
                        self.signal(&signal);
                    }
                    None => return self.fail(1, "lava-test-case: --shell or --result is needed"),
                }
            }
            (Helper::Set, ["start", name]) => self.signal(&format!("TESTSET START {name}")),
            (Helper::Set, ["stop", ..]) => self.signal("TESTSET STOP"),
            (Helper::Raise, message) => self.signal(&format!("TESTRAISE {}", message.join(" "))),
            (Helper::Reference, [id, "--result", result, "--reference", url]) => {
                self.signal(&format!("TESTREFERENCE {id} {result} {url}"));
            }
            _ => return self.fail(1, &format!("{helper:?}: wrong arguments")),
        }
        Ok(())
    }

    /// Runs a command as a test case: exit status 0 is a pass. Never fails itself.
    fn case(&mut self, id: &str, command: &[&str]) -> Flow {
        self.signal(&format!("STARTTC {id}"));
        let stop_on_error = std::mem::take(&mut self.shell.stop_on_error);
        let flow = self.script(&command.join(" "));
        self.shell.stop_on_error = stop_on_error;
        flow?;
        let result = if self.shell.status == 0 { "pass" } else { "fail" };
        self.signal(&format!("ENDTC {id}"));
        self.signal(&format!("TESTCASE TEST_CASE_ID={id} RESULT={result}"));
        self.shell.status = 0;
        Ok(())
    }

    /// Installs, then runs the tests of a stage: the folders in its `lava-test-runner.conf`. They
    /// find the helpers, which are in the `bin` beside the stage.
    fn runner(&mut self, stage: &str) -> Flow {
        let Some(tests) = self.text(&format!("{stage}/lava-test-runner.conf")) else {
            return self.fail(1, &format!("lava-test-runner: no tests in {stage}"));
        };
        let path = self.shell.env.get("PATH").cloned().unwrap_or_default();
        let helpers = self.path(&format!("{stage}/../bin"));
        self.shell.env.insert("PATH".to_owned(), format!("{helpers}:{path}"));
        let flow = self.tests(&tests);
        self.shell.env.insert("PATH".to_owned(), path);
        flow
    }

    fn tests(&mut self, folders: &str) -> Flow {
        let folders = || folders.lines().map(str::trim).filter(|line| !line.is_empty());
        for install in folders().map(|folder| format!("{folder}/install.sh")) {
            if self.text(&install).is_some() {
                self.sh(&["-e", &install])?;
                if self.shell.status != 0 {
                    self.print("<LAVA_TEST_RUNNER INSTALL_FAIL>\n");
                    return Ok(());
                }
            }
        }
        for folder in folders() {
            self.sh(&["-e", &format!("{folder}/run.sh")])?;
        }
        self.print("<LAVA_TEST_RUNNER EXIT>\n");
        Ok(())
    }

    pub(super) fn signal(&mut self, text: &str) {
        self.print(&format!("<LAVA_SIGNAL_{text}>\n"));
    }
}
