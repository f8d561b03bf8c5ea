//! The HTTP interface of `lava-serial`.

mod attach;
mod consoles;
mod control;
mod down;
mod drawing;
mod feed;
mod jobs;
mod leases;
mod metrics;
mod openapi;
mod outlet;
mod past;
mod reload;
mod rights;
mod search;
mod view;

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::routing::{get, post};
use serde::Deserialize;
use tokio_util::task::TaskTracker;

use self::consoles::{AllConsoles, Consoles};
use super::access::{Access, Guard, guard};
use super::{ApiError, refuse_foreign_pages};
use crate::console::{Roster, Status};
use crate::front::hand_over::HandOver;
use crate::front::web;
use crate::model::{Event, Failure, Kind, What, printable, shown};

pub use attach::AttachedClient;
pub use openapi::openapi;
pub use outlet::Outlets;
pub use reload::{Changes, Reload};

/// The largest body of a request, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// The longest detail of an event that is taken, in bytes.
const MAX_DETAIL: usize = 4096;

/// All routes.
///
/// Attached clients are served on `tasks`, which ends when the consoles have.
pub fn router(
    consoles: Arc<Roster>,
    access: Access,
    outlets: Outlets,
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
        .route("/feed", get(feed::feed))
        .route("/consoles", get(list))
        .route("/consoles/{name}", get(status))
        .route("/consoles/{name}/attach", get(attach::attach))
        .route("/consoles/{name}/screen", get(view::screen))
        .route("/consoles/{name}/lines", get(view::lines))
        .route("/consoles/{name}/outlet", get(outlet::status))
        .route("/consoles/{name}/outlet/{verb}", post(outlet::switch))
        .route(
            "/consoles/{name}/lease",
            get(leases::lease).post(leases::take).delete(leases::release),
        )
        .route("/consoles/{name}/history", get(past::history))
        .route("/consoles/{name}/offset", get(past::offset))
        .route("/consoles/{name}/events", get(past::events).post(record))
        .merge(control::routes())
        .fallback(async || ApiError::not_found("there is no such page; see /openapi.json"))
        .layer(axum::extract::DefaultBodyLimit::max(MAX_BODY))
        .layer(axum::middleware::from_fn_with_state(
            Guard { access: access.clone(), table: rights::TABLE, thing: "console" },
            guard,
        ))
        .merge(web::pages(access.clone()))
        .layer(axum::middleware::from_fn(refuse_foreign_pages))
        .layer(axum::Extension(access))
        .layer(axum::Extension(outlets))
        .layer(axum::Extension(tasks))
        .layer(axum::Extension(reload))
        .layer(axum::Extension(hand_over))
        .with_state(AllConsoles::new(consoles))
}

/// An event that somebody puts on the timeline.
#[derive(Debug, Deserialize)]
struct NewEvent {
    who: Option<String>,
    #[serde(flatten)]
    what: What,
}

#[utoipa::path(get, path = "/consoles", responses((status = 200, body = Vec<Status>)))]
async fn list(consoles: Consoles) -> Json<Vec<Status>> {
    Json(consoles.all().iter().map(|console| consoles.status(console)).collect())
}

#[utoipa::path(get, path = "/consoles/{name}", params(("name" = String, Path)),
    responses((status = 200, body = Status), (status = 404, description = "no such console")))]
async fn status(consoles: Consoles, Path(name): Path<String>) -> Result<Json<Status>, ApiError> {
    let console = consoles.find(&name)?;
    let line = Some(console.line_now().await);
    Ok(Json(Status { line, sequences: console.sequences(), ..consoles.status(&console) }))
}

#[utoipa::path(post, path = "/consoles/{name}/events", params(("name" = String, Path)),
    responses((status = 200, description = "the event as it was recorded")))]
async fn record(
    consoles: Consoles,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Json<Event>, ApiError> {
    let console = consoles.find(&name)?;
    let NewEvent { who, what } = json(&body)?;
    let what = taken(what).ok_or_else(|| {
        Failure::new(
            Kind::User,
            "only events of the kinds power, meter, job and action are taken here",
        )
    })?;
    let who = consoles.caller().user(who, String::new);
    let event = console.event(Some(who).filter(|who| !who.is_empty()), what).await;
    Ok(Json(event.map_err(|error| Failure::from_error(Kind::Interrupted, &error))?))
}

/// An event fit for everybody's terminal. Only what happens outside of the console is taken: what happens
/// to it, it knows best itself.
fn taken(what: What) -> Option<What> {
    Some(match what {
        What::Power { outlet, verb, phase, detail } => {
            let detail = detail.map(|detail| printable(&detail, MAX_DETAIL));
            What::Power { outlet, verb: shown(&verb), phase, detail }
        }
        What::Meter { .. } => what,
        What::Job { id, phase } => What::Job { id: shown(&id), phase },
        What::Action { job, level, name, phase } => {
            What::Action { job: shown(&job), level: shown(&level), name: shown(&name), phase }
        }
        _ => return None,
    })
}

/// A request's body, with our own words for what is wrong with it.
fn json<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| {
        Failure::new(Kind::User, format!("the body is not understood: {error}")).into()
    })
}
