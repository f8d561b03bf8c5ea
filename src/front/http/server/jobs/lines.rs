//! The log of a job as one looks through it: some lines of those that one wants.

use std::time::Duration;

use axum::Extension;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::super::{ApiError, Ending, Params};
use super::super::seen::check_spies;
use super::super::{Answer, By};
use super::log::board;
use super::seen;
use crate::client::ErrorBody;
use crate::dispatch::record::{Row, Wanted};
use crate::model::{Failure, JobInfo, Kind};
use crate::server::Server;

/// So many lines are told when nothing else is asked for, and at most.
const LINES: usize = 200;
const MAX_LINES: usize = 1000;
/// So long who knows all there is waits for more.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is wanted of a log, and which part of that.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(in crate::front::http::server) struct Asked {
    /// Who looks, where nobody logs in.
    user: Option<String>,
    /// Of a job for several boards; the first one's when left out.
    board: Option<String>,
    /// LAVA's levels, with commas between them.
    level: Option<String>,
    /// Who said it: `target`, `input`, `dispatcher`; with commas, too.
    source: Option<String>,
    /// Of an action and those in it, by its name or level.
    action: Option<String>,
    /// A regular expression; written in small letters it finds capitals, too.
    grep: Option<String>,
    /// In seconds after the log's begin.
    since: Option<f64>,
    until: Option<f64>,
    /// The first of the lines found that is told, the first being 0.
    from: Option<u64>,
    /// In place of `from`: so that the line of this number is among them, or the next one that was found.
    around: Option<u64>,
    /// In place of `from`: the last ones.
    last: bool,
    /// So many at most; 200 when left out, 1000 at most.
    count: Option<u64>,
    /// Who knows so many lines of the log waits until there are more, the job has ended, or 20 s are over.
    known: Option<u64>,
}

/// Some of the lines that were found.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::front::http::server) struct Lines {
    /// So many lines has the log, and so many of them were found.
    lines: u64,
    found: u64,
    /// Which of those found the first one here is, from 0.
    from: u64,
    rows: Vec<Row>,
    /// Of `around`: the place of that line among those found, or of the next one.
    place: u64,
    /// When the log begins, in microseconds since the Unix epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    begin_us: Option<u64>,
    /// There will be no more.
    ended: bool,
}

/// Lines of the log by what they are: from a level, of an action, by a regular expression. Whoever looks through a
/// log of a million lines asks for those in front of them.
#[utoipa::path(get, path = "/jobs/{id}/log/lines", params(("id" = u64, Path), Asked), responses(
    (status = 200, body = Lines),
    (status = 400, body = ErrorBody, description = "what is looked for is not understood"),
    (status = 403, body = ErrorBody, description = "of a boot: the caller may not spy on its board"),
    (status = 404, body = ErrorBody, description = "there is none that the caller may see"),
))]
pub(in crate::front::http::server) async fn get(
    State(server): State<Server>,
    Path(id): Path<String>,
    Params(asked): Params<Asked>,
    Extension(caller): By,
    Extension(Ending(ending)): Extension<Ending>,
) -> Answer<Lines> {
    let wanted = wanted(&asked)?;
    let job = seen(&server, &id, asked.user.clone(), &caller).await?;
    check_spies(&caller, &job)?;
    let Some(board) = board(&job, asked.board.as_deref())?.map(str::to_owned) else {
        return Ok(axum::Json(Lines::none(job.has_ended())));
    };
    // It is looked whether the job has ended before its log is: what was read then is all.
    let mut ended = job.has_ended();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let mut grown = match ended {
        true => None,
        false => server.log_growth(job.id, &board).await,
    };
    ended |= grown.is_none();
    let mut changes = server.changes();
    loop {
        if let Some(grown) = &mut grown {
            grown.borrow_and_update();
        }
        changes.borrow_and_update();
        let lines = look(&server, &job, &board, &wanted, &asked, ended).await?;
        let waits = asked.known.is_some_and(|known| lines.lines <= known);
        let over = tokio::time::Instant::now() >= deadline || ending.is_cancelled();
        let Some(grown) = grown.as_mut().filter(|_| waits && !ended && !over) else {
            return Ok(axum::Json(lines));
        };
        tokio::select! {
            () = ending.cancelled() => {}
            () = tokio::time::sleep_until(deadline) => {}
            more = grown.changed() => if more.is_err() { ended = true },
            _ = changes.changed() => {
                let job = seen(&server, &id, asked.user.clone(), &caller).await?;
                ended = job.has_ended();
            }
        }
    }
}

async fn look(
    server: &Server,
    job: &JobInfo,
    board: &str,
    wanted: &Wanted,
    asked: &Asked,
    ended: bool,
) -> Result<Lines, ApiError> {
    let (view, wanted) = (server.log_view(job.id, board), wanted.clone());
    let (from, around, last) = (asked.from, asked.around, asked.last);
    let count = asked.count.map_or(LINES, |count| usize::try_from(count).unwrap_or(MAX_LINES));
    let count = count.min(MAX_LINES);
    let looked = view.read(move |view| {
        let found = view.find(&wanted)?;
        let place =
            around.map_or(0, |line| found.position(u32::try_from(line).unwrap_or(u32::MAX)));
        let from = match (last, around, from) {
            (true, ..) => found.len().saturating_sub(count),
            (_, Some(_), _) => place.saturating_sub(count / 2),
            (_, _, from) => usize::try_from(from.unwrap_or(0)).unwrap_or(usize::MAX),
        };
        let rows = view.rows(&found.part(from..from.saturating_add(count)))?;
        Ok(Lines {
            lines: view.len() as u64,
            found: found.len() as u64,
            from: from as u64,
            rows,
            place: place as u64,
            begin_us: view.begin_us(),
            ended,
        })
    });
    Ok(looked.await.map_err(|error| Failure::from_error(Kind::Infra, &error))?)
}

impl Lines {
    /// Of a job that has no log yet.
    fn none(ended: bool) -> Self {
        Self { lines: 0, found: 0, from: 0, rows: Vec::new(), place: 0, begin_us: None, ended }
    }
}

/// # Errors
/// 400 for an expression that is none.
fn wanted(asked: &Asked) -> Result<Wanted, ApiError> {
    let list = |text: &Option<String>| -> Vec<String> {
        let words = text.iter().flat_map(|text| text.split(','));
        words.map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    let some = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    // Whatever it is, the conversion keeps within what there is.
    let ms = |seconds: Option<f64>| seconds.map(|seconds| (seconds * 1000.0) as u32);
    let wanted = Wanted {
        levels: list(&asked.level),
        sources: list(&asked.source),
        action: some(&asked.action),
        grep: some(&asked.grep),
        since_ms: ms(asked.since),
        until_ms: ms(asked.until),
    };
    wanted.check().map_err(|error| Failure::from_error(Kind::User, &error))?;
    Ok(wanted)
}
