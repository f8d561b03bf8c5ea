//! The HTTP interface of `lava-serial`.

mod attach;
mod control;
mod jobs;
mod metrics;
mod openapi;
mod past;
mod reload;
mod search;

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use serde::Deserialize;
use tokio_util::task::TaskTracker;

use super::{ApiError, refuse_foreign_pages};
use crate::console::{Console, Roster, Status};
use crate::front::hand_over::HandOver;
use crate::model::{Event, Failure, Kind, Name, What};

pub use attach::AttachedClient;
pub use openapi::openapi;
pub use reload::{Changes, Reload};

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
        .route("/search", get(search::search))
        .route("/consoles", get(list))
        .route("/consoles/{name}", get(status))
        .route("/consoles/{name}/attach", get(attach::attach))
        .route("/consoles/{name}/history", get(past::history))
        .route("/consoles/{name}/offset", get(past::offset))
        .route("/consoles/{name}/events", get(past::events).post(record))
        .merge(control::routes())
        .fallback(async || ApiError::not_found("there is no such page; see /openapi.json"))
        .layer(axum::extract::DefaultBodyLimit::max(MAX_BODY))
        .layer(axum::middleware::from_fn(refuse_foreign_pages))
        .layer(axum::Extension(tasks))
        .layer(axum::Extension(reload))
        .layer(axum::Extension(hand_over))
        .with_state(consoles)
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

/// A request's body, with our own words for what is wrong with it.
fn json<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| {
        Failure::new(Kind::User, format!("the body is not understood: {error}")).into()
    })
}
