//! The jobs, the newest first.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use serde::Deserialize;

use super::super::super::Params;
use super::super::jobs as api;
use super::shown::{Moment, span, specs};
use super::{By, Page, Top, made};
use crate::model::{JobHealth, JobInfo, JobState, units};
use crate::server::Server;

/// So many stand on a page.
const ROWS: u32 = 100;

#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    before: Option<u64>,
}

#[derive(Template)]
#[template(path = "jobs.html")]
struct JobsPage {
    top: Top,
    rows: Vec<Row>,
    /// Where the older ones begin.
    older: Option<u64>,
}

struct Row {
    word: &'static str,
    tone: &'static str,
    boards: String,
    submitted: Moment,
    took: Option<String>,
    job: JobInfo,
}

pub(super) async fn page(
    State(server): State<Server>,
    Params(Asked { before }): Params<Asked>,
    caller: By,
) -> Page {
    let Extension(caller) = caller;
    let looker = api::looker(&caller, None)?;
    let (jobs, older) = api::page(&server, before, ROWS, &looker, &caller).await?;
    let rows = jobs.into_iter().map(row).collect();
    made(&JobsPage { top: Top::new("jobs", "Jobs", &caller), rows, older })
}

fn row(job: JobInfo) -> Row {
    let (word, tone) = state(&job);
    let names: Vec<&str> = job.boards.iter().map(|board| board.name.as_str()).collect();
    let boards = if names.is_empty() { specs(&job.specs) } else { names.join(", ") };
    Row { word, tone, boards, submitted: Moment(job.submitted_us), took: took(&job), job }
}

/// How a job is in a word, and whether that is good.
pub(super) fn state(job: &JobInfo) -> (&'static str, &'static str) {
    match (job.state, job.health) {
        (JobState::Finished, JobHealth::Complete) if job.tally.is_some_and(|it| it.fail > 0) => {
            ("complete", "bad")
        }
        (JobState::Finished, JobHealth::Complete) => ("complete", "good"),
        (JobState::Finished, JobHealth::Canceled) => ("canceled", "off"),
        (JobState::Finished, health) => (health.as_str(), "bad"),
        (state, _) => (state.as_str(), "busy"),
    }
}

/// How long a job ran, or runs already.
pub(super) fn took(job: &JobInfo) -> Option<String> {
    let end = job.ended_us.unwrap_or_else(units::now_us);
    job.started_us.map(|start| span(end.saturating_sub(start) / 1000))
}
