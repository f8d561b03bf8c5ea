//! From the signals of a test shell to its results.

use std::collections::{BTreeMap, BTreeSet};

use super::pattern::{OwnPattern, Reported, Whose};
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::expect::{Found, Place};
use crate::dispatch::ledger::Heard;
use crate::dispatch::overlay::TestRun;
use crate::dispatch::results::{CaseResult, LAVA};
use crate::dispatch::signals::{self, Signal};

/// What is known while the signals come.
#[derive(Debug, Default)]
pub(super) struct Follower {
    stage: usize,
    run: Option<Started>,
    set: Option<String>,
    /// The cases that were started and not reported yet.
    cases: BTreeMap<String, Mark>,
    /// The lines of the log at which cases have ended that are not reported yet.
    ended: BTreeMap<String, u64>,
    /// The definitions that were started.
    begun: BTreeSet<String>,
}

/// Why an expected case has failed that nothing was heard of.
const NOT_REPORTED: &str = "it is expected, and was not reported";

/// A definition that runs.
#[derive(Debug)]
struct Started {
    test: TestRun,
    at: Mark,
    /// Finds results in what its steps print.
    own: Option<OwnPattern>,
    reported: BTreeSet<String>,
}

/// A moment of the test.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    pub(super) place: Place,
    /// The next line of the log.
    pub(super) line: u64,
}

impl Mark {
    pub(super) fn of(found: &Found, context: &mut Context) -> Self {
        let line = context.session().map(|session| session.line_of(found.position));
        Self { place: found.place, line: line.unwrap_or_else(|_| context.log.lines()) }
    }
}

impl Follower {
    pub(super) fn new(stage: usize) -> Self {
        Self { stage, ..Self::default() }
    }

    /// The running definition's own pattern, if it has one.
    pub(super) fn own_pattern(&self) -> Option<&OwnPattern> {
        self.run.as_ref()?.own.as_ref()
    }

    /// Whether all definitions have come to their end.
    pub(super) fn is_complete(&self, context: &mut Context) -> bool {
        let stage = self.stage;
        let mut tests = context.shared().tests.iter().filter(|test| test.stage == stage);
        self.run.is_none() && tests.all(|test| self.begun.contains(&test.run))
    }

    pub(super) fn waiting_for(&self) -> String {
        match (&self.run, self.cases.keys().next()) {
            (Some(run), Some(case)) => format!("the end of {case} in {}", run.test.run),
            (Some(run), None) => format!("the end of {}", run.test.run),
            (None, _) => "the test runner".into(),
        }
    }

    /// Acts on a signal.
    ///
    /// # Errors
    /// [`Error::Test`] when the test itself ends the job.
    pub(super) fn signal(
        &mut self,
        heard: &Heard<Mark>,
        context: &mut Context,
    ) -> Result<(), Error> {
        let at = heard.with;
        let signal = match signals::parse(&heard.name, &heard.arguments) {
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
            Signal::EndCase { case } => {
                self.ended.insert(case, at.line);
            }
            Signal::Case(case) => {
                let started = self.cases.remove(&case.case);
                odd(&case.case, case.odd.as_deref(), context);
                let at = self.ended.remove(&case.case).map_or(at, |line| Mark { line, ..at });
                let result = CaseResult {
                    measurement: case.measurement,
                    units: case.units,
                    ..self.case(case.case, case.result, started, at)
                };
                self.report(result, context);
            }
            Signal::Reference { case, result, url } => {
                let result =
                    CaseResult { reference: Some(url), ..self.case(case, result, None, at) };
                self.report(result, context);
            }
            Signal::StartSet { name } => self.set = Some(name),
            Signal::StopSet => self.set = None,
            // In LAVA's words, for who reads its logs.
            Signal::Feedback { namespace } if context.has_namespace(&namespace) => {
                context.log.info(format!("Requesting feedback from namespace: {namespace}"));
                context.feedback.insert(namespace);
            }
            Signal::Feedback { namespace } => {
                context.log.error(format!("{namespace} is not a valid namespace"));
            }
            Signal::Event { text } => context.log.event(text),
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
        let Some(test) = test.cloned() else {
            context.log.error(format!("the board started {run:?}, which is not ours"));
            return;
        };
        self.begun.insert(test.run.clone());
        let own = test.file.pattern.as_ref();
        let fixup = &test.file.fixup;
        let own = own.map(|pattern| OwnPattern::new(pattern, fixup, Whose::Definition));
        self.run = Some(Started { test, at, own, reported: BTreeSet::new() });
    }

    fn end(&mut self, run: &str, at: Mark, context: &mut Context) {
        let Some(started) = self.run.take_if(|started| started.test.run == run) else {
            context.log.error(format!("the board ended {run:?}, which it had not started"));
            return;
        };
        self.set = None;
        self.cases.clear();
        self.ended.clear();
        compare(&started.test, &started.reported, context);
        let whole = whole(&started, "pass", Some(at), context);
        context.result(whole);
    }

    /// A definition that did not come to its end has failed.
    fn unfinished(&mut self, context: &mut Context) {
        if let Some(started) = self.run.take() {
            let run = &started.test.run;
            context.log.error(format!("{run} did not come to its end"));
            compare(&started.test, &started.reported, context);
            let whole = whole(&started, "fail", None, context);
            context.result(whole);
        }
        self.set = None;
        self.cases.clear();
    }

    /// The test shell is over: what was expected and never began is missing, too.
    pub(super) fn finish(&mut self, context: &mut Context) {
        self.unfinished(context);
        let stage = self.stage;
        let tests = context.shared().tests.iter().filter(|test| test.stage == stage);
        let missed = tests.filter(|test| !self.begun.contains(&test.run));
        for test in missed.cloned().collect::<Vec<_>>() {
            compare(&test, &BTreeSet::new(), context);
        }
    }

    /// A result that the definition's own pattern has found.
    pub(super) fn own(&mut self, found: &Found, context: &mut Context) {
        let Some(own) = self.own_pattern() else { return };
        let Reported { case, result, measurement, units, odd: wrong } =
            match own.report(&found.groups) {
                Ok(Some(reported)) => reported,
                Ok(None) => return,
                Err(why) => {
                    context.log.error(why);
                    return;
                }
            };
        odd(&case, wrong.as_deref(), context);
        let at = Mark::of(found, context);
        let result = CaseResult { measurement, units, ..self.case(case, result, None, at) };
        self.report(result, context);
    }

    fn report(&mut self, mut result: CaseResult, context: &mut Context) {
        if let Some(started) = &mut self.run {
            let expected = started.test.file.expected.as_deref();
            result.result = unexpected(expected, &result.case, result.result, context);
            started.reported.insert(result.case.clone());
        }
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

/// Tells of a measurement that is none.
fn odd(case: &str, odd: Option<&str>, context: &Context) {
    if let Some(odd) = odd {
        context.log.error(format!(
            "{case}: the measurement {odd:?} is no number; the case counts without"
        ));
    }
}

/// Compares what a run has reported with what it has to report.
fn compare(test: &TestRun, reported: &BTreeSet<String>, context: &mut Context) {
    let Some(expected) = &test.file.expected else { return };
    missing(&test.run, expected, reported, context);
}

/// Expected cases that were not reported have failed.
pub(super) fn missing(
    definition: &str,
    expected: &[String],
    reported: &BTreeSet<String>,
    context: &mut Context,
) {
    for case in expected.iter().filter(|case| !reported.contains(*case)) {
        context.log.error(format!("{definition}: {case:?} is expected and was not reported"));
        context.result(CaseResult {
            definition: definition.to_owned(),
            case: case.clone(),
            result: "fail".into(),
            extra: BTreeMap::from([("reason".to_owned(), NOT_REPORTED.to_owned())]),
            ..CaseResult::default()
        });
    }
}

/// The result of a case: where it is not among those that are expected it has failed, whatever it says.
pub(super) fn unexpected(
    expected: Option<&[String]>,
    case: &str,
    result: String,
    context: &Context,
) -> String {
    if expected.is_none_or(|expected| expected.iter().any(|known| known == case)) {
        return result;
    }
    context
        .log
        .warning(format!("{case:?} is reported as {result}, and is not expected: it has failed"));
    "fail".into()
}

/// The result of a definition as a whole, as LAVA has it in its own suite.
fn whole(started: &Started, result: &str, at: Option<Mark>, context: &Context) -> CaseResult {
    let origin = started.test.origin.clone();
    CaseResult {
        namespace: Some(context.now.namespace.clone()),
        repository: origin.repository,
        path: Some(origin.path),
        revision: Some(origin.revision.unwrap_or_else(|| "unspecified".into())),
        commit_id: origin.commit,
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
