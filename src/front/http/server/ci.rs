//! CI jobs: scripts of repositories, and having them run.

use axum::extract::{Path, State};
use axum::{Extension, Json};

use super::super::{ApiError, Params};
use super::{Answer, Asking, Body, By, Doors, asker, need, read};
use crate::client::ErrorBody;
use crate::front::http::access::{Caller, only_run};
use crate::model::{CiInfo, CiJob, CiRun, Failure, JobInfo, Kind, Name, Right};
use crate::server::Server;

/// Refuses who may have no board at all.
///
/// # Errors
/// 403 to the token of a run: what it changes here would outlive the run.
fn need_person(caller: &Caller) -> Result<(), ApiError> {
    if caller.job().is_some() {
        return Err(only_run());
    }
    need(caller, Right::Write)
}

/// All CI jobs.
#[utoipa::path(get, path = "/ci", responses((status = 200, body = Vec<CiInfo>)))]
pub(super) async fn list(
    State(server): State<Server>,
    Extension(caller): By,
) -> Answer<Vec<CiInfo>> {
    need(&caller, Right::See)?;
    Ok(Json(server.ci_jobs().await?))
}

/// One CI job.
#[utoipa::path(get, path = "/ci/{name}", params(("name" = String, Path)), responses(
    (status = 200, body = CiInfo),
    (status = 404, body = ErrorBody, description = "there is none"),
))]
pub(super) async fn get(
    State(server): State<Server>,
    Path(name): Path<String>,
    Extension(caller): By,
) -> Answer<CiInfo> {
    need(&caller, Right::See)?;
    Ok(Json(server.ci_job(&name).await?))
}

/// Adds a CI job, or says anew what it is.
#[utoipa::path(put, path = "/ci/{name}", params(
    ("name" = String, Path),
    ("user" = Option<String>, Query, description = "who asks, where nobody logs in"),
), request_body = CiJob, responses(
    (status = 200, body = CiInfo),
    (status = 400, body = ErrorBody, description = "it is not understood"),
    (status = 403, body = ErrorBody, description = "it is somebody else's"),
))]
pub(super) async fn put(
    State(server): State<Server>,
    Path(name): Path<String>,
    Params(Asking { user }): Params<Asking>,
    Extension(caller): By,
    body: Body,
) -> Answer<CiInfo> {
    need_person(&caller)?;
    let job: CiJob = read(body, r#"{"git":"https://host/repo.git","script":"ci/smoke.py"}"#)?;
    let name: Name = name.parse().map_err(|error| Failure::from_error(Kind::User, &error))?;
    Ok(Json(server.put_ci(name, job, &asker(&caller, user)?).await?))
}

/// Forgets a CI job; its runs stay.
#[utoipa::path(delete, path = "/ci/{name}", params(
    ("name" = String, Path),
    ("user" = Option<String>, Query, description = "who asks, where nobody logs in"),
), responses(
    (status = 200),
    (status = 403, body = ErrorBody, description = "it is somebody else's"),
    (status = 404, body = ErrorBody, description = "there is none"),
))]
pub(super) async fn remove(
    State(server): State<Server>,
    Path(name): Path<String>,
    Params(Asking { user }): Params<Asking>,
    Extension(caller): By,
) -> Answer<()> {
    need_person(&caller)?;
    Ok(Json(server.remove_ci(&name, &asker(&caller, user)?).await?))
}

/// Has a CI job run, in the caller's name: the run is a job, with a log and results as others have them.
#[utoipa::path(post, path = "/ci/{name}/run", params(("name" = String, Path)),
    request_body = CiRun, responses(
    (status = 200, body = JobInfo),
    (status = 403, body = ErrorBody, description = "there is no board that the caller may have"),
    (status = 404, body = ErrorBody, description = "there is none"),
))]
pub(super) async fn run(
    State(server): State<Server>,
    Extension(doors): Extension<Doors>,
    Path(name): Path<String>,
    Extension(caller): By,
    body: Body,
) -> Answer<JobInfo> {
    need(&caller, Right::Write)?;
    doors.check_lasting(&server, &caller).await?;
    let CiRun { args, user } = read(body, r#"{"args":["--fast"]}"#)?;
    Ok(Json(server.run_ci(&name, args, &asker(&caller, user)?).await?))
}
