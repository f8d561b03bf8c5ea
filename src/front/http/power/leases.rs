//! Leases: boards that somebody has for a time, whether at the console or not.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::{Extension, Json};
use serde::Deserialize;

use super::super::access::{Caller, missing};
use super::super::{ApiError, Params};
use super::{Answer, Body, By, MAX_REASON, MAX_USER, check, discreet};
use crate::client::ErrorBody;
use crate::model::{Failure, Kind, Lease, LeaseRequest, Name, Right, units};
use crate::power::Power;

/// A lease is shared with so many people at most: its file is small.
const MAX_SHARED: usize = 16;

/// Who ends a lease, and of somebody else why.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ending {
    user: Option<String>,
    /// Also when it is somebody else's; they are told the reason at the console.
    #[serde(default)]
    force: bool,
    reason: Option<String>,
}

/// Who has leased the board; null when nobody has.
#[utoipa::path(get, path = "/leases/{name}", params(("name" = String, Path)), responses(
    (status = 200, body = Option<Lease>),
    (status = 404, body = ErrorBody, description = "no such outlet"),
))]
pub(super) async fn lease(
    State(power): State<Arc<Power>>,
    Path(name): Path<String>,
    Extension(caller): Extension<Caller>,
) -> Answer<Option<Lease>> {
    known(&power, &caller, &name)?;
    Ok(Json(power.lease(&name).await?))
}

/// Who has leased which board: those that are leased now.
#[utoipa::path(get, path = "/leases", responses(
    (status = 200, body = BTreeMap<String, Lease>),
))]
pub(super) async fn list(
    State(power): State<Arc<Power>>,
    Extension(caller): Extension<Caller>,
) -> Answer<BTreeMap<Name, Lease>> {
    let mut leases = power.leases().await;
    leases.retain(|board, _| caller.may(Right::See, board.as_str()));
    Ok(Json(leases))
}

/// Leases the board for a time from now on, or prolongs the caller's lease.
#[utoipa::path(post, path = "/leases/{name}", params(("name" = String, Path)),
    request_body = LeaseRequest, responses(
    (status = 200, body = Lease),
    (status = 400, body = ErrorBody, description = "the body is not understood"),
    (status = 404, body = ErrorBody, description = "no such outlet"),
    (status = 409, body = ErrorBody, description = "somebody else has it"),
))]
pub(super) async fn take(
    State(power): State<Arc<Power>>,
    Path(name): Path<String>,
    (_, Extension(caller)): By,
    body: Body,
) -> Answer<Lease> {
    known(&power, &caller, &name)?;
    let body = body.map_err(|rejection| {
        ApiError::new(rejection.status(), Failure::new(Kind::User, rejection.body_text()))
    })?;
    let wrong = |what: String| {
        Failure::new(Kind::User, what).hint(r#"write it like {"user":"alice","for":"2h"}"#)
    };
    let mut asked: LeaseRequest = serde_json::from_slice(&body)
        .map_err(|error| wrong(format!("the body is not understood: {error}")))?;
    check("user", asked.user.as_deref(), MAX_USER).map_err(wrong)?;
    check("reason", asked.reason.as_deref(), MAX_REASON).map_err(wrong)?;
    if asked.shared_with.len() > MAX_SHARED {
        return Err(wrong(format!("a board is shared with {MAX_SHARED} at most")).into());
    }
    for user in &asked.shared_with {
        check("shared_with", Some(user), MAX_USER).map_err(wrong)?;
    }
    let length = units::duration(&asked.length).map_err(wrong)?;
    let who = named(&caller, asked.user.take());
    let who = who.ok_or_else(|| wrong("a lease is somebody's: whose?".into()))?;
    let lease = power.take_lease(&name, who, asked, length).await?;
    name.parse().into_iter().for_each(|name: Name| caller.tell_lease(&name, &lease));
    Ok(Json(lease))
}

/// Ends the caller's lease, or by force somebody else's, and tells whose it was.
#[utoipa::path(delete, path = "/leases/{name}", params(
    ("name" = String, Path),
    ("user" = Option<String>, Query, description = "who asks; the client's address when left out"),
    ("force" = Option<bool>, Query, description = "also somebody else's; needs a reason, and control"),
    ("reason" = Option<String>, Query),
), responses(
    (status = 200, body = Option<Lease>),
    (status = 400, body = ErrorBody, description = "the query is not understood"),
    (status = 404, body = ErrorBody, description = "no such outlet"),
    (status = 409, body = ErrorBody, description = "it is somebody else's"),
))]
pub(super) async fn release(
    State(power): State<Arc<Power>>,
    Path(name): Path<String>,
    Params(Ending { user, force, reason }): Params<Ending>,
    (Extension(peer), Extension(caller)): By,
) -> Answer<Option<Lease>> {
    known(&power, &caller, &name)?;
    let wrong = |what: String| Failure::new(Kind::User, what);
    check("user", user.as_deref(), MAX_USER).map_err(wrong)?;
    check("reason", reason.as_deref(), MAX_REASON).map_err(wrong)?;
    let reason = reason.filter(|reason| force && !reason.trim().is_empty());
    if force && reason.is_none() {
        return Err(wrong("force needs a reason".into()).into());
    }
    if force && !caller.may(Right::Control, &name) {
        return Err(missing(&caller, caller.on(&name), Right::Control, &name));
    }
    let who = caller.user(user, || peer.host());
    let ended = power.end_lease(&name, &who, reason.as_deref()).await?;
    if let (Some(lease), Ok(name)) = (&ended, name.parse()) {
        caller.tell_end(&name, lease);
    }
    Ok(Json(ended))
}

/// The name of who asks, by which they are known the next time, too: not an address.
fn named(caller: &Caller, said: Option<String>) -> Option<String> {
    let has_name = caller.name().is_some() || said.as_ref().is_some_and(|said| !said.is_empty());
    has_name.then(|| caller.user(said, String::new))
}

/// # Errors
/// 404 when there is no such outlet.
fn known(power: &Power, caller: &Caller, name: &str) -> Result<(), ApiError> {
    match power.outlet(name) {
        Some(_) => Ok(()),
        None => Err(discreet(power.unknown(name), caller).into()),
    }
}
