//! What can be done to a console by one request: `POST /consoles/NAME/WORD`. The body is that of the
//! same request over an attached WebSocket ([`crate::wire::request`]), and `user` beside it.

use std::pin::pin;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Request};
use axum::http::header::CONTENT_TYPE;
use axum::routing::post;
use axum::{Extension, Json, Router};
use futures_util::StreamExt as _;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::super::access::Caller;
use super::super::{ApiError, Params};
use super::consoles::{AllConsoles, Consoles};
use super::{MAX_BODY, json};
use crate::console::{Asker, Console, RequestError};
use crate::front::hand_over::HandOver;
use crate::model::{Failure, Interval, Kind, Refusal};
use crate::wire::attach::{Answer, Verb};
use crate::wire::line::{LineState, SetLine};
use crate::wire::request::{Kick, MAX_SEND, Nothing, OfSession, Send, SendBreak, Text};

/// Who asks, when nothing is said.
const NOBODY: &str = "http";

pub(super) fn routes() -> Router<AllConsoles> {
    Router::new()
        .route("/consoles/{name}/force", post(force))
        .route("/consoles/{name}/release", post(release))
        .route("/consoles/{name}/break", post(send_break))
        .route("/consoles/{name}/message", post(message))
        .route("/consoles/{name}/note", post(note))
        .route("/consoles/{name}/kick", post(kick))
        .route("/consoles/{name}/line", post(line))
        .route("/consoles/{name}/close", post(close))
        .route("/consoles/{name}/open", post(open))
        .route("/consoles/{name}/send", post(send))
}

/// The query of a request to send a body of plain bytes.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct SendQuery {
    /// Who sends it. In the body where that is JSON; so for the others.
    user: Option<String>,
    /// The time from one character to the next, or a rate: `10ms`, `100B/s`.
    #[param(value_type = Option<String>)]
    pace: Option<Interval>,
    /// The time after each line.
    #[param(value_type = Option<String>)]
    line_pace: Option<Interval>,
}

#[utoipa::path(post, path = "/consoles/{name}/force", params(("name" = String, Path)),
    request_body = OfSession, responses((status = 200, description = "the session has the console"),
        (status = 400, description = "there is no such session")))]
async fn force(
    consoles: Consoles,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Json<Answer>, ApiError> {
    ask(&consoles, &name, &body, Verb::Force).await
}

#[utoipa::path(post, path = "/consoles/{name}/release", params(("name" = String, Path)),
    request_body = OfSession, responses((status = 200, description = "it was given back"),
        (status = 400, description = "nobody holds the console")))]
async fn release(
    consoles: Consoles,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Json<Answer>, ApiError> {
    ask(&consoles, &name, &body, Verb::Release).await
}

#[utoipa::path(post, path = "/consoles/{name}/break", params(("name" = String, Path)),
    request_body = SendBreak, responses((status = 200, description = "the break is sent"),
        (status = 409, description = "somebody else has the console")))]
async fn send_break(
    consoles: Consoles,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Json<Answer>, ApiError> {
    ask(&consoles, &name, &body, Verb::Break).await
}

#[utoipa::path(post, path = "/consoles/{name}/message", params(("name" = String, Path)),
    request_body = Text, responses((status = 200, description = "everyone is told")))]
async fn message(
    consoles: Consoles,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Json<Answer>, ApiError> {
    ask(&consoles, &name, &body, Verb::Message).await
}

#[utoipa::path(post, path = "/consoles/{name}/note", params(("name" = String, Path)),
    request_body = Text, responses((status = 200, description = "it is in the record")))]
async fn note(
    consoles: Consoles,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Json<Answer>, ApiError> {
    ask(&consoles, &name, &body, Verb::Note).await
}

#[utoipa::path(post, path = "/consoles/{name}/kick", params(("name" = String, Path)),
    request_body = Kick, responses((status = 200, description = "the session is let go"),
        (status = 400, description = "there is no such session")))]
async fn kick(
    consoles: Consoles,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Json<Answer>, ApiError> {
    ask(&consoles, &name, &body, Verb::Kick).await
}

#[utoipa::path(post, path = "/consoles/{name}/line", params(("name" = String, Path)),
    request_body = SetLine, responses((status = 200, body = LineState),
        (status = 409, description = "somebody else has the console")))]
async fn line(
    consoles: Consoles,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Json<Answer>, ApiError> {
    ask(&consoles, &name, &body, Verb::Line).await
}

#[utoipa::path(post, path = "/consoles/{name}/close", params(("name" = String, Path)),
    request_body = Nothing, responses((status = 200, description = "the port is closed, and stays so"),
        (status = 409, description = "somebody else has the console"),
        (status = 502, description = "it is closed already")))]
async fn close(
    consoles: Consoles,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Json<Answer>, ApiError> {
    ask(&consoles, &name, &body, |Nothing {}| Verb::Close).await
}

#[utoipa::path(post, path = "/consoles/{name}/open", params(("name" = String, Path)),
    request_body = Nothing, responses((status = 200, description = "the port is opened"),
        (status = 409, description = "somebody else has the console"),
        (status = 502, description = "it is open already")))]
async fn open(
    consoles: Consoles,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Json<Answer>, ApiError> {
    ask(&consoles, &name, &body, |Nothing {}| Verb::Open).await
}

#[utoipa::path(post, path = "/consoles/{name}/send", params(("name" = String, Path), SendQuery),
    request_body(content((Send = "application/json"), (Vec<u8> = "application/octet-stream"))),
    responses((status = 200, description = "the port has taken it all"),
        (status = 409, description = "somebody else has the console"),
        (status = 502, description = "a part was sent; the message tells how much, and why")))]
async fn send(
    consoles: Consoles,
    Path(name): Path<String>,
    Params(query): Params<SendQuery>,
    Extension(hand_over): Extension<HandOver>,
    request: Request,
) -> Result<Json<Answer>, ApiError> {
    let console = consoles.find(&name)?;
    // Another process goes on with the console, but not with this: it ends with an answer.
    let cancel = CancellationToken::new();
    let sent = send_request(&console, consoles.caller(), query, request, &cancel);
    let mut sent = pin!(sent);
    tokio::select! {
        sent = &mut sent => sent,
        () = hand_over.asked() => {
            cancel.cancel();
            sent.await.map_err(|mut error| {
                // What is missing can be sent to the next one.
                error.failure.kind = Kind::Interrupted;
                error
            })
        }
        refused = consoles.revoked(console.name()) => {
            cancel.cancel();
            sent.await.map_err(|error| refused.sent_as(&error))
        }
    }
}

async fn send_request(
    console: &Arc<Console>,
    caller: &Caller,
    query: SendQuery,
    request: Request,
    cancel: &CancellationToken,
) -> Result<Json<Answer>, ApiError> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if kind == Some("application/octet-stream") {
        return send_stream(console, caller, query, request.into_body(), cancel).await;
    }
    let body = axum::body::to_bytes(request.into_body(), MAX_BODY).await;
    let body = body.map_err(|error| Failure::from_error(Kind::User, &error))?;
    let (user, mut asked): (_, Send) = asked(&body)?;
    asked.pace = asked.pace.or(query.pace);
    asked.line_pace = asked.line_pace.or(query.line_pace);
    let user = caller.user(user.or(query.user), || NOBODY.into());
    all_sent(Asker::new(console, &user).carry_out(Verb::Send(asked), cancel).await, 0)
}

/// Sends a body of any length, as fast as the board takes it.
async fn send_stream(
    console: &Arc<Console>,
    caller: &Caller,
    query: SendQuery,
    body: Body,
    cancel: &CancellationToken,
) -> Result<Json<Answer>, ApiError> {
    let SendQuery { user, pace, line_pace } = query;
    let user = caller.user(user, || NOBODY.into());
    let asker = Asker::new(console, &user);
    let paces = Send { pace, line_pace, ..Send::default() };
    let mut body = body.into_data_stream();
    let mut sent = 0;
    loop {
        let bytes = tokio::select! {
            bytes = body.next() => bytes,
            () = cancel.cancelled() => {
                let what = format!("only {sent} bytes were sent: it was called back");
                return Err(ApiError::from(Failure::new(Kind::Failed, what)).sent(sent));
            }
        };
        let Some(bytes) = bytes else { break };
        let mut bytes = bytes.map_err(|error| Failure::from_error(Kind::User, &error))?;
        while !bytes.is_empty() {
            let part = bytes.split_to(bytes.len().min(MAX_SEND));
            let length = part.len() as u64;
            let Json(_) = all_sent(asker.send(part, &paces, cancel).await, sent)?;
            sent += length;
        }
    }
    Ok(Json(Answer::sent(sent, 0, "")))
}

/// When not all was sent, it is a failure that tells how much was. `before` was sent already.
fn all_sent(answer: Result<Answer, RequestError>, before: u64) -> Result<Json<Answer>, ApiError> {
    let (sent, kind, reason) = match answer {
        Ok(Answer::Sent { bytes, missing, reason, .. }) if missing > 0 => {
            (before + bytes, Kind::Failed, reason.unwrap_or_default())
        }
        Err(error) if before > 0 => (before, error.kind(), error.to_string()),
        Err(error) => return Err(ApiError::from(failure(&error)).sent(0)),
        Ok(answer) => return Ok(Json(answer)),
    };
    let what = format!("only {sent} bytes were sent: {reason}");
    Err(ApiError::from(Failure::new(kind, what)).sent(sent))
}

/// Reads the body of a request, and carries it out.
async fn ask<T: DeserializeOwned>(
    consoles: &Consoles,
    name: &str,
    body: &[u8],
    verb: impl FnOnce(T) -> Verb,
) -> Result<Json<Answer>, ApiError> {
    let console = consoles.find(name)?;
    let (user, request) = asked(body)?;
    let user = consoles.caller().user(user, || NOBODY.into());
    // Whoever goes away calls it back: all of this is dropped then.
    let cancel = CancellationToken::new();
    let carried_out = Asker::new(&console, &user).carry_out(verb(request), &cancel);
    let mut carried_out = pin!(carried_out);
    let answer = tokio::select! {
        answer = &mut carried_out => answer,
        refused = consoles.revoked(console.name()) => {
            cancel.cancel();
            return carried_out.await.map(Json).map_err(|_| refused);
        }
    };
    Ok(Json(answer.map_err(|error| failure(&error))?))
}

/// A body's `user`, and the rest of it. An empty one asks for nothing in particular.
fn asked<T: DeserializeOwned>(body: &[u8]) -> Result<(Option<String>, T), ApiError> {
    let mut object: Map<String, Value> = if body.is_empty() { Map::new() } else { json(body)? };
    let wrong = |error: serde_json::Error| {
        Failure::new(Kind::User, format!("the body is not understood: {error}"))
    };
    let user = object.remove("user").map(serde_json::from_value).transpose().map_err(wrong)?;
    Ok((user, serde_json::from_value(Value::Object(object)).map_err(wrong)?))
}

fn failure(error: &RequestError) -> Failure {
    let failure = Failure::from_error(error.kind(), error);
    match failure.kind {
        Kind::Refused => failure
            .because(Refusal::Held)
            .hint("lava release BOARD --force --reason TEXT takes it away; lava who tells of whom"),
        _ => failure,
    }
}
