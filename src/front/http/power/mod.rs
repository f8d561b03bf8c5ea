//! The HTTP interface of `lava-power`: outlets by name.

mod labgrid;
mod leases;
mod metrics;
mod openapi;
mod rights;

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use serde::Deserialize;

use super::access::{Access, Caller, Guard, guard, missing};
use super::{ApiError, Params, Peer, refuse_foreign_pages};
use crate::client::ErrorBody;
use crate::model::{
    Failure, Kind, MeterReport, Name, OutletInfo, PowerRecord, PowerRequest, Report, Right, Verb,
};
use crate::power::{Asked, Metered, Overdrawn, Power, PowerError};

pub use openapi::openapi;

/// The largest request body, in bytes.
const MAX_BODY: usize = 16 * 1024;
/// The longest user name and the longest reason, in bytes: they end up in logs and on screens.
const MAX_USER: usize = 64;
const MAX_REASON: usize = 500;

/// The routes; the document at `/openapi.json` tells what they take and give.
pub fn router(power: Arc<Power>, access: Access) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/metrics", get(metrics::metrics))
        .route("/openapi.json", get(async || Json(openapi())))
        .route("/outlets", get(outlets))
        .route("/outlets/{name}", get(status))
        .route("/outlets/{name}/meter", get(meter))
        .route("/outlets/{name}/on", post(on))
        .route("/outlets/{name}/off", post(off))
        .route("/outlets/{name}/cycle", post(cycle))
        .route("/outlets/{name}/history", get(history))
        .route("/leases", get(leases::list))
        .route("/leases/{name}", get(leases::lease).post(leases::take).delete(leases::release))
        .route("/labgrid/outlets/{name}", get(labgrid::get).put(labgrid::put))
        .route("/labgrid/outlets/{name}/{value}", get(labgrid::simple))
        .route("/labgrid/pdus/{pdu}/{port}", get(labgrid::get_at).put(labgrid::put_at))
        .route("/labgrid/pdus/{pdu}/{port}/{value}", get(labgrid::simple_at))
        .fallback(async || {
            ApiError::not_found("there is no such page; GET /openapi.json lists them")
        })
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(axum::middleware::from_fn_with_state(
            Guard { access, table: rights::TABLE, thing: "outlet" },
            guard,
        ))
        .layer(axum::middleware::from_fn(refuse_foreign_pages))
        .with_state(power)
}

type Answer<T> = Result<Json<T>, ApiError>;
/// Who asks.
type By = (Extension<Peer>, Extension<Caller>);
/// Who asks for an outlet's state.
#[derive(Debug, Deserialize)]
struct Asker {
    user: Option<String>,
}

type Body = Result<Bytes, BytesRejection>;

/// All outlets. No PDU is asked.
#[utoipa::path(get, path = "/outlets", responses((status = 200, body = Vec<OutletInfo>)))]
async fn outlets(
    State(power): State<Arc<Power>>,
    Extension(caller): Extension<Caller>,
) -> Json<Vec<OutletInfo>> {
    // A list without them is better than none; what cannot be told is logged.
    let mut leases = power.leases().await;
    let seen = power.outlets().filter(|outlet| caller.may(Right::See, outlet.name.as_str()));
    let now = seen.map(|outlet| {
        let mut outlet = outlet.clone();
        outlet.shared_with.retain(|other| caller.may(Right::See, other.as_str()));
        let lease = leases.remove(&outlet.name);
        OutletInfo { left_off: power.left_off(&outlet.name), lease, ..outlet }
    });
    Json(now.collect())
}

/// What was done to the outlet, the oldest first: the last 64 operations, and those of the last hour.
#[utoipa::path(get, path = "/outlets/{name}/history", params(("name" = String, Path)), responses(
    (status = 200, body = Vec<PowerRecord>),
    (status = 404, body = ErrorBody, description = "no such outlet"),
))]
async fn history(
    State(power): State<Arc<Power>>,
    Path(name): Path<String>,
    Extension(caller): Extension<Caller>,
) -> Answer<Vec<PowerRecord>> {
    Ok(Json(power.history(&name).map_err(|error| discreet(error, &caller))?))
}

/// The outlet's state, read from its PDU now.
#[utoipa::path(get, path = "/outlets/{name}", params(
    ("name" = String, Path),
    ("user" = Option<String>, Query, description = "who asks; the client's address when left out"),
), responses(
    (status = 200, body = Report),
    (status = 400, body = ErrorBody, description = "the user is not understood"),
    (status = 404, body = ErrorBody, description = "no such outlet"),
    (status = 502, body = ErrorBody, description = "the PDU refuses, or cannot be reached"),
    (status = 503, body = ErrorBody, description = "too many operations wait for the PDU"),
))]
async fn status(
    State(power): State<Arc<Power>>,
    Path(name): Path<String>,
    Params(Asker { user }): Params<Asker>,
    Extension(peer): Extension<Peer>,
    Extension(caller): Extension<Caller>,
) -> Answer<Report> {
    check("user", user.as_deref(), MAX_USER).map_err(|what| Failure::new(Kind::User, what))?;
    let who = caller.user(user, || peer.host());
    let asked = Asked::by(who);
    let report = power.request(&name, Verb::Status, asked).await;
    Ok(Json(report.map_err(|error| discreet(error, &caller))?))
}

/// What flows through the outlet, as it was read last: at most `meter_every` ago, if the PDU answers. No
/// PDU is asked.
#[utoipa::path(get, path = "/outlets/{name}/meter", params(("name" = String, Path)), responses(
    (status = 200, body = MeterReport),
    (status = 404, body = ErrorBody, description = "no such outlet, or nothing was measured at it yet"),
))]
async fn meter(
    State(power): State<Arc<Power>>,
    Path(name): Path<String>,
    Extension(caller): Extension<Caller>,
) -> Answer<MeterReport> {
    let Some(outlet) = power.outlet(&name) else {
        return Err(discreet(power.unknown(&name), &caller).into());
    };
    let Some(Metered { time_us, reading }) = power.metered(&name) else {
        let message = "its PDU measures nothing at this outlet, or did not tell yet";
        return Err(ApiError::not_found(message));
    };
    Ok(Json(MeterReport { outlet: outlet.name.clone(), time_us, reading }))
}

/// Switches the outlet on and reads it back.
#[utoipa::path(post, path = "/outlets/{name}/on", params(("name" = String, Path)),
    request_body = PowerRequest, responses(
    (status = 200, body = Report),
    (status = 400, body = ErrorBody, description = "the body is not understood"),
    (status = 404, body = ErrorBody, description = "no such outlet"),
    (status = 409, body = ErrorBody, description = "somebody else uses the board"),
    (status = 429, body = ErrorBody, description = "a budget is spent; Retry-After tells until when"),
    (status = 502, body = ErrorBody, description = "it was not switched, or nobody can tell"),
    (status = 503, body = ErrorBody, description = "too many operations wait for the PDU"),
))]
async fn on(power: State<Arc<Power>>, name: Path<String>, by: By, body: Body) -> Answer<Report> {
    switch(power, name, by, body, Verb::On).await
}

/// Switches the outlet off and reads it back.
#[utoipa::path(post, path = "/outlets/{name}/off", params(("name" = String, Path)),
    request_body = PowerRequest, responses(
    (status = 200, body = Report),
    (status = 400, body = ErrorBody, description = "the body is not understood"),
    (status = 404, body = ErrorBody, description = "no such outlet"),
    (status = 409, body = ErrorBody, description = "somebody else uses the board"),
    (status = 429, body = ErrorBody, description = "a budget is spent; Retry-After tells until when"),
    (status = 502, body = ErrorBody, description = "it was not switched, or nobody can tell"),
    (status = 503, body = ErrorBody, description = "too many operations wait for the PDU"),
))]
async fn off(power: State<Arc<Power>>, name: Path<String>, by: By, body: Body) -> Answer<Report> {
    switch(power, name, by, body, Verb::Off).await
}

/// Switches the outlet off, waits, and switches it on again, reading back both times.
#[utoipa::path(post, path = "/outlets/{name}/cycle", params(("name" = String, Path)),
    request_body = PowerRequest, responses(
    (status = 200, body = Report),
    (status = 400, body = ErrorBody, description = "the body is not understood"),
    (status = 404, body = ErrorBody, description = "no such outlet"),
    (status = 409, body = ErrorBody, description = "somebody else uses the board"),
    (status = 429, body = ErrorBody, description = "a budget is spent; Retry-After tells until when"),
    (status = 502, body = ErrorBody, description = "it was not switched, or nobody can tell"),
    (status = 503, body = ErrorBody, description = "too many operations wait for the PDU"),
))]
async fn cycle(power: State<Arc<Power>>, name: Path<String>, by: By, body: Body) -> Answer<Report> {
    switch(power, name, by, body, Verb::Cycle).await
}

async fn switch(
    State(power): State<Arc<Power>>,
    Path(name): Path<String>,
    (Extension(peer), Extension(caller)): By,
    body: Body,
    verb: Verb,
) -> Answer<Report> {
    let body = body.map_err(|rejection| {
        ApiError::new(rejection.status(), Failure::new(Kind::User, rejection.body_text()))
    })?;
    let PowerRequest { user, reason, force } = request(&body)?;
    permitted(&power, &caller, &name, if force { Right::Control } else { Right::Write })?;
    let asked = Asked { reason, force, ..Asked::by(caller.user(user, || peer.host())) };
    let report = power.request(&name, verb, asked).await;
    Ok(Json(report.map_err(|error| discreet(error, &caller))?))
}

/// Whether somebody has a right on an outlet, and on all boards that lose their power with it.
///
/// # Errors
/// 403 when it is missing on one of them, which is not named to those who may not see it. Nothing when
/// there is no such outlet.
fn permitted(power: &Power, caller: &Caller, name: &str, right: Right) -> Result<(), ApiError> {
    let Some(outlet) = power.outlet(name) else { return Ok(()) };
    let boards = [&outlet.name].into_iter().chain(&outlet.shared_with);
    let Some(board) = boards.map(Name::as_str).find(|board| !caller.may(right, board)) else {
        return Ok(());
    };
    let has = caller.on(board);
    let board = if has.is_some() { board } else { "another board on the same outlet" };
    Err(missing(caller, has, right, board))
}

/// The same without the name of an outlet that the caller may not see.
fn discreet(error: PowerError, caller: &Caller) -> PowerError {
    match error {
        PowerError::UnknownOutlet { name, near } => {
            let near = near.filter(|near| caller.may(Right::See, near));
            PowerError::UnknownOutlet { name, near }
        }
        error => error,
    }
}

/// The request in a body; an empty one says nothing of who and why.
fn request(body: &[u8]) -> Result<PowerRequest, Failure> {
    let wrong = |what: String| {
        Failure::new(Kind::User, what).hint(r#"write it like {"user":"alice","reason":"stuck"}"#)
    };
    if body.is_empty() {
        return Ok(PowerRequest::default());
    }
    let request: PowerRequest = serde_json::from_slice(body)
        .map_err(|error| wrong(format!("the body is not understood: {error}")))?;
    check("user", request.user.as_deref(), MAX_USER).map_err(wrong)?;
    check("reason", request.reason.as_deref(), MAX_REASON).map_err(wrong)?;
    if request.force && request.reason.as_deref().unwrap_or_default().trim().is_empty() {
        return Err(Failure::new(Kind::User, "force needs a reason")
            .hint(r#"write it like {"user":"alice","force":true,"reason":"it smokes"}"#));
    }
    Ok(request)
}

/// Refuses a text that would spoil a log or a screen.
fn check(key: &str, text: Option<&str>, most: usize) -> Result<(), String> {
    let text = text.unwrap_or_default();
    if text.len() > most {
        return Err(format!("{key} is longer than {most} bytes"));
    }
    if text.contains(char::is_control) {
        return Err(format!("{key} has a control character in it"));
    }
    Ok(())
}

async fn wrong_method() -> ApiError {
    let failure = Failure::new(Kind::User, "this page does not take that method")
        .hint("GET reads, POST switches; GET /openapi.json lists the pages");
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, failure)
}

impl From<PowerError> for ApiError {
    fn from(error: PowerError) -> Self {
        let status = match &error {
            PowerError::UnknownOutlet { .. } => Some(StatusCode::NOT_FOUND),
            PowerError::Busy { .. } => Some(StatusCode::SERVICE_UNAVAILABLE),
            PowerError::Overdrawn(Overdrawn { wait, .. }) => {
                let seconds = wait.as_millis().div_ceil(1000) as u64;
                let failure = Failure::from(error.clone());
                return Self::new(StatusCode::TOO_MANY_REQUESTS, failure).retry_after(seconds);
            }
            PowerError::Ending | PowerError::Held(_) | PowerError::Operation { .. } => None,
        };
        let failure = Failure::from(error);
        match status {
            Some(status) => Self::new(status, failure),
            None => failure.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_says_who_and_why_or_nothing() {
        assert_eq!(request(b"").unwrap(), PowerRequest::default());
        let full = request(br#"{"user":"alice","reason":null}"#).unwrap();
        assert_eq!(full.user.as_deref(), Some("alice"));
        let wrong = |body: &str| request(body.as_bytes()).unwrap_err().message;
        assert!(wrong(r#"{"usr":"alice"}"#).contains("unknown field `usr`"));
        assert!(wrong(r#"{"user":"al\nice"}"#).contains("control character"));
        assert!(wrong(&format!(r#"{{"user":"{}"}}"#, "a".repeat(65))).contains("longer than 64"));
    }
}
