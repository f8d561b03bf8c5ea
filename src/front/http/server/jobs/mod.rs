//! Jobs: handing them in, looking at them, ending them.

pub(super) mod boot;
pub(super) mod lines;
pub(super) mod log;
pub(super) mod results;
pub(super) mod workers;

use axum::Extension;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, LINK};
use axum::response::{AppendHeaders, IntoResponse};
use serde::Deserialize;

use super::super::{ApiError, Params};
use super::seen::seen_job;
use super::{Answer, Asking, Body, By, Doors, MAX_USER, asker, check, read, whoever};
use crate::client::ErrorBody;
use crate::front::http::access::Caller;
use crate::model::{Failure, JobInfo, JobSubmit, Kind, LeaseChange, Refusal};
use crate::server::{Asker, JobList, Server};

/// So many jobs are listed when nothing else is asked for.
const LISTED: u32 = 100;
/// … and at most.
const MAX_LISTED: u32 = 1000;
/// So many are looked at for that, of those that the caller may not see.
const MAX_LOOKED: u32 = 5000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::front::http::server) struct Page {
    user: Option<String>,
    /// Only those with lower numbers.
    before: Option<u64>,
    limit: Option<u32>,
}

/// Jobs, the newest first. Where there are older ones, `Link` has the address of the next page (`rel="next"`).
#[utoipa::path(get, path = "/jobs", params(
    ("user" = Option<String>, Query, description = "who looks, where nobody logs in"),
    ("before" = Option<u64>, Query, description = "only those with lower numbers"),
    ("limit" = Option<u32>, Query, description = "so many at most; 100 when left out, 1000 at most"),
), responses((status = 200, body = Vec<JobInfo>)))]
pub(in crate::front::http::server) async fn list(
    State(server): State<Server>,
    Params(Page { user, before, limit }): Params<Page>,
    Extension(caller): By,
) -> Result<impl IntoResponse, ApiError> {
    let most = limit.unwrap_or(LISTED).clamp(1, MAX_LISTED);
    let (jobs, older) = page(&server, before, most, &looker(&caller, user)?, &caller).await?;
    let next = older.map(|older| format!("</jobs?before={older}&limit={most}>; rel=\"next\""));
    Ok((AppendHeaders(next.map(|next| (LINK, next))), Json(jobs)))
}

/// So many jobs that the caller may see, the newest first of those with lower numbers than one; and before which
/// number older ones begin, if there are any. When many in a row are not to be seen they are fewer.
pub(in crate::front::http::server) async fn page(
    server: &Server,
    mut before: Option<u64>,
    most: u32,
    looker: &Asker,
    caller: &Caller,
) -> Result<(Vec<JobInfo>, Option<u64>), ApiError> {
    let mut found = Vec::new();
    for _ in 0..MAX_LOOKED.div_ceil(most) {
        let JobList { jobs, older } = server.jobs(before, most, looker).await?;
        for job in jobs {
            let id = job.id;
            found.extend(seen_job(job, caller));
            if found.len() == most as usize {
                return Ok((found, Some(id).filter(|id| *id > 1)));
            }
        }
        before = older;
        if older.is_none() {
            break;
        }
    }
    Ok((found, before))
}

/// Hands in a job: LAVA's job definition, as it is. What is wrong with it is told at once, with line and
/// column.
#[utoipa::path(post, path = "/jobs", request_body = JobSubmit, responses(
    (status = 200, body = JobInfo),
    (status = 400, body = ErrorBody, description = "the job is not understood, or no board is like that"),
    (status = 403, body = ErrorBody, description = "there is no board that the caller may have"),
))]
pub(in crate::front::http::server) async fn submit(
    State(server): State<Server>,
    Extension(caller): By,
    body: Body,
) -> Answer<JobInfo> {
    let mut asked: JobSubmit = read(body, r#"{"definition":"job_name: …\n","file":"job.yaml"}"#)?;
    check("file", asked.file.as_deref(), super::MAX_REASON)?;
    let asker = asker(&caller, asked.user.take())?;
    Ok(Json(server.submit_job(asked, &asker).await?))
}

/// One job.
#[utoipa::path(get, path = "/jobs/{id}", params(
    ("id" = u64, Path),
    ("user" = Option<String>, Query, description = "who looks, where nobody logs in"),
), responses(
    (status = 200, body = JobInfo),
    (status = 404, body = ErrorBody, description = "there is none that the caller may see"),
))]
pub(in crate::front::http::server) async fn get(
    State(server): State<Server>,
    Path(id): Path<String>,
    Params(Asking { user }): Params<Asking>,
    Extension(caller): By,
) -> Answer<JobInfo> {
    Ok(Json(seen(&server, &id, user, &caller).await?))
}

/// The job as it was handed in; the values of its secrets are masked.
#[utoipa::path(get, path = "/jobs/{id}/definition", params(
    ("id" = u64, Path),
    ("user" = Option<String>, Query, description = "who looks, where nobody logs in"),
), responses(
    (status = 200, body = String, content_type = "application/yaml"),
    (status = 403, body = ErrorBody, description = "it is for boards that the caller may not see"),
    (status = 404, body = ErrorBody, description = "there is none that the caller may see"),
))]
pub(in crate::front::http::server) async fn definition(
    State(server): State<Server>,
    Path(id): Path<String>,
    Params(Asking { user }): Params<Asking>,
    Extension(caller): By,
) -> Result<impl IntoResponse, ApiError> {
    let job = whole(&server, &id, user.clone(), &caller).await?;
    let text = server.definition(job.id, &looker(&caller, user)?).await?;
    Ok(([(CONTENT_TYPE, "application/yaml")], text))
}

/// Ends a job: whoever it is of may, and who has control of its boards.
#[utoipa::path(post, path = "/jobs/{id}/cancel", params(("id" = u64, Path)),
    request_body = LeaseChange, responses(
    (status = 200, body = JobInfo),
    (status = 403, body = ErrorBody, description = "it is somebody else's"),
    (status = 404, body = ErrorBody, description = "there is none that the caller may see"),
    (status = 409, body = ErrorBody, description = "it has ended already"),
))]
pub(in crate::front::http::server) async fn cancel(
    State(server): State<Server>,
    Path(id): Path<String>,
    Extension(caller): By,
    body: Body,
) -> Answer<JobInfo> {
    let LeaseChange { user, .. } = read(body, r#"{"user":"alice"}"#)?;
    let job = seen(&server, &id, user.clone(), &caller).await?;
    Ok(Json(server.cancel_job(job.id, &asker(&caller, user)?).await?))
}

/// Hands a job in once more, as the caller's.
#[utoipa::path(post, path = "/jobs/{id}/resubmit", params(("id" = u64, Path)),
    request_body = LeaseChange, responses(
    (status = 200, body = JobInfo),
    (status = 400, body = ErrorBody, description = "the lab has no boards for it any more"),
    (status = 404, body = ErrorBody, description = "there is none that the caller may see"),
))]
pub(in crate::front::http::server) async fn resubmit(
    State(server): State<Server>,
    Extension(doors): Extension<Doors>,
    Path(id): Path<String>,
    Extension(caller): By,
    body: Body,
) -> Answer<JobInfo> {
    let LeaseChange { user, .. } = read(body, r#"{"user":"alice"}"#)?;
    let job = whole(&server, &id, user.clone(), &caller).await?;
    if job.ci.is_some() {
        doors.check_lasting(&server, &caller).await?;
    }
    Ok(Json(server.resubmit_job(job.id, &asker(&caller, user)?).await?))
}

/// Has a board's health check run, as soon as the board is free; a bad board is to be tried again.
#[utoipa::path(post, path = "/boards/{name}/check", params(("name" = String, Path)),
    request_body = LeaseChange, responses(
    (status = 200, body = JobInfo),
    (status = 400, body = ErrorBody, description = "it has no health check"),
    (status = 404, body = ErrorBody, description = "no such board"),
))]
pub(in crate::front::http::server) async fn check_board(
    State(server): State<Server>,
    Path(name): Path<String>,
    Extension(caller): By,
    body: Body,
) -> Answer<JobInfo> {
    let LeaseChange { user, .. } = read(body, r#"{"user":"alice"}"#)?;
    let who = whoever(&caller, user)?;
    Ok(Json(server.check_board(&name, &who).await?))
}

/// A job that the caller may see.
///
/// # Errors
/// 404 when there is none.
pub(in crate::front::http::server) async fn seen(
    server: &Server,
    id: &str,
    user: Option<String>,
    caller: &Caller,
) -> Result<JobInfo, ApiError> {
    let job = server.job(number(id)?, &looker(caller, user)?).await?;
    seen_job(job, caller).ok_or_else(|| none(id))
}

/// A job of which the caller may know what it was handed in as.
///
/// # Errors
/// 404 when there is none, 403 when it is for boards that they may not see.
async fn whole(
    server: &Server,
    id: &str,
    user: Option<String>,
    caller: &Caller,
) -> Result<JobInfo, ApiError> {
    let job = server.job(number(id)?, &looker(caller, user)?).await?;
    let seen = seen_job(job.clone(), caller).ok_or_else(|| none(id))?;
    if seen.boards != job.boards || seen.specs != job.specs {
        let what = format!("job {id} is for boards that you may not see");
        let failure = Failure::new(Kind::Refused, what).because(Refusal::Rights);
        return Err(ApiError::new(StatusCode::FORBIDDEN, failure));
    }
    Ok(seen)
}

/// Who looks; nobody has to say it.
pub(super) fn looker(caller: &Caller, user: Option<String>) -> Result<Asker, ApiError> {
    check("user", user.as_deref(), MAX_USER)?;
    asker(caller, Some(user.unwrap_or_else(|| "somebody".into())))
}

fn number(id: &str) -> Result<u64, ApiError> {
    id.parse().map_err(|_| none(id))
}

fn none(id: &str) -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        Failure::new(Kind::User, format!("there is no job {id:?}")),
    )
}
