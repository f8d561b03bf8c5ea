//! pdudaemon's HTTP: `GET /power/control/{on|off|reboot}`, with its answers, and the reason where its
//! own would be silent or wrong.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use axum::{Extension, Router};

use super::{App, Peer, failed, refuse_browsers};
use crate::front::pdudaemon::{Request, Target, failure_text};
use crate::power::Power;

/// What a client asks for when it names nothing wrong.
const ACCEPTED: &str = "OK - accepted request\n";
const INVALID: &str = "Invalid request";

/// The pages for pdudaemon's clients.
pub fn pages(power: Arc<Power>) -> App {
    Router::new()
        .route("/power/control/{word}", any(control))
        .fallback(async || (StatusCode::NOT_FOUND, "404: Not Found"))
        .layer(axum::middleware::from_fn(refuse_browsers))
        .with_state(power)
}

async fn control(
    State(power): State<Arc<Power>>,
    method: Method,
    Path(word): Path<String>,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
    Extension(peer): Extension<Peer>,
) -> Response {
    if !["on", "off", "reboot"].contains(&word.as_str()) {
        return (StatusCode::NOT_FOUND, "404: Not Found").into_response();
    }
    if method != Method::GET {
        return (StatusCode::METHOD_NOT_ALLOWED, "405: Method Not Allowed").into_response();
    }
    let Query(query) = query.unwrap_or_default();
    // The first of several counts, and one without a value does not.
    let get = |key: &str| {
        let found = query.iter().find(|(name, value)| name == key && !value.is_empty());
        found.map(|(_, value)| value.as_str())
    };
    let target = match (get("alias"), get("hostname"), get("port")) {
        (Some(board), None, None) => Ok(Target::Alias(board)),
        (None, Some(hostname), Some(port)) => Ok(Target::Port { hostname, port }),
        _ => Err("it needs hostname and port, or alias".to_owned()),
    };
    let request = target.and_then(|target| Request::new(&power, &word, target, get("delay")));
    let address = peer.host();
    match request {
        Err(why) => {
            tracing::info!(address, why, "a request of pdudaemon's protocol was refused");
            failed(StatusCode::INTERNAL_SERVER_ERROR, &format!("{INVALID}: {why}"))
        }
        Ok(request) => match request.carry_out(&power, &address).await {
            Ok(_) => ACCEPTED.into_response(),
            Err(error) => {
                let (text, for_now) = failure_text(error);
                let status = match for_now {
                    true => StatusCode::SERVICE_UNAVAILABLE,
                    false => StatusCode::BAD_GATEWAY,
                };
                failed(status, &text)
            }
        },
    }
}
