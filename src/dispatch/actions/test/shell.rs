//! `lava-test-shell`: starts the runner on the board and follows its signals to the end.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::dispatch::action::{Action, Running};
use crate::dispatch::alarm;
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::expect::{Found, Patterns, Place};
use crate::dispatch::overlay::TestRun;
use crate::dispatch::results::{CaseResult, LAVA};
use crate::dispatch::session::Wait;
use crate::dispatch::signals::{self, Signal};

#[derive(Debug)]
pub(super) struct TestShell {
    /// Which test block of the job this is.
    pub stage: usize,
}

/// The runner has ended; see [`signals::PATTERNS`] for the order.
const EXIT: usize = 1;
const INSTALL_FAIL: usize = 2;
/// Where the alarms begin in the list of patterns.
const ALARMS: usize = signals::PATTERNS.len();
/// Where the definition's own pattern is, if it has one.
const OWN: usize = ALARMS + alarm::BOOT.len();

impl Action for TestShell {
    fn name(&self) -> &'static str {
        "lava-test-shell"
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let lava_dir = context.lava_dir();
            let delay = Duration::from_millis(context.device.test_character_delay);
            let line = format!("{lava_dir}/bin/lava-test-runner {lava_dir}/{}", self.stage);
            context.session()?.send_line(&line, delay).await?;
            let mut follower = Follower { stage: self.stage, ..Follower::default() };
            let done = follower.follow(context).await;
            follower.unfinished(context);
            done
        })
    }
}

/// What is known while the signals come.
#[derive(Debug, Default)]
struct Follower {
    stage: usize,
    run: Option<Started>,
    set: Option<String>,
    /// The cases that were started and not reported yet.
    cases: BTreeMap<String, Mark>,
}

/// A definition that runs.
#[derive(Debug)]
struct Started {
    test: TestRun,
    at: Mark,
}

/// A moment of the test.
#[derive(Debug, Clone, Copy)]
struct Mark {
    place: Place,
    /// The next line of the log.
    line: u64,
}

impl Follower {
    async fn follow(&mut self, context: &mut Context) -> Result<(), Error> {
        // Silence is no error here: a test may take as long as its block may.
        let wait = Wait { connection: None, ..context.wait() };
        loop {
            let patterns = self.patterns()?;
            let found = match context.session()?.expect(&patterns, &wait).await {
                Err(Error::Timeout { action, seconds, seen, .. }) => {
                    let waited_for = self.waiting_for();
                    return Err(Error::Timeout { action, seconds, waited_for, seen });
                }
                other => other?,
            };
            match found.index {
                0 => self.signal(&found, context)?,
                EXIT => return Ok(()),
                INSTALL_FAIL => {
                    return Err(Error::Test("an install step failed on the board".into()));
                }
                OWN => self.own(&found, context),
                _ => {
                    let said = found.groups.first().map(|text| text.trim()).unwrap_or_default();
                    return Err(alarm::error(said, found.place));
                }
            }
        }
    }

    fn patterns(&self) -> Result<Patterns, Error> {
        let own = self.run.as_ref().and_then(|run| run.test.file.pattern.as_ref());
        let own = own.map(|pattern| format!("(?m){pattern}"));
        let fixed = signals::PATTERNS.into_iter().chain(alarm::BOOT).map(ToOwned::to_owned);
        Patterns::new(fixed.chain(own)).map_err(Error::Test)
    }

    fn waiting_for(&self) -> String {
        match (&self.run, self.cases.keys().next()) {
            (Some(run), Some(case)) => format!("the end of {case} in {}", run.test.run),
            (Some(run), None) => format!("the end of {}", run.test.run),
            (None, _) => "the test runner".into(),
        }
    }

    fn signal(&mut self, found: &Found, context: &mut Context) -> Result<(), Error> {
        let word = |i: usize| found.groups.get(i).map_or("", String::as_str);
        let at = Mark { place: found.place, line: context.log.lines() };
        let signal = match signals::parse(word(1), word(2)) {
            Ok(signal) => signal,
            Err(why) => {
                context.log.error(why);
                return Ok(());
            }
        };
        match signal {
            Signal::StartRun { run, .. } => self.start(&run, at, context),
            Signal::EndRun { run, .. } => self.end(&run, at, context),
            Signal::StartCase { case } => {
                self.cases.insert(case, at);
            }
            Signal::EndCase { .. } => {}
            Signal::Case(case) => {
                let started = self.cases.remove(&case.case);
                let result = CaseResult {
                    measurement: case.measurement,
                    units: case.units,
                    ..self.case(case.case, case.result, started, at)
                };
                context.result(result);
            }
            Signal::Reference { case, result, url } => {
                let result =
                    CaseResult { reference: Some(url), ..self.case(case, result, None, at) };
                context.result(result);
            }
            Signal::StartSet { name } => self.set = Some(name),
            Signal::StopSet => self.set = None,
            Signal::Feedback { text } => context.log.info(format!("feedback: {text}")),
            Signal::Raise { message } => {
                return Err(Error::Test(format!("the test ended the job: {message}")));
            }
            Signal::Other { name } => context.log.debug(format!("signal {name} is not acted on")),
        }
        Ok(())
    }

    fn start(&mut self, run: &str, at: Mark, context: &mut Context) {
        self.unfinished(context);
        let stage = self.stage;
        let test = context.shared().tests.iter().find(|t| t.stage == stage && t.run == run);
        match test.cloned() {
            Some(test) => self.run = Some(Started { test, at }),
            None => context.log.error(format!("the board started {run:?}, which is not ours")),
        }
    }

    fn end(&mut self, run: &str, at: Mark, context: &mut Context) {
        let Some(started) = self.run.take_if(|started| started.test.run == run) else {
            context.log.error(format!("the board ended {run:?}, which it had not started"));
            return;
        };
        self.set = None;
        self.cases.clear();
        context.result(whole(&started, "pass", Some(at)));
    }

    /// A definition that did not come to its end has failed.
    fn unfinished(&mut self, context: &mut Context) {
        if let Some(started) = self.run.take() {
            let run = &started.test.run;
            context.log.error(format!("{run} did not come to its end"));
            context.result(whole(&started, "fail", None));
        }
        self.set = None;
        self.cases.clear();
    }

    /// A result that the definition's own pattern has found.
    fn own(&self, found: &Found, context: &mut Context) {
        let Some(run) = &self.run else { return };
        let Some(pattern) = &run.test.file.pattern else { return };
        let names = group_names(pattern);
        let value = |name: &str| {
            let index = names.iter().position(|known| known.as_deref() == Some(name))?;
            found.groups.get(index + 1).filter(|text| !text.is_empty()).cloned()
        };
        let Some(case) = value("test_case_id") else { return };
        let word = value("result").unwrap_or_default();
        let fixup = run.test.file.fixup.get(&word).cloned().unwrap_or(word);
        let result = fixup.to_lowercase();
        if !matches!(result.as_str(), "pass" | "fail" | "skip" | "unknown") {
            context.log.error(format!("{case}: {fixup:?} is no result"));
            return;
        }
        let at = Mark { place: found.place, line: context.log.lines() };
        let case = case.split_whitespace().collect::<Vec<_>>().join("_");
        let result = CaseResult {
            measurement: value("measurement").and_then(|text| text.parse().ok()),
            units: value("units"),
            ..self.case(case, result, None, at)
        };
        context.result(result);
    }

    fn case(&self, case: String, result: String, started: Option<Mark>, at: Mark) -> CaseResult {
        let definition = self.run.as_ref().map_or("unknown", |run| run.test.run.as_str());
        CaseResult {
            definition: definition.to_owned(),
            case,
            result,
            set: self.set.clone(),
            duration: started.map(|started| seconds(started, at)),
            starttc: started.map(|started| started.line),
            endtc: Some(at.line),
            start_offset: started.and_then(|started| started.place.offset),
            end_offset: at.place.offset,
            ..CaseResult::default()
        }
    }
}

/// The result of a definition as a whole, as LAVA has it in its own suite.
fn whole(started: &Started, result: &str, at: Option<Mark>) -> CaseResult {
    CaseResult {
        definition: LAVA.into(),
        case: started.test.run.clone(),
        result: result.into(),
        uuid: Some(started.test.uuid.clone()),
        duration: at.map(|at| seconds(started.at, at)),
        start_offset: started.at.place.offset,
        end_offset: at.and_then(|at| at.place.offset),
        ..CaseResult::default()
    }
}

/// Between two moments by the console's own clock.
fn seconds(from: Mark, to: Mark) -> f64 {
    to.place.time_us.saturating_sub(from.place.time_us) as f64 / 1e6
}

/// The names of a pattern's groups in their order; `None` for one without a name.
fn group_names(pattern: &str) -> Vec<Option<String>> {
    let mut names = Vec::new();
    let bytes = pattern.as_bytes();
    let mut in_class = false;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b'[' => in_class = true,
            b']' => in_class = false,
            b'(' if !in_class => {
                let rest = &pattern[at + 1..];
                let named = rest.strip_prefix("?P<").or_else(|| rest.strip_prefix("?<"));
                match named.filter(|name| !name.starts_with(['=', '!'])) {
                    Some(name) => {
                        names.push(name.split_once('>').map(|(name, _)| name.to_owned()));
                    }
                    None if rest.starts_with('?') => {}
                    None => names.push(None),
                }
            }
            _ => {}
        }
        at += 1;
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_counted_as_the_expression_counts_them() {
        let pattern = r"^(?P<test_case_id>\w+[(]):\s+(?:x|(y))\s(?P<result>(pass|fail))\(";
        let names = group_names(pattern);
        let named: Vec<Option<&str>> = names.iter().map(Option::as_deref).collect();
        assert_eq!(named, [Some("test_case_id"), None, Some("result"), None]);
    }
}
