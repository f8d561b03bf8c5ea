//! Leases: boards that somebody has.

use axum::extract::{Path, State};
use axum::{Extension, Json};

use super::super::ApiError;
use super::requests::number;
use super::{Answer, Body, By, asker, check, read};
use crate::client::ErrorBody;
use crate::model::{Failure, Kind, LeaseChange, RequestInfo, RequestState};
use crate::server::{Asker, Server};

/// Who has which boards.
#[utoipa::path(get, path = "/leases", responses((status = 200, body = Vec<RequestInfo>)))]
pub(super) async fn list(State(server): State<Server>) -> Answer<Vec<RequestInfo>> {
    let mut all = server.requests(false).await?;
    all.retain(|request| request.state == RequestState::Leased);
    Ok(Json(all))
}

/// Lets a lease go on for so long from now, if nobody's turn comes before.
#[utoipa::path(post, path = "/leases/{id}/extend", params(("id" = u64, Path)),
    request_body = LeaseChange, responses(
    (status = 200, body = RequestInfo),
    (status = 403, body = ErrorBody, description = "it is somebody else's"),
    (status = 404, body = ErrorBody, description = "there is none"),
    (status = 409, body = ErrorBody, description = "somebody else is to have a board then"),
))]
pub(super) async fn extend(
    State(server): State<Server>,
    Path(id): Path<String>,
    by: By,
    body: Body,
) -> Answer<RequestInfo> {
    let (change, asker) = changed(by, body, r#"{"for":"1h"}"#)?;
    let length = change.length.ok_or_else(|| missing("for"))?;
    Ok(Json(server.extend(number(&id)?, &length, &asker).await?))
}

/// Lets somebody else use the boards as their holder may.
#[utoipa::path(post, path = "/leases/{id}/share", params(("id" = u64, Path)),
    request_body = LeaseChange, responses(
    (status = 200, body = RequestInfo),
    (status = 403, body = ErrorBody, description = "it is somebody else's"),
    (status = 404, body = ErrorBody, description = "there is none"),
))]
pub(super) async fn share(
    State(server): State<Server>,
    Path(id): Path<String>,
    by: By,
    body: Body,
) -> Answer<RequestInfo> {
    let (change, asker) = changed(by, body, r#"{"to":"bob"}"#)?;
    let to = change.to.ok_or_else(|| missing("to"))?;
    Ok(Json(server.share(number(&id)?, &to, &asker).await?))
}

/// Hands a lease over: it is somebody else's from now on.
#[utoipa::path(post, path = "/leases/{id}/give", params(("id" = u64, Path)),
    request_body = LeaseChange, responses(
    (status = 200, body = RequestInfo),
    (status = 403, body = ErrorBody, description = "it is somebody else's"),
    (status = 404, body = ErrorBody, description = "there is none"),
))]
pub(super) async fn give(
    State(server): State<Server>,
    Path(id): Path<String>,
    by: By,
    body: Body,
) -> Answer<RequestInfo> {
    let (change, asker) = changed(by, body, r#"{"to":"bob"}"#)?;
    let to = change.to.ok_or_else(|| missing("to"))?;
    Ok(Json(server.give(number(&id)?, &to, &asker).await?))
}

fn changed(
    Extension(caller): By,
    body: Body,
    like: &'static str,
) -> Result<(LeaseChange, Asker), ApiError> {
    let mut change: LeaseChange = read(body, like)?;
    check("to", change.to.as_deref(), super::MAX_USER)?;
    let asker = asker(&caller, change.user.take())?;
    Ok((change, asker))
}

fn missing(key: &str) -> Failure {
    Failure::new(Kind::User, format!("{key:?} is missing in the body"))
}
