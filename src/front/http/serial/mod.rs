//! The HTTP interface of `lava-serial`.

mod attach;
mod control;
mod jobs;
mod metrics;
mod openapi;
mod reload;

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use serde::Deserialize;
use tokio_util::task::TaskTracker;

use super::{ApiError, Params, refuse_foreign_pages};
use crate::console::{Console, Past, PastError, Roster, Status};
use crate::front::hand_over::HandOver;
use crate::model::{Event, Failure, Kind, Name, What};

pub use attach::AttachedClient;
pub use openapi::openapi;
pub use reload::{Changes, Reload};

/// The header of a history answer that tells the offset of its first byte.
const OFFSET_HEADER: HeaderName = HeaderName::from_static("x-lava-offset");

/// The header of a history answer that tells the offset behind its last byte: where the range ends, or
/// where the first hole in it begins.
const END_HEADER: HeaderName = HeaderName::from_static("x-lava-end");
/// The largest body of a request, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// The consoles of the process.
pub type Consoles = Arc<Roster>;

/// All routes.
///
/// Attached clients are served on `tasks`, which ends when the consoles have.
pub fn router(
    consoles: Consoles,
    reload: Reload,
    hand_over: HandOver,
    tasks: TaskTracker,
) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/openapi.json", get(async || Json(openapi())))
        .route("/metrics", get(metrics::metrics))
        .route("/reload", post(reload::reload))
        .route("/consoles", get(list))
        .route("/consoles/{name}", get(status))
        .route("/consoles/{name}/attach", get(attach::attach))
        .route("/consoles/{name}/history", get(history))
        .route("/consoles/{name}/events", get(events).post(record))
        .merge(control::routes())
        .fallback(async || ApiError::not_found("there is no such page; see /openapi.json"))
        .layer(axum::extract::DefaultBodyLimit::max(MAX_BODY))
        .layer(axum::middleware::from_fn(refuse_foreign_pages))
        .layer(axum::Extension(tasks))
        .layer(axum::Extension(reload))
        .layer(axum::Extension(hand_over))
        .with_state(consoles)
}

/// A range of the past.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct Range {
    /// An offset, or a time as RFC 3339. The oldest held offset when left out.
    from: Option<String>,
    /// The offset behind the last byte. The head when left out.
    to: Option<u64>,
}

/// An event that somebody puts on the timeline.
#[derive(Debug, Deserialize)]
struct NewEvent {
    who: Option<String>,
    #[serde(flatten)]
    what: What,
}

#[utoipa::path(get, path = "/consoles", responses((status = 200, body = Vec<Status>)))]
async fn list(State(consoles): State<Consoles>) -> Json<Vec<Status>> {
    Json(consoles.all().iter().map(|console| console.status()).collect())
}

#[utoipa::path(get, path = "/consoles/{name}", params(("name" = String, Path)),
    responses((status = 200, body = Status), (status = 404, description = "no such console")))]
async fn status(
    State(consoles): State<Consoles>,
    Path(name): Path<String>,
) -> Result<Json<Status>, ApiError> {
    let console = find(&consoles, &name)?;
    let line = Some(console.line_now().await);
    Ok(Json(Status { line, sequences: console.sequences(), ..console.status() }))
}

#[utoipa::path(get, path = "/consoles/{name}/history", params(("name" = String, Path), Range),
    responses((status = 200, description = "the bytes; x-lava-offset has the first one's offset",
               content_type = "application/octet-stream"),
              (status = 410, description = "not held any more"),
              (status = 416, description = "beyond the head")))]
async fn history(
    State(consoles): State<Consoles>,
    Path(name): Path<String>,
    Params(range): Params<Range>,
) -> Result<impl IntoResponse, ApiError> {
    let console = find(&consoles, &name)?;
    let from = match &range.from {
        Some(from) => from_text(&console, from).await?,
        None => console.status().first,
    };
    let past = console.past(from, range.to)?;
    let (offset, end) = (past.offset().to_string(), past.end().to_string());
    let bytes = async |mut past: Past| -> std::io::Result<Option<(Bytes, Past)>> {
        let Some(pieces) = past.next().await? else { return Ok(None) };
        let pieces: Vec<Bytes> = pieces.into_iter().map(|piece| piece.bytes).collect();
        Ok(Some((pieces.concat().into(), past)))
    };
    let body = Body::from_stream(futures_util::stream::try_unfold(past, bytes));
    Ok((
        [
            (CONTENT_TYPE, "application/octet-stream".to_owned()),
            (OFFSET_HEADER, offset),
            (END_HEADER, end),
        ],
        body,
    ))
}

#[utoipa::path(get, path = "/consoles/{name}/events", params(("name" = String, Path), Range),
    responses((status = 200, description = "the newest 10,000 events, oldest first")))]
async fn events(
    State(consoles): State<Consoles>,
    Path(name): Path<String>,
    Params(range): Params<Range>,
) -> Result<Json<Vec<Event>>, ApiError> {
    let console = find(&consoles, &name)?;
    let from = match &range.from {
        Some(from) => from_text(&console, from).await?,
        None => 0,
    };
    let mut events = console.events_since(from).await?;
    events.retain(|event| range.to.is_none_or(|to| event.offset < to));
    Ok(Json(events))
}

#[utoipa::path(post, path = "/consoles/{name}/events", params(("name" = String, Path)),
    responses((status = 200, description = "the event as it was recorded")))]
async fn record(
    State(consoles): State<Consoles>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Json<Event>, ApiError> {
    let console = find(&consoles, &name)?;
    let NewEvent { who, what } = json(&body)?;
    // Only what happens outside of the console: what happens to it, it knows best itself.
    if !matches!(what, What::Power { .. } | What::Job { .. } | What::Action { .. }) {
        let message = "only events of the kinds power, job and action are taken here";
        return Err(Failure::new(Kind::User, message).into());
    }
    let event = console.event(who, what).await;
    Ok(Json(event.map_err(|error| Failure::from_error(Kind::Interrupted, &error))?))
}

/// The console of a name.
fn find(consoles: &Roster, name: &str) -> Result<Arc<Console>, ApiError> {
    consoles.get(name).ok_or_else(|| {
        let all = consoles.all();
        let known = all.iter().map(|console| console.name().as_str());
        let near = Name::nearest(name, known).map(|near| format!("; did you mean {near:?}?"));
        ApiError::not_found(format!("there is no console {name:?}{}", near.unwrap_or_default()))
    })
}

/// An offset in decimal, or the offset of a time in RFC 3339.
async fn from_text(console: &Console, text: &str) -> Result<u64, ApiError> {
    if let Ok(offset) = text.parse() {
        return Ok(offset);
    }
    let time: jiff::Timestamp = text.parse().map_err(|_| {
        let message =
            format!("from={text}: neither an offset nor a time such as 2026-11-21T10:00:00Z");
        Failure::new(Kind::User, message)
    })?;
    Ok(console.offset_at(u64::try_from(time.as_microsecond()).unwrap_or(0)).await?)
}

/// A request's body, with our own words for what is wrong with it.
fn json<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| {
        Failure::new(Kind::User, format!("the body is not understood: {error}")).into()
    })
}

impl From<PastError> for ApiError {
    fn from(error: PastError) -> Self {
        let (status, kind) = match error {
            PastError::Gone { .. } => (StatusCode::GONE, Kind::User),
            PastError::Future { .. } => (StatusCode::RANGE_NOT_SATISFIABLE, Kind::User),
            PastError::Screen { .. } => (StatusCode::BAD_REQUEST, Kind::User),
            PastError::Io(_) => (StatusCode::INTERNAL_SERVER_ERROR, Kind::Infra),
        };
        Self::new(status, Failure::from_error(kind, &error))
    }
}
