//! One job: its actions, its results, and its log, which the page's script asks for line by line.

use std::time::Duration;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use serde::Deserialize;

use super::super::super::Params;
use super::super::jobs as api;
use super::super::seen::check_spies;
use super::jobs::{state, took};
use super::shown::{Moment, span, specs};
use super::{By, Page, Top, made};
use crate::dispatch::record::{Action, Suite, Timed, View};
use crate::dispatch::results::LAVA;
use crate::model::{Failure, JobInfo, Kind};
use crate::server::Server;

/// A page is shown without what is read of a log that takes longer; its script asks for it again.
const PATIENCE: Duration = Duration::from_millis(50);
/// So many cases of a suite stand on the page; all are in the files.
const CASES: usize = 500;
/// … and so many suites.
const SUITES: usize = 200;

#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    board: Option<String>,
    /// However long it takes.
    #[serde(default)]
    whole: bool,
}

#[derive(Template)]
#[template(path = "job.html")]
struct JobPage {
    top: Top,
    word: &'static str,
    tone: &'static str,
    specs: String,
    submitted: Moment,
    started: Option<Moment>,
    ended: Option<Moment>,
    took: Option<String>,
    /// Whose log is shown, of a job for several.
    board: Option<String>,
    /// The log is the caller's to read.
    spies: bool,
    /// `None` while the log is being read.
    outline: Option<Outline>,
    job: JobInfo,
}

/// What was read of the log.
#[derive(Default)]
struct Outline {
    actions: Vec<Step>,
    suites: Vec<Tests>,
    /// So many more suites and results are not shown.
    more: u64,
}

/// An action as it is listed.
struct Step {
    action: Action,
    tone: &'static str,
    word: String,
    took: String,
    line: u32,
}

/// The cases of a test definition.
struct Tests {
    name: String,
    passed: usize,
    failed: usize,
    others: usize,
    cases: Vec<Case>,
    /// So many more are not shown.
    more: usize,
}

struct Case {
    name: String,
    result: String,
    tone: &'static str,
    /// A measurement, or what went wrong.
    detail: String,
    took: String,
    line: Option<u64>,
}

pub(super) async fn page(
    State(server): State<Server>,
    Path(id): Path<String>,
    Params(Asked { board, whole }): Params<Asked>,
    caller: By,
) -> Page {
    let Extension(caller) = caller;
    let job = api::seen(&server, &id, None, &caller).await?;
    let board = api::log::board(&job, board.as_deref())?.map(str::to_owned);
    let spies = check_spies(&caller, &job).is_ok();
    let outline = match &board {
        Some(board) if spies => outline(&server, job.id, board, whole).await?,
        _ => Some(Outline::default()),
    };
    let (word, tone) = state(&job);
    made(&JobPage {
        top: Top::new("jobs", format!("Job {}: {}", job.id, job.name), &caller),
        word,
        tone,
        specs: specs(&job.specs),
        submitted: Moment(job.submitted_us),
        started: job.started_us.map(Moment),
        ended: job.ended_us.map(Moment),
        took: took(&job),
        board,
        spies,
        outline,
        job,
    })
}

/// What a log tells, if it is read soon enough.
async fn outline(
    server: &Server,
    job: u64,
    board: &str,
    whole: bool,
) -> Result<Option<Outline>, Failure> {
    let view = server.log_view(job, board);
    let read = view.read(|view| of(view));
    let read = if whole {
        read.await
    } else {
        // It is read on meanwhile.
        match tokio::time::timeout(PATIENCE, read).await {
            Ok(read) => read,
            Err(_) => return Ok(None),
        }
    };
    read.map(Some).map_err(|error| Failure::from_error(Kind::Infra, &error))
}

fn of(view: &View) -> std::io::Result<Outline> {
    let now_ms = view.last_ms();
    let actions = view.actions().iter().map(|action| step(action.clone(), now_ms)).collect();
    let report = view.report();
    let suites = report.suites.iter().filter(|suite| suite.name != LAVA);
    let more = (suites.clone().count().saturating_sub(SUITES)) as u64 + report.left_out;
    Ok(Outline { actions, suites: suites.take(SUITES).map(tests).collect(), more })
}

fn step(action: Action, now_ms: u32) -> Step {
    let (word, tone) = match (&action.result, action.last) {
        (Some(result), _) => (result.clone(), tone(result)),
        (None, None) => ("under way".into(), "busy"),
        (None, Some(_)) => (String::new(), ""),
    };
    let took = action.end_ms.unwrap_or(now_ms).saturating_sub(action.begin_ms);
    Step { tone, word, took: span(took.into()), line: action.first + 1, action }
}

fn tests(suite: &Suite) -> Tests {
    let (passed, failed) = (suite.count("pass"), suite.count("fail"));
    let others = suite.cases.len() - passed - failed;
    let more = suite.cases.len().saturating_sub(CASES);
    // What went wrong comes first.
    let (passes, others_first): (Vec<&Timed>, Vec<&Timed>) =
        suite.cases.iter().partition(|timed| timed.case.result == "pass");
    let cases = others_first.into_iter().chain(passes).take(CASES);
    let case = |timed: &Timed| {
        let case = timed.case.clone();
        let set = case.set.map(|set| format!("{set}/")).unwrap_or_default();
        let measured = case.measurement.map(|number| number.to_string());
        let units = case.units.filter(|_| measured.is_some());
        let detail = measured.into_iter().chain(units).chain(case.error_msg);
        Case {
            name: format!("{set}{}", case.case),
            tone: tone(&case.result),
            detail: detail.collect::<Vec<_>>().join(" "),
            took: timed.seconds.map(|it| span((it * 1000.0) as u64)).unwrap_or_default(),
            line: case.starttc.or(case.endtc).map(|line| line + 1),
            result: case.result,
        }
    };
    let cases = cases.map(case).collect();
    Tests { name: suite.name.clone(), passed, failed, others, cases, more }
}

fn tone(result: &str) -> &'static str {
    match result {
        "pass" => "good",
        "skip" => "off",
        _ => "bad",
    }
}
