//! `GET /metrics` of `lava-serial`, for Prometheus.

use std::sync::atomic::AtomicU64;

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::super::ApiError;
use super::Consoles;
use crate::model::{Failure, Kind};
use crate::wire::attach::PortState;

type Labels = [(&'static str, String); 1];

/// Made from the consoles' own figures at each request, so that counting costs them nothing.
pub(super) async fn metrics(consoles: Consoles) -> Result<impl IntoResponse, ApiError> {
    let bytes = Family::<Labels, Counter<u64, AtomicU64>>::default();
    let open = Family::<Labels, Gauge>::default();
    let sessions = Family::<Labels, Gauge>::default();
    let broken = Family::<Labels, Gauge>::default();
    for console in consoles.all() {
        let status = console.status();
        let labels = [("console", status.name.to_string())];
        bytes.get_or_create(&labels).inc_by(status.head);
        open.get_or_create(&labels).set((status.state == PortState::Open).into());
        sessions.get_or_create(&labels).set(status.sessions.len() as i64);
        broken.get_or_create(&labels).set(status.capture_error.is_some().into());
    }
    let mut registry = Registry::with_prefix("lava_console");
    registry.register("bytes", "Bytes read from the port since the capture began", bytes);
    registry.register("port_open", "1 while the port is open", open);
    registry.register("sessions", "Attached sessions", sessions);
    registry.register("capture_failing", "1 while the capture cannot be written", broken);
    let mut text = String::new();
    encode(&mut text, &registry).map_err(|error| Failure::from_error(Kind::Bug, &error))?;
    Ok(([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text))
}
