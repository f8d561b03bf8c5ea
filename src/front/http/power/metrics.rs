//! `GET /metrics` of `lava-power`, for Prometheus.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use axum::Extension;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::super::ApiError;
use super::super::access::Caller;
use crate::model::{Failure, Kind, Name, Right};
use crate::power::{CLASSES, Metered, Power, Requests};

type Labels<const N: usize> = [(&'static str, String); N];

type Measured = Family<Labels<1>, Gauge<f64, AtomicU64>>;

/// How long the requests to each PDU took.
#[derive(Debug)]
struct Latency(Vec<(Name, Requests)>);

impl Collector for Latency {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let (name, help) = ("pdu_request", "How long requests to the PDU took");
        let unit = Some(&Unit::Seconds);
        let mut metric = encoder.encode_descriptor(name, help, unit, MetricType::Histogram)?;
        for (pdu, requests) in &self.0 {
            let bounds = CLASSES.into_iter().chain([f64::INFINITY]);
            let classes: Vec<(f64, u64)> = bounds.zip(requests.classes).collect();
            let count = requests.classes.iter().sum();
            let labels = [("pdu", pdu.as_str())];
            let mut of_pdu = metric.encode_family(&labels)?;
            of_pdu.encode_histogram::<NoLabelSet>(requests.seconds, count, &classes, None)?;
        }
        Ok(())
    }
}

/// Made from the tally at each request.
pub(super) async fn metrics(
    State(power): State<Arc<Power>>,
    Extension(caller): Extension<Caller>,
) -> Result<impl IntoResponse, ApiError> {
    let figures = power.tally();
    let operations = Family::<Labels<3>, Counter<u64, AtomicU64>>::default();
    for (counted, count) in figures.operations {
        if !caller.may(Right::See, counted.outlet.as_str()) {
            continue;
        }
        let labels = [
            ("outlet", counted.outlet.to_string()),
            ("verb", counted.verb.to_string()),
            ("result", counted.result.to_owned()),
        ];
        operations.get_or_create(&labels).inc_by(count);
    }
    let reachable = Family::<Labels<1>, Gauge>::default();
    let all = caller.on_all() >= Some(Right::See);
    for (pdu, answers) in figures.reachable.into_iter().filter(|_| all) {
        reachable.get_or_create(&[("pdu", pdu.to_string())]).set(answers.into());
    }
    let left_off = Family::<Labels<1>, Gauge>::default();
    for outlet in power.outlets().filter(|outlet| caller.may(Right::See, outlet.name.as_str())) {
        let is = power.left_off(&outlet.name).is_some();
        left_off.get_or_create(&[("outlet", outlet.name.to_string())]).set(is.into());
    }
    let unjournaled = Counter::<u64, AtomicU64>::default();
    unjournaled.inc_by(figures.unjournaled);
    let (mut volts, mut amperes, mut watts) = <(Measured, Measured, Measured)>::default();
    for outlet in power.outlets().filter(|outlet| caller.may(Right::See, outlet.name.as_str())) {
        let Some(Metered { reading, .. }) = power.metered(outlet.name.as_str()) else { continue };
        let labels = [("outlet", outlet.name.to_string())];
        for (family, value) in [
            (&mut volts, reading.volts),
            (&mut amperes, reading.amperes),
            (&mut watts, reading.watts),
        ] {
            if let Some(value) = value {
                family.get_or_create(&labels).set(value);
            }
        }
    }
    let requests = Family::<Labels<2>, Counter<u64, AtomicU64>>::default();
    let mut latency = Vec::new();
    for (pdu, counted) in figures.requests.into_iter().filter(|_| all) {
        for (result, count) in &counted.results {
            let labels = [("pdu", pdu.to_string()), ("result", (*result).to_owned())];
            requests.get_or_create(&labels).inc_by(*count);
        }
        latency.push((pdu, counted));
    }
    let mut registry = Registry::with_prefix("lava_power");
    registry.register("outlet_volts", "As last read at the outlet", volts);
    registry.register("outlet_amperes", "As last read at the outlet", amperes);
    registry.register("outlet_watts", "As last read at the outlet", watts);
    registry.register("pdu_requests", "Requests to the PDU since the start", requests);
    registry.register_collector(Box::new(Latency(latency)));
    registry.register("operations", "Operations on outlets since the start", operations);
    registry.register("pdu_reachable", "1 if the PDU answered when last asked", reachable);
    let what = "1 if a cycle switched it off and could not switch it on again; it is tried on";
    registry.register("left_off", what, left_off);
    let what = "How often a journal could not be read or written";
    registry.register("journal_errors", what, unjournaled);
    let mut text = String::new();
    encode(&mut text, &registry).map_err(|error| Failure::from_error(Kind::Bug, &error))?;
    Ok(([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text))
}
