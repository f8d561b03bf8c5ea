//! `GET /metrics` of `lava-server`, for Prometheus.

use std::collections::BTreeMap;

use axum::Extension;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::super::ApiError;
use super::By;
use crate::model::{Failure, Kind, Right};
use crate::server::{Images, Server};

type Labels<const N: usize> = [(&'static str, &'static str); N];

/// Counted at each request.
pub(super) async fn metrics(
    State(server): State<Server>,
    Extension(images): Extension<Images>,
    Extension(caller): By,
) -> Result<impl IntoResponse, ApiError> {
    let boards = Family::<Labels<3>, Gauge>::default();
    for board in server.boards().await {
        if caller.may(Right::See, board.name.as_str()) {
            let live = if board.away.is_some() { "no" } else { "yes" };
            let (state, health) = (board.state.as_str(), board.health.as_str());
            let labels = [("state", state), ("health", health), ("there", live)];
            boards.get_or_create(&labels).inc();
        }
    }
    let requests = Family::<Labels<1>, Gauge>::default();
    for request in server.requests(false).await? {
        requests.get_or_create(&[("state", request.state.as_str())]).inc();
    }
    let daemons = Family::<Labels<2>, Gauge>::default();
    for daemon in server.daemons().await {
        let live = if daemon.live { "yes" } else { "no" };
        daemons.get_or_create(&[("kind", daemon.kind.as_str()), ("live", live)]).inc();
    }
    let jobs = Family::<Labels<1>, Gauge>::default();
    for state in server.live_jobs().await {
        jobs.get_or_create(&[("state", state.as_str())]).inc();
    }
    let (workers, slots) = (Family::<Labels<1>, Gauge>::default(), Gauge::<i64>::default());
    for worker in server.workers().await {
        workers.get_or_create(&[("live", if worker.live { "yes" } else { "no" })]).inc();
        slots.inc_by(if worker.live { i64::try_from(worker.slots).unwrap_or(i64::MAX) } else { 0 });
    }
    let (names, bytes) = (Gauge::<i64>::default(), Gauge::<i64>::default());
    let all = images.list().await?;
    names.set(i64::try_from(all.len()).unwrap_or(i64::MAX));
    // Of several names of one file there is one.
    let files: BTreeMap<_, _> = all.iter().map(|image| (&image.sha256, image.size)).collect();
    bytes.set(i64::try_from(files.values().sum::<u64>()).unwrap_or(i64::MAX));
    let idle = Gauge::<i64>::default();
    idle.set(server.idle().map_or(-1, |idle| idle.as_secs().try_into().unwrap_or(i64::MAX)));
    let mut registry = Registry::with_prefix("lava");
    let text = "Seconds since the queue was looked at last; -1 when it never was";
    registry.register("queue_looked_seconds", text, idle);
    registry.register("boards", "Boards of the lab", boards);
    registry.register("requests", "Requests that have not ended", requests);
    registry.register("daemons", "Daemons that have announced themselves", daemons);
    registry.register("jobs", "Jobs that have not ended", jobs);
    registry.register("workers", "Workers that were heard of", workers);
    registry.register("worker_slots", "Jobs that the live workers run at a time", slots);
    registry.register("images", "Images that have a name", names);
    registry.register("image_bytes", "Bytes of the files that these names are of", bytes);
    let mut text = String::new();
    encode(&mut text, &registry).map_err(|error| Failure::from_error(Kind::Bug, &error))?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(CONTENT_TYPE, kind)], text))
}
