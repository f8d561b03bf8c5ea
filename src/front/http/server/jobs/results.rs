//! The results of a job, from its log.

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;

use super::super::super::{ApiError, Params};
use super::super::By;
use super::log::board;
use super::seen;
use crate::client::ErrorBody;
use crate::dispatch::record::{junit, results_yaml, tap};
use crate::model::{Failure, Kind};
use crate::server::Server;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::front::http::server) struct Wanted {
    user: Option<String>,
    board: Option<String>,
    #[serde(default)]
    format: Format,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Json,
    Junit,
    Tap,
    /// As LAVA lists them.
    Yaml,
}

/// The results of a job's tests and actions, as far as it is: as JSON (suites with their cases), JUnit XML,
/// TAP 13 or LAVA's YAML. Of a job for several boards the first one's, unless one is named. Of more than 100,000
/// results the first are told, and how many are not.
#[utoipa::path(get, path = "/jobs/{id}/results", params(
    ("id" = u64, Path),
    ("board" = Option<String>, Query),
    ("format" = Option<String>, Query, description = "json, junit, tap or yaml"),
    ("user" = Option<String>, Query, description = "who looks, where nobody logs in"),
), responses(
    (status = 200, body = Object),
    (status = 404, body = ErrorBody, description = "there is none that the caller may see"),
))]
pub(in crate::front::http::server) async fn get(
    State(server): State<Server>,
    Path(id): Path<String>,
    Params(Wanted { user, board: wanted, format }): Params<Wanted>,
    Extension(caller): By,
) -> Result<Response, ApiError> {
    let job = seen(&server, &id, user, &caller).await?;
    let board = board(&job, wanted.as_deref())?;
    let missing = || ApiError::not_found(format!("job {} has no results yet", job.id));
    let view = server.log_view(job.id, board.ok_or_else(missing)?);
    let read = view.read(|view| Ok((!view.is_empty()).then(|| view.report()))).await;
    let report = read.map_err(|error| Failure::from_error(Kind::Infra, &error))?;
    let report = report.ok_or_else(missing)?;
    Ok(match format {
        Format::Json => axum::Json(&*report).into_response(),
        Format::Junit => ([(CONTENT_TYPE, "application/xml")], junit(&report)).into_response(),
        Format::Tap => {
            ([(CONTENT_TYPE, "text/plain; charset=utf-8")], tap(&report)).into_response()
        }
        Format::Yaml => {
            let yaml = results_yaml(&report).map_err(|what| Failure::new(Kind::Bug, what))?;
            ([(CONTENT_TYPE, "application/yaml")], yaml).into_response()
        }
    })
}
