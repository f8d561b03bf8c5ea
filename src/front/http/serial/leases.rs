//! `/consoles/{name}/lease`: whose board it is for a time. Who has not leased it looks on.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::Path;
use serde::Deserialize;

use super::super::{ApiError, Params};
use super::consoles::Consoles;
use super::json;
use crate::model::{Failure, Kind, Lease, LeaseRequest, Refusal, is_holder, units};

/// The longest lease, as of `lava-power`.
const LONGEST: Duration = Duration::from_secs(14 * 24 * 3600);
/// The longest text, in bytes, and so many people share a lease.
const MAX_TEXT: usize = 500;
const MAX_SHARED: usize = 16;

/// Who ends a lease.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ending {
    user: Option<String>,
}

/// Who has leased the board; null when nobody has.
#[utoipa::path(get, path = "/consoles/{name}/lease", params(("name" = String, Path)), responses(
    (status = 200, body = Option<Lease>), (status = 404, description = "no such console"),
))]
pub(super) async fn lease(
    consoles: Consoles,
    Path(name): Path<String>,
) -> Result<Json<Option<Lease>>, ApiError> {
    Ok(Json(consoles.find(&name)?.lease()))
}

/// Leases the board for a time from now on, or prolongs the caller's lease. It lasts no longer than this process:
/// who gives boards away tells it again then.
#[utoipa::path(post, path = "/consoles/{name}/lease", params(("name" = String, Path)),
    request_body = LeaseRequest, responses(
    (status = 200, body = Lease), (status = 400, description = "the body is not understood"),
    (status = 404, description = "no such console"),
    (status = 409, description = "somebody else has it"),
))]
pub(super) async fn take(
    consoles: Consoles,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Json<Lease>, ApiError> {
    let wrong = |what: String| {
        let failure = Failure::new(Kind::User, what);
        failure.hint(r#"write it like {"user":"alice","for":"2h"}"#)
    };
    let console = consoles.find(&name)?;
    let LeaseRequest { user, length, shared_with, reason } = json(&body)?;
    let length = units::duration(&length).map_err(wrong)?;
    if length.is_zero() || length > LONGEST || shared_with.len() > MAX_SHARED {
        let what = "a lease is for at most 14 days, and shared with at most 16";
        return Err(wrong(what.into()).into());
    }
    let texts = user.iter().chain(&shared_with).chain(&reason);
    if texts.into_iter().any(|text| text.len() > MAX_TEXT || text.contains(char::is_control)) {
        return Err(wrong("a text is too long, or has a control character in it".into()).into());
    }
    let caller = consoles.caller();
    let user = user.filter(|user| !user.is_empty());
    if caller.name().is_none() && user.is_none() {
        return Err(wrong("a lease is somebody's: whose?".into()).into());
    }
    let holder = caller.user(user, String::new);
    let before = console.lease();
    refuse_others(before.as_ref(), &holder)?;
    let since_us = before.map_or_else(units::now_us, |before| before.since_us);
    let until_us = units::now_us().saturating_add(length.as_micros() as u64);
    let lease = Lease { holder, shared_with, since_us, until_us, reason };
    console.set_lease(Some(lease.clone()));
    caller.tell_lease(console.name(), &lease);
    Ok(Json(lease))
}

/// Ends the caller's lease, and tells whose it was.
#[utoipa::path(delete, path = "/consoles/{name}/lease", params(
    ("name" = String, Path), ("user" = Option<String>, Query, description = "whose it is"),
), responses(
    (status = 200, body = Option<Lease>), (status = 404, description = "no such console"),
    (status = 409, description = "it is somebody else's"),
))]
pub(super) async fn release(
    consoles: Consoles,
    Path(name): Path<String>,
    Params(Ending { user }): Params<Ending>,
) -> Result<Json<Option<Lease>>, ApiError> {
    let console = consoles.find(&name)?;
    let who = consoles.caller().user(user, String::new);
    let lease = console.lease();
    refuse_others(lease.as_ref(), &who)?;
    console.set_lease(None);
    if let Some(lease) = &lease {
        consoles.caller().tell_end(console.name(), lease);
    }
    Ok(Json(lease))
}

/// # Errors
/// 409 when the board is somebody else's.
fn refuse_others(lease: Option<&Lease>, who: &str) -> Result<(), ApiError> {
    match lease.filter(|lease| !is_holder(&lease.holder, who)) {
        None => Ok(()),
        Some(Lease { holder, until_us, .. }) => {
            let what = format!("it is leased by {holder} until {}", units::time_text(*until_us));
            Err(Failure::new(Kind::Refused, what).because(Refusal::Leased).into())
        }
    }
}
