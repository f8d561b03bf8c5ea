//! `GET /metrics` of `lava-server`, for Prometheus.

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
use crate::server::Server;

type Labels<const N: usize> = [(&'static str, &'static str); N];

/// Counted at each request.
pub(super) async fn metrics(
    State(server): State<Server>,
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
    let idle = Gauge::<i64>::default();
    idle.set(server.idle().map_or(-1, |idle| idle.as_secs().try_into().unwrap_or(i64::MAX)));
    let mut registry = Registry::with_prefix("lava");
    let text = "Seconds since the queue was looked at last; -1 when it never was";
    registry.register("queue_looked_seconds", text, idle);
    registry.register("boards", "Boards of the lab", boards);
    registry.register("requests", "Requests that have not ended", requests);
    registry.register("daemons", "Daemons that have announced themselves", daemons);
    let mut text = String::new();
    encode(&mut text, &registry).map_err(|error| Failure::from_error(Kind::Bug, &error))?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(CONTENT_TYPE, kind)], text))
}
