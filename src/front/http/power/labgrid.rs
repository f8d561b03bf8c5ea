//! Outlets for labgrid's NetworkPowerDriver, models `rest` and `simplerest`: `1` is on and `0` is off.
//!
//! `rest` reads with GET and switches with PUT. `simplerest` switches with a GET, too: browsers are not
//! let in there.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};

use super::super::access::{Caller, missing};
use super::super::pages::refuse_browser;
use super::super::{ApiError, Peer, failed};
use super::{permitted, wrong_method};
use crate::client::ErrorBody;
use crate::front::outlets;
use crate::model::{Failure, Kind, Right, State as Switched, Verb};
use crate::power::{Asked, Power};

/// What every request has.
type Context = (State<Arc<Power>>, Extension<Peer>, Extension<Caller>);

/// Whether an outlet has power, read from its PDU now.
#[utoipa::path(get, path = "/labgrid/outlets/{name}", params(("name" = String, Path)), responses(
    (status = 200, body = str, content_type = "text/plain", description = "1 is on, 0 is off"),
    (status = 404, body = ErrorBody, description = "no such outlet"),
    (status = 502, body = str, content_type = "text/plain", description = "nobody can tell"),
))]
pub(super) async fn get(context: Context, Path(name): Path<String>) -> Result<Response, ApiError> {
    carry_out(context, &name, Verb::Status).await
}

/// Switches an outlet.
#[utoipa::path(put, path = "/labgrid/outlets/{name}", params(("name" = String, Path)),
    request_body(content = str, content_type = "text/plain", description = "1 or 0"), responses(
    (status = 200, body = str, content_type = "text/plain", description = "it is done"),
    (status = 400, body = ErrorBody, description = "the body is neither 1 nor 0"),
    (status = 404, body = ErrorBody, description = "no such outlet"),
    (status = 409, body = str, content_type = "text/plain", description = "somebody else holds the board"),
    (status = 502, body = str, content_type = "text/plain", description = "it was not switched, or nobody can tell"),
))]
pub(super) async fn put(
    context: Context,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Response, ApiError> {
    let value = String::from_utf8_lossy(&body);
    carry_out(context, &name, verb(value.trim())?).await
}

/// Switches an outlet, for `simplerest`, which has only GET. Not for browsers.
#[utoipa::path(get, path = "/labgrid/outlets/{name}/{value}", params(
    ("name" = String, Path),
    ("value" = String, Path, description = "1 or 0"),
), responses(
    (status = 200, body = str, content_type = "text/plain", description = "it is done"),
    (status = 400, body = ErrorBody, description = "the value is neither 1 nor 0"),
    (status = 403, body = ErrorBody, description = "a browser has asked"),
    (status = 404, body = ErrorBody, description = "no such outlet"),
    (status = 409, body = str, content_type = "text/plain", description = "somebody else holds the board"),
    (status = 502, body = str, content_type = "text/plain", description = "it was not switched, or nobody can tell"),
))]
pub(super) async fn simple(
    context: Context,
    method: Method,
    headers: HeaderMap,
    Path((name, value)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    // HEAD is not to switch anything.
    if method != Method::GET {
        return Err(wrong_method().await);
    }
    refuse_browser(&headers)?;
    carry_out(context, &name, verb(&value)?).await
}

/// Whether the outlet at a PDU's port has power.
#[utoipa::path(get, path = "/labgrid/pdus/{pdu}/{port}", params(
    ("pdu" = String, Path), ("port" = String, Path),
), responses((status = 200, body = str, content_type = "text/plain", description = "as of its name")))]
pub(super) async fn get_at(
    context: Context,
    Path((pdu, port)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let name = find(&context, &pdu, &port, Right::See)?;
    carry_out(context, &name, Verb::Status).await
}

/// Switches the outlet at a PDU's port.
#[utoipa::path(put, path = "/labgrid/pdus/{pdu}/{port}", params(
    ("pdu" = String, Path), ("port" = String, Path),
), request_body(content = str, content_type = "text/plain", description = "1 or 0"),
responses((status = 200, body = str, content_type = "text/plain", description = "as of its name")))]
pub(super) async fn put_at(
    context: Context,
    Path((pdu, port)): Path<(String, String)>,
    body: Bytes,
) -> Result<Response, ApiError> {
    let name = find(&context, &pdu, &port, Right::Write)?;
    put(context, Path(name), body).await
}

/// Switches the outlet at a PDU's port, for `simplerest`.
#[utoipa::path(get, path = "/labgrid/pdus/{pdu}/{port}/{value}", params(
    ("pdu" = String, Path), ("port" = String, Path), ("value" = String, Path),
), responses((status = 200, body = str, content_type = "text/plain", description = "as of its name")))]
pub(super) async fn simple_at(
    context: Context,
    method: Method,
    headers: HeaderMap,
    Path((pdu, port, value)): Path<(String, String, String)>,
) -> Result<Response, ApiError> {
    let name = find(&context, &pdu, &port, Right::Write)?;
    simple(context, method, headers, Path((name, value))).await
}

fn verb(value: &str) -> Result<Verb, Failure> {
    match value {
        "1" => Ok(Verb::On),
        "0" => Ok(Verb::Off),
        _ => Err(Failure::new(Kind::User, "the value is neither 1 nor 0")),
    }
}

/// The outlet's name, for those who have this right on it.
fn find(context: &Context, pdu: &str, port: &str, right: Right) -> Result<String, ApiError> {
    let (State(power), _, Extension(caller)) = context;
    let found = outlets::at(power, pdu, port).map(ToString::to_string);
    let seen = found.filter(|name| caller.may(Right::See, name));
    let unknown = || ApiError::not_found(format!("PDU {pdu:?} has no outlet at port {port:?}"));
    let name = seen.ok_or_else(unknown)?;
    if !caller.may(right, &name) {
        return Err(missing(caller, caller.on(&name), right, &name));
    }
    Ok(name)
}

/// Answers when it is done. The status line has the reason when it is not: it is all that labgrid shows.
async fn carry_out(
    (State(power), Extension(peer), Extension(caller)): Context,
    name: &str,
    verb: Verb,
) -> Result<Response, ApiError> {
    if verb != Verb::Status {
        permitted(&power, &caller, name, Right::Write)?;
    }
    let who = caller.user(None, || format!("labgrid:{}", peer.host()));
    let told = |error: ApiError| {
        let text = error.failure.message.replace(char::is_control, " ");
        failed(error.status, &text)
    };
    let report = match power.request(name, verb, Asked::by(who)).await {
        Ok(report) => report,
        Err(error) => return Ok(told(super::discreet(error, &caller).into())),
    };
    Ok(match report.state {
        Switched::On => "1".into_response(),
        Switched::Off => "0".into_response(),
        Switched::Partly => failed(
            StatusCode::BAD_GATEWAY,
            &format!("of the outlets of {name} some are on and some are off"),
        ),
        Switched::Unknown => failed(StatusCode::BAD_GATEWAY, &format!("{name} cannot be read")),
    })
}
