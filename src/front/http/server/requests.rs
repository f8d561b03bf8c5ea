//! Requests: asking for boards, and waiting for them.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use serde::Deserialize;

use super::super::{ApiError, Params};
use super::seen::seen;
use super::{Answer, Asking, Body, By, Caller, MAX_REASON, asker, check, read};
use crate::client::ErrorBody;
use crate::model::{BoardRequest, Failure, Kind, LeaseChange, RequestInfo};
use crate::server::{Asker, Server, ServerError};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct All {
    /// Also those that have ended within a week.
    #[serde(default)]
    ended: bool,
}

/// Who ends a request, and of somebody else why.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ending {
    user: Option<String>,
    #[serde(default)]
    force: bool,
    reason: Option<String>,
}

/// The requests that wait, who comes next first, then those that have boards.
#[utoipa::path(get, path = "/requests", params(
    ("ended" = Option<bool>, Query,
        description = "also those that have ended within a week: the newest 2,000"),
), responses((status = 200, body = Vec<RequestInfo>)))]
pub(super) async fn list(
    State(server): State<Server>,
    Params(All { ended }): Params<All>,
    Extension(caller): By,
) -> Answer<Vec<RequestInfo>> {
    let all = server.requests(ended).await?;
    Ok(Json(all.into_iter().filter_map(|request| seen(request, &caller)).collect()))
}

/// Asks for boards: all that are asked for at once, as soon as it is the request's turn.
#[utoipa::path(post, path = "/requests", request_body = BoardRequest, responses(
    (status = 200, body = RequestInfo),
    (status = 400, body = ErrorBody, description = "the request is not understood"),
    (status = 403, body = ErrorBody, description = "there is no board that the caller may have"),
))]
pub(super) async fn submit(
    State(server): State<Server>,
    Extension(caller): By,
    body: Body,
) -> Answer<RequestInfo> {
    let mut asked: BoardRequest = read(body, r#"{"spec":"panda ram>=1GB","for":"2h"}"#)?;
    check("reason", asked.reason.as_deref(), MAX_REASON)?;
    let asker = asker(&caller, asked.user.take())?;
    Ok(Json(server.submit(asked, &asker).await?))
}

/// One request: its place in the queue, when it may be its turn, and why it waits; or its boards. When its holder
/// asks, they are heard of.
#[utoipa::path(get, path = "/requests/{id}", params(
    ("id" = u64, Path),
    ("user" = Option<String>, Query, description = "who asks, where nobody logs in"),
), responses(
    (status = 200, body = RequestInfo),
    (status = 404, body = ErrorBody, description = "there never was one"),
))]
pub(super) async fn get(
    State(server): State<Server>,
    Path(id): Path<String>,
    Params(Asking { user }): Params<Asking>,
    Extension(caller): By,
) -> Answer<RequestInfo> {
    let id = number(&id)?;
    let holder = asker(&caller, user).ok();
    Ok(Json(look(&server, id, holder.as_ref(), &caller).await?))
}

/// Gives the boards back, or stops waiting for them; by force also somebody else's.
#[utoipa::path(delete, path = "/requests/{id}", params(
    ("id" = u64, Path),
    ("user" = Option<String>, Query, description = "who asks, where nobody logs in"),
    ("force" = Option<bool>, Query, description = "also somebody else's; needs a reason, and control"),
    ("reason" = Option<String>, Query),
), responses(
    (status = 200, body = RequestInfo),
    (status = 400, body = ErrorBody, description = "the query is not understood"),
    (status = 403, body = ErrorBody, description = "it is somebody else's"),
    (status = 404, body = ErrorBody, description = "there is none"),
))]
pub(super) async fn release(
    State(server): State<Server>,
    Path(id): Path<String>,
    Params(Ending { user, force, reason }): Params<Ending>,
    Extension(caller): By,
) -> Answer<RequestInfo> {
    check("reason", reason.as_deref(), MAX_REASON)?;
    let reason = reason.filter(|reason| force && !reason.trim().is_empty());
    if force && reason.is_none() {
        return Err(Failure::new(Kind::User, "force needs a reason").into());
    }
    let asker = asker(&caller, user)?;
    Ok(Json(server.release(number(&id)?, reason.as_deref(), &asker).await?))
}

/// Says that the request's holder is still there.
#[utoipa::path(post, path = "/requests/{id}/heartbeat", params(("id" = u64, Path)),
    request_body = LeaseChange, responses(
    (status = 200, body = RequestInfo),
    (status = 403, body = ErrorBody, description = "it is somebody else's"),
    (status = 404, body = ErrorBody, description = "there is none, or it has ended"),
))]
pub(super) async fn heartbeat(
    State(server): State<Server>,
    Path(id): Path<String>,
    Extension(caller): By,
    body: Body,
) -> Answer<RequestInfo> {
    let LeaseChange { user, .. } = read(body, r#"{"user":"alice"}"#)?;
    let asker = asker(&caller, user)?;
    Ok(Json(server.hear(number(&id)?, &asker).await?))
}

/// A request as the caller may see it; its holder is heard of.
///
/// # Errors
/// 404 when there never was one, and also when the caller may see none of its boards.
pub(super) async fn look(
    server: &Server,
    id: u64,
    holder: Option<&Asker>,
    caller: &Caller,
) -> Result<RequestInfo, ApiError> {
    if let Some(holder) = holder {
        // Of somebody else's, or of one that has ended, nobody is heard.
        let _ = server.hear(id, holder).await;
    }
    let info = server.request(id).await?;
    seen(info, caller).ok_or_else(|| ServerError::NoRequest(id).into())
}

/// # Errors
/// 404: what is no number is nobody's.
pub(super) fn number(id: &str) -> Result<u64, ApiError> {
    id.parse().map_err(|_| ApiError::not_found(format!("there is no request {id:?}")))
}
