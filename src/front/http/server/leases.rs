//! Leases: boards that somebody has.

use axum::extract::{Path, State};
use axum::{Extension, Json};

use super::super::ApiError;
use super::requests::number;
use super::seen::seen;
use super::{Answer, Body, By, Doors, asker, check, read};
use crate::client::ErrorBody;
use crate::model::{Failure, Kind, LeaseChange, RequestInfo, RequestState};
use crate::server::{Asker, Recipient, Server, TheirRights};

/// Who has which boards.
#[utoipa::path(get, path = "/leases", responses((status = 200, body = Vec<RequestInfo>)))]
pub(super) async fn list(
    State(server): State<Server>,
    Extension(caller): By,
) -> Answer<Vec<RequestInfo>> {
    let mut all = server.requests(false).await?;
    all.retain(|request| request.state == RequestState::Leased);
    Ok(Json(all.into_iter().filter_map(|request| seen(request, &caller)).collect()))
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
    (status = 400, body = ErrorBody, description = "nobody of that name is let in"),
    (status = 403, body = ErrorBody, description = "it is somebody else's, or they may not have a board"),
    (status = 404, body = ErrorBody, description = "there is none"),
))]
pub(super) async fn share(
    State(server): State<Server>,
    Path(id): Path<String>,
    Extension(doors): Extension<Doors>,
    by: By,
    body: Body,
) -> Answer<RequestInfo> {
    let (change, asker) = changed(by, body, r#"{"to":"bob"}"#)?;
    let to = recipient(&doors, change)?;
    Ok(Json(server.share(number(&id)?, &to, &asker).await?))
}

/// Ends that somebody else uses the boards, too.
#[utoipa::path(post, path = "/leases/{id}/unshare", params(("id" = u64, Path)),
    request_body = LeaseChange, responses(
    (status = 200, body = RequestInfo),
    (status = 400, body = ErrorBody, description = "it is not shared with them"),
    (status = 403, body = ErrorBody, description = "it is somebody else's"),
    (status = 404, body = ErrorBody, description = "there is none"),
))]
pub(super) async fn unshare(
    State(server): State<Server>,
    Path(id): Path<String>,
    by: By,
    body: Body,
) -> Answer<RequestInfo> {
    let (change, asker) = changed(by, body, r#"{"to":"bob"}"#)?;
    let to = change.to.ok_or_else(|| missing("to"))?;
    Ok(Json(server.unshare(number(&id)?, &to, &asker).await?))
}

/// Hands a lease over: it is somebody else's from now on.
#[utoipa::path(post, path = "/leases/{id}/give", params(("id" = u64, Path)),
    request_body = LeaseChange, responses(
    (status = 200, body = RequestInfo),
    (status = 400, body = ErrorBody, description = "nobody of that name is let in"),
    (status = 403, body = ErrorBody, description = "it is somebody else's, or they may not have a board"),
    (status = 404, body = ErrorBody, description = "there is none"),
))]
pub(super) async fn give(
    State(server): State<Server>,
    Path(id): Path<String>,
    Extension(doors): Extension<Doors>,
    by: By,
    body: Body,
) -> Answer<RequestInfo> {
    let (change, asker) = changed(by, body, r#"{"to":"bob"}"#)?;
    let to = recipient(&doors, change)?;
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

/// Who is to use the boards, if they are let in at all.
fn recipient(doors: &Doors, change: LeaseChange) -> Result<Recipient, Failure> {
    let user = change.to.ok_or_else(|| missing("to"))?;
    let rights = match doors.access.rights_of(&user) {
        None => TheirRights::Open,
        Some(None) => TheirRights::Unknown,
        Some(Some(on)) => TheirRights::Known(Box::new(on)),
    };
    Ok(Recipient { user, rights })
}

fn missing(key: &str) -> Failure {
    Failure::new(Kind::User, format!("{key:?} is missing in the body"))
}
