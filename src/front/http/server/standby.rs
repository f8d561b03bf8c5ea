//! What a server answers while another one has the lab.

use axum::Router;
use axum::http::StatusCode;

use super::super::{ApiError, refuse_foreign_pages};
use crate::model::{Failure, Kind};

/// In so many seconds it may be another one.
const RETRY_S: u64 = 2;

/// Answers 503 to everything, `/healthz` too, with what `leader` says: who has the lab.
pub fn standby_router(leader: impl Fn() -> String + Clone + Send + Sync + 'static) -> Router {
    let answer = async move || {
        let what = format!("this server stands by: {} has the lab", leader());
        let failure = Failure::new(Kind::Lab, what).hint("ask that one, or again in a while");
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, failure).retry_after(RETRY_S)
    };
    Router::new().fallback(answer).layer(axum::middleware::from_fn(refuse_foreign_pages))
}
