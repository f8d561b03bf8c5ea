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
use crate::model::{Failure, Health, Kind};
use crate::wire::attach::PortState;

type Labels = [(&'static str, String); 1];
type TwoLabels = [(&'static str, String); 2];

/// Made from the consoles' own figures at each request, so that counting costs them nothing.
pub(super) async fn metrics(consoles: Consoles) -> Result<impl IntoResponse, ApiError> {
    let bytes = Family::<Labels, Counter<u64, AtomicU64>>::default();
    let open = Family::<Labels, Gauge>::default();
    let sessions = Family::<Labels, Gauge>::default();
    let broken = Family::<Labels, Gauge>::default();
    let mut lines = Lines::default();
    for console in consoles.all() {
        let status = console.status();
        let labels = [("console", status.name.to_string())];
        lines.add(&labels, &status.health);
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
    lines.register(&mut registry);
    let mut text = String::new();
    encode(&mut text, &registry).map_err(|error| Failure::from_error(Kind::Bug, &error))?;
    Ok(([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text))
}

/// How lines and boards are.
#[derive(Default)]
struct Lines {
    rate: Family<Labels, Gauge>,
    idle: Family<Labels, Gauge<f64, AtomicU64>>,
    boot: Family<Labels, Gauge<f64, AtomicU64>>,
    trouble: Family<Labels, Gauge>,
    mismatch: Family<Labels, Gauge>,
    seen: Family<TwoLabels, Counter<u64, AtomicU64>>,
    errors: Family<TwoLabels, Counter<u64, AtomicU64>>,
}

impl Lines {
    fn add(&mut self, labels: &Labels, health: &Health) {
        let two = |key, value: &str| [labels[0].clone(), (key, value.to_owned())];
        self.rate.get_or_create(labels).set(i64::try_from(health.bytes_per_s).unwrap_or(i64::MAX));
        if let Some(idle_ms) = health.idle_ms {
            self.idle.get_or_create(labels).set(idle_ms as f64 / 1000.0);
        }
        if let Some(boot) = &health.boot {
            self.boot.get_or_create(labels).set(boot.time_us as f64 / 1e6);
        }
        self.trouble.get_or_create(labels).set(health.trouble.is_some().into());
        self.mismatch.get_or_create(labels).set(health.mismatch.is_some().into());
        for (what, count) in &health.seen {
            self.seen.get_or_create(&two("what", what.as_str())).inc_by(*count);
        }
        if let Some(errors) = &health.errors {
            for (what, count) in [
                ("overrun", errors.overruns),
                ("parity", errors.parity),
                ("framing", errors.framing),
                ("break", errors.breaks),
            ] {
                self.errors.get_or_create(&two("what", what)).inc_by(count.into());
            }
        }
    }

    fn register(self, registry: &mut Registry) {
        registry.register("bytes_per_second", "Bytes read, over the last 5 s", self.rate);
        registry.register("idle_seconds", "Since the last byte was read", self.idle);
        registry.register("boot_time_seconds", "When the board began to boot last", self.boot);
        registry.register(
            "trouble",
            "1 if the board told of a panic, an oops or a watchdog since it booted",
            self.trouble,
        );
        registry.register(
            "power_mismatch",
            "1 while the board prints although it is off, or is silent since it was switched on",
            self.mismatch,
        );
        registry.register(
            "seen",
            "Boots, panics, resets and the like in what it printed",
            self.seen,
        );
        registry.register("line_errors", "What the line has counted, where it counts", self.errors);
    }
}
